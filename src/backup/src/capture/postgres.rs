//! PostgreSQL: a moment of every database, dumped from its snapshot; or the files, and the log up to that moment.

use archive::Method;
use futures_util::future::try_join_all;
use futures_util::stream;

use super::out::{Out, heard};
use super::{Order, entry};
use crate::error::Result;
use crate::postgres::definition::DEFINITION;
use crate::postgres::physical::{Log, Mark};
use crate::postgres::{self, FILES, LOG, Moment, Server, Session};
use crate::store::Store;

/// A server with a session for every database.
pub struct Asked<'a> {
    server: Server<'a>,
    sessions: Vec<Session>,
    log: Option<Box<Log>>,
    size: u64,
}

/// One whose moments are held.
pub struct Held<'a> {
    server: Server<'a>,
    moments: Vec<Moment>,
    marked: Option<Box<(Log, Mark)>>,
}

impl<'a> Asked<'a> {
    /// Opens the sessions.
    pub async fn of(order: &Order<'a>, store: &Store) -> Result<Self> {
        let server = Server::of(order.engine, &store.name, &store.container, store.ready.as_ref()).await?;
        let databases = server.databases().await?;
        let sessions = try_join_all(databases.iter().map(|d| server.open(d))).await?;
        let log = if order.physical { Some(Box::new(server.keep_log().await?)) } else { None };
        let size = server.size(&databases, order.physical).await?;
        Ok(Self { server, sessions, log, size })
    }

    /// The files, of some time before the moment: the log will lead there.
    pub async fn files(&self, out: &mut Out<'_>, store: &Store) -> Result<()> {
        out.expect(store, self.size);
        if self.log.is_none() {
            return Ok(());
        }
        out.run(store, &format!("{}/{FILES}", store.name), &self.server.copy_files()).await
    }

    /// Holds the moment of every database. To be called in the window.
    pub async fn hold(self) -> Result<Held<'a>> {
        let Self { server, sessions, log, .. } = self;
        let mut moments = try_join_all(sessions.into_iter().map(Session::hold)).await?;
        let mut marked = None;
        if let Some(mut log) = log {
            let mark;
            (mark, moments) = log.mark(moments).await?;
            marked = Some(Box::new((*log, mark)));
        }
        Ok(Held { server, moments, marked })
    }
}

impl Held<'_> {
    /// Writes what is held.
    pub async fn write(self, out: &mut Out<'_>, store: &Store) -> Result<archive::Store> {
        match self.marked {
            Some(marked) => {
                let (log, mark) = *marked;
                files(out, store, &self.server, self.moments, &log, mark).await
            }
            None => dumps(out, store, &self.server, self.moments).await,
        }
    }
}

async fn files(
    out: &mut Out<'_>,
    store: &Store,
    server: &Server<'_>,
    mut moments: Vec<Moment>,
    log: &Log,
    mark: Mark,
) -> Result<archive::Store> {
    let members = [FILES, LOG].map(|name| format!("{}/{name}", store.name)).to_vec();
    out.run(store, &members[1], &log.copy(server, &mark)).await?;
    let mut entry = entry(store, Method::Physical, members);
    if mark.exact {
        let counted = heard(out.order.cancel, try_join_all(moments.iter_mut().map(Moment::facts))).await??;
        let facts = postgres::merged(counted);
        (entry.counts, entry.digests) = (facts.counts, facts.digests);
    }
    entry.facts.insert("lsn".to_owned(), mark.place);
    entry.server_version = server.version().await?;
    Ok(entry)
}

async fn dumps(
    out: &mut Out<'_>,
    store: &Store,
    server: &Server<'_>,
    mut moments: Vec<Moment>,
) -> Result<archive::Store> {
    let cancel = out.order.cancel;
    let databases: Vec<String> = moments.iter().map(|m| m.database.clone()).collect();
    let globals = format!("{}/globals.sql", store.name);
    out.run(store, &globals, &server.dump_globals()).await?;
    let settings = format!("{}/settings.sql", store.name);
    let text = server.database_settings(&databases).await?;
    out.pour(store, &settings, cancel, stream::iter([Ok(text.into())])).await?;
    let definition = format!("{}/{DEFINITION}", store.name);
    let text = serde_json::json!(server.definition().await?).to_string();
    out.pour(store, &definition, cancel, stream::iter([Ok(text.into())])).await?;
    let mut members = vec![globals, settings, definition];
    let mut facts = Vec::new();
    for moment in &mut moments {
        let member = postgres::member(&store.name, &moment.database);
        let dump = server.dump(moment);
        // the counts come from the same snapshot, on the other core
        let (dumped, counted) = tokio::join!(out.run(store, &member, &dump), heard(cancel, moment.facts()));
        dumped?;
        facts.push(counted??);
        members.push(member);
    }
    let mut entry = entry(store, Method::Logical, members);
    let facts = postgres::merged(facts);
    (entry.counts, entry.digests) = (facts.counts, facts.digests);
    entry.server_version = server.version().await?;
    Ok(entry)
}
