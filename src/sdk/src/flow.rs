//! What flows through calls, events, logs and the store by itself: who asked, in which request and trace, until when.
//!
//! A [`Flow`] belongs to the work on one message. It is made when the message arrives, is at hand in everything that
//! is awaited for it, and is written into every message that is sent meanwhile. Tasks that are spawned take it along
//! with [`carried`].

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    clock::Now,
    ids,
    protocol::{Auth, Envelope, TraceContext, limits},
};

tokio::task_local! {
    static CURRENT: Arc<Flow>;
}

/// The values that everything done for one message shares.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Names the request: opaque text, 1 to 128 characters without control characters.
    pub correlation_id: String,
    /// The id of the message that is being handled, which causes what is sent from here; none where work begins.
    pub causation_id: Option<String>,
    /// The span that the work is done in. What is sent names it as its parent.
    pub trace: TraceContext,
    /// On whose behalf; none for anonymous callers and for work that a service began by itself.
    pub auth: Option<Arc<Auth>>,
    /// When nobody waits for the answer any more.
    pub deadline: Option<Instant>,
}

impl Flow {
    /// Work that no message caused: a new request and a new trace, without a caller or a deadline.
    #[must_use]
    pub fn begin(mut random: impl FnMut() -> u128) -> Self {
        Self {
            correlation_id: ids::correlation(random()),
            causation_id: None,
            trace: ids::trace(random(), random()),
            auth: None,
            deadline: None,
        }
    }

    /// Work that a message caused, which has just arrived. A correlation id that cannot be used, or a missing trace, is
    /// made anew. `patience` is how long the sender waits, as the message's property `expiration` tells; see
    /// [`Now::deadline`].
    #[must_use]
    pub fn of(envelope: &Envelope, patience: Option<Duration>, now: Now, mut random: impl FnMut() -> u128) -> Self {
        let correlation_id = correlation_id(&envelope.correlation_id).map(str::to_owned);
        let trace = envelope.trace_context.clone();
        Self {
            correlation_id: correlation_id.unwrap_or_else(|| ids::correlation(random())),
            causation_id: Some(envelope.id.clone()),
            trace: trace.unwrap_or_else(|| ids::trace(random(), random())),
            auth: envelope.metadata.auth.clone().map(Arc::new),
            deadline: now.deadline(envelope.deadline(), patience),
        }
    }

    /// Writes the values into a message that is about to be sent: correlation id, trace, caller, deadline and cause.
    pub fn apply(&self, envelope: &mut Envelope, now: Now) {
        envelope.correlation_id.clone_from(&self.correlation_id);
        envelope.trace_context = Some(self.trace.clone());
        envelope.metadata.auth = self.auth.as_deref().cloned();
        envelope.metadata.deadline = self.deadline.map(|deadline| now.wall_at(deadline));
        envelope.metadata.causation_id.clone_from(&self.causation_id);
    }

    /// The same, seen from another span.
    #[must_use]
    pub fn in_span(self, trace: TraceContext) -> Self {
        Self { trace, ..self }
    }

    /// The same with a deadline that is at most `limit` away; an earlier one stays.
    #[must_use]
    pub fn within(self, limit: Duration, now: Instant) -> Self {
        let latest = now.checked_add(limit);
        let deadline = match (self.deadline, latest) {
            (Some(deadline), Some(latest)) => Some(deadline.min(latest)),
            (deadline, latest) => deadline.or(latest),
        };
        Self { deadline, ..self }
    }

    /// How long somebody still waits: nothing when the deadline is past, none without a deadline.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    /// The values of the work that this code is part of; none outside of any.
    #[must_use]
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Looks at the values of the work that this code is part of without keeping them.
    pub(crate) fn look<T>(look: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.try_with(|flow| look(flow)).ok()
    }

    /// Does work with these values: in `work`, [`Flow::current`] gives them, and log lines carry them.
    pub fn scope<F: Future>(self: Arc<Self>, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }
}

/// `work` with the values that are current now, wherever it runs: for what is given to `tokio::spawn`.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let current = Flow::current();
    async move {
        match current {
            Some(flow) => flow.scope(work).await,
            None => work.await,
        }
    }
}

/// A correlation id that came from outside, trimmed; none when it is empty, longer than 128 characters, or holds a
/// control character, so that a new one is made.
#[must_use]
pub fn correlation_id(text: &str) -> Option<&str> {
    let text = text.trim();
    let usable =
        !text.is_empty() && text.chars().count() <= limits::CORRELATION_ID && !text.chars().any(char::is_control);
    usable.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Metadata, Payload, Timestamp};

    fn random() -> impl FnMut() -> u128 {
        let mut last = 0;
        move || {
            last += 1;
            last
        }
    }

    fn envelope() -> Envelope {
        Envelope {
            id: "msg_1".to_owned(),
            correlation_id: "cor_1".to_owned(),
            trace_context: TraceContext::new(7, 8, 1),
            timestamp: Timestamp::from_millis(0),
            service_name: "user-service".to_owned(),
            message_type: "GetUserQuery".to_owned(),
            payload: Payload::of(&1).unwrap(),
            metadata: Metadata {
                auth: Some(Auth { user_id: "u1".to_owned(), ..Auth::default() }),
                causation_id: Some("msg_0".to_owned()),
                ..Metadata::default()
            },
            version: 1,
        }
    }

    #[test]
    fn values_go_from_one_message_into_the_next() {
        let now = Now::read();
        let mut arrived = envelope();
        arrived.metadata.deadline = Some(now.wall.plus(Duration::from_secs(5)));
        let flow = Flow::of(&arrived, Some(Duration::from_secs(5)), now, random());
        assert_eq!(flow.remaining(now.steady), Some(Duration::from_secs(5)));

        let span = TraceContext::new(7, 9, 1).unwrap();
        let mut sent = Envelope { id: "msg_2".to_owned(), metadata: Metadata::default(), ..envelope() };
        flow.in_span(span.clone()).apply(&mut sent, now);
        assert_eq!(sent.correlation_id, "cor_1");
        assert_eq!(sent.trace_context, Some(span));
        assert_eq!(sent.metadata.auth, arrived.metadata.auth);
        assert_eq!(sent.metadata.deadline, arrived.metadata.deadline);
        assert_eq!(sent.metadata.causation_id.as_deref(), Some("msg_1"));
    }

    #[test]
    fn a_correction_of_the_time_of_day_moves_no_deadline() {
        let now = Now::read();
        let mut arrived = envelope();
        arrived.metadata.deadline = Some(now.wall.plus(Duration::from_secs(5)));
        let flow = Flow::of(&arrived, Some(Duration::from_secs(5)), now, random());
        let corrected =
            Now { wall: now.wall.plus(Duration::from_secs(3_600)), steady: now.steady + Duration::from_secs(1) };
        let mut sent = envelope();
        flow.apply(&mut sent, corrected);
        assert_eq!(sent.metadata.deadline, Some(corrected.wall.plus(Duration::from_secs(4))));
    }

    #[test]
    fn what_is_missing_is_made_anew() {
        let now = Now::read();
        let arrived = Envelope { correlation_id: "a\nb".to_owned(), trace_context: None, ..envelope() };
        let flow = Flow::of(&arrived, None, now, random());
        assert!(flow.correlation_id.starts_with("cor_"));
        assert_ne!(flow.trace.trace_id(), 0);
        assert_eq!(flow.deadline, None);
        assert_eq!(Flow::begin(random()), Flow::begin(random()));
    }

    #[test]
    fn the_earlier_deadline_counts() {
        let now = Now::read();
        let flow = Flow::begin(random()).within(Duration::from_secs(5), now.steady);
        let shorter = flow.clone().within(Duration::from_secs(1), now.steady);
        assert_eq!(shorter.remaining(now.steady), Some(Duration::from_secs(1)));
        assert_eq!(
            shorter.within(Duration::from_secs(9), now.steady).remaining(now.steady),
            Some(Duration::from_secs(1))
        );
        assert_eq!(flow.remaining(now.steady + Duration::from_secs(6)), Some(Duration::ZERO));
        assert_eq!(Flow::begin(random()).within(Duration::MAX, now.steady).deadline, None);
    }

    #[test]
    fn correlation_ids_are_bounded_and_clean() {
        assert_eq!(correlation_id("  any thing ä "), Some("any thing ä"));
        let longest = "ä".repeat(128);
        assert_eq!(correlation_id(&longest), Some(longest.as_str()));
        for wrong in ["", "  ", "a\nb", "a\u{7f}", "a\u{85}b", &"a".repeat(129)] {
            assert_eq!(correlation_id(wrong), None, "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn it_is_at_hand_where_the_work_is_done() {
        assert_eq!(Flow::current(), None);
        let flow = Arc::new(Flow::begin(random()));
        let same = flow.clone();
        flow.scope(async move {
            assert_eq!(Flow::current(), Some(same.clone()));
            let lost = tokio::spawn(async { Flow::current() }).await.unwrap();
            assert_eq!(lost, None);
            let kept = tokio::spawn(carried(async { Flow::current() })).await.unwrap();
            assert_eq!(kept, Some(same));
        })
        .await;
        assert_eq!(Flow::current(), None);
    }
}
