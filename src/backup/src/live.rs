//! The question to a live server after the swap: does it serve what was prepared?
//!
//! That it answers is not enough: one that looks for its data in another place comes up empty, and ready. Others may use
//! it again by then, so what is asked for is what no ordinary use takes away.

use std::collections::BTreeMap;

use archive::{Kind, Method};
use compose::observed::State;
use engine::Engine;

use crate::elastic::Cluster;
use crate::error::{Error, Result};
use crate::postgres;
use crate::prepare::Target;
use crate::rabbitmq::Node;
use crate::rdb;
use crate::store::Store;

/// What there has to be, by name, and how much of it at least.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtLeast(pub BTreeMap<String, u64>);

impl AtLeast {
    /// Tables may lose their rows in ordinary use; event tables only grow.
    pub fn of_tables(counts: &BTreeMap<String, u64>) -> Self {
        Self(counts.iter().map(|(name, n)| (name.clone(), if name.contains('#') { *n } else { 0 })).collect())
    }

    /// Queues may be emptied by whoever is connected already.
    pub fn of_queues<'a>(names: impl Iterator<Item = &'a String>) -> Self {
        Self(names.map(|name| (name.clone(), 0)).collect())
    }

    /// What is missing in these, in words.
    fn missing(&self, found: &BTreeMap<String, u64>) -> Option<String> {
        self.0.iter().find_map(|(name, least)| match found.get(name) {
            None => Some(format!("{name} is not there")),
            Some(is) if is < least => Some(format!("{name}: at least {least} expected, {is} found")),
            Some(_) => None,
        })
    }
}

/// Asks the store's own container.
pub async fn ask(engine: &Engine, store: &Store, least: &AtLeast) -> Result<()> {
    let (container, service) = (store.container.clone(), store.name.clone());
    let found = match store.kind {
        Kind::Postgres => {
            let server = postgres::Server::of(engine, &service, &container, store.ready.as_ref()).await?;
            tables(&server).await?
        }
        Kind::Redis => {
            let password = store.ready.as_ref().and_then(|r| r.password.clone());
            let (keys, _) = rdb::Server { engine, container, service, password }.keys().await?;
            BTreeMap::from([("keys".to_owned(), keys)])
        }
        Kind::Rabbitmq => {
            // each question takes its time, and without queues there is nothing to ask for
            if least.0.is_empty() {
                return Ok(());
            }
            Node { engine, container, service }.counts_when_up().await?
        }
        Kind::Elasticsearch => Cluster::within(engine, &service, &container).counts().await?,
        _ => return Ok(()),
    };
    match least.missing(&found) {
        None => Ok(()),
        Some(difference) => Err(Error::Different { store: store.name.clone(), difference }),
    }
}

/// The broker of a target, which alone can tell in a moment what it holds.
fn broker<'a>(engine: &'a Engine, target: &Target) -> Option<Node<'a>> {
    let store = &target.store;
    let asked = store.kind == Kind::Rabbitmq && target.archived.method == Method::Physical;
    let (container, service) = (store.container.clone(), store.name.clone());
    (asked && store.state == State::Running).then_some(Node { engine, container, service })
}

/// True when the store holds already what the file has for it, so that nothing needs to be done; one that does not answer
/// holds nothing.
pub async fn holds(engine: &Engine, target: &Target) -> bool {
    match broker(engine, target) {
        Some(node) => node.equals(&target.archived).await.unwrap_or(false),
        None => false,
    }
}

/// True when nothing has changed about it since, but for what can be taken away by [`let_go`].
pub async fn still_holds(engine: &Engine, target: &Target) -> Result<bool> {
    match broker(engine, target) {
        Some(node) => node.is_defined_as(&target.archived).await,
        None => Ok(false),
    }
}

/// Takes away what came into it since.
pub async fn let_go(engine: &Engine, target: &Target) -> Result<()> {
    match broker(engine, target) {
        Some(node) => node.empty().await,
        None => Ok(()),
    }
}

/// A line for each table whose first row can be read, and one for the last event.
const TABLES: &str = r"
SELECT format('SELECT %L, count(*) FROM (SELECT FROM ONLY %I.%I LIMIT 1) t;', format('%I.%I', n.nspname, c.relname),
        n.nspname, c.relname),
    CASE WHEN c.relname = 'events' AND EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attname = 'position' AND NOT a.attisdropped)
    THEN format('SELECT %L, coalesce(max(position), 0) FROM ONLY %I.%I;', format('%I.%I#position', n.nspname, c.relname),
        n.nspname, c.relname) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
\gexec
";

/// Tables that can be read: 0 for one without rows, else 1, and the last positions of event tables.
pub async fn tables(server: &postgres::Server<'_>) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for database in server.databases().await? {
        for line in server.sql(&database, TABLES).await? {
            let number = line.split_once('\t').and_then(|(name, n)| Some((name.to_owned(), n.parse::<u64>().ok()?)));
            let Some((name, n)) = number else {
                return Err(Error::Answer { doing: format!("read the tables of {}", server.service), answer: line });
            };
            found.insert(format!("{database}/{name}"), n);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let least = AtLeast(BTreeMap::from([("db/events".to_owned(), 0), ("db/events#position".to_owned(), 7)]));
        let with = |n| BTreeMap::from([("db/events".to_owned(), 3), ("db/events#position".to_owned(), n)]);
        assert_eq!(least.missing(&with(7)), None);
        assert_eq!(least.missing(&with(8)), None, "somebody has written since");
        assert_eq!(least.missing(&with(6)).as_deref(), Some("db/events#position: at least 7 expected, 6 found"));
        assert_eq!(least.missing(&BTreeMap::new()).as_deref(), Some("db/events is not there"));
    }
}
