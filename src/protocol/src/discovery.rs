//! How services become known and how their health is asked for: the messages around service discovery.
//!
//! All of them are events: published to the events exchange, with the sender's name in the key.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compat::Difference;
use crate::contract::{self, Contract, Flaw};
use crate::{Event, Payload, Timestamp, read};

/// The service that keeps the contracts and asks for health.
pub const SERVICE: &str = "service-discovery";

/// Published by an instance of a service that is ready: this is what it offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceContractsRegistered {
    /// The service.
    pub service_name: String,
    /// The version of the service.
    pub version: String,
    /// Names this instance and no other: `user-service-v1-7f3a`.
    pub service_id: String,
    /// Everything that it offers.
    pub contracts: Vec<Contract>,
    /// [`contract::checksum`] of the contracts; senders of other families leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Where it can be reached, if anywhere but on the bus; never with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What it needs of other services, as far as is known: what it listens to, and what it has asked for so far.
    #[serde(default, deserialize_with = "read::or_default", skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<ServiceDependency>,
    /// Whether its contracts are to be accepted although they break those who go by the old ones.
    #[serde(default, deserialize_with = "read::or_default", skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
    /// When it became ready. A number of milliseconds since 1970 is read as well.
    #[serde(deserialize_with = "read::time_or_millis")]
    pub timestamp: Timestamp,
}

impl ServiceContractsRegistered {
    /// Whether the checksum in the payload of a registration, if there is one, is that of its contracts.
    ///
    /// The contracts are taken as they were sent, since the sender may know fields that this version does not.
    #[must_use]
    pub fn is_intact(payload: &Payload) -> bool {
        #[derive(Deserialize)]
        struct Sent {
            contracts: Vec<Value>,
            checksum: Option<String>,
        }
        let Ok(sent) = payload.read::<Sent>() else { return false };
        sent.checksum.is_none_or(|it| it == contract::checksum_of_json(sent.contracts))
    }
}

/// What one service needs of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDependency {
    /// The other service.
    pub service_name: String,
    /// How it needs it.
    pub kind: DependencyKind,
    /// The commands and queries that it sends, or the events that it listens to.
    pub message_types: Vec<String>,
}

/// How one service needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyKind {
    /// It calls it, and fails in part while nobody answers.
    Calls,
    /// It listens to its events, and misses nothing while there are none.
    Listens,
}

/// Published by discovery: the contracts of a service have changed, and these are the ones in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceContractsChanged {
    /// The service.
    pub service_name: String,
    /// The version of the service.
    pub version: String,
    /// [`contract::checksum`] of its contracts.
    pub checksum: String,
    /// What is different from the version that these were compared with; empty for the first one.
    pub differences: Vec<Difference>,
    /// When they were accepted.
    #[serde(deserialize_with = "read::time_or_millis")]
    pub timestamp: Timestamp,
}

/// Published by discovery: the contracts of a service are not accepted, and those that were in use stay in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceContractsRefused {
    /// The service.
    pub service_name: String,
    /// The version of the service.
    pub version: String,
    /// The instance that registered.
    pub service_id: String,
    /// Everything that is wrong with them by themselves.
    pub faults: Vec<Flaw>,
    /// Everything that breaks those who go by the contracts in use.
    pub differences: Vec<Difference>,
    /// When they were refused.
    #[serde(deserialize_with = "read::time_or_millis")]
    pub timestamp: Timestamp,
}

/// Published by an instance that stops, and by discovery for one that is silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeregistered {
    /// The service.
    pub service_name: String,
    /// The instance.
    pub service_id: String,
    /// Why: `shutdown`, or what was found.
    pub reason: String,
    /// When. A number of milliseconds since 1970 is read as well.
    #[serde(deserialize_with = "read::time_or_millis")]
    pub timestamp: Timestamp,
}

/// Published by discovery: the named service is asked how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckRequest {
    /// The service that is asked; others do not answer.
    pub service_name: String,
    /// When it was asked, in milliseconds since 1970.
    pub timestamp: i64,
}

/// Published by a service that was asked how it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckResponse {
    /// The service that answers.
    pub service_name: String,
    /// The instance that answers; senders of other families leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// How it is.
    pub status: HealthStatus,
    /// When it answered, in milliseconds since 1970.
    pub timestamp: i64,
    /// How long it took to find out, in milliseconds.
    pub response_time: u64,
    /// What it works on (`database`, `messageBus`, `cache`, others), and how that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<BTreeMap<String, DependencyHealth>>,
    /// What is wrong; safe to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
}

/// How something is that a service works on: one word, or an object with more. Both are read; an object is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "DependencyForms", rename_all = "camelCase")]
pub struct DependencyHealth {
    /// How it is.
    pub status: HealthStatus,
    /// How long its last round trip took, in milliseconds; none while it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_time: Option<u64>,
    /// Why it does not answer; safe to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum DependencyForms {
    Word(HealthStatus),
    Object {
        status: HealthStatus,
        #[serde(default)]
        response_time: Option<u64>,
        #[serde(default)]
        error: Option<String>,
    },
}

impl From<DependencyForms> for DependencyHealth {
    fn from(form: DependencyForms) -> Self {
        match form {
            DependencyForms::Word(status) => Self { status, response_time: None, error: None },
            DependencyForms::Object { status, response_time, error } => Self { status, response_time, error },
        }
    }
}

/// How a service, or something that it works on, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It answers in time, and so does everything that it works on.
    Healthy,
    /// It is slow, or something that it can do without is missing.
    Degraded,
    /// It is silent, or something that it needs is missing.
    Unhealthy,
    /// It was not asked yet.
    Unknown,
}

impl HealthStatus {
    /// As it stands on the wire: `healthy`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

/// Published by discovery when the health of a service changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHealthChanged {
    /// The service.
    pub service_name: String,
    /// How it is now.
    pub status: HealthStatus,
    /// How it was before.
    pub previous_status: HealthStatus,
    /// When it was asked. A number of milliseconds since 1970 is read as well.
    #[serde(deserialize_with = "read::time_or_millis")]
    pub health_check_time: Timestamp,
    /// How long it took to answer, in milliseconds; `null` when it did not.
    pub response_time: Option<u64>,
    /// What is wrong; safe to show.
    #[serde(default, deserialize_with = "read::or_default")]
    pub errors: Vec<String>,
    /// When the change was noticed. A number of milliseconds since 1970 is read as well.
    #[serde(deserialize_with = "read::time_or_millis")]
    pub timestamp: Timestamp,
}

macro_rules! events {
    ($($name:ident, $service:expr, $description:literal, $permission:literal;)+) => {
        $(impl Event for $name {
            const EVENT_TYPE: &'static str = stringify!($name);
            const SERVICE: Option<&'static str> = $service;
            const AGGREGATE: Option<&'static str> = None;
            const VERSION: u32 = 1;
            const DESCRIPTION: &'static str = $description;
            const PERMISSIONS: &'static [&'static str] = &[$permission];

            fn aggregate_id(&self) -> Option<String> {
                None
            }
        })+
    };
}

events! {
    ServiceContractsRegistered, None, "an instance of a service is ready, and this is what it offers", "admin:view-contracts";
    ServiceContractsChanged, Some(SERVICE), "the contracts of a service changed", "admin:view-contracts";
    ServiceContractsRefused, Some(SERVICE), "the contracts of a service are not accepted", "admin:view-contracts";
    ServiceDeregistered, None, "an instance of a service is gone", "admin:view-services";
    HealthCheckRequest, Some(SERVICE), "a service is asked how it is", "admin:view-services";
    HealthCheckResponse, None, "a service says how it is", "admin:view-services";
    ServiceHealthChanged, Some(SERVICE), "the health of a service changed", "admin:view-services";
}
