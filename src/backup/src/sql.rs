//! The plain form: one database as SQL text, which `psql` accepts, and such a text back into a database.
//!
//! A text is loaded into a new database beside the present one; the two change names in one transaction.

use std::io::Write;

use engine::Engine;
use engine::docker::process::Command;

use crate::error::{Error, Result};
use crate::postgres::Server;
use crate::restore::{Order, start, with_dependents};
use crate::stopped::Stopped;
use crate::store::Store;

/// How often two databases are made to change names, when somebody connects just then.
const TRIES: usize = 20;

/// The database of a store: the one that it was made with.
async fn database(engine: &Engine, store: &Store) -> Result<String> {
    let env = engine.inspect(&store.container).await?.env;
    let set = |name: &str| env.get(name).filter(|v| !v.is_empty()).cloned();
    let named = store.ready.as_ref().and_then(|r| r.database.clone());
    Ok(set("POSTGRES_DB").or(named).or_else(|| set("POSTGRES_USER")).unwrap_or_else(|| "postgres".to_owned()))
}

/// Writes the database as SQL; its name and the number of bytes.
pub async fn dump_sql(engine: &Engine, store: &Store, to: &mut (dyn Write + Send)) -> Result<(String, u64)> {
    let server = Server::of(engine, &store.name, &store.container, store.ready.as_ref()).await?;
    let database = database(engine, store).await?;
    let process = engine.start(&store.container, &server.command(&["pg_dump", "-d", &database])).await?;
    process.input.close().await;
    let mut output = process.output;
    let mut size = 0;
    while let Some(bytes) = output.next().await? {
        to.write_all(&bytes).map_err(Error::Write)?;
        size += bytes.len() as u64;
    }
    server.ended_well(output.end().await?, || format!("dump database {database}"))?;
    to.flush().map_err(Error::Write)?;
    Ok((database, size))
}

/// Loads SQL text into the database of a store, all of it or nothing; the database's name.
pub async fn restore_sql(order: &Order<'_>, store: &Store, from: &mut (dyn std::io::Read + Send)) -> Result<String> {
    let engine = order.engine;
    let server = Server::of(engine, &store.name, &store.container, store.ready.as_ref()).await?;
    let database = database(engine, store).await?;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let (here, new, old) =
        (quoted(&database), quoted(&format!("{database}.banyan-new")), quoted(&format!("{database}.banyan-old")));
    let make = format!(
        "DROP DATABASE IF EXISTS {new} WITH (FORCE);\nDROP DATABASE IF EXISTS {old} WITH (FORCE);\nCREATE DATABASE {new} TEMPLATE template0;"
    );
    server.sql("template1", &make).await?;
    let into = format!("{database}.banyan-new");
    let loaded = tokio::select! {
        loaded = load(engine, &server, &into, from) => loaded,
        () = order.cancel.cancelled() => Err(Error::Interrupted),
    };
    let renamed = match loaded {
        Ok(()) => exchange(order, store, &server, &database, [&here, &new, &old]).await,
        failed => failed,
    };
    if let Err(error) = renamed {
        server.sql("template1", &format!("DROP DATABASE IF EXISTS {new} WITH (FORCE);")).await?;
        return Err(error);
    }
    Ok(database)
}

/// The new database and the present one change names, while nothing of the project that depends on the store runs: a
/// database that somebody is connected to keeps its name, and services connect again at once.
async fn exchange(
    order: &Order<'_>,
    store: &Store,
    server: &Server<'_>,
    database: &str,
    [here, new, old]: [&str; 3],
) -> Result<()> {
    let settings = server.database_settings(&[database.to_owned()]).await?;
    let literal = database.replace('\'', "''");
    let swap = format!(
        "BEGIN;\nSELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = '{literal}';\n\
         ALTER DATABASE {here} RENAME TO {old};\nALTER DATABASE {new} RENAME TO {here};\n{settings}COMMIT;\n"
    );
    let ran = with_dependents(order.observed, vec![store.service.clone()]);
    let dependents: Vec<String> = ran.into_iter().filter(|name| *name != store.container).collect();
    let stopped = Stopped::stop(order.engine, &order.project.name, &store.container, dependents.clone()).await?;
    let mut swapped = server.sql("template1", &swap).await;
    for _ in 1..TRIES {
        // who is no part of the project may have come back between
        if !matches!(&swapped, Err(Error::Program { output, .. }) if output.contains("being accessed by other users")) {
            break;
        }
        swapped = server.sql("template1", &swap).await;
    }
    start(order, &dependents).await;
    stopped.clear().await?;
    swapped?;
    server.sql("template1", &format!("DROP DATABASE {old} WITH (FORCE);")).await?;
    Ok(())
}

async fn load(
    engine: &Engine,
    server: &Server<'_>,
    database: &str,
    from: &mut (dyn std::io::Read + Send),
) -> Result<()> {
    let args = ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-d", database];
    let command: Command = server.command(&args);
    let process = engine.start(&server.container, &command).await?;
    let next = async || {
        let mut buffer = vec![0; 256 * 1024];
        let read = from.read(&mut buffer).map_err(Error::Read)?;
        buffer.truncate(read);
        Ok::<_, Error>((read > 0).then(|| buffer.into()))
    };
    server.ended_well(process.feed(next).await?, || "load the SQL".to_owned())
}
