//! Elasticsearch: a snapshot in a folder of its volume, and from there into the file.

use archive::Method;
use compose::observed::State;

use super::entry;
use super::out::{Out, heard};
use crate::elastic::{Cluster, FACT_INDICES, bounds};
use crate::error::{Error, Result};
use crate::store::Store;

/// A snapshot of the indices, or why there can be none.
pub async fn write(out: &mut Out<'_>, store: &Store) -> Result<std::result::Result<archive::Store, String>> {
    let order = out.order;
    if store.state != State::Running {
        return Ok(Err(format!("its container is {}", store.state.as_str())));
    }
    let detail = order.engine.inspect(&store.container).await?;
    let Some(folder) = detail.env.get("path.repo").filter(|f| f.starts_with(&store.path)) else {
        return Ok(Err("path.repo names no folder of its volume, so it takes no snapshots".to_owned()));
    };
    let service = order.project.services.get(&store.service);
    let Some(probe) = service.and_then(|s| engine::wait::probe(order.engine, s, &detail)) else {
        return Ok(Err("its port cannot be reached from here".to_owned()));
    };
    let cluster = Cluster::at(&store.name, &probe.host, probe.port)?;
    let location = format!("{folder}/banyan");
    // of a run that was killed
    cluster.forget().await;
    let member = format!("{}/snapshot.tar", store.name);
    let taken = async {
        cluster.register(&location).await?;
        // somebody may write all the while: what is in the snapshot lies between the two
        let before = cluster.documents().await?;
        cluster.snapshot().await?;
        let after = cluster.documents().await?;
        Ok::<_, Error>((before, after))
    };
    let taken = match heard(order.cancel, taken).await.and_then(|taken| taken) {
        Ok(counted) => {
            let tar = order.engine.download(&store.container, &location);
            out.pour(store, &member, order.cancel, tar).await.map(|()| counted)
        }
        Err(error) => Err(error),
    };
    cluster.forget().await;
    let (before, after) = taken?;
    let mut entry = entry(store, Method::SnapshotApi, vec![member]);
    entry.counts = before.iter().map(|(name, documents)| (name.clone(), documents.count)).collect();
    entry.facts.insert(FACT_INDICES.to_owned(), serde_json::json!(bounds(&before, &after)).to_string());
    entry.server_version = cluster.version().await?;
    Ok(Ok(entry))
}
