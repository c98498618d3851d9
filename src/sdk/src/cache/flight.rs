//! One flight per key: whoever asks while a value is being loaded gets the result of that load.

use std::{
    any::Any,
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::key::Keys;

/// The result of a load, whatever its type.
pub(super) type Landed = Arc<dyn Any + Send + Sync>;

/// The loads that are under way in this process.
#[derive(Default, Clone)]
pub(super) struct Flights(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    started: u64,
    flights: HashMap<String, Flight>,
}

struct Flight {
    number: u64,
    purpose: Purpose,
    tags: Vec<String>,
    result: watch::Receiver<Option<Landed>>,
}

/// What a load is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody waits for it.
    Answer,
    /// Everybody is content with a stale value meanwhile.
    Refresh,
}

/// Somebody who waits for the result.
pub(super) struct Passenger(watch::Receiver<Option<Landed>>);

/// The one who loads. The flight ends with it.
pub(super) struct Pilot {
    flights: Flights,
    entry: String,
    number: u64,
    result: watch::Sender<Option<Landed>>,
}

pub(super) enum Begun {
    /// Nobody was loading it.
    Leads(Pilot),
    /// Somebody is.
    Joined(Passenger),
}

impl Flights {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The load of `entry` that somebody waits for already.
    pub(super) fn joined(&self, entry: &str) -> Option<Passenger> {
        let state = self.state();
        let flight = state.flights.get(entry).filter(|flight| flight.purpose == Purpose::Answer)?;
        Some(Passenger(flight.result.clone()))
    }

    /// Begins the load of a value, unless it is under way.
    pub(super) fn begin(&self, keys: &Keys, purpose: Purpose) -> Begun {
        let mut state = self.state();
        state.started += 1;
        let number = state.started;
        match state.flights.entry(keys.entry.clone()) {
            Entry::Occupied(flight) => Begun::Joined(Passenger(flight.get().result.clone())),
            Entry::Vacant(place) => {
                let (sender, result) = watch::channel(None);
                place.insert(Flight { number, purpose, tags: keys.tags.clone(), result });
                let pilot = Pilot { flights: self.clone(), entry: keys.entry.clone(), number, result: sender };
                Begun::Leads(pilot)
            }
        }
    }

    /// Lets nobody join the load of `entry` any more: what it loads may be out of date.
    pub(super) fn forget(&self, entry: &str) {
        self.state().flights.remove(entry);
    }

    /// The same for every load with a tag.
    pub(super) fn forget_tag(&self, tag: &str) {
        self.state().flights.retain(|_, flight| !flight.tags.iter().any(|it| it == tag));
    }
}

impl Passenger {
    /// The result; none when the load ended without one.
    pub(super) async fn result(mut self) -> Option<Landed> {
        self.0.wait_for(Option::is_some).await.ok().and_then(|result| result.clone())
    }
}

impl Pilot {
    pub(super) fn passenger(&self) -> Passenger {
        Passenger(self.result.subscribe())
    }

    /// Gives the result to everybody who waits. The flight is over before they have it, so that whoever asks next does
    /// not get what may have been forgotten since.
    pub(super) fn land(self, result: Landed) {
        self.end();
        self.result.send_replace(Some(result));
    }

    fn end(&self) {
        let mut state = self.flights.state();
        // after it was forgotten, another flight may have begun
        if state.flights.get(&self.entry).is_some_and(|flight| flight.number == self.number) {
            state.flights.remove(&self.entry);
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new("s", "k", "1", &["t".to_owned()])
    }

    fn pilot(begun: Begun) -> Pilot {
        match begun {
            Begun::Leads(pilot) => pilot,
            Begun::Joined(_) => panic!("somebody loads it"),
        }
    }

    fn passenger(begun: Begun) -> Passenger {
        match begun {
            Begun::Leads(_) => panic!("nobody loads it"),
            Begun::Joined(passenger) => passenger,
        }
    }

    async fn number(passenger: Passenger) -> Option<u32> {
        passenger.result().await.and_then(|landed| landed.downcast_ref().copied())
    }

    #[tokio::test]
    async fn everybody_gets_the_result_of_the_first() {
        let flights = Flights::default();
        let first = pilot(flights.begin(&keys(), Purpose::Answer));
        let second = passenger(flights.begin(&keys(), Purpose::Answer));
        let third = flights.joined(&keys().entry).unwrap();
        first.land(Arc::new(7_u32));
        assert_eq!((number(second).await, number(third).await), (Some(7), Some(7)));
        assert!(flights.joined(&keys().entry).is_none());
    }

    #[tokio::test]
    async fn a_flight_without_a_result_lets_its_passengers_go() {
        let flights = Flights::default();
        let first = pilot(flights.begin(&keys(), Purpose::Refresh));
        assert!(flights.joined(&keys().entry).is_none());
        let second = passenger(flights.begin(&keys(), Purpose::Answer));
        drop(first);
        assert_eq!(number(second).await, None);
    }

    #[tokio::test]
    async fn nobody_joins_a_load_that_began_before_it_was_forgotten() {
        let flights = Flights::default();
        for forget in [
            (|flights, keys| Flights::forget(flights, &keys.entry)) as fn(&Flights, &Keys),
            |flights, keys| flights.forget_tag(&keys.tags[2]),
            |flights, keys| flights.forget_tag(&keys.tags[0]),
        ] {
            let old = pilot(flights.begin(&keys(), Purpose::Answer));
            let early = old.passenger();
            forget(&flights, &keys());
            let new = pilot(flights.begin(&keys(), Purpose::Answer));
            old.land(Arc::new(1_u32));
            let late = flights.joined(&keys().entry).unwrap();
            new.land(Arc::new(2_u32));
            assert_eq!((number(early).await, number(late).await), (Some(1), Some(2)));
        }
    }
}
