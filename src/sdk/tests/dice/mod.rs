//! Choices that look random and can be made again, for the unit tests and all other tests of this crate.
//!
//! `BANYAN_TEST_SEED` names the seed of the first round [default: 1]; a round that fails says its own. With
//! `BANYAN_TEST_LONG=1` there are twenty times as many rounds.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{env, ops::Range};

/// Numbers that follow from a seed (splitmix64). When a test fails while it has them, it says the seed.
pub struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// Those of `seed`.
    pub fn of(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// For somebody else of the same round, whose numbers are others.
    pub fn for_another(&mut self) -> Self {
        Self { seed: self.seed, state: self.number() }
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// At least 0 and less than `limit`.
    pub fn below<N: TryFrom<u64> + TryInto<u64>>(&mut self, limit: N) -> N {
        let limit: u64 = limit.try_into().ok().expect("a limit is not negative");
        N::try_from(self.number() % limit).ok().expect("it is less than the limit")
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// At least 0 and less than 1.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// In another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
    }
}

impl Drop for Dice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see this again: BANYAN_TEST_SEED={}", self.seed);
        }
    }
}

/// Whether the long forms of tests are wanted.
pub fn long() -> bool {
    env::var_os("BANYAN_TEST_LONG").is_some_and(|value| value == "1")
}

/// The seed that a test begins with.
pub fn seed() -> u64 {
    let Ok(text) = env::var("BANYAN_TEST_SEED") else { return 1 };
    text.parse().unwrap_or_else(|_| panic!("BANYAN_TEST_SEED must be a number, not `{text}`"))
}

/// A seed for each round; `usual` is how many there are as a rule.
pub fn seeds(usual: u64) -> Range<u64> {
    seed()..seed() + if long() { usual * 20 } else { usual }
}

/// The same, as dice.
pub fn rounds(usual: u64) -> impl Iterator<Item = Dice> {
    seeds(usual).map(Dice::of)
}
