//! A shelf in Redis. See the table of names in [`crate::cache`].

use std::{sync::Arc, time::Duration};

use ::redis::{FromRedisValue, Pipeline, pipe};
use tokio::time::sleep;

use super::{
    entry,
    key::Keys,
    link::Link,
    pending::Pending,
    shelf::{Claim, Found, STAMP_LIFE, Unavailable},
};
use crate::{ids, telemetry::Tracer};

/// How long until Redis is told again what it could not be told.
const TELL_AGAIN: Duration = Duration::from_millis(250);

/// Keeps a value, lets the stamps outlive it, and gives the right back; all that only with the right.
/// Keys: lock, value, stamps. Arguments: token, value, its life in milliseconds.
const KEEP: &str = "
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
for at = 3, #KEYS do
  if redis.call('PTTL', KEYS[at]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[at], ARGV[3]) end
end
redis.call('DEL', KEYS[1])
return 1";

const RENEW: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0";

const RELEASE: &str = "
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

pub(super) struct Redis {
    link: Arc<Link>,
    untold: Arc<Untold>,
}

/// What Redis could not be told yet. Nothing is read from it before.
struct Untold {
    /// The name of the stamp of everything.
    all: String,
    pending: std::sync::Mutex<Pending>,
    /// One at a time tells.
    telling: tokio::sync::Mutex<()>,
    /// Somebody tries again by and by.
    trying: std::sync::atomic::AtomicBool,
}

type Texts = Vec<Option<Vec<u8>>>;

impl Redis {
    pub(super) fn new(link: Link, all: String) -> Self {
        let untold =
            Untold { all, pending: Default::default(), telling: Default::default(), trying: Default::default() };
        Self { link: Arc::new(link), untold: Arc::new(untold) }
    }

    async fn ask<T: FromRedisValue>(&self, what: &'static str, pipeline: &Pipeline) -> Result<T, Unavailable> {
        self.untold.tell(&self.link).await?;
        self.link.ask(what, pipeline).await
    }

    pub(super) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }

    pub(super) fn trace(&self, tracer: &Tracer) {
        self.link.trace(tracer);
    }

    /// How much memory all of Redis uses, in bytes, and how many values made room for others since it started.
    pub(super) async fn size(&self) -> Result<(u64, u64), Unavailable> {
        let mut pipeline = pipe();
        pipeline.cmd("INFO").arg("memory").cmd("INFO").arg("stats");
        let (memory, stats): (String, String) = self.link.ask("info", &pipeline).await?;
        let number =
            |text: &str, name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        number(&memory, "used_memory:").zip(number(&stats, "evicted_keys:")).ok_or(Unavailable)
    }

    pub(super) async fn look(&self, keys: &Keys, stale: Duration) -> Result<Found, Unavailable> {
        let mut pipeline = pipe();
        pipeline.cmd("MGET").arg(&keys.entry).arg(&keys.tags).arg(&keys.lock).cmd("PTTL").arg(&keys.entry);
        let (mut texts, life): (Texts, i64) = self.ask("look", &pipeline).await?;
        let locked = texts.pop().flatten().is_some();
        Ok(Found { locked, ..found(texts, life, stale).0 })
    }

    pub(super) async fn claim(
        &self,
        keys: &Keys,
        stale: Duration,
        token: &str,
        life: Duration,
    ) -> Result<Claim, Unavailable> {
        let mut pipeline = pipe();
        pipeline.cmd("SET").arg(&keys.lock).arg(token).arg("NX").arg("PX").arg(millis(life));
        for tag in &keys.tags {
            let stamp = ids::stamp(ids::random());
            pipeline.cmd("SET").arg(tag).arg(stamp).arg("NX").arg("PX").arg(millis(STAMP_LIFE)).ignore();
        }
        pipeline.cmd("MGET").arg(&keys.entry).arg(&keys.tags).cmd("PTTL").arg(&keys.entry);
        let (set, texts, life): (Option<String>, Texts, i64) = self.ask("claim", &pipeline).await?;
        let (found, stamps) = found(texts, life, stale);
        // without all stamps, what is loaded would never count
        let stamps = stamps.into_iter().collect::<Option<Vec<_>>>().filter(|_| set.is_some());
        Ok(Claim { found: Found { locked: stamps.is_none(), ..found }, stamps })
    }

    pub(super) async fn renew(&self, keys: &Keys, token: &str, life: Duration) -> Result<(), Unavailable> {
        let mut pipeline = pipe();
        pipeline.cmd("EVAL").arg(RENEW).arg(1).arg(&keys.lock).arg(token).arg(millis(life)).ignore();
        self.ask("renew", &pipeline).await
    }

    pub(super) async fn release(&self, keys: &Keys, token: &str) -> Result<(), Unavailable> {
        let mut pipeline = pipe();
        pipeline.cmd("EVAL").arg(RELEASE).arg(1).arg(&keys.lock).arg(token).ignore();
        self.ask("release", &pipeline).await
    }

    pub(super) async fn keep(
        &self,
        keys: &Keys,
        token: &str,
        sealed: Vec<u8>,
        life: Duration,
    ) -> Result<(), Unavailable> {
        let mut pipeline = pipe();
        pipeline.cmd("EVAL").arg(KEEP).arg(2 + keys.tags.len());
        pipeline.arg(&keys.lock).arg(&keys.entry).arg(&keys.tags).arg(token).arg(sealed).arg(millis(life)).ignore();
        self.ask("keep", &pipeline).await
    }

    pub(super) async fn forget(&self, what: Pending) {
        self.untold.add(what);
        if self.untold.tell(&self.link).await.is_err() {
            self.untold.tell_later(&self.link);
        }
    }
}

impl Untold {
    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn add(&self, what: Pending) {
        self.pending().add(what, &self.all);
    }

    async fn tell(&self, link: &Arc<Link>) -> Result<(), Unavailable> {
        if self.pending().is_empty() {
            return Ok(());
        }
        let _one_at_a_time = self.telling.lock().await;
        let pending = self.pending().clone();
        if pending.is_empty() {
            return Ok(());
        }
        let mut pipeline = pipe();
        if !pending.names.is_empty() {
            pipeline.cmd("DEL").arg(&pending.names).ignore();
        }
        for tag in &pending.tags {
            let stamp = ids::stamp(ids::random());
            pipeline.cmd("SET").arg(tag).arg(stamp).arg("PX").arg(millis(STAMP_LIFE)).ignore();
        }
        let () = link.ask("forget", &pipeline).await?;
        self.pending().remove(&pending);
        Ok(())
    }

    /// Nobody else may use the cache for a while, and other processes must not go on with what is out of date.
    fn tell_later(self: &Arc<Self>, link: &Arc<Link>) {
        use std::sync::atomic::Ordering::SeqCst;
        if self.trying.swap(true, SeqCst) {
            return;
        }
        let (untold, link) = (Arc::downgrade(self), Arc::downgrade(link));
        tokio::spawn(async move {
            loop {
                sleep(TELL_AGAIN).await;
                let (Some(untold), Some(link)) = (untold.upgrade(), link.upgrade()) else { return };
                if untold.tell(&link).await.is_ok() {
                    untold.trying.store(false, SeqCst);
                    // what failed just before that found somebody trying
                    if untold.pending().is_empty() || untold.trying.swap(true, SeqCst) {
                        return;
                    }
                }
            }
        });
    }
}

/// What lies there, and the stamps, from the texts of the value and of the stamps.
fn found(mut texts: Texts, life: i64, stale: Duration) -> (Found, Vec<Option<String>>) {
    let text = if texts.is_empty() { None } else { texts.remove(0) };
    let stamps: Vec<_> = texts.into_iter().map(|it| it.and_then(|it| String::from_utf8(it).ok())).collect();
    let value = text.and_then(|text| entry::opened(text, &stamps));
    let fresh = value.is_some() && u128::try_from(life).is_ok_and(|life| life > stale.as_millis());
    (Found { value, fresh, locked: false }, stamps)
}

/// A life in milliseconds, at least one and at most a century.
fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).clamp(1, 3_153_600_000_000)
}
