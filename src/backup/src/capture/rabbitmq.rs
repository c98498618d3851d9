//! RabbitMQ: the node's folder, copied while the node is frozen.

use std::time::{SystemTime, UNIX_EPOCH};

use archive::Method;
use tokio_util::sync::CancellationToken;

use super::out::{Out, heard};
use super::{Order, entry};
use crate::error::Result;
use crate::rabbitmq::{Armed, FACT_DEFINED, FACT_QUEUES, Node, bounds, messages};
use crate::store::Store;

/// A node that counts as soon as it is told to.
pub struct Asked<'a> {
    node: Node<'a>,
    name: String,
    version: String,
    armed: Armed,
}

impl<'a> Asked<'a> {
    /// Prepares the counting.
    pub async fn of(order: &Order<'a>, store: &Store) -> Result<Self> {
        let node = Node { engine: order.engine, container: store.container.clone(), service: store.name.clone() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let id = format!("{:x}-{:x}", std::process::id(), now.as_nanos());
        let ((name, version), armed) = tokio::try_join!(node.name_and_version(), node.arm(&id))?;
        Ok(Self { node, name, version, armed })
    }

    /// Counts, copies the frozen node, and counts again. To be called in the window; a request that freezes the node is
    /// never left alone.
    pub async fn copy(
        self,
        order: &Order<'_>,
        out: &mut Out<'_>,
        store: &Store,
        end: &CancellationToken,
    ) -> Result<archive::Store> {
        let Self { node, name, version, mut armed } = self;
        let before = heard(end, armed.fire(&node)).await??;
        order.engine.pause_container(&store.container).await?;
        let member = format!("{}/data.tar", store.name);
        let tar = order.engine.download(&store.container, &format!("{}/.", store.path));
        let copied = out.pour(store, &member, end, tar).await;
        order.engine.unpause_container(&store.container).await?;
        copied?;
        let after = heard(end, armed.fire(&node)).await??;
        let mut entry = entry(store, Method::Physical, vec![member]);
        entry.counts = messages(&before.queues);
        entry.server_version = version;
        entry.facts.insert("node".to_owned(), name);
        let bounds = bounds(&before.queues, &after.queues);
        entry.facts.insert(FACT_QUEUES.to_owned(), serde_json::json!(bounds).to_string());
        entry.facts.extend(before.defined.map(|digest| (FACT_DEFINED.to_owned(), digest)));
        Ok(entry)
    }
}
