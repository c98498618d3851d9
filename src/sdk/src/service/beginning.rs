//! What is done before the first message is taken.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::lifecycle::{HANDLERS, PAUSE};
use crate::{context::Context, health::Board, outcome::Outcome, protocol::Fault, runtime::Runtime};

/// One step of it.
pub(super) type Beginning<S> = Box<dyn Fn(Context<S>) -> BoxFuture<'static, Result<Outcome<()>, Fault>> + Send + Sync>;

/// Does all of it in order, each step again and again until it is done; meanwhile `/health` says what is in the way.
pub(super) async fn all<S>(steps: &[Beginning<S>], state: &Arc<S>, runtime: &Arc<Runtime>, board: &Board) {
    for step in steps {
        while let Err(fault) = attempt(step, Context::alone(Arc::clone(state), Arc::clone(runtime))).await {
            board.unhealthy(HANDLERS, &fault.to_string());
            tracing::warn!("cannot begin yet: {fault}");
            sleep(PAUSE).await;
        }
    }
}

async fn attempt<S>(step: &Beginning<S>, cx: Context<S>) -> Result<(), Fault> {
    cx.commit(step(cx.clone()).await?).await
}
