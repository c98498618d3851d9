//! What can be called, as a value of the moment.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use banyan_sdk::{
    Checker, Fault,
    protocol::{Contract, Kind, names::ServiceName},
};
use serde_json::Value;

/// A command, a query or an event, and whether its service is there.
#[derive(Clone)]
pub(crate) struct Operation {
    /// What its service says of it.
    pub contract: Arc<Contract>,
    /// The service that handles or publishes it.
    pub service: ServiceName,
    /// Whether it can be called right now.
    pub available: Available,
    checker: Arc<OnceLock<Result<Checker, String>>>,
}

/// Whether a service can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Available {
    /// As far as is known.
    Up,
    /// It has instances, and does not answer.
    Unwell,
    /// It has no instance any more.
    Gone,
}

impl Operation {
    pub fn new(contract: Arc<Contract>, service: ServiceName, available: Available) -> Self {
        Self { contract, service, available, checker: Arc::default() }
    }

    /// The same operation of a service that fares otherwise. What was prepared for it is kept.
    pub fn with(&self, available: Available) -> Self {
        Self { available, ..self.clone() }
    }

    pub fn kind(&self) -> Kind {
        self.contract.kind()
    }

    /// Checks a payload against the contract, naming each field that does not fit.
    pub fn check(&self, payload: &Value) -> Result<(), Fault> {
        let checker = self.checker.get_or_init(|| Checker::new(Some(&*self.contract)));
        match checker {
            Ok(checker) => checker.check_value(payload),
            Err(mistake) => {
                tracing::error!("a contract cannot be checked: {mistake}");
                Err(Fault::internal("the contract cannot be checked"))
            }
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({:?})", self.service, self.contract.message_type, self.available)
    }
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        (&self.service, self.available, &self.contract) == (&other.service, other.available, &other.contract)
    }
}

/// Everything that can be called, and every event that may be heard. Who was known first comes first: where two claim a
/// name, the first one keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Catalog {
    /// Commands and queries.
    pub operations: Vec<Arc<Operation>>,
    /// Events.
    pub events: Vec<Arc<Operation>>,
}
