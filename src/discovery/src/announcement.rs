//! What an instance says of itself when it registers, with every fault in it named.

use banyan_sdk::protocol::{
    Contract, Event, Timestamp,
    contract::{self, Flaw, Severity},
    discovery::{ServiceContractsRegistered, ServiceDependency},
    names::{self, ServiceName},
};
use banyan_sdk::schemars::{self, JsonSchema};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest version and the longest id of an instance, in bytes.
const LONGEST_VERSION: usize = 50;
const LONGEST_ID: usize = 255;

/// `ServiceContractsRegistered` as it was sent. A type that demands every field would name the first fault only, and
/// forget what it does not know, which counts for the checksum.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Registration(pub Value);

impl Event for Registration {
    const EVENT_TYPE: &'static str = ServiceContractsRegistered::EVENT_TYPE;
    const SERVICE: Option<&'static str> = None;
    const AGGREGATE: Option<&'static str> = None;
    const VERSION: u32 = 1;
    const DESCRIPTION: &'static str = ServiceContractsRegistered::DESCRIPTION;
    const PERMISSIONS: &'static [&'static str] = ServiceContractsRegistered::PERMISSIONS;

    fn aggregate_id(&self) -> Option<String> {
        None
    }
}

/// Who registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The service.
    pub service: ServiceName,
    /// Its version.
    pub version: Version,
    /// The instance.
    pub id: String,
    /// Where it can be reached beside the bus.
    pub endpoint: Option<String>,
    /// When it became ready.
    pub since: Timestamp,
    /// What it needs of others.
    pub dependencies: Vec<ServiceDependency>,
    /// Whether its contracts are to be accepted in any case.
    pub forced: bool,
}

/// What was read of a registration.
#[derive(Debug)]
pub struct Announcement {
    /// Who registers.
    pub instance: Instance,
    /// What it offers, as it was sent.
    pub sent: Vec<Value>,
    /// The same, understood; those with faults are missing.
    pub contracts: Vec<Contract>,
    /// The checksum of what was sent.
    pub checksum: String,
    /// Everything that is wrong, and what is only strange.
    pub faults: Vec<Flaw>,
}

impl Announcement {
    /// Whether the contracts can be used.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.faults.iter().all(|it| it.severity == Severity::Warning)
    }
}

/// Reads a registration.
///
/// # Errors
/// All that is wrong, when it cannot be told which instance of which version of which service it is.
pub fn read(payload: &Value, now: Timestamp) -> Result<Announcement, Vec<Flaw>> {
    let text = |key: &str| payload[key].as_str().unwrap_or_default();
    let (mut faults, mut unknown) = (Vec::new(), Vec::new());
    let service = ServiceName::new(text("serviceName"));
    let version = Version::parse(text("version")).ok().filter(|_| text("version").len() <= LONGEST_VERSION);
    let id = text("serviceId");
    if let Err(error) = &service {
        unknown.push(fault("serviceName", error.to_string()));
    }
    if version.is_none() {
        unknown.push(fault("version", "is not a version such as 1.0.0"));
    }
    if !(1..=LONGEST_ID).contains(&id.len()) {
        unknown.push(fault("serviceId", format!("is not a text of 1 to {LONGEST_ID} bytes")));
    }
    let (Ok(service), Some(version), true) = (service, version, unknown.is_empty()) else { return Err(unknown) };

    let sent = payload["contracts"].as_array().cloned().unwrap_or_else(|| {
        faults.push(fault("contracts", "is not a list"));
        Vec::new()
    });
    let mut contracts = Vec::new();
    for (i, value) in sent.iter().enumerate() {
        match contract(value, &format!("contracts[{i}]")) {
            Ok(contract) => {
                if contract.target_service != service {
                    let what = format!("is {}, and not {service}, which registers it", contract.target_service);
                    faults.push(fault(format!("contracts[{i}].targetService"), what));
                }
                contracts.push(contract);
            }
            Err(wrong) => faults.extend(wrong),
        }
    }
    // The places in the list are right only while none is missing.
    if contracts.len() == sent.len() {
        faults.extend(contract::validate(&contracts).errors);
    } else {
        faults.extend(contracts.iter().flat_map(|it| {
            contract::validate(std::slice::from_ref(it)).errors.into_iter().map(|flaw| Flaw {
                field: format!("{}{}", it.message_type, flaw.field.trim_start_matches("contracts[0]")),
                ..flaw
            })
        }));
    }
    let checksum = contract::checksum_of_json(sent.clone());
    if payload.get("checksum").is_some_and(|it| !it.is_null() && it.as_str() != Some(&checksum)) {
        faults.push(fault("checksum", "is not that of the contracts"));
    }
    let since = serde_json::from_value(payload["timestamp"].clone());
    let since = since.or_else(|_| payload["timestamp"].as_i64().map(Timestamp::from_millis).ok_or(()));
    let instance = Instance {
        id: id.to_owned(),
        endpoint: payload["endpoint"].as_str().map(str::to_owned),
        since: since.unwrap_or(now),
        dependencies: dependencies(&payload["dependencies"], &service),
        forced: payload["forced"].as_bool().unwrap_or(false),
        service,
        version,
    };
    Ok(Announcement { instance, sent, contracts, checksum, faults })
}

/// One contract; every field that it must have is looked for.
fn contract(value: &Value, path: &str) -> Result<Contract, Vec<Flaw>> {
    const NEEDED: [&str; 6] = ["messageType", "targetService", "description", "inputSchema", "outputSchema", "version"];
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|key| value.get(**key).is_none_or(Value::is_null))
        .map(|key| fault(format!("{path}.{key}"), "is missing"))
        .collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    serde_json::from_value(value.clone()).map_err(|error| vec![fault(path, error.to_string())])
}

/// What is named properly of what a service needs; the rest is no reason to refuse it.
fn dependencies(value: &Value, service: &ServiceName) -> Vec<ServiceDependency> {
    let read = |it: &Value| serde_json::from_value::<ServiceDependency>(it.clone()).ok();
    let named = value.as_array().into_iter().flatten().filter_map(read);
    named
        .filter(|it| names::is_service_name(&it.service_name) && it.service_name != service.as_str())
        .map(|it| {
            let message_types = it.message_types.into_iter().filter(|name| names::is_message_type(name)).collect();
            ServiceDependency { message_types, ..it }
        })
        .collect()
}

fn fault(field: impl Into<String>, message: impl Into<String>) -> Flaw {
    Flaw { field: field.into(), message: message.into(), severity: Severity::Error }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent() -> Value {
        json!({
            "serviceName": "users", "version": "1.2.0", "serviceId": "users-v1-a",
            "contracts": [{
                "messageType": "GetUserQuery", "targetService": "users", "description": "Finds a user.", "version": "1.0.0",
                "inputSchema": { "type": "object" }, "outputSchema": { "type": "null" }, "ofTomorrow": 1,
            }],
            "dependencies": [
                { "serviceName": "mail", "kind": "calls", "messageTypes": ["SendMailCommand", "\"]; evil"] },
                { "serviceName": "Not A Name", "kind": "calls", "messageTypes": [] }, 7,
            ],
            "timestamp": "2030-01-01T00:00:00.000Z",
        })
    }

    fn faults(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut payload = sent();
        change(&mut payload);
        let faults = read(&payload, Timestamp::MIN).map_or_else(|faults| faults, |it| it.faults);
        faults.into_iter().map(|it| format!("{}: {}", it.field, it.message)).collect()
    }

    #[test]
    fn what_is_right_is_read() {
        let read = read(&sent(), Timestamp::MIN).unwrap();
        assert!(read.is_valid() && read.contracts.len() == 1);
        assert_eq!(read.sent[0]["ofTomorrow"], 1, "what is not known is kept");
        assert_eq!(read.instance.since.to_string(), "2030-01-01T00:00:00.000Z");
        let [mail] = read.instance.dependencies.as_slice() else { panic!("{:?}", read.instance) };
        assert_eq!(mail.message_types, ["SendMailCommand"]);
        assert_eq!(
            faults(|it| it["checksum"] = contract::checksum_of_json(vec![it["contracts"][0].clone()]).into()),
            [""; 0]
        );
    }

    #[test]
    fn every_fault_is_named() {
        assert_eq!(
            faults(|it| (it["serviceName"], it["version"], it["serviceId"]) = (json!("A"), json!("1"), json!("")))
                .len(),
            3
        );
        let all = faults(|it| {
            it["checksum"] = json!("0");
            it["contracts"] = json!([
                { "messageType": "GetUserQuery", "targetService": "users", "inputSchema": {} },
                { "messageType": "AQuery", "targetService": "others", "description": "", "version": "1",
                  "inputSchema": { "type": "text" }, "outputSchema": { "type": "null" }, "isPublic": true, "requiredPermissions": ["x"] },
            ]);
        });
        for expected in [
            "contracts[0].description: is missing",
            "contracts[0].outputSchema: is missing",
            "contracts[0].version: is missing",
            "contracts[1].targetService: is others, and not users, which registers it",
            "AQuery.description: is empty",
            "AQuery.version: is not a version such as 1.0.0",
            "checksum: is not that of the contracts",
        ] {
            assert!(all.contains(&expected.to_owned()), "{expected} in {all:?}");
        }
        assert_eq!(all.len(), 10, "{all:?}");
        assert_eq!(faults(|it| it["contracts"] = json!(5)), ["contracts: is not a list"]);
        assert!(
            faults(|it| it["contracts"][0]["isPublic"] = json!("yes"))[0].starts_with("contracts[0]: invalid type")
        );
    }
}
