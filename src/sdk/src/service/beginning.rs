//! What is done before the first message is taken.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::lifecycle::{HANDLERS, PAUSE};
use crate::{context::Context, health::Board, outcome::Outcome, protocol::Fault, runtime::Runtime};

/// One step of it.
pub(super) type Beginning<S> = Box<dyn Fn(Context<S>) -> BoxFuture<'static, Result<Outcome<()>, Fault>> + Send + Sync>;

/// All of it, in order.
pub(super) struct Beginnings<S> {
    pub(super) steps: Vec<Beginning<S>>,
    pub(super) state: Arc<S>,
    pub(super) runtime: Arc<Runtime>,
}

impl<S> Beginnings<S> {
    /// Does it, again and again until it is done; meanwhile `/health` says what is in the way.
    pub(super) async fn done(&self, board: &Board) {
        for step in &self.steps {
            while let Err(fault) = self.attempt(step).await {
                board.unhealthy(HANDLERS, &fault.to_string());
                tracing::warn!("cannot begin yet: {fault}");
                sleep(PAUSE).await;
            }
        }
    }

    async fn attempt(&self, step: &Beginning<S>) -> Result<(), Fault> {
        let cx = Context::alone(Arc::clone(&self.state), Arc::clone(&self.runtime));
        cx.commit(step(cx.clone()).await?).await
    }
}
