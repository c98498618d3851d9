//! stub
use banyan_sdk::protocol::{Contract, Kind, names::ServiceName};
use std::sync::Arc;
pub(crate) struct Operation {
    pub contract: Contract,
    pub service: ServiceName,
    pub available: Available,
}
#[derive(PartialEq)]
pub(crate) enum Available {
    Up,
}
impl Operation {
    pub fn kind(&self) -> Kind {
        self.contract.kind()
    }
}
pub(crate) struct Catalog {
    pub operations: Vec<Arc<Operation>>,
    pub events: Vec<Arc<Operation>>,
}
