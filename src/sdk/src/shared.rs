//! What all instances of a service share, in Redis: small things that are there for a while.
//!
//! It goes over the connection of the [`Cache`](crate::cache::Cache). Redis is never waited for: an exchange that takes
//! too long has failed, and while Redis is known to be gone, nothing is even tried. What then is to happen instead is for
//! the caller to know.
//!
//! Keys lie below `shared:{service}:` in Redis.

use std::{fmt, sync::Arc, time::Duration};

use redis::pipe;

use crate::cache::{link::Link, shelf::Unavailable};

/// A handle on what all instances of a service share. Clones are the same.
#[derive(Clone)]
pub struct Shared {
    link: Option<Arc<Link>>,
    prefix: Arc<str>,
}

/// Redis is not there, or did not answer in time. Whether it did what it was asked is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be shared: Redis is not there, or did not answer in time")]
pub struct Away;

impl From<Unavailable> for Away {
    fn from(_: Unavailable) -> Self {
        Self
    }
}

/// A Lua script, which Redis runs as a whole. It is sent there once.
pub struct Script(redis::Script);

impl Script {
    /// The script that consists of these lines.
    #[must_use]
    pub fn new(lines: &str) -> Self {
        Self(redis::Script::new(lines))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("prefix", &self.prefix).field("is_there", &self.is_there()).finish()
    }
}

impl Shared {
    pub(crate) fn new(link: Option<Arc<Link>>, service: &str) -> Self {
        Self { link, prefix: format!("shared:{service}:").into() }
    }

    /// Whether the service was given a Redis at all; without one, every operation fails.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.link.is_some()
    }

    fn link(&self) -> Result<&Arc<Link>, Away> {
        self.link.as_ref().ok_or(Away)
    }

    fn named(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Keeps `value` under `key` for `time`, at least a millisecond, in place of whatever was there.
    ///
    /// # Errors
    /// [`Away`].
    pub async fn set_for(&self, key: &str, value: impl AsRef<[u8]>, time: Duration) -> Result<(), Away> {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, MOST_MILLIS);
        let mut commands = pipe();
        commands.cmd("SET").arg(self.named(key)).arg(value.as_ref()).arg("PX").arg(time).ignore();
        Ok(self.link()?.ask("set", &commands).await?)
    }

    /// Takes what is kept under `key`, so that nobody else gets it.
    ///
    /// # Errors
    /// [`Away`]; it may be taken all the same.
    pub async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, Away> {
        let mut commands = pipe();
        commands.cmd("GETDEL").arg(self.named(key));
        let (value,) = self.link()?.ask("take", &commands).await?;
        Ok(value)
    }

    /// Runs `script` over `keys`; it answers with whole numbers.
    ///
    /// # Errors
    /// [`Away`]; it may have run all the same.
    pub async fn eval<A: AsRef<[u8]>>(&self, script: &Script, keys: &[&str], args: &[A]) -> Result<Vec<i64>, Away> {
        let mut invocation = script.0.prepare_invoke();
        for key in keys {
            invocation.key(self.named(key));
        }
        for arg in args {
            invocation.arg(arg.as_ref());
        }
        Ok(self.link()?.run("eval", &invocation).await?)
    }
}

/// A century.
const MOST_MILLIS: u64 = 3_153_600_000_000;
