//! The plain form of a backup: the database as SQL text, for `psql`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use archive::Kind;
use backup::{RestoreOrder, Store, dump_sql, restore_sql, stores};
use compose::Observed;
use engine::Engine;
use engine::progress::Phase;

use super::{PASSPHRASE, failed};
use crate::args::CreateArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::Loaded;
use crate::report::style::humansize;

/// The database server of the project.
fn database(context: &Context, loaded: &Loaded, observed: &Observed) -> Result<Store, Failure> {
    let runs = |s: &Store| s.kind == Kind::Postgres && s.state == compose::observed::State::Running;
    stores(&loaded.project, observed).into_iter().find(runs).ok_or_else(|| {
        Failure::new(Exit::NotRunning, 12, format!("no PostgreSQL of project {} runs", loaded.project.name))
            .hint(format!("bring it up: {}", context.pasteable(&["up"])))
    })
}

/// SQL text is one database, in the clear, and no file among the backups.
pub fn refuse_what_it_cannot(context: &Context, args: &CreateArgs) -> Result<(), Failure> {
    let sealed = context.env.get(PASSPHRASE).is_some_and(|p| !p.is_empty());
    let given = [
        (!args.seal.encrypt_to.is_empty(), "--encrypt-to"),
        (args.keep_last.is_some(), "--keep-last"),
        (args.name.is_some(), "--name"),
        (args.online, "--online"),
        (args.physical, "--physical"),
    ];
    if let Some((_, option)) = given.into_iter().find(|(is, _)| *is) {
        return Err(Failure::new(Exit::Usage, 55, format!("{option} does not go with --format sql")));
    }
    if sealed {
        let message = format!("SQL text is not encrypted, and {PASSPHRASE} asks for encryption");
        return Err(Failure::new(Exit::Usage, 56, message)
            .hint(format!("if it may be read by everybody: {PASSPHRASE}= {}", context.again(&[]))));
    }
    Ok(())
}

/// Writes the database as SQL; the file appears when it is complete, if nothing of that name is there.
pub async fn dump(
    context: &Context,
    engine: &Engine,
    loaded: &Loaded,
    observed: &Observed,
    to: &Path,
) -> Result<u8, Failure> {
    let store = database(context, loaded, observed)?;
    if to == Path::new("-") {
        let mut out = std::io::stdout();
        dump_sql(engine, &store, &mut out).await.map_err(failed)?;
        return Ok(0);
    }
    let path = context.folder().join(to);
    let unwritable = |e: std::io::Error| Failure::new(Exit::Backup, 4, format!("cannot write {}: {e}", path.display()));
    if path.exists() {
        return Err(unwritable(std::io::ErrorKind::AlreadyExists.into()));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    // what killed runs have left there
    archive::sweep(folder).map_err(|e| Failure::new(Exit::Backup, 4, e.to_string()))?;
    // for nobody else's eyes: it holds what the services know
    let part = tempfile::Builder::new().prefix(".sql.").suffix(".banyan-partial").tempfile_in(folder);
    let mut part = part.map_err(unwritable)?;
    // a part that is locked is not swept
    part.as_file().lock().map_err(unwritable)?;
    let (name, size) = tokio::select! {
        dumped = dump_sql(engine, &store, part.as_file_mut()) => dumped.map_err(failed)?,
        () = context.cancel.cancelled() => return Err(failed(backup::Error::Interrupted)),
    };
    part.as_file().sync_all().map_err(unwritable)?;
    part.persist_noclobber(&path).map_err(|e| unwritable(e.error))?;
    context.journal.tell(engine::progress::Kind::Service, &store.service, Phase::Done("backed up"), None);
    context.screen.finish();
    if context.json() {
        context.print_json(
            &serde_json::json!({ "schema_version": 1, "file": path, "database": name, "size_bytes": size }),
        );
    } else {
        context.print(&format!("{}  {}, database {name}", path.display(), humansize(size)));
    }
    Ok(0)
}

/// True for a file that is SQL text, as `pg_dump` writes it.
pub fn is_sql(path: &Path) -> bool {
    let mut start = [0; 512];
    let read = File::open(path).and_then(|mut f| f.read(&mut start)).unwrap_or(0);
    let text = String::from_utf8_lossy(&start[..read]);
    let first =
        text.lines().map(str::trim).find(|l| !l.is_empty() && *l != "--").unwrap_or_default().to_ascii_uppercase();
    ["-- ", "SET ", "CREATE ", "BEGIN", "\\RESTRICT", "COPY ", "INSERT "].iter().any(|word| first.starts_with(word))
}

/// Loads SQL text in place of the database.
pub async fn load(context: &Context, order: &RestoreOrder<'_>, loaded: &Loaded, path: &Path) -> Result<(), Failure> {
    let store = database(context, loaded, order.observed)?;
    let unreadable = |e: std::io::Error| Failure::new(Exit::Other, 54, format!("cannot read {}: {e}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    let name = restore_sql(order, &store, &mut file).await.map_err(failed)?;
    context.screen.finish();
    if context.json() {
        context.print_json(
            &serde_json::json!({ "schema_version": 1, "file": path, "done": "restored", "database": name }),
        );
    } else {
        context.print(&format!("restored database {name} from {}", path.display()));
    }
    Ok(())
}
