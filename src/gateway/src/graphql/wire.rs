//! Values on their way: input to what the wire calls it, answers to what GraphQL calls it.

use apollo_compiler::Schema;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonValue;
use apollo_compiler::schema::{ExtendedType, Type};
use serde_json::{Map, Number, Value};

use super::types::Tables;

/// What a caller reads when an answer is not what its contract says.
const MISFIT: &str = "the answer of the service is not what its contract says";

/// Input, checked against its type before, as the wire has it.
pub(super) fn input(schema: &Schema, tables: &Tables, ty: &Type, value: JsonValue) -> Value {
    match value {
        JsonValue::Array(items) if ty.is_list() => {
            items.into_iter().map(|item| input(schema, tables, ty.item_type(), item)).collect()
        }
        JsonValue::Object(fields) => match schema.types.get(ty.inner_named_type()) {
            Some(ExtendedType::InputObject(object)) => {
                let table = tables.get(object.name.as_str());
                let mut map = Map::new();
                for (name, value) in fields {
                    let Some(field) = object.fields.get(name.as_str()) else { continue };
                    let wire = table.and_then(|it| it.get(name.as_str())).map_or(name.as_str(), String::as_str);
                    map.insert(wire.to_owned(), input(schema, tables, &field.ty, value));
                }
                Value::Object(map)
            }
            _ => plain(JsonValue::Object(fields)),
        },
        JsonValue::String(text) => {
            let name = ty.inner_named_type();
            let is_enum = matches!(schema.types.get(name), Some(ExtendedType::Enum(_)));
            let wire = tables.get(name.as_str()).and_then(|it| it.get(text.as_str())).filter(|_| is_enum);
            Value::from(wire.map_or(text.as_str(), String::as_str))
        }
        other => plain(other),
    }
}

/// The same value as the other kind of JSON.
pub(super) fn plain(value: JsonValue) -> Value {
    match value {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(it) => Value::Bool(it),
        JsonValue::Number(it) => Value::Number(it),
        JsonValue::String(it) => Value::String(it.as_str().to_owned()),
        JsonValue::Array(items) => items.into_iter().map(plain).collect(),
        JsonValue::Object(map) => map.into_iter().map(|(key, value)| (key.as_str().to_owned(), plain(value))).collect(),
    }
}

/// What gives an answer its GraphQL names.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// The schema that the answer is read by.
    pub(super) schema: &'a Schema,
    /// The names that differ.
    pub(super) tables: &'a Tables,
}

/// An object within an answer.
struct Object<'a> {
    names: Names<'a>,
    of: &'a str,
    fields: &'a Map<String, Value>,
}

/// A value of an answer, as what its type says.
pub(super) fn output<'a>(names: Names<'a>, ty: &'a Type, value: &'a Value) -> Result<ResolvedValue<'a>, FieldError> {
    let misfit = || FieldError { message: MISFIT.to_owned() };
    if value.is_null() {
        return Ok(ResolvedValue::null());
    }
    if ty.is_list() {
        let items = value.as_array().ok_or_else(misfit)?;
        return Ok(ResolvedValue::List(Box::new(items.iter().map(move |it| output(names, ty.item_type(), it)))));
    }
    let name = ty.inner_named_type();
    match (names.schema.types.get(name), value) {
        (Some(ExtendedType::Object(_)), Value::Object(fields)) => {
            Ok(ResolvedValue::object(Object { names, of: name.as_str(), fields }))
        }
        (Some(ExtendedType::Enum(_)), Value::String(text)) => {
            let table = names.tables.get(name.as_str()).into_iter().flatten();
            let found = table.into_iter().find(|(_, wire)| *wire == text).map_or(text, |(value, _)| value);
            Ok(ResolvedValue::leaf(found.as_str()))
        }
        (Some(ExtendedType::Scalar(_)), Value::Number(number)) if name == "Float" => {
            let float = number.as_f64().and_then(Number::from_f64).ok_or_else(misfit)?;
            Ok(ResolvedValue::Leaf(JsonValue::Number(float)))
        }
        (Some(ExtendedType::Scalar(_)), value) => Ok(ResolvedValue::leaf(value.clone())),
        _ => Err(misfit()),
    }
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        self.of
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let name = info.field_name();
        let wire = self.names.tables.get(self.of).and_then(|it| it.get(name)).map_or(name, String::as_str);
        output(self.names, &info.field_definition().ty, self.fields.get(wire).unwrap_or(&Value::Null))
    }
}
