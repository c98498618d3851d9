//! What a service does beside handling messages.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::panics::{self, Panic};
use crate::{context::Context, runtime::Runtime};

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
        let (cx, stop) = (Context::alone(Arc::clone(state), Arc::clone(runtime)), stop.clone());
        let flow = Arc::clone(&cx.flow);
        tasks.spawn(flow.scope(async move {
            let working = panics::caught(task(cx));
            if let Some(Err(Panic { words, stack_hash })) = stop.run_until_cancelled(working).await {
                tracing::error!(stack_hash, "what the service does beside its handlers panicked, and is over: {words}");
            }
        }));
    }
}
