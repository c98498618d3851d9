//! How much goes on at a time: so many requests in all, and so many to one service, so that one that is slow does not
//! take all places. Who finds no place waits a little, and not with too many others; then it is told to come back later,
//! while those who are in are answered.
//!
//! Only what is sent to services needs a place. Probes, metrics and the pages of administrators do not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use banyan_sdk::{Fault, config::Reader, protocol::names::ServiceName};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// When to come back, in seconds.
const RETRY_AFTER: u64 = 1;

/// How much may go on at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// In all (`MAX_REQUESTS_IN_FLIGHT`).
    pub(crate) all: usize,
    /// To one service (`MAX_REQUESTS_IN_FLIGHT_PER_SERVICE`).
    pub(crate) service: usize,
    /// How long a request waits for a place.
    pub(crate) patience: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { all: 2_048, service: 1_024, patience: Duration::from_millis(100) }
    }
}

impl Bounds {
    /// Reads them.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let usual = Self::default();
        let mut number = |name, usual| {
            let number = |text: &str| text.parse().ok().filter(|number| (1..=Semaphore::MAX_PERMITS).contains(number));
            reader.parsed_or(name, "a number of requests from 1", number, usual)
        };
        let all = number("MAX_REQUESTS_IN_FLIGHT", usual.all);
        let service = number("MAX_REQUESTS_IN_FLIGHT_PER_SERVICE", usual.service);
        Some(Self { all: all?, service: service?, ..usual })
    }
}

/// Places, and as many to wait for one.
#[derive(Clone)]
struct Room {
    places: Arc<Semaphore>,
    /// Those who are in and those who wait.
    heads: Arc<Semaphore>,
}

/// A place in a room.
struct Place {
    _place: OwnedSemaphorePermit,
    _head: OwnedSemaphorePermit,
}

impl Room {
    fn new(places: usize) -> Self {
        let heads = Semaphore::new((places * 2).min(Semaphore::MAX_PERMITS));
        Self { places: Arc::new(Semaphore::new(places)), heads: Arc::new(heads) }
    }

    /// A place, at once or until then.
    async fn enter(&self, until: Instant) -> Option<Place> {
        let head = Arc::clone(&self.heads).try_acquire_owned().ok()?;
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => timeout_at(until, Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()?,
        };
        Some(Place { _place: place, _head: head })
    }
}

/// What goes on.
pub(crate) struct Load {
    bounds: Bounds,
    all: Room,
    services: Mutex<HashMap<ServiceName, Room>>,
}

/// A place, until it is dropped.
#[must_use = "the place is free again when this is dropped"]
pub(crate) struct Guard {
    _service: Place,
    _all: Place,
}

impl Load {
    /// Nothing goes on yet.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, all: Room::new(bounds.all), services: Mutex::default() }
    }

    /// A place for a request to `service`.
    ///
    /// # Errors
    /// `SERVICE_UNAVAILABLE` when none is free in time, and at once when as many wait as are in.
    pub(crate) async fn enter(&self, service: &ServiceName) -> Result<Guard, Fault> {
        let until = Instant::now() + self.bounds.patience;
        // the place that only a few want comes last, so that nobody holds it who waits for another
        let room = self.room(service);
        let full = |what: String| {
            Fault::unavailable(format!("{what}: try again in {RETRY_AFTER} s"))
                .with_details(json!({ "retryAfter": RETRY_AFTER }))
        };
        let of_service = room.enter(until).await.ok_or_else(|| full(format!("{service} has too much to do")))?;
        let of_all = self.all.enter(until).await.ok_or_else(|| full("there is too much to do".to_owned()))?;
        Ok(Guard { _service: of_service, _all: of_all })
    }

    /// How many requests are in.
    pub(crate) fn in_flight(&self) -> usize {
        self.bounds.all - self.all.places.available_permits()
    }

    /// Forgets services that nobody knows any more.
    pub(crate) fn keep(&self, known: impl Fn(&ServiceName) -> bool) {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).retain(|service, _| known(service));
    }

    fn room(&self, service: &ServiceName) -> Room {
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = services.get(service) {
            return room.clone();
        }
        let room = Room::new(self.bounds.service);
        services.insert(service.clone(), room.clone());
        room
    }
}

#[cfg(test)]
mod tests {
    use banyan_sdk::FaultCode;

    use super::*;

    fn load(all: usize, service: usize, patience: Duration) -> Arc<Load> {
        Arc::new(Load::new(Bounds { all, service, patience }))
    }

    fn named(name: &str) -> ServiceName {
        ServiceName::new(name).unwrap()
    }

    async fn until(what: &str, done: impl Fn() -> bool) {
        for _ in 0..10_000 {
            if done() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{what}: it never is");
    }

    #[tokio::test]
    async fn one_service_does_not_take_the_places_of_others() {
        let load = load(4, 2, Duration::from_millis(1));
        let (slow, other) = (named("slow"), named("other"));
        let held = [load.enter(&slow).await.unwrap(), load.enter(&slow).await.unwrap()];
        let fault = load.enter(&slow).await.err().unwrap();
        assert_eq!(fault.code, FaultCode::ServiceUnavailable);
        assert_eq!(fault.details.unwrap()["retryAfter"], 1);
        let others = [load.enter(&other).await.unwrap(), load.enter(&other).await.unwrap()];
        assert_eq!(load.in_flight(), 4);
        assert!(load.enter(&named("third")).await.is_err(), "there are so many in all");
        drop(held);
        assert_eq!(load.in_flight(), 2);
        drop(load.enter(&slow).await.unwrap());
        drop(others);
        assert_eq!(load.in_flight(), 0);
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_of_who_leaves() {
        let load = load(1, 1, Duration::from_secs(3_600));
        let service = named("a");
        let held = load.enter(&service).await.unwrap();
        let waiting = tokio::spawn({
            let (load, service) = (Arc::clone(&load), service.clone());
            async move { load.enter(&service).await.map(drop) }
        });
        let heads = load.room(&service).heads;
        until("it waits", || heads.available_permits() == 0).await;
        // two are too many to wait for one place: refused at once
        assert!(load.enter(&service).await.is_err());
        drop(held);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        assert_eq!((load.in_flight(), heads.available_permits()), (0, 2));
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_nothing_behind() {
        let load = load(1, 1, Duration::from_secs(3_600));
        let service = named("a");
        let held = load.enter(&service).await.unwrap();
        for _ in 0..10 {
            tokio::select! {
                biased;
                _ = load.enter(&service) => panic!("there is no place"),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(held);
        assert!(load.enter(&service).await.is_ok());
    }

    #[tokio::test]
    async fn services_that_left_are_forgotten_and_their_places_come_back() {
        let load = load(2, 2, Duration::from_millis(1));
        let held = load.enter(&named("gone")).await.unwrap();
        load.keep(|_| false);
        assert_eq!(load.in_flight(), 1);
        drop(held);
        assert_eq!(load.in_flight(), 0);
    }
}
