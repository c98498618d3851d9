//! What a database holds, in numbers that can be compared: rows of each table, and a digest of the events.

use std::collections::BTreeMap;

use super::session::Session;
use crate::error::{Error, Result};

/// Numbers and digests by name: `eventstore/public.events`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Rows of every table; of event tables also the last position, under `…#position`.
    pub counts: BTreeMap<String, u64>,
    /// Digests of event tables: of every column of every row, whatever the order of the rows.
    pub digests: BTreeMap<String, String>,
}

impl Facts {
    /// What differs from the other ones, in words.
    pub fn difference(&self, found: &Self) -> Option<String> {
        let mut names: Vec<&String> = self.counts.keys().chain(found.counts.keys()).collect();
        names.dedup();
        for name in names {
            let (expected, is) = (self.counts.get(name), found.counts.get(name));
            if expected != is {
                let text = |n: Option<&u64>| n.map_or("none".to_owned(), u64::to_string);
                return Some(format!("{name}: {} expected, {} found", text(expected), text(is)));
            }
        }
        self.digests.iter().find_map(|(name, expected)| {
            let is = found.digests.get(name);
            (is != Some(expected))
                .then(|| format!("{name}: digest {expected} expected, {} found", is.map_or("none", |d| d)))
        })
    }
}

const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname), \
    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'position' AND NOT a.attisdropped) \
        AND c.relname = 'events' \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' \
    ORDER BY 1;";

/// Counts everything, in the session's moment.
pub(super) async fn of(session: &mut Session, database: &str) -> Result<Facts> {
    let mut facts = Facts::default();
    for line in session.ask(TABLES).await? {
        let Some((table, is_events)) = line.split_once('\t') else { return Err(unexpected(database, &line)) };
        let name = format!("{database}/{table}");
        // A sum of hashes is the same in every order, and needs no sort of a table that does not fit into memory.
        let wanted = if is_events == "t" {
            "count(*), coalesce(max(position), 0), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)"
        } else {
            "count(*)"
        };
        let answer = session.ask(&format!("SELECT {wanted} FROM ONLY {table} t;")).await?;
        let row = answer.first().ok_or_else(|| unexpected(database, ""))?;
        let mut columns = row.split('\t');
        let mut number = || columns.next().and_then(|c| c.parse().ok()).ok_or_else(|| unexpected(database, row));
        facts.counts.insert(name.clone(), number()?);
        if is_events == "t" {
            facts.counts.insert(format!("{name}#position"), number()?);
            facts.digests.insert(name, columns.next().unwrap_or_default().to_owned());
        }
    }
    Ok(facts)
}

fn unexpected(database: &str, answer: &str) -> Error {
    Error::Answer { doing: format!("count the rows of database {database}"), answer: answer.to_owned() }
}
