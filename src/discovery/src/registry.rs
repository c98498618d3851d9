//! The contract registry: what each version of each service offers. The tables are the truth; answers are kept in Redis
//! for five minutes, and forgotten when a registration changes them.

mod accept;
mod rows;

use std::{collections::BTreeMap, time::Duration};

use banyan_sdk::{
    Context, Fault,
    cache::{Cache, Policy},
    protocol::{Contract, Timestamp, compat::Difference, contract::Flaw},
    schemars::{self, JsonSchema},
    store::EventStore,
};
use semver::Version;
use serde::{Deserialize, Serialize};

pub(crate) use accept::{Accept, Told, record_refusal};
pub(crate) use rows::{Edge, InstanceRow};

use crate::{announcement::Instance, gate::Known};

/// What the cache calls these values: `contracts:{service}:{version}`.
const KIND: &str = "contracts";
/// How long an answer is kept.
const TTL: Duration = Duration::from_secs(300);
/// What stands for the version in use where no version is asked for; no version is called so.
const LATEST: &str = "latest";
/// The tag of what is known of all services.
const ALL: &str = "services";

/// What a version of a service offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// The service.
    pub service_name: String,
    /// Its version.
    pub version: String,
    /// What it offers.
    pub contracts: Vec<Contract>,
    /// The checksum of that.
    pub checksum: String,
    /// When this version was accepted first.
    pub registered_at: Timestamp,
    /// When its contracts changed last.
    pub last_updated: Timestamp,
}

/// What became of one registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The version of the service.
    pub version: String,
    /// The checksum of its contracts.
    pub checksum: String,
    /// `accepted`, `forced` or `refused`.
    pub verdict: String,
    /// What was wrong with them by themselves.
    pub faults: Vec<Flaw>,
    /// What was different from those before.
    pub differences: Vec<Difference>,
    /// The instance that came first with them.
    pub service_id: String,
    /// When it did.
    pub first_at: Timestamp,
    /// When they came last.
    pub last_at: Timestamp,
    /// How often they came.
    pub times: u32,
    /// What was to be offered.
    pub contracts: Vec<serde_json::Value>,
}

/// The registry.
#[derive(Clone)]
pub struct Registry {
    store: EventStore,
    cache: Cache,
}

impl Registry {
    /// The registry whose tables are in the database of `store`.
    #[must_use]
    pub fn new(store: EventStore, cache: Cache) -> Self {
        Self { store, cache }
    }

    /// The registry in the stores of this service.
    pub(crate) fn of<S>(cx: &Context<S>) -> Result<Self, Fault> {
        Ok(Self { store: cx.store()?.clone(), cache: cx.cache().clone() })
    }

    /// What a version of a service offers; the version in use, when none is said.
    ///
    /// # Errors
    /// `NotFoundError`, `EVENT_STORE_ERROR`.
    pub async fn find(&self, service: &str, version: Option<&str>) -> Result<Registered, Fault> {
        let key = format!("{service}:{}", version.unwrap_or(LATEST));
        let policy = Policy::fresh_for(TTL).tagged(tag(service));
        let (store, service, version) = (self.store.clone(), service.to_owned(), version.map(str::to_owned));
        self.cache
            .fetch(KIND, &key, &policy, async move {
                let version = match version {
                    Some(version) => Some(version),
                    None => latest(rows::versions(&store, Some(&service)).await?).remove(&service),
                };
                let found = match &version {
                    Some(version) => rows::find(&store, &service, version).await?,
                    None => None,
                };
                found.ok_or_else(|| {
                    let which = version.map_or_else(String::new, |it| format!("version {it} of "));
                    Fault::not_found(format!("{which}{service} is not registered"))
                })
            })
            .await
    }

    /// The version in use of each service.
    pub(crate) async fn all(&self) -> Result<Vec<Registered>, Fault> {
        let policy = Policy::fresh_for(TTL).tagged(ALL);
        let store = self.store.clone();
        self.cache
            .fetch(KIND, "*", &policy, async move {
                let latest = latest(rows::versions(&store, None).await?);
                let all = rows::all(&store).await?;
                Ok::<_, Fault>(all.into_iter().filter(|it| latest.get(&it.service_name) == Some(&it.version)).collect())
            })
            .await
    }

    /// Every version of a service that was accepted.
    pub(crate) async fn known(&self, service: &str) -> Result<Vec<Known>, Fault> {
        let rows = rows::of_service(&self.store, service).await?;
        let known = rows.into_iter().filter_map(|it| {
            let version = Version::parse(&it.version).ok()?;
            Some(Known { version, checksum: it.checksum, contracts: it.contracts })
        });
        Ok(known.collect())
    }

    /// What was ever registered of a service, the latest first.
    pub(crate) async fn history(&self, service: &str) -> Result<Vec<Entry>, Fault> {
        rows::history(&self.store, service).await
    }

    /// Remembers that an instance is there, and what it needs.
    pub(crate) async fn note(&self, instance: &Instance) -> Result<(), Fault> {
        if rows::note(&self.store, instance).await? {
            self.forget(instance.service.as_str()).await;
        }
        Ok(())
    }

    /// Forgets an instance that said goodbye; whether it was known.
    pub(crate) async fn leave(&self, service: &str, id: &str) -> Result<bool, Fault> {
        let known = rows::leave(&self.store, id).await?;
        if known {
            self.forget(service).await;
        }
        Ok(known)
    }

    /// The instances that are there, as far as is known.
    pub(crate) async fn instances(&self) -> Result<Vec<InstanceRow>, Fault> {
        rows::instances(&self.store).await
    }

    /// What was told of each registered service's health last; nothing of those of which nothing was told.
    pub(crate) async fn told(&self) -> Result<BTreeMap<String, Option<String>>, Fault> {
        rows::told(&self.store).await
    }

    /// Which service needs which.
    pub(crate) async fn edges(&self) -> Result<Vec<Edge>, Fault> {
        rows::edges(&self.store).await
    }

    /// Notes that a registration was refused.
    pub(crate) async fn refuse(&self, told: &Told) -> Result<(), Fault> {
        record_refusal(&self.store, told).await
    }

    /// Has what is kept of a service be looked up again.
    pub(crate) async fn forget(&self, service: &str) {
        self.cache.invalidate_tag(&tag(service)).await;
        self.cache.invalidate_tag(ALL).await;
    }
}

fn tag(service: &str) -> String {
    format!("service:{service}")
}

/// The version in use of each service: the newest one that an instance runs; when none runs, the one that changed last.
fn latest(versions: Vec<rows::VersionRow>) -> BTreeMap<String, String> {
    let mut best: BTreeMap<String, (bool, Option<Version>, Timestamp, String)> = BTreeMap::new();
    for row in versions {
        let version = Version::parse(&row.version).ok().filter(|_| row.runs);
        let candidate = (row.runs, version, row.last_updated, row.version);
        let known = best.entry(row.service_name).or_insert_with(|| candidate.clone());
        if *known < candidate {
            *known = candidate;
        }
    }
    best.into_iter().map(|(service, (.., version))| (service, version)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_runs_is_in_use() {
        let row = |version: &str, runs, at| rows::VersionRow {
            service_name: "users".to_owned(),
            version: version.to_owned(),
            last_updated: Timestamp::from_millis(at),
            runs,
        };
        let table = [
            (vec![row("1.9.0", true, 1), row("1.10.0", true, 0)], "1.10.0"),
            (vec![row("1.0.0", true, 0), row("2.0.0", false, 1)], "1.0.0"),
            (vec![row("2.0.0", false, 0), row("1.0.0", false, 1)], "1.0.0"),
        ];
        for (versions, expected) in table {
            assert_eq!(latest(versions).remove("users").as_deref(), Some(expected));
        }
    }
}
