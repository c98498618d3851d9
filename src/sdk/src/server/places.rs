//! How many connections there are, in all and from each address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::task::task_tracker::{TaskTracker, TaskTrackerToken};

/// The places for connections.
pub(super) struct Places {
    all: usize,
    each: usize,
    taken: Mutex<Taken>,
    tracker: TaskTracker,
}

#[derive(Default)]
struct Taken {
    all: usize,
    each: HashMap<IpAddr, usize>,
}

/// The place of a connection, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    _token: TaskTrackerToken,
}

impl Places {
    /// At most `all`, and at most `each` from one address. `tracker` has something to wait for as long as any is taken.
    pub(super) fn new(all: usize, each: usize, tracker: TaskTracker) -> Arc<Self> {
        Arc::new(Self { all, each, taken: Mutex::default(), tracker })
    }

    /// A place for a connection from `address`, if there is one.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.all {
            return None;
        }
        let count = taken.each.entry(address).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        taken.all += 1;
        Some(Place { places: self.clone(), address, _token: self.tracker.token() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(count) = taken.each.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.each.remove(&self.address);
            }
        }
    }
}

/// Lets this process open as many files as it may be allowed to; it is given less at first for the sake of old programs.
pub(super) fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // It then does with what it has.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many connections there may be when `wanted` are, so that half of the files that may be open is left for all else.
pub(super) fn affordable(wanted: usize) -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    files.map_or(wanted, |files| wanted.min(files / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_more_than_a_share_and_all_together_not_more_than_there_are() {
        let places = Places::new(3, 2, TaskTracker::new());
        let [one, other, third] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
        let first = places.take(one).unwrap();
        let second = places.take(one).unwrap();
        assert!(places.take(one).is_none());
        let _third = places.take(other).unwrap();
        assert!(places.take(third).is_none());
        drop(first);
        let again = places.take(third).unwrap();
        assert!(places.take(other).is_none());
        drop((second, again));
        assert_eq!(places.taken.lock().unwrap().each, HashMap::from([(other, 1)]));
        assert_eq!(places.taken.lock().unwrap().all, 1);
    }

    #[test]
    fn half_of_the_files_is_for_all_else() {
        let files = usize::try_from(getrlimit(Resource::Nofile).current.unwrap()).unwrap();
        assert_eq!(affordable(1), 1);
        assert_eq!(affordable(usize::MAX), files / 2);
    }
}
