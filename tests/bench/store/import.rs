//! E4: many events at once, against the server's own COPY of the same rows into the same table.

use std::{os::unix::fs::PermissionsExt, time::Instant};

use banyan_sdk::store::{Append, EventStore, Expected, Stream};
use futures_util::TryStreamExt;
use sqlx::postgres::PgPoolCopyExt;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::{
    Options, Report, Result,
    database::{self, Database, Server},
    load,
    report::Level,
};

/// How many importers append at the same time.
const IMPORTERS: usize = 4;

/// How many appends each of them has under way.
const UNDER_WAY: usize = 256;

pub async fn measure(options: &Options, server: &Server, report: &mut Report) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        let database = server.database().await?;
        let store = database::store(&database.url).await?;
        let began = Instant::now();
        fill(&store, options.imported).await?;
        ours.push(options.imported as f64 / began.elapsed().as_secs_f64());
        store.close().await;
        let stored = database.number("select count(*) from events").await?;
        if stored != options.imported as i64 {
            report.invalid(format!("E4: {stored} events are stored in round {round}, not {}", options.imported));
        }
        let file = export(&database).await?;
        database.run("truncate events; checkpoint").await?;
        let began = Instant::now();
        database.run(&format!("copy events from '{}'", file.path().display())).await?;
        theirs.push(stored as f64 / began.elapsed().as_secs_f64());
    }
    report.condition(
        "E4",
        format!(
            "{} events, {IMPORTERS} importers with {UNDER_WAY} aggregates of {} events under way each; COPY reads a file \
             on the server, the table has all its indexes",
            options.imported,
            load::LENGTH
        ),
    );
    report.ratio("E4 import, against COPY", "/s", &ours, &theirs, Level::at_least(0.6).goal(0.9));
    Ok(())
}

/// Appends `events`, whole aggregates at a time.
pub async fn fill(store: &EventStore, events: usize) -> Result<()> {
    let aggregates = events / load::LENGTH as usize;
    let tasks: Vec<_> = (0..IMPORTERS)
        .map(|importer| {
            let store = store.clone();
            tokio::spawn(async move {
                let data = load::data();
                let mine = (importer..aggregates).step_by(IMPORTERS).map(|_| {
                    let id = Uuid::from_u128(rand::random()).to_string();
                    let events = (0..load::LENGTH).map(|version| load::event(&data, version)).collect();
                    Ok(store.append(Append::new("bench", Stream::new("Order", id), Expected::NoStream, events)))
                });
                let appends = futures_util::stream::iter(mine);
                appends.try_buffer_unordered(UNDER_WAY).try_for_each(|_| async { Ok(()) }).await
            })
        })
        .collect();
    for task in tasks {
        task.await?.map_err(|error: banyan_sdk::store::StoreError| error)?;
    }
    Ok(())
}

/// The rows in a file that the server can read.
async fn export(database: &Database) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o644)).tempfile()?;
    let mut written = tokio::io::BufWriter::new(tokio::fs::File::from_std(file.reopen()?));
    let pool = sqlx::PgPool::connect(&database.url).await?;
    let mut rows = pool.copy_out_raw("copy events to stdout").await?;
    while let Some(bytes) = rows.try_next().await? {
        written.write_all(&bytes).await?;
    }
    written.flush().await?;
    drop(rows);
    pool.close().await;
    Ok(file)
}
