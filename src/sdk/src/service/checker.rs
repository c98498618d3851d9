//! Whether a payload is what its contract's schema says.

#[cfg(feature = "validation")]
use serde_json::{Value, json};

use crate::protocol::{Contract, Fault, Payload};

/// The schema of one message, ready to be asked.
pub struct Checker {
    #[cfg(feature = "validation")]
    schema: Option<jsonschema::Validator>,
}

impl Checker {
    /// Prepares the schema of a contract; without one, everything fits.
    ///
    /// # Errors
    /// Why the schema cannot be used.
    #[cfg(feature = "validation")]
    pub fn new(contract: Option<&Contract>) -> Result<Self, String> {
        let Some(contract) = contract else { return Ok(Self { schema: None }) };
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
        let schema = options.build(&contract.input_schema);
        let schema = schema.map_err(|error| format!("the schema of {}: {error}", contract.message_type))?;
        Ok(Self { schema: Some(schema) })
    }

    /// Without schemas there is nothing to prepare.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "validation"))]
    pub fn new(_: Option<&Contract>) -> Result<Self, String> {
        Ok(Self {})
    }

    /// Lists every field that does not fit.
    ///
    /// # Errors
    /// A `ValidationError` whose details name the fields.
    #[cfg(feature = "validation")]
    pub fn check(&self, payload: &Payload) -> Result<(), Fault> {
        let value: Value = payload.read().map_err(|error| Fault::validation(error.to_string()))?;
        self.check_value(&value)
    }

    /// The same for what was read already.
    ///
    /// # Errors
    /// See [`Checker::check`].
    #[cfg(feature = "validation")]
    pub fn check_value(&self, value: &Value) -> Result<(), Fault> {
        let Some(schema) = self.schema.as_ref().filter(|schema| !schema.is_valid(value)) else { return Ok(()) };
        let flaws: Vec<_> = schema.iter_errors(value).take(MOST_FLAWS).map(|flaw| flaw_of(&flaw)).collect();
        let first = flaws.first().map_or_else(String::new, |(field, message)| format!("`{field}`: {message}"));
        let details: Vec<_> =
            flaws.iter().map(|(field, message)| json!({ "field": field, "message": message })).collect();
        Err(Fault::validation(first).with_details(json!({ "errors": details })))
    }

    /// Without schemas, what the handler's types say must do.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "validation"))]
    pub fn check(&self, _: &Payload) -> Result<(), Fault> {
        Ok(())
    }

    /// The same for what was read already.
    ///
    /// # Errors
    /// None.
    #[cfg(not(feature = "validation"))]
    pub fn check_value(&self, _: &serde_json::Value) -> Result<(), Fault> {
        Ok(())
    }
}

/// A caller who is this wrong is told enough.
#[cfg(feature = "validation")]
const MOST_FLAWS: usize = 20;

/// Where a flaw is, as a path that begins with `payload`, and what it is; never the value, which may be a secret.
#[cfg(feature = "validation")]
fn flaw_of(flaw: &jsonschema::ValidationError<'_>) -> (String, String) {
    let mut field = "payload".to_owned();
    for part in flaw.instance_path().as_str().split('/').skip(1) {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            field.push_str(&format!("[{part}]"));
        } else {
            field.push('.');
            field.push_str(&part.replace("~1", "/").replace("~0", "~"));
        }
    }
    if let jsonschema::error::ValidationErrorKind::Required { property } = flaw.kind() {
        let property = property.as_str().unwrap_or_default();
        return (format!("{field}.{property}"), "is missing".to_owned());
    }
    (field, flaw.masked().to_string())
}
