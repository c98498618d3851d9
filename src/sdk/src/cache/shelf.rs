//! Where values lie: in Redis, or in the memory of this process. Both pass the same tests.

use std::time::Duration;

use super::{key::Keys, memory::Memory, pending::Pending, redis::Redis};
use crate::telemetry::Tracer;

/// How long the stamp of a tag is kept at least. Values live on by it, so that it is kept longer than they are.
pub(super) const STAMP_LIFE: Duration = Duration::from_secs(3_600);

/// The shelf could not be asked, or did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// What lies on the shelf.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The value, if there is one that counts.
    pub(super) value: Option<Vec<u8>>,
    /// Whether it is not stale.
    pub(super) fresh: bool,
    /// Whether somebody is loading it.
    pub(super) locked: bool,
}

/// The right to load a value and to keep it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The current stamps of its tags, if the right was given; none when somebody else has it.
    pub(super) stamps: Option<Vec<String>>,
    pub(super) found: Found,
}

pub(super) enum Shelf {
    Memory(Memory),
    Redis(Redis),
}

impl Shelf {
    pub(super) fn trace(&self, tracer: &Tracer) {
        match self {
            Self::Memory(_) => {}
            Self::Redis(redis) => redis.trace(tracer),
        }
    }

    /// Looks for a value; one that lives no longer than `stale` is stale.
    pub(super) async fn look(&self, keys: &Keys, stale: Duration) -> Result<Found, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.look(keys, stale)),
            Self::Redis(redis) => redis.look(keys, stale).await,
        }
    }

    /// Asks for the right to load a value, which lasts for `life` unless renewed. Tags without a stamp get one.
    pub(super) async fn claim(
        &self,
        keys: &Keys,
        stale: Duration,
        token: &str,
        life: Duration,
    ) -> Result<Claim, Unavailable> {
        match self {
            Self::Memory(memory) => Ok(memory.claim(keys, stale, token, life)),
            Self::Redis(redis) => redis.claim(keys, stale, token, life).await,
        }
    }

    /// Makes the right last for `life` from now on.
    pub(super) async fn renew(&self, keys: &Keys, token: &str, life: Duration) -> Result<(), Unavailable> {
        match self {
            Self::Memory(memory) => {
                memory.renew(keys, token, life);
                Ok(())
            }
            Self::Redis(redis) => redis.renew(keys, token, life).await,
        }
    }

    /// Gives the right back.
    pub(super) async fn release(&self, keys: &Keys, token: &str) -> Result<(), Unavailable> {
        match self {
            Self::Memory(memory) => {
                memory.release(keys, token);
                Ok(())
            }
            Self::Redis(redis) => redis.release(keys, token).await,
        }
    }

    /// Keeps a sealed value for `life` and gives the right back. Without the right, which is lost when the value is
    /// forgotten meanwhile, nothing is kept.
    pub(super) async fn keep(
        &self,
        keys: &Keys,
        token: &str,
        sealed: Vec<u8>,
        life: Duration,
    ) -> Result<(), Unavailable> {
        match self {
            Self::Memory(memory) => {
                memory.keep(keys, token, sealed, life);
                Ok(())
            }
            Self::Redis(redis) => redis.keep(keys, token, sealed, life).await,
        }
    }

    /// Forgets values, and gives tags new stamps: now, or as soon as it can be done.
    pub(super) async fn forget(&self, what: Pending) {
        match self {
            Self::Memory(memory) => memory.forget(&what),
            Self::Redis(redis) => redis.forget(what).await,
        }
    }
}
