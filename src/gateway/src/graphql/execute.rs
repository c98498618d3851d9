//! From a document to messages, and from their answers to a response.
//!
//! A document is gone through twice: once to learn which fields send which messages, once to write what came back.
//! Between the two is all that waits. Both times the library does what the specification says.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::ast;
use apollo_compiler::executable::{Operation, OperationType};
use apollo_compiler::parser::Parser;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{GraphQLError, JsonMap, JsonValue, ResponseDataPathSegment};
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Node};
use banyan_sdk::protocol::Fault;
use serde_json::{Map, Value};

use super::entries::{Entry, Input, Root, flat};
use super::limits::Limits;
use super::schemas::Visible;
use super::trouble::{Trouble, refused};
use super::wire::{self, Names};
use crate::caller::Caller;

/// How deep a document may be nested while it is parsed, which bounds the stack.
const NESTED: usize = 100;
/// The most errors that one refusal names.
const NAMED: usize = 10;

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Asked {
    /// The document.
    pub(super) query: String,
    /// Which of its operations, when there are several.
    pub(super) operation: Option<String>,
    /// The values of its variables.
    pub(super) variables: Map<String, Value>,
}

/// A document that may be executed.
pub(super) struct Ready {
    visible: Arc<Visible>,
    document: Valid<ExecutableDocument>,
    operation: Node<Operation>,
    variables: Valid<JsonMap>,
    introspection: bool,
}

/// A message that a field sends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// What the field is called in the response.
    pub(super) key: String,
    /// The name of the field.
    pub(super) field: String,
    /// What it sends; the filter of a subscription.
    pub(super) payload: Value,
}

/// What came back for each call.
pub(super) type Answers = HashMap<String, Result<Value, Fault>>;

/// Reads a document and checks all that can be checked before anything is sent.
pub(super) fn ready(
    visible: &Arc<Visible>,
    caller: &Caller,
    limits: &Limits,
    introspection: bool,
    asked: &Asked,
) -> Result<Ready, Vec<Trouble>> {
    let one = |message: &str| vec![Trouble::invalid(message)];
    if asked.query.len() > limits.bytes {
        return Err(one(&format!("the document is longer than {} bytes", limits.bytes)));
    }
    let mut parser = Parser::new().recursion_limit(NESTED).token_limit(limits.tokens);
    let written = parser.parse_ast(asked.query.as_str(), "document").map_err(|it| diagnosed(&it.errors))?;
    limits.written(&written).map_err(|it| one(&it))?;
    let made = visible.made();
    let document = written.to_executable_validate(&made.schema).map_err(|errors| {
        denied(visible, caller, &written).map_or_else(|| diagnosed(&errors.errors), |trouble| vec![trouble])
    })?;
    let wrong =
        |error: apollo_compiler::request::RequestError| vec![Trouble::found(error.to_graphql_error(&document.sources))];
    let operation = document.operations.get(asked.operation.as_deref()).map_err(wrong)?.clone();
    limits.asked(&document, &operation).map_err(|it| one(&it))?;
    if !introspection && operation.root_fields(&document).any(|it| matches!(it.name.as_str(), "__schema" | "__type")) {
        return Err(one("introspection is turned off"));
    }
    apollo_compiler::introspection::check_max_depth(&document, &operation).map_err(wrong)?;
    let JsonValue::Object(given) = JsonValue::from(Value::Object(asked.variables.clone())) else {
        return Err(one("`variables` is not an object"));
    };
    let variables = coerce_variable_values(&made.schema, &operation, &given).map_err(wrong)?;
    Ok(Ready { visible: Arc::clone(visible), document, operation, variables, introspection })
}

fn diagnosed(errors: &DiagnosticList) -> Vec<Trouble> {
    errors.iter().take(NAMED).map(|it| Trouble::found(it.to_json())).collect()
}

/// A field that is there, but not for this caller: they learn what it takes, as over the other protocols.
fn denied(visible: &Visible, caller: &Caller, document: &ast::Document) -> Option<Trouble> {
    document.definitions.iter().filter_map(ast::Definition::as_operation_definition).find_map(|operation| {
        operation.selection_set.iter().filter_map(ast::Selection::as_field).find_map(|field| {
            let entry = visible.entries.get(root(operation.operation_type), &field.name)?;
            let fault = caller.admit(&entry.operation.contract).err()?;
            let mut at = GraphQLError::new("", field.name.location(), &document.sources);
            at.path = vec![ResponseDataPathSegment::Field(field.alias.as_ref().unwrap_or(&field.name).clone())];
            Some(Trouble::fault(&fault, Some(at)))
        })
    })
}

const fn root(operation: OperationType) -> Root {
    match operation {
        OperationType::Query => Root::Query,
        OperationType::Mutation => Root::Mutation,
        OperationType::Subscription => Root::Subscription,
    }
}

impl Ready {
    /// Whether it is a query, a mutation or a subscription.
    pub(super) fn root(&self) -> Root {
        root(self.operation.operation_type)
    }

    /// The contract behind a field of the operation.
    pub(super) fn entry(&self, call: &Call) -> Option<&Entry> {
        self.visible.entries.get(self.root(), &call.field)
    }

    /// The messages that the operation sends, in the order of its fields.
    pub(super) fn calls(&self) -> Vec<Call> {
        let calls = Collect { ready: self, calls: RefCell::default() };
        // what is wrong with a field's arguments is told when the answers are written
        let _ = self.execution(false).execute_sync(&calls);
        calls.calls.into_inner()
    }

    /// The response, as JSON text; answers that are missing count as nothing.
    pub(super) fn response(&self, answers: &Answers, correlation_id: &str) -> Value {
        let answers = Write { ready: self, answers };
        let done = match self.execution(self.introspection).execute_sync(&answers) {
            Ok(done) => done,
            Err(error) => {
                return refused(&[Trouble::found(error.to_graphql_error(&self.document.sources))], correlation_id);
            }
        };
        let mut response = Map::new();
        if !done.errors.is_empty() {
            let errors = done.errors.into_iter().map(|it| answers.trouble(it).json(correlation_id));
            response.insert("errors".to_owned(), errors.collect());
        }
        response.insert("data".to_owned(), done.data.map_or(Value::Null, |it| wire::plain(JsonValue::Object(it))));
        Value::Object(response)
    }

    fn execution(&self, introspection: bool) -> Execution<'_> {
        let made = self.visible.made();
        Execution::new(&made.schema, &self.document)
            .operation(&self.operation)
            .implementers_map(&made.implementers)
            .coerced_variable_values(&self.variables)
            .enable_schema_introspection(introspection)
    }
}

/// The root object of the first time: it remembers what is asked of it.
struct Collect<'a> {
    ready: &'a Ready,
    calls: RefCell<Vec<Call>>,
}

impl ObjectValue for Collect<'_> {
    fn type_name(&self) -> &str {
        self.ready.root().name()
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let ready = self.ready;
        let Some(entry) = ready.visible.entries.get(ready.root(), info.field_name()) else {
            return Ok(ResolvedValue::SkipForPartialExecution);
        };
        let schema = &ready.visible.made().schema;
        let definition = info.field_definition().arguments.first();
        let argument = definition.and_then(|it| Some((it, info.arguments().get(it.name.as_str())?.clone())));
        let given = argument.map(|(it, value)| wire::input(schema, &ready.visible.entries.tables, &it.ty, value));
        let payload = match (entry.root, entry.input) {
            (Root::Subscription, _) => Value::Object(flat(given)),
            (_, Input::Null) => Value::Null,
            (_, Input::Empty) => Value::Object(Map::new()),
            (_, Input::Given) => given.unwrap_or(Value::Null),
        };
        let key = info.field_selections()[0].response_key().as_str().to_owned();
        self.calls.borrow_mut().push(Call { key, field: entry.field.clone(), payload });
        Ok(ResolvedValue::SkipForPartialExecution)
    }
}

/// The root object of the second time: it has the answers.
struct Write<'a> {
    ready: &'a Ready,
    answers: &'a Answers,
}

impl ObjectValue for Write<'_> {
    fn type_name(&self) -> &str {
        self.ready.root().name()
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let visible = &self.ready.visible;
        match self.answers.get(info.field_selections()[0].response_key().as_str()) {
            None => Ok(ResolvedValue::null()),
            Some(Err(_)) => Err(FieldError { message: String::new() }),
            Some(Ok(value)) => {
                let names = Names { schema: &visible.made().schema, tables: &visible.entries.tables };
                wire::output(names, &info.field_definition().ty, value)
            }
        }
    }
}

impl Write<'_> {
    /// An error of the library, as what it is about.
    fn trouble(&self, error: GraphQLError) -> Trouble {
        let Some(ResponseDataPathSegment::Field(key)) = error.path.first() else { return Trouble::found(error) };
        match (self.answers.get(key.as_str()), error.path.len()) {
            (Some(Err(fault)), 1) => Trouble::fault(fault, Some(error)),
            (Some(_), _) => Trouble::misfit(error),
            (None, _) => Trouble::found(error),
        }
    }
}
