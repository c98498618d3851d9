//! How many connections there may be: in all, and for each caller.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Places for connections. Clones are the same places.
#[derive(Debug, Clone)]
pub(crate) struct Seats {
    taken: Arc<Mutex<Taken>>,
    each: usize,
    all: usize,
}

#[derive(Debug, Default)]
struct Taken {
    by: HashMap<String, usize>,
    all: usize,
}

/// A place that is taken for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    by: String,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The caller has as many as anybody may have.
    Caller,
    /// All are taken.
    All,
}

impl Full {
    /// In words.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Caller => "too many connections of one caller",
            Self::All => "too many connections",
        }
    }
}

impl Seats {
    /// `each` places for each caller, `all` in all.
    pub(crate) fn new(each: usize, all: usize) -> Self {
        Self { taken: Arc::default(), each, all }
    }

    /// A place for a caller with this key.
    ///
    /// # Errors
    /// [`Full`] says what there is too much of.
    pub(crate) fn take(&self, caller: String) -> Result<Seat, Full> {
        let mut taken = self.taken();
        if taken.all >= self.all {
            return Err(Full::All);
        }
        let one = taken.by.get(&caller).copied().unwrap_or_default();
        if one >= self.each {
            return Err(Full::Caller);
        }
        taken.by.insert(caller.clone(), one + 1);
        taken.all += 1;
        Ok(Seat { seats: self.clone(), by: caller })
    }

    /// How many are taken.
    pub(crate) fn count(&self) -> usize {
        self.taken().all
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all -= 1;
        if let Some(count) = taken.by.get_mut(&self.by) {
            *count -= 1;
            if *count == 0 {
                taken.by.remove(&self.by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_each_and_for_all() {
        let seats = Seats::new(2, 3);
        let take = |caller: &str| seats.take(caller.to_owned());
        let (a, b) = (take("x").unwrap(), take("x").unwrap());
        assert_eq!(take("x").unwrap_err(), Full::Caller);
        let c = take("y").unwrap();
        assert_eq!(take("z").unwrap_err(), Full::All);
        drop(a);
        let _d = take("z").unwrap();
        drop((b, c));
        assert_eq!((seats.count(), seats.taken().by.len()), (1, 1), "nothing is kept of who is gone");
    }
}
