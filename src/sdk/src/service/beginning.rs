//! What is done before the first message is taken.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::lifecycle::{HANDLERS, PAUSE};
use crate::{
    clock::Now,
    context::{Context, Incoming},
    flow::Flow,
    health::Board,
    ids,
    outcome::Changes,
    protocol::Fault,
    runtime::Runtime,
};

/// One step of it.
pub(super) type Beginning<S> = Box<dyn Fn(Context<S>) -> BoxFuture<'static, Result<Changes, Fault>> + Send + Sync>;

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
        let (service, runtime) = (&self.runtime.service, Arc::clone(&self.runtime));
        let message = Arc::new(Incoming {
            id: ids::message(ids::random()),
            message_type: "Beginning".to_owned(),
            sender: service.to_string(),
            sent: Now::read().wall,
            attempt: 1,
        });
        let (state, flow) = (Arc::clone(&self.state), Arc::new(Flow::begin(ids::random)));
        let cx = Context { state, message: Arc::clone(&message), flow, runtime, for_itself: false }.on_own_behalf();
        let flow = Arc::clone(&cx.flow);
        let changes = step(cx).await?;
        self.runtime.commit(changes, &format!("{service} {}", message.id), &message, &flow, None).await.map(drop)
    }
}
