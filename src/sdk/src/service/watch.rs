//! What is behind: the outbox, the read models, the queues; and who stands in the way of the database.
//!
//! Every few seconds this is read into metrics. What is too far behind is said in the log, once when it begins and once
//! when it is over.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    bus::{Bus, Message},
    clock::Now,
    metrics::Gauge,
    runtime::Runtime,
    store::{EventStore, Outbox, StoreError},
};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);
/// A queue with more messages is worth a warning,
const DEEP: u32 = 1_000;
/// and one whose oldest message has waited so many seconds.
const OLD: i64 = 60;
/// A transaction that is open for longer is in the way of others, sooner or later.
const LONG: Duration = Duration::from_secs(30);
/// Others who wait for each other are no news, as long as it is a short time.
const WAIT: Duration = Duration::from_secs(1);
/// What `/health` calls the database.
pub(super) const DATABASE: &str = "postgres";

/// When the newest message that was taken from a queue had been sent, in seconds since 1970; 0 before the first.
#[derive(Debug, Default)]
pub(super) struct Taken(AtomicI64);

impl Taken {
    pub(super) fn note(&self, message: &Message) {
        if let Some(sent) = message.timestamp.and_then(|it| i64::try_from(it).ok()) {
            self.0.store(sent, Relaxed);
        }
    }
}

/// What looks after one queue.
pub(super) struct Line {
    queue: String,
    taken: Arc<Taken>,
    messages: Gauge,
    age: Gauge,
    /// When it was last seen to be empty, in seconds since 1970, or else looked at first.
    since: Option<i64>,
    late: bool,
}

pub(super) struct Watch {
    runtime: Arc<Runtime>,
    bus: Arc<dyn Bus>,
    lines: Vec<Line>,
    /// Sessions of the database that were named.
    named: BTreeSet<i32>,
}

impl Watch {
    pub(super) fn new(
        runtime: Arc<Runtime>,
        bus: Arc<dyn Bus>,
        queues: impl IntoIterator<Item = (String, Arc<Taken>)>,
    ) -> Self {
        let line = |(queue, taken): (String, Arc<Taken>)| {
            let gauge = |name, help| runtime.metrics.gauge(name, help, &[("queue", queue.as_str())]);
            let messages = gauge("queue_messages", "Messages that wait in a queue.");
            let age = gauge("queue_oldest_age_seconds", "How long the oldest of them waits at most, in seconds.");
            Line { queue, taken, messages, age, since: None, late: false }
        };
        let lines = queues.into_iter().map(line).collect();
        Self { runtime, bus, lines, named: BTreeSet::new() }
    }

    /// Looks for ever.
    pub(super) async fn keep(mut self) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            for line in &mut self.lines {
                line.look(self.bus.as_ref()).await;
            }
            self.runtime.cache.measure().await;
            if let Some(store) = self.runtime.store.clone()
                && let Err(error) = self.look(&store).await
            {
                tracing::debug!("cannot tell what is behind: {error}");
            }
        }
    }

    async fn look(&mut self, store: &EventStore) -> Result<(), StoreError> {
        // First, since it is what the others may stand still for.
        self.holders(store).await?;
        let metrics = &self.runtime.metrics;
        let outbox = Outbox::new(store.clone(), self.runtime.service.as_str());
        let gauge = metrics.gauge("outbox_lag_events", "Stored events that wait to be published.", &[]);
        gauge.set(outbox.lag().await? as f64);
        let gauge = metrics.gauge("outbox_refused_events", "Stored events that cannot be published.", &[]);
        gauge.set(outbox.refused().await?.len() as f64);
        for (name, runner) in &self.runtime.projections {
            let help = "Stored events that a read model has not looked at.";
            let gauge = metrics.gauge("projection_lag_events", help, &[("projection", name)]);
            gauge.set(runner.lag().await? as f64);
        }
        // What failed the last time is tried, so that it is known when it is over.
        if store.refusal().borrow().is_some() {
            store.try_to_write(self.runtime.service.as_str()).await?;
        }
        Ok(())
    }

    async fn holders(&mut self, store: &EventStore) -> Result<(), StoreError> {
        let mut holders = store.holders(LONG).await?;
        holders.retain(|holder| holder.open_for >= WAIT);
        let pids: BTreeSet<_> = holders.iter().map(|holder| holder.pid).collect();
        for holder in holders.iter().filter(|holder| !self.named.contains(&holder.pid)) {
            let (pid, waiting) = (holder.pid, holder.blocks.len());
            let (application, database, state) = (&holder.application, &holder.database, &holder.state);
            let seconds = holder.open_for.as_secs();
            tracing::warn!(
                pid,
                application,
                database,
                state,
                seconds,
                waiting,
                "process {pid} of the database's server keeps a transaction open, and others waiting"
            );
        }
        for pid in self.named.difference(&pids) {
            tracing::info!(pid, "process {pid} of the database's server is out of the way");
        }
        self.named = pids;
        // Those that others wait for come first, then the one whose transaction is the oldest.
        let worst = holders.iter().find(|holder| !holder.blocks.is_empty()).or(holders.first());
        let metrics = &self.runtime.metrics;
        let help = "The process of the database's server whose transaction is in the way; 0 when none is.";
        metrics.gauge("db_blocking_pid", help, &[]).set(worst.map_or(0.0, |it| it.pid.into()));
        let help = "How long that transaction has been open, in seconds.";
        metrics.gauge("db_blocking_seconds", help, &[]).set(worst.map_or(0.0, |it| it.open_for.as_secs_f64()));
        Ok(())
    }
}

impl Line {
    async fn look(&mut self, bus: &dyn Bus) {
        let messages = match bus.inspect(&self.queue).await {
            Ok(counts) => counts.map_or(0, |counts| counts.messages),
            Err(error) => return tracing::debug!(queue = self.queue, "cannot look at a queue: {error}"),
        };
        let age = self.age(messages, Now::read().wall.millis() / 1000);
        self.messages.set(messages.into());
        self.age.set(age as f64);
        let late = messages > DEEP || age > OLD;
        if late != std::mem::replace(&mut self.late, late) {
            let queue = self.queue.as_str();
            if late {
                tracing::warn!(queue, messages, age_seconds = age, "messages wait longer than they should");
            } else {
                tracing::info!(queue, messages, "messages wait no longer than they should");
            }
        }
    }

    /// How long the oldest of `messages` waits at most: they were all sent after the newest that was taken, and after the
    /// queue was empty.
    fn age(&mut self, messages: u32, now: i64) -> i64 {
        let taken = Some(self.taken.0.load(Relaxed)).filter(|sent| *sent > 0);
        if messages == 0 {
            self.since = Some(now);
        }
        let since = *self.since.get_or_insert(taken.unwrap_or(now));
        (now - taken.map_or(since, |taken| taken.max(since))).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn the_oldest_message_is_as_old_as_it_can_be() {
        let metrics = Metrics::new("s");
        let mut line = Line {
            queue: "q".to_owned(),
            taken: Arc::default(),
            messages: metrics.gauge("m", "", &[]),
            age: metrics.gauge("a", "", &[]),
            since: None,
            late: false,
        };
        let taken = |line: &Line, sent| line.taken.note(&Message { timestamp: Some(sent), ..Message::default() });
        assert_eq!(line.age(5, 1_000), 0, "nothing is known of what was there before");
        assert_eq!(line.age(5, 1_010), 10);
        assert_eq!(line.age(0, 1_020), 0);
        assert_eq!(line.age(3, 1_030), 10, "it was empty then");
        taken(&line, 1_028);
        assert_eq!(line.age(3, 1_040), 12, "the others were sent later");
        assert_eq!(line.age(3, 1_100), 72, "and nobody takes them");
        taken(&line, 2_000);
        assert_eq!(line.age(3, 1_100), 0, "whoever sent it has another clock");
    }
}
