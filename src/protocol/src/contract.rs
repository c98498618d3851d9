//! What a service offers: the name, schemas and permissions of one command, query or event.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::names::{self, ServiceName};
use crate::permission::{self, is_permission};
use crate::{Auth, Fault, Kind, canonical, read, schema};

/// What a caller must know about one command, query or event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// What it is called on the wire, unique within its service: `CreateUserCommand`.
    pub message_type: String,
    /// What it is. When it is missing, the ending of the message type says it.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The service that handles the command or query, or that publishes the event.
    pub target_service: ServiceName,
    /// What it does, for people.
    pub description: String,
    /// The JSON Schema of the payload.
    pub input_schema: Value,
    /// The JSON Schema of the answer's payload; `{"type":"null"}` for events.
    pub output_schema: Value,
    /// All of these are needed to send it, or to be told of it when it is an event. When it is empty, any authenticated
    /// caller may.
    #[serde(default, deserialize_with = "read::or_default")]
    pub required_permissions: Vec<String>,
    /// Whether anonymous callers may send it, or be told of it; no permissions can be required then.
    #[serde(default, deserialize_with = "read::or_default")]
    pub is_public: bool,
    /// The version of the contract: `1.0.0`.
    pub version: String,
    /// What else callers may want to know.
    #[serde(default, deserialize_with = "read::or_default", skip_serializing_if = "ContractMetadata::is_empty")]
    pub metadata: ContractMetadata,
}

/// What else callers may want to know about a contract.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractMetadata {
    /// How often one caller may send it, where that differs from the gateway's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Whether it may be sent twice without harm, so that it may be retried.
    #[serde(default, deserialize_with = "read::or_default", skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// Whatever else there is, kept as it is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// How often one caller may send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimit {
    /// How many requests.
    pub requests: u32,
    /// In how many seconds.
    pub window: u32,
}

impl ContractMetadata {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Contract {
    /// What it is: as it says, or by the ending of its message type.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::of(&self.message_type))
    }

    /// The check in front of the handler: see [`permission::admit`].
    ///
    /// # Errors
    /// `UnauthorizedError` for a caller who is not known, `AUTHORIZATION_ERROR` for one who lacks permissions.
    pub fn admit(&self, caller: Option<&Auth>) -> Result<(), Fault> {
        permission::admit(self.is_public, &self.required_permissions, caller)
    }
}

/// What is wrong with contracts, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Whether there is no error; warnings are no errors.
    pub is_valid: bool,
    /// Errors and warnings, in the order of the contracts.
    pub errors: Vec<Flaw>,
}

/// One thing that is wrong with a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flaw {
    /// The way to the field: `contracts[2].inputSchema.type`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
    /// How bad that is.
    pub severity: Severity,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The contract is refused.
    Error,
    /// The contract is accepted.
    Warning,
}

/// Checks the contracts of one service: each by itself, and that no message type appears twice.
#[must_use]
pub fn validate(contracts: &[Contract]) -> Validation {
    let mut errors = Vec::new();
    let mut seen = HashSet::new();
    for (i, contract) in contracts.iter().enumerate() {
        check(contract, &format!("contracts[{i}]"), &mut errors);
        if !seen.insert(&contract.message_type) {
            let message = format!("`{}` appears twice", contract.message_type);
            errors.push(error(format!("contracts[{i}].messageType"), message));
        }
    }
    Validation { is_valid: errors.iter().all(|flaw| flaw.severity == Severity::Warning), errors }
}

/// The checksum of the contracts of one service, as 64 hex digits; their order and that of their fields do not matter.
///
/// # Panics
/// Never: every field of a contract has a JSON form.
#[must_use]
pub fn checksum(contracts: &[Contract]) -> String {
    let json = contracts.iter().map(|it| serde_json::to_value(it).expect("every field has a JSON form"));
    checksum_of_json(json.collect())
}

/// The same checksum of contracts as they were received, with fields that this version does not know.
#[must_use]
pub fn checksum_of_json(mut contracts: Vec<Value>) -> String {
    contracts.sort_by(|a, b| a["messageType"].as_str().cmp(&b["messageType"].as_str()));
    canonical::checksum(&Value::Array(contracts))
}

fn error(field: String, message: impl Into<String>) -> Flaw {
    Flaw { field, message: message.into(), severity: Severity::Error }
}

fn check(contract: &Contract, path: &str, found: &mut Vec<Flaw>) {
    let at = |field: &str| format!("{path}.{field}");
    if !names::is_message_type(&contract.message_type) {
        found.push(error(at("messageType"), "is not made of letters, digits, `_`, `-` and `.`, 1 to 100 of them"));
    }
    match contract.kind() {
        Kind::Response => found.push(error(at("type"), "a response has no contract")),
        kind if contract.message_type.ends_with(kind.suffix()) || contract.message_type.contains('.') => {}
        kind => {
            let message = format!("the name of a {kind} ends in `{}`", kind.suffix());
            found.push(Flaw { field: at("messageType"), message, severity: Severity::Warning });
        }
    }
    if contract.description.trim().is_empty() {
        found.push(error(at("description"), "is empty"));
    }
    for (field, value) in [("inputSchema", &contract.input_schema), ("outputSchema", &contract.output_schema)] {
        let flaws = schema::check(value, &at(field));
        found.extend(flaws.into_iter().map(|(field, problem)| error(field, problem)));
    }
    for (i, permission) in contract.required_permissions.iter().enumerate() {
        if !is_permission(permission) {
            let message = format!("`{permission}` is not `resource:action` in lower-case letters, digits and hyphens");
            found.push(error(at(&format!("requiredPermissions[{i}]")), message));
        }
    }
    if contract.is_public && !contract.required_permissions.is_empty() {
        found.push(error(at("requiredPermissions"), "a public contract cannot require permissions"));
    }
    if !is_version(&contract.version) {
        found.push(error(at("version"), "is not a version such as 1.0.0"));
    }
    if contract.metadata.rate_limit.is_some_and(|it| it.requests == 0 || it.window == 0) {
        found.push(error(at("metadata.rateLimit"), "requests and window must be above zero"));
    }
}

/// Whether a text is a semantic version.
fn is_version(text: &str) -> bool {
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let number = |part: &str| digits(part) && (part == "0" || !part.starts_with('0'));
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|pre| pre.split('.').all(|part| word(part) && (!digits(part) || number(part))))
        && build.is_none_or(|build| build.split('.').all(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract() -> Contract {
        Contract {
            message_type: "CreateUserCommand".to_owned(),
            kind: None,
            target_service: "user-service".parse().unwrap(),
            description: "makes a user".to_owned(),
            input_schema: json!({ "type": "object", "properties": { "name": { "type": "string" } } }),
            output_schema: json!({ "type": "null" }),
            required_permissions: vec!["users:create".to_owned()],
            is_public: false,
            version: "1.0.0".to_owned(),
            metadata: ContractMetadata::default(),
        }
    }

    /// What is wrong with one contract.
    fn flaws(change: impl FnOnce(&mut Contract)) -> Vec<String> {
        let mut contract = contract();
        change(&mut contract);
        let found = validate(&[contract]).errors;
        found.into_iter().map(|it| format!("{:?} {}: {}", it.severity, it.field, it.message)).collect()
    }

    #[test]
    fn a_good_contract_is_valid() {
        assert_eq!(validate(&[contract()]), Validation { is_valid: true, errors: vec![] });
        assert_eq!(flaws(|it| it.message_type = "Users.Commands.CreateUser".to_owned()), [""; 0]);
    }

    #[test]
    fn every_rule_names_its_field() {
        let error = |text: &str| vec![format!("Error contracts[0].{text}")];
        assert_eq!(
            flaws(|it| it.message_type = "Créate".to_owned()),
            error("messageType: is not made of letters, digits, `_`, `-` and `.`, 1 to 100 of them")
        );
        assert_eq!(flaws(|it| it.kind = Some(Kind::Response)), error("type: a response has no contract"));
        assert_eq!(flaws(|it| it.description = " ".to_owned()), error("description: is empty"));
        assert_eq!(flaws(|it| it.input_schema = json!({})), error("inputSchema.type: is missing"));
        assert_eq!(
            flaws(|it| it.input_schema["properties"]["name"] = json!({ "type": "text" })),
            error("inputSchema.properties.name.type: is no JSON type, nor a list of different ones")
        );
        assert_eq!(flaws(|it| it.output_schema = json!(null)), error("outputSchema: is not an object"));
        assert_eq!(
            flaws(|it| it.required_permissions = vec!["a:b".to_owned(), "users.create".to_owned()]),
            error(
                "requiredPermissions[1]: `users.create` is not `resource:action` in lower-case letters, digits and \
                 hyphens"
            )
        );
        assert_eq!(
            flaws(|it| it.is_public = true),
            error("requiredPermissions: a public contract cannot require permissions")
        );
        assert_eq!(flaws(|it| it.version = "1.0".to_owned()), error("version: is not a version such as 1.0.0"));
        assert_eq!(
            flaws(|it| it.metadata.rate_limit = Some(RateLimit { requests: 0, window: 60 })),
            error("metadata.rateLimit: requests and window must be above zero")
        );
    }

    #[test]
    fn a_strange_name_is_only_a_warning() {
        let mut strange = contract();
        strange.kind = Some(Kind::Query);
        let validation = validate(&[strange]);
        assert!(validation.is_valid);
        assert_eq!(validation.errors[0].severity, Severity::Warning);
    }

    #[test]
    fn a_message_type_appears_once() {
        let validation = validate(&[contract(), contract()]);
        assert!(!validation.is_valid);
        assert_eq!(validation.errors[0].field, "contracts[1].messageType");
        assert_eq!(validation.errors[0].message, "`CreateUserCommand` appears twice");
    }

    #[test]
    fn versions_are_semantic() {
        for right in ["0.0.0", "1.20.3", "1.0.0-rc.1", "1.0.0-x-y.7+build.01"] {
            assert!(is_version(right), "{right}");
        }
        for wrong in ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.x", "v1.0.0", "1.0.0-", "1.0.0-01", "1.0.0+", "-1.0.0"]
        {
            assert!(!is_version(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_checksum_sees_changes_and_nothing_else() {
        let (one, mut other) = (contract(), contract());
        other.message_type = "AnotherCommand".to_owned();
        let sum = checksum(&[one.clone(), other.clone()]);
        assert_eq!(sum.len(), 64);
        assert_eq!(sum, checksum(&[other.clone(), one.clone()]));
        other.description.push('!');
        assert_ne!(sum, checksum(&[one, other]));
    }
}
