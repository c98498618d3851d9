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
    use std::collections::BTreeSet;

    use super::*;
    use crate::dice::rounds;

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

    /// At most one load of a key that can be joined, and whoever joins gets the result of that one and of no other,
    /// whatever is forgotten, given up and begun anew meanwhile.
    #[tokio::test]
    async fn any_order_of_loads_gives_everybody_the_result_of_the_load_he_joined() {
        for mut dice in rounds(300) {
            let keys = ["1", "2", "3"].map(|key| Keys::new("s", "k", key, &[format!("odd {}", key != "2")]));
            let (flights, mut current, mut landed) = (Flights::default(), [None; 3], BTreeSet::new());
            let (mut pilots, mut passengers, mut begun) = (Vec::new(), Vec::new(), 0_u32);
            for _ in 0..80 {
                let key = dice.below(keys.len());
                match dice.below(8) {
                    0..3 => match flights.begin(&keys[key], dice.pick(&[Purpose::Answer, Purpose::Refresh])) {
                        Begun::Leads(pilot) => {
                            assert_eq!(current[key], None, "two loads of one key");
                            begun += 1;
                            current[key] = Some(begun);
                            passengers.push((pilot.passenger(), begun));
                            pilots.push((key, begun, pilot));
                        }
                        Begun::Joined(passenger) => passengers.push((passenger, current[key].unwrap())),
                    },
                    3 => {
                        let joined = flights.joined(&keys[key].entry);
                        passengers.extend(joined.map(|passenger| (passenger, current[key].unwrap())));
                    }
                    4 => {
                        flights.forget(&keys[key].entry);
                        current[key] = None;
                    }
                    5 => {
                        flights.forget_tag(keys[key].tags.last().unwrap());
                        let alike = (0..3).filter(|other| keys[*other].tags.last() == keys[key].tags.last());
                        alike.for_each(|other| current[other] = None);
                    }
                    end if !pilots.is_empty() => {
                        let (key, number, pilot) = pilots.swap_remove(dice.below(pilots.len()));
                        current[key] = current[key].filter(|it| *it != number);
                        if end == 6 {
                            landed.insert(number);
                            pilot.land(Arc::new(number));
                        }
                    }
                    _ => {}
                }
            }
            drop(pilots);
            for (passenger, joined) in passengers {
                assert_eq!(number(passenger).await, landed.contains(&joined).then_some(joined));
            }
            assert!(flights.state().flights.is_empty(), "what has ended is forgotten");
        }
    }
}
