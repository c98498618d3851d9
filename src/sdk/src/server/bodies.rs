//! The bodies of requests: no longer than they may be, and no longer in coming.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use http_body_util::Limited;
use hyper::body::{Bytes, Frame, Incoming, SizeHint};

use super::patience::Patience;
use crate::config::Limits;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Whether the client was too slow with a body.
#[derive(Clone, Default)]
pub(super) struct Late(Option<Arc<AtomicBool>>);

impl Late {
    pub(super) fn is(&self) -> bool {
        self.0.as_ref().is_some_and(|late| late.load(Ordering::Relaxed))
    }
}

/// The body that a handler gets for one that comes in; nothing when it says itself that it is too long. Longer ones that
/// do not say so end with an error, as late ones do.
pub(super) fn bounded(incoming: Incoming, limits: &Limits) -> Option<(Body, Late)> {
    if incoming.is_end_stream() {
        return Some((Body::empty(), Late::default()));
    }
    if incoming.size_hint().lower() > limits.body_bytes as u64 {
        return None;
    }
    let late = Arc::new(AtomicBool::new(false));
    let mut whole = Patience::new(limits.body_time);
    whole.begin();
    let body = Bounded {
        inner: Some(Limited::new(incoming, limits.body_bytes)),
        pause: Patience::new(limits.body_pause),
        whole,
        late: late.clone(),
    };
    Some((Body::new(body), Late(Some(late))))
}

struct Bounded {
    inner: Option<Limited<Incoming>>,
    pause: Patience,
    whole: Patience,
    late: Arc<AtomicBool>,
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(next) = Pin::new(inner).poll_frame(context) {
            this.pause.stop();
            if !matches!(next, Some(Ok(_))) {
                this.inner = None;
            }
            return Poll::Ready(next);
        }
        this.pause.begin();
        if this.pause.is_over(context) || this.whole.is_over(context) {
            this.late.store(true, Ordering::Relaxed);
            this.inner = None;
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
