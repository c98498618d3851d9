//! The compatibility gate: whether the contracts of a service may take the place of those in use.

use banyan_sdk::protocol::{
    Contract,
    compat::{self, Difference},
};
use semver::Version;

/// Contracts that were accepted.
#[derive(Debug, Clone)]
pub struct Known {
    /// The version of the service.
    pub version: Version,
    /// The checksum of the contracts.
    pub checksum: String,
    /// What it offers.
    pub contracts: Vec<Contract>,
}

/// What becomes of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These contracts are in use already.
    Unchanged,
    /// They are accepted.
    Accepted {
        /// What is different from those before.
        differences: Vec<Difference>,
        /// Whether they would have been refused.
        forced: bool,
    },
    /// They break those who go by the ones before.
    Refused {
        /// What is different from those before.
        differences: Vec<Difference>,
    },
}

/// Compares contracts with the newest ones of the same line of versions (those with the same major number) that are not
/// later. What breaks callers needs a new major number: of the contract, or, for a contract that is gone, of the service,
/// which begins a line of its own. While the major number is 0, the minor one counts, as caret ranges have it.
#[must_use]
pub fn judge(new: &Known, forced: bool, known: &[Known]) -> Verdict {
    if known.iter().any(|it| it.version == new.version && it.checksum == new.checksum) {
        return Verdict::Unchanged;
    }
    let before = known.iter().filter(|it| line(&it.version) == line(&new.version) && it.version <= new.version);
    let Some(before) = before.max_by_key(|it| it.version.clone()) else {
        return Verdict::Accepted { differences: Vec::new(), forced: false };
    };
    let differences = compat::compare(&before.contracts, &new.contracts);
    let breaks =
        differences.iter().any(|it| it.breaking && !is_raised(&it.message_type, &before.contracts, &new.contracts));
    match (breaks, forced) {
        (true, false) => Verdict::Refused { differences },
        (forced, _) => Verdict::Accepted { differences, forced },
    }
}

/// Whether a contract says by its version that callers must look.
fn is_raised(message_type: &str, old: &[Contract], new: &[Contract]) -> bool {
    let version = |all: &[Contract]| {
        let contract = all.iter().find(|it| it.message_type == message_type)?;
        Version::parse(&contract.version).ok()
    };
    matches!((version(old), version(new)), (Some(old), Some(new)) if line(&new) > line(&old))
}

/// What versions have in common that can stand for each other.
fn line(version: &Version) -> (u64, u64) {
    (version.major, if version.major == 0 { version.minor } else { 0 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contracts(kind: &str, version: &str) -> Vec<Contract> {
        let contract = json!({
            "messageType": "GetUserQuery", "targetService": "users", "description": "Finds a user.", "version": version,
            "inputSchema": { "type": "object", "properties": { "id": { "type": kind } }, "required": ["id"] },
            "outputSchema": { "type": "null" },
        });
        vec![serde_json::from_value(contract).unwrap()]
    }

    fn known(service: &str, kind: &str, version: &str) -> Known {
        let contracts = contracts(kind, version);
        let checksum = banyan_sdk::protocol::contract::checksum(&contracts);
        Known { version: service.parse().unwrap(), checksum, contracts }
    }

    /// Service version, type of the field and contract version of what is known and of what comes; the verdict.
    #[test]
    fn what_may_take_whose_place() {
        type Said<'a> = (&'a str, &'a str, &'a str);
        let table: [(&str, &[Said], Said, &str); 12] = [
            ("the first", &[], ("1.0.0", "string", "1.0.0"), "accepted"),
            ("the same again", &[("1.0.0", "string", "1.0.0")], ("1.0.0", "string", "1.0.0"), "unchanged"),
            ("a break", &[("1.0.0", "string", "1.0.0")], ("1.1.0", "integer", "1.1.0"), "refused"),
            ("a break in the same version", &[("1.0.0", "string", "1.0.0")], ("1.0.0", "integer", "1.0.0"), "refused"),
            (
                "a break by a new major contract",
                &[("1.0.0", "string", "1.0.0")],
                ("1.1.0", "integer", "2.0.0"),
                "accepted",
            ),
            (
                "a break by a new major service",
                &[("1.0.0", "string", "1.0.0")],
                ("2.0.0", "integer", "1.0.0"),
                "accepted",
            ),
            ("no break", &[("1.0.0", "integer", "1.0.0")], ("1.0.1", "number", "1.0.0"), "accepted"),
            (
                "back to what was before",
                &[("1.0.0", "integer", "1.0.0"), ("1.1.0", "number", "1.0.0")],
                ("1.0.0", "integer", "1.0.0"),
                "unchanged",
            ),
            (
                "an older line goes on",
                &[("1.0.0", "string", "1.0.0"), ("2.0.0", "integer", "1.0.0")],
                ("1.0.1", "string", "1.0.1"),
                "accepted",
            ),
            (
                "an older line breaks",
                &[("1.0.0", "string", "1.0.0"), ("2.0.0", "integer", "1.0.0")],
                ("1.0.1", "integer", "1.0.1"),
                "refused",
            ),
            (
                "before 1.0 the minor number counts",
                &[("0.1.0", "string", "0.1.0")],
                ("0.2.0", "integer", "0.2.0"),
                "accepted",
            ),
            (
                "and the patch number does not",
                &[("0.1.0", "string", "0.1.0")],
                ("0.1.1", "integer", "0.1.1"),
                "refused",
            ),
        ];
        for (name, before, (version, kind, contract), expected) in table {
            let before: Vec<_> =
                before.iter().map(|(version, kind, contract)| known(version, kind, contract)).collect();
            let new = known(version, kind, contract);
            let word = |forced| match judge(&new, forced, &before) {
                Verdict::Unchanged => "unchanged",
                Verdict::Accepted { forced: true, .. } => "forced",
                Verdict::Accepted { .. } => "accepted",
                Verdict::Refused { differences } => {
                    assert!(differences.iter().any(|it| it.breaking && it.path == "input.id"), "{name}");
                    "refused"
                }
            };
            assert_eq!(word(false), expected, "{name}");
            assert_eq!(word(true), if expected == "refused" { "forced" } else { expected }, "{name}, forced");
        }
    }

    #[test]
    fn a_contract_that_is_gone_needs_a_new_service() {
        let before = known("1.0.0", "string", "1.0.0");
        let empty =
            |version: &str| Known { version: version.parse().unwrap(), checksum: String::new(), contracts: Vec::new() };
        assert!(matches!(judge(&empty("1.1.0"), false, std::slice::from_ref(&before)), Verdict::Refused { .. }));
        assert!(matches!(judge(&empty("2.0.0"), false, &[before]), Verdict::Accepted { forced: false, .. }));
    }
}
