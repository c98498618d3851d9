//! A volume as it is: stop what uses it, copy, and start only what ran.

use archive::Method;
use compose::observed::State;

use super::entry;
use super::out::Out;
use crate::error::Result;
use crate::stopped::Stopped;
use crate::store::Store;

/// Copies a store's volume.
pub async fn write(out: &mut Out<'_>, store: &Store) -> Result<archive::Store> {
    let order = out.order;
    let runs = |name: &&String| {
        let found = order.observed.containers.iter().find(|c| c.name == **name);
        found.is_some_and(|c| matches!(c.state, State::Running | State::Restarting))
    };
    let ran: Vec<String> = std::iter::once(&store.container).chain(&store.users).filter(runs).cloned().collect();
    let stopped = if ran.is_empty() {
        None
    } else {
        Some(Stopped::stop(order.engine, &order.project.name, &store.container, ran).await?)
    };
    let member = format!("{}/volume.tar", store.name);
    let tar = order.engine.download(&store.container, &format!("{}/.", store.path));
    let copied = out.pour(store, &member, order.cancel, tar).await;
    if let Some(stopped) = stopped {
        stopped.start().await?;
    }
    copied?;
    Ok(entry(store, Method::ColdCopy, vec![member]))
}
