//! One client of the hub: what it asked for, and the news of that.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    pin::Pin,
    sync::Arc,
    time::Instant,
};

use banyan_sdk::{
    clock::Now,
    protocol::{Fault, FaultCode, Timestamp},
};
use tokio::{
    sync::mpsc,
    time::{Sleep, sleep_until},
};

use super::{
    fan::{Mailbox, News, Topic},
    filters::Filters,
    hub::Hub,
    known::Meant,
};
use crate::caller::Caller;

/// A client may ask for so many kinds of events.
pub(super) const MOST_TOPICS: usize = 100;

/// Why there are no more news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client takes its news more slowly than they come.
    TooSlow,
    /// The caller's token has expired.
    Expired,
    /// The gateway stops.
    Stopping,
}

impl Ended {
    /// In words, for the client.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::TooSlow => "too slow",
            Self::Expired => "token expired",
            Self::Stopping => "shutdown",
        }
    }
}

/// A client of the hub. Dropped, it gets no more news.
pub(crate) struct Listener {
    hub: Hub,
    mailbox: Arc<Mailbox>,
    news: mpsc::Receiver<News>,
    /// What it missed and is told first.
    missed: VecDeque<News>,
    topics: HashMap<Arc<str>, Meant>,
    expiry: Option<Pin<Box<Sleep>>>,
    /// How many kinds of events it may ask for.
    most: usize,
}

/// What a listener asks for.
pub(crate) struct Wish {
    /// The name of the event, as the client writes it.
    pub name: String,
    /// Which of them.
    pub filters: Filters,
}

impl Listener {
    pub(super) fn new(hub: Hub, mailbox: Arc<Mailbox>, news: mpsc::Receiver<News>) -> Self {
        let expiry = mailbox.caller.expires.map(|seconds| {
            let end = Timestamp::from_millis(i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX));
            Box::pin(sleep_until(Now::read().steady_at(end).into()))
        });
        let most = hub.most_topics();
        Self { hub, mailbox, news, missed: VecDeque::new(), topics: HashMap::new(), expiry, most }
    }

    /// Lets it ask for any number of kinds of events: where the gateway chooses them.
    pub(super) fn unlimited(mut self) -> Self {
        self.most = usize::MAX;
        self
    }

    /// On whose behalf it listens.
    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.mailbox.caller
    }

    /// Asks for events, in place of what was called the same before. With `after`, the id of the last event that the
    /// client knows, those since then are told first; or that some of them are not there any more.
    ///
    /// # Errors
    /// `NotFoundError`, `UnauthorizedError`, `AUTHORIZATION_ERROR`, `RATE_LIMIT_EXCEEDED` for too many,
    /// `SERVICE_UNAVAILABLE`; nothing is changed then.
    pub(crate) async fn subscribe(&mut self, wishes: Vec<Wish>, after: Option<&str>) -> Result<(), Fault> {
        let known = self.hub.known();
        let mut topics = Vec::with_capacity(wishes.len());
        for Wish { name, filters } in wishes {
            let meant = known.find(&name).ok_or_else(|| no_such_event(&name))?;
            meant.admit(self.caller())?;
            topics.push(Topic { mailbox: self.mailbox.clone(), name: name.into(), meant, filters });
        }
        let fresh = topics.iter().filter(|topic| !self.topics.contains_key(&topic.name)).count();
        if self.topics.len() + fresh > self.most {
            let message = format!("more than {} kinds of events", self.most);
            return Err(Fault::new(FaultCode::RateLimitExceeded, message));
        }
        let words = topics.iter().map(|topic| topic.meant.word.clone()).collect();
        self.hub.bind(words).await?;
        for topic in &topics {
            self.topics.insert(topic.name.clone(), topic.meant.clone());
        }
        let missed = self.hub.fan().add(&self.hub.known(), topics, after, Instant::now());
        self.missed.extend(missed);
        Ok(())
    }

    /// Takes back what is called so; false when there is nothing.
    pub(crate) fn unsubscribe(&mut self, name: &str) -> bool {
        let Some((name, meant)) = self.topics.remove_entry(name) else { return false };
        self.hub.fan().remove(&meant.word, self.mailbox.id, &name)
    }

    /// Whether it asked for nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.topics.is_empty()
    }

    /// The next news. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// Why there are no more.
    pub(crate) async fn next(&mut self) -> Result<News, Ended> {
        if self.mailbox.is_overrun() {
            return Err(Ended::TooSlow);
        }
        // the timer is up to a millisecond late
        if self.expiry.as_ref().is_some_and(|expiry| expiry.deadline() <= tokio::time::Instant::now()) {
            return Err(Ended::Expired);
        }
        let expired = async {
            match &mut self.expiry {
                Some(expiry) => expiry.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let next = async {
            match self.missed.pop_front() {
                Some(missed) => Some(missed),
                None => self.news.recv().await,
            }
        };
        tokio::select! {
            biased;
            () = self.hub.stopping().cancelled() => Err(Ended::Stopping),
            () = expired => Err(Ended::Expired),
            news = next => match news {
                Some(news) if !self.mailbox.is_overrun() => Ok(news),
                _ => Err(Ended::TooSlow),
            },
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut fan = self.hub.fan();
        for (name, meant) in self.topics.drain() {
            fan.remove(&meant.word, self.mailbox.id, &name);
        }
        fan.leave(self.mailbox.id);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("id", &self.mailbox.id).finish_non_exhaustive()
    }
}

pub(super) fn no_such_event(name: &str) -> Fault {
    let shown: String = name.chars().take(100).collect();
    Fault::not_found(format!("no service publishes an event `{shown}`"))
}
