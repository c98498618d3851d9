//! What a service does beside handling messages.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::panics::{self, Panic};
use crate::{
    clock::Now,
    context::{Context, Incoming},
    flow::Flow,
    ids,
    protocol::Auth,
    runtime::Runtime,
};

/// Work of a service's own.
pub(super) type Task<S> = Box<dyn FnOnce(Context<S>) -> BoxFuture<'static, ()> + Send + Sync>;

/// Begins all of it.
pub(super) fn spawn<S: Send + Sync + 'static>(
    work: Vec<Task<S>>,
    state: &Arc<S>,
    runtime: &Arc<Runtime>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    for task in work {
        let (cx, stop) = (context(Arc::clone(state), Arc::clone(runtime)), stop.clone());
        let flow = Arc::clone(&cx.flow);
        tasks.spawn(flow.scope(async move {
            let working = panics::caught(task(cx));
            if let Some(Err(Panic { words, stack_hash })) = stop.run_until_cancelled(working).await {
                tracing::error!(stack_hash, "what the service does beside its handlers panicked, and is over: {words}");
            }
        }));
    }
}

/// A context for work that no message caused.
fn context<S>(state: Arc<S>, runtime: Arc<Runtime>) -> Context<S> {
    let auth = Auth { user_id: format!("service:{}", runtime.service), ..Auth::default() };
    let message = Arc::new(Incoming {
        id: ids::message(ids::random()),
        message_type: String::new(),
        sender: runtime.service.to_string(),
        sent: Now::read().wall,
        attempt: 1,
    });
    let flow = Flow { auth: Some(Arc::new(auth)), ..Flow::begin(ids::random) };
    Context { state, message, flow: Arc::new(flow), runtime, for_itself: true }
}
