//! Keeps the catalog up to date: service discovery is asked at each sign of a change, and now and then without one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use banyan_sdk::{
    Context, Fault, Query, Service,
    bus::State as BusState,
    protocol::{
        Contract, Kind, Timestamp,
        discovery::{
            HealthStatus, ServiceContractsChanged, ServiceContractsRegistered, ServiceDeregistered,
            ServiceHealthChanged,
        },
        names::ServiceName,
    },
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use crate::{
    Gateway,
    catalog::{Available, Catalog, Operation},
    doors::Doors,
};

/// How often it is looked without a sign.
const EVERY: Duration = Duration::from_secs(30);
/// How soon after a sign it is looked again: whoever heard it first may have been us, before service discovery.
const AGAIN: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(700)];
/// The pause after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(300);

/// Lists the contracts of all services.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = Vec<Registered>, permissions = ["admin:view-contracts"])]
#[serde(rename_all = "camelCase")]
struct GetAllContracts {
    include_internal_services: bool,
}

/// Lists the services.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = Services, permissions = ["admin:view-services"])]
struct ListServices {}

/// The contracts of a service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Registered {
    service_name: String,
    contracts: Vec<Contract>,
    registered_at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Services {
    services: Vec<Entry>,
}

/// How a service is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Entry {
    service_name: String,
    status: HealthStatus,
    last_health_check: Option<Timestamp>,
    instances: Vec<Instance>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Instance {
    started_at: Timestamp,
}

/// Keeps the catalog up to date.
pub(crate) struct Following {
    signs: Arc<Notify>,
    forget_after: Duration,
}

impl Following {
    pub fn new(forget_after: Duration) -> Self {
        Self { signs: Arc::default(), forget_after }
    }

    /// Hears of every change.
    pub fn listening(&self, service: Service<Arc<Gateway>>) -> Service<Arc<Gateway>> {
        let sign = || {
            let signs = Arc::clone(&self.signs);
            move || {
                signs.notify_one();
                std::future::ready(Ok::<(), Fault>(()))
            }
        };
        let (registered, changed, gone, health) = (sign(), sign(), sign(), sign());
        service
            .listen(move |_, _: ServiceContractsRegistered| registered())
            .listen(move |_, _: ServiceContractsChanged| changed())
            .listen(move |_, _: ServiceDeregistered| gone())
            .listen(move |_, _: ServiceHealthChanged| health())
    }

    /// Looks until the gateway stops.
    pub async fn keep(self, cx: Context<Arc<Gateway>>) {
        let signs = Arc::clone(&self.signs);
        tokio::spawn(tell_of_connections(cx.clone(), Arc::clone(&signs)));
        let mut known = Known::default();
        let mut looks = AGAIN.iter();
        loop {
            let found = self.look(&cx, &mut known).await;
            if let Err(fault) = &found {
                tracing::debug!("service discovery cannot be asked: {fault}");
            }
            let pause = match (&found, looks.next()) {
                (Err(_), _) => PAUSE,
                (Ok(()), Some(again)) => *again,
                (Ok(()), None) => known.pause(Instant::now(), self.forget_after).min(EVERY),
            };
            match timeout(pause, signs.notified()).await {
                Ok(()) => looks = AGAIN.iter(),
                Err(_) if found.is_err() => sleep(PAUSE).await,
                Err(_) => {}
            }
        }
    }

    async fn look(&self, cx: &Context<Arc<Gateway>>, known: &mut Known) -> Result<(), Fault> {
        let cx = cx.anew().on_own_behalf();
        let contracts = cx.call(GetAllContracts { include_internal_services: true });
        let services = cx.call(ListServices {});
        let (contracts, services) = tokio::try_join!(contracts.into_future(), services.into_future())?;
        known.learn(contracts, services.services, Instant::now(), self.forget_after);
        let doors = &cx.state.doors;
        let before = Arc::clone(&doors.borrow().catalog);
        let catalog = known.catalog(&before);
        if catalog != *before {
            tracing::info!(operations = catalog.operations.len(), events = catalog.events.len(), "the catalog changed");
            doors.send_replace(Arc::new(Doors::new(Arc::new(catalog))));
        }
        Ok(())
    }
}

/// What happened while there was no connection was not heard.
async fn tell_of_connections(cx: Context<Arc<Gateway>>, signs: Arc<Notify>) {
    let mut state = cx.bus().state();
    let told = async {
        while state.changed().await.is_ok() {
            if *state.borrow_and_update() == BusState::Connected {
                signs.notify_one();
            }
        }
    };
    tokio::select! {
        () = told => {}
        () = cx.stopping() => {}
    }
}

/// What is known of the services, by name.
#[derive(Debug, Default)]
struct Known(BTreeMap<ServiceName, Seen>);

#[derive(Debug)]
struct Seen {
    since: Timestamp,
    contracts: Vec<Contract>,
    available: Available,
    /// Since when it has no instance.
    gone: Option<Instant>,
}

impl Known {
    /// Takes in what service discovery says at `now`.
    fn learn(&mut self, registered: Vec<Registered>, entries: Vec<Entry>, now: Instant, forget_after: Duration) {
        let entries: BTreeMap<_, _> = entries.iter().map(|entry| (entry.service_name.as_str(), entry)).collect();
        let mut before = std::mem::take(&mut self.0);
        for Registered { service_name, contracts, registered_at } in registered {
            let Ok(name) = ServiceName::new(service_name) else { continue };
            let available = available(entries.get(name.as_str()).copied());
            let old = before.remove(&name);
            let gone = match available {
                Available::Gone => Some(old.and_then(|old| old.gone).unwrap_or(now)),
                _ => None,
            };
            if gone.is_none_or(|gone| now.duration_since(gone) < forget_after) {
                self.0.insert(name, Seen { since: registered_at, contracts, available, gone });
            } else {
                // remembered without its contracts, so that it is not taken for one that has just left
                self.0.insert(name, Seen { since: registered_at, contracts: Vec::new(), available, gone });
            }
        }
    }

    /// How long nothing changes by itself.
    fn pause(&self, now: Instant, forget_after: Duration) -> Duration {
        let leaving = self.0.values().filter(|seen| !seen.contracts.is_empty()).filter_map(|seen| seen.gone);
        let ends = leaving.map(|gone| (gone + forget_after).saturating_duration_since(now));
        ends.min().map_or(Duration::MAX, |left| left + Duration::from_millis(1))
    }

    /// The catalog, with what was prepared for operations that stayed as they were.
    fn catalog(&self, before: &Catalog) -> Catalog {
        let old: BTreeMap<_, _> = before
            .operations
            .iter()
            .chain(&before.events)
            .map(|it| ((it.service.as_str(), it.contract.message_type.as_str()), it))
            .collect();
        let mut services: Vec<_> = self.0.iter().collect();
        services.sort_by_key(|(name, seen)| (seen.since, (*name).clone()));
        let mut catalog = Catalog::default();
        for (name, seen) in services {
            for contract in &seen.contracts {
                let stayed = old.get(&(name.as_str(), contract.message_type.as_str()));
                let operation = match stayed.filter(|it| *it.contract == *contract) {
                    Some(same) if same.available == seen.available => Arc::clone(same),
                    Some(same) => Arc::new(same.with(seen.available)),
                    None => Arc::new(Operation::new(Arc::new(contract.clone()), name.clone(), seen.available)),
                };
                match operation.kind() {
                    Kind::Event => catalog.events.push(operation),
                    Kind::Command | Kind::Query => catalog.operations.push(operation),
                    Kind::Response => {}
                }
            }
        }
        catalog
    }
}

/// Whether a service can be called. A verdict from before an instance came is none.
fn available(entry: Option<&Entry>) -> Available {
    let Some(entry) = entry else { return Available::Up };
    let asked = entry.last_health_check;
    let came = entry.instances.iter().any(|it| asked.is_none_or(|asked| it.started_at > asked));
    match entry.status {
        HealthStatus::Unhealthy if came => Available::Up,
        HealthStatus::Unhealthy if entry.instances.is_empty() => Available::Gone,
        HealthStatus::Unhealthy => Available::Unwell,
        _ => Available::Up,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn registered(name: &str, at: i64, types: &[&str]) -> Registered {
        let contracts = types.iter().map(|it| {
            json!({
                "messageType": it, "targetService": name, "description": "d", "version": "1.0.0", "inputSchema": {},
                "outputSchema": {},
            })
        });
        let contracts = contracts.map(|it| serde_json::from_value(it).unwrap()).collect();
        Registered { service_name: name.to_owned(), contracts, registered_at: Timestamp::from_millis(at) }
    }

    fn entry(name: &str, status: HealthStatus, asked: Option<i64>, started: &[i64]) -> Entry {
        Entry {
            service_name: name.to_owned(),
            status,
            last_health_check: asked.map(Timestamp::from_millis),
            instances: started.iter().map(|at| Instance { started_at: Timestamp::from_millis(*at) }).collect(),
        }
    }

    fn names(catalog: &Catalog) -> Vec<String> {
        catalog.operations.iter().map(|it| format!("{it:?}")).collect()
    }

    #[test]
    fn a_verdict_counts_for_those_it_was_passed_on() {
        use HealthStatus::{Degraded, Healthy, Unhealthy, Unknown};
        let is = |status, asked, started: &[i64]| available(Some(&entry("a", status, asked, started)));
        assert_eq!(available(None), Available::Up, "it has just come");
        for status in [Healthy, Degraded, Unknown] {
            assert_eq!(is(status, Some(5), &[1]), Available::Up);
        }
        assert_eq!(is(Unhealthy, Some(5), &[1]), Available::Unwell);
        assert_eq!(is(Unhealthy, Some(5), &[1, 7]), Available::Up, "it came back after it was asked");
        assert_eq!(is(Unhealthy, None, &[1]), Available::Up);
        assert_eq!(is(Unhealthy, Some(5), &[]), Available::Gone);
    }

    #[test]
    fn who_was_there_first_comes_first_and_events_are_kept_apart() {
        let mut known = Known::default();
        let all = vec![registered("b", 1, &["DoCommand", "DoneEvent"]), registered("a", 2, &["GetQuery"])];
        known.learn(all, Vec::new(), Instant::now(), MINUTE);
        let catalog = known.catalog(&Catalog::default());
        assert_eq!(names(&catalog), ["b/DoCommand (Up)", "a/GetQuery (Up)"]);
        assert_eq!(catalog.events.len(), 1);
        let again = known.catalog(&catalog);
        assert!(Arc::ptr_eq(&again.operations[0], &catalog.operations[0]), "what was prepared stays");
    }

    #[test]
    fn who_leaves_is_missed_for_a_while_and_then_forgotten() {
        let mut known = Known::default();
        let now = Instant::now();
        let learn = |known: &mut Known, started: &[i64], after: Duration| {
            let entries = vec![entry("a", HealthStatus::Unhealthy, Some(5), started)];
            known.learn(vec![registered("a", 1, &["DoCommand"])], entries, now + after, MINUTE);
            names(&known.catalog(&Catalog::default()))
        };
        assert_eq!(learn(&mut known, &[], Duration::ZERO), ["a/DoCommand (Gone)"]);
        assert_eq!(known.pause(now, MINUTE), MINUTE + Duration::from_millis(1));
        assert_eq!(learn(&mut known, &[], MINUTE / 2), ["a/DoCommand (Gone)"]);
        assert_eq!(learn(&mut known, &[], MINUTE), [""; 0]);
        assert_eq!(known.pause(now, MINUTE), Duration::MAX);
        assert_eq!(learn(&mut known, &[], MINUTE * 5), [""; 0], "and stays forgotten");
        assert_eq!(learn(&mut known, &[9], MINUTE * 6), ["a/DoCommand (Up)"], "until it comes back");
    }
}
