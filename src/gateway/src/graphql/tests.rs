//! The translation as tables, and documents against it.

mod documents;
mod limits;
mod schema;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use banyan_sdk::protocol::{Auth, Contract};
use serde_json::{Value, json};

use super::schemas::{Schemas, Visible};
use crate::caller::Caller;
use crate::catalog::{Available, Catalog, Operation};

fn contract(service: &str, message_type: &str, input: Value, output: Value) -> Contract {
    let contract = json!({
        "messageType": message_type, "targetService": service, "description": "", "inputSchema": input,
        "outputSchema": output, "isPublic": true, "version": "1.0.0",
    });
    serde_json::from_value(contract).unwrap()
}

fn private(contract: Contract, permissions: &[&str]) -> Contract {
    let required_permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
    Contract { is_public: false, required_permissions, ..contract }
}

fn catalog(contracts: Vec<Contract>) -> Catalog {
    let operations = contracts.into_iter().map(|contract| {
        let service = contract.target_service.clone();
        Arc::new(Operation { contract, service, available: Available::Up })
    });
    let (events, operations) = operations.partition(|it| it.kind() == banyan_sdk::protocol::Kind::Event);
    Catalog { operations, events }
}

fn caller(permissions: Option<&[&str]>) -> Caller {
    let auth = |permissions: &[&str]| {
        let permissions = permissions.iter().map(|it| (*it).to_owned()).collect();
        Arc::new(Auth { user_id: "u1".to_owned(), permissions, ..Auth::default() })
    };
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Caller { auth: permissions.map(auth), wildcards: false, expires: None, address }
}

fn visible(contracts: Vec<Contract>) -> Arc<Visible> {
    Schemas::new(&Arc::new(catalog(contracts))).of(&caller(None))
}

fn none() -> Value {
    json!({ "type": "object" })
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}
