//! How often callers may ask: so many requests in a while, counted for all instances of the gateway together.
//!
//! Each caller has a number of cells, which come back one after the other ([`gcra`]). Instances take them in batches from
//! Redis ([`till`]) and serve callers from those ([`book`]), so that a request usually does not wait for Redis. A request
//! that does waits for two exchanges at most; then, and while Redis is away, the instance counts alone.

mod book;
mod gcra;
mod till;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use banyan_sdk::{
    Fault, FaultCode,
    config::{Environment, Reader},
    protocol::Contract,
    shared::Shared,
};
use serde_json::json;

use book::{Book, Question, Said, Step};
pub(crate) use gcra::Rule;

/// So many exchanges with Redis go on at a time; those that wait for one of them longer than this do without.
const EXCHANGES: usize = 32;
const PATIENCE: Duration = Duration::from_millis(100);
/// So often somebody else may have been faster before an instance counts alone.
const TRIES: usize = 4;
/// How much more may be asked in development, where a page of a visitor's reloads itself all the time.
const IN_DEVELOPMENT: u32 = 100;

/// How often callers may ask when a contract does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// A user (`RATE_LIMIT_USER_PER_MINUTE`).
    pub(crate) user: Rule,
    /// All who are not known of one address together (`RATE_LIMIT_ANONYMOUS_PER_MINUTE`).
    pub(crate) anonymous: Rule,
}

impl Rules {
    /// Reads them; in development the limits that nobody set are a hundred times as high.
    pub(crate) fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let factor = if environment == Environment::Development { IN_DEVELOPMENT } else { 1 };
        let mut rule = |name, usual: u32| {
            let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
            reader.parsed_or(name, "a number of requests from 1", number, usual * factor).map(Rule::per_minute)
        };
        let (user, anonymous) = (rule("RATE_LIMIT_USER_PER_MINUTE", 100), rule("RATE_LIMIT_ANONYMOUS_PER_MINUTE", 10));
        Some(Self { user: user?, anonymous: anonymous? })
    }

    /// What counts for a request, and under which name: the limit of the contract counts its requests alone.
    pub(crate) fn of(&self, caller: &str, known: bool, contract: Option<&Contract>) -> (String, Rule) {
        match contract.and_then(|contract| Some((contract, contract.metadata.rate_limit?))) {
            Some((contract, limit)) => {
                let window = Duration::from_secs(limit.window.max(1).into());
                (format!("{}:{caller}", contract.message_type), Rule { requests: limit.requests, window })
            }
            None => (format!(":{caller}"), if known { self.user } else { self.anonymous }),
        }
    }
}

/// What came of a request, and what its caller may still ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// So many requests may be sent at once.
    pub(crate) limit: u32,
    /// So many of them are left.
    pub(crate) remaining: u32,
    /// When all of them are back, in seconds since 1970.
    pub(crate) reset: u64,
    /// In how many seconds to try again; none for a request that goes on.
    pub(crate) retry_after: Option<u64>,
}

impl Verdict {
    fn new(rule: Rule, said: Said) -> Self {
        let seconds = |micros: u64| micros.div_ceil(1_000_000);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let reset = u64::try_from(now.as_micros()).unwrap_or(u64::MAX).saturating_add(said.ahead);
        Self {
            limit: rule.requests,
            remaining: said.remaining,
            reset: seconds(reset),
            retry_after: (!said.admitted).then(|| seconds(said.wait).max(1)),
        }
    }

    /// The refusal, if it is one.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.retry_after.map(|seconds| {
            let message = format!("more than {} requests in a row: try again in {seconds} s", self.limit);
            Fault::new(FaultCode::RateLimitExceeded, message)
                .with_details(json!({ "retryAfter": seconds, "limit": self.limit }))
        })
    }

    /// Tells the caller.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let mut number = |name, number: u64| headers.insert(name, HeaderValue::from(number));
        number(HeaderName::from_static("x-ratelimit-limit"), self.limit.into());
        number(HeaderName::from_static("x-ratelimit-remaining"), self.remaining.into());
        number(HeaderName::from_static("x-ratelimit-reset"), self.reset);
        if let Some(seconds) = self.retry_after {
            number(header::RETRY_AFTER, seconds);
        }
    }
}

/// What counts. Clones count together.
#[derive(Clone)]
pub(crate) struct Limits(Arc<Inner>);

struct Inner {
    shared: Shared,
    book: Mutex<Book>,
    gates: [tokio::sync::Mutex<()>; EXCHANGES],
    began: Instant,
}

impl Limits {
    /// Counts together with all who have the same `shared`.
    pub(crate) fn new(shared: Shared) -> Self {
        let gates = std::array::from_fn(|_| tokio::sync::Mutex::default());
        Self(Arc::new(Inner { shared, book: Mutex::default(), gates, began: Instant::now() }))
    }

    /// Counts `cost` requests of the caller that is called `key`, all of them or none.
    pub(crate) async fn take(&self, key: &str, rule: Rule, cost: u32) -> Verdict {
        Verdict::new(rule, self.said(key, rule, cost).await)
    }

    /// How many callers are remembered.
    pub(crate) fn callers(&self) -> usize {
        self.book().len()
    }

    async fn said(&self, key: &str, rule: Rule, cost: u32) -> Said {
        if let Some(said) = self.at_hand(key, rule, cost) {
            return said;
        }
        // one asks for a caller; those who waited mostly find what they need then
        let waiting = tokio::time::timeout(PATIENCE, self.gate(key).lock());
        let gate = if self.0.shared.is_there() { waiting.await.ok() } else { None };
        if let Some(_one_at_a_time) = gate {
            for _ in 0..TRIES {
                if let Some(said) = self.at_hand(key, rule, cost) {
                    return said;
                }
                let question = self.book().question(key, rule, cost, self.now());
                let Ok(answer) = till::ask(&self.0.shared, key, &question).await else { break };
                self.book().hear(key, &question, answer, self.now());
            }
        }
        self.book().alone(key, rule, cost, self.now())
    }

    fn at_hand(&self, key: &str, rule: Rule, cost: u32) -> Option<Said> {
        let step = self.book().spend(key, rule, cost, self.now());
        let Step::Say(said, refill) = step else { return None };
        if let Some(question) = refill {
            self.refill(key.to_owned(), question);
        }
        Some(said)
    }

    fn refill(&self, key: String, question: Question) {
        let limits = self.clone();
        tokio::spawn(async move {
            let gate = tokio::time::timeout(PATIENCE, limits.gate(&key).lock()).await;
            let answer = match gate {
                Ok(_) => till::ask(&limits.0.shared, &key, &question).await.ok(),
                Err(_) => None,
            };
            match answer {
                Some(answer) => limits.book().hear(&key, &question, answer, limits.now()),
                None => limits.book().give_up(&key, limits.now()),
            }
        });
    }

    fn gate(&self, key: &str) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        &self.0.gates[(hasher.finish() % EXCHANGES as u64) as usize]
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microseconds since this began, and not 0.
    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX - 1) + 1
    }
}

#[cfg(test)]
#[path = "limits/redis_tests.rs"]
mod redis_tests;
#[cfg(test)]
#[path = "limits/tests.rs"]
mod tests;
