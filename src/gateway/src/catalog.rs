//! What can be called, and by which names: a value of the moment.

use std::sync::Arc;

use banyan_sdk::protocol::{Contract, Kind, names::ServiceName};

pub(crate) struct Operation {
    pub(crate) contract: Contract,
    pub(crate) service: ServiceName,
    pub(crate) available: Available,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Available {
    Up,
}

impl Operation {
    pub(crate) fn kind(&self) -> Kind {
        self.contract.kind()
    }
}

pub(crate) struct Catalog {
    pub(crate) operations: Vec<Arc<Operation>>,
    pub(crate) events: Vec<Arc<Operation>>,
}
