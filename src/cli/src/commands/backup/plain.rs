//! The plain form of a backup: the database as SQL text, for `psql`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use archive::Kind;
use backup::{RestoreOrder, Store, dump_sql, restore_sql, stores};
use compose::Observed;
use engine::Engine;
use engine::progress::Phase;

use super::failed;
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

/// Writes the database as SQL; the file appears when it is complete.
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
    let folder = path.parent().unwrap_or(Path::new("."));
    // for nobody else's eyes: it holds what the services know
    let mut part =
        tempfile::Builder::new().prefix(".banyan-").suffix(".sql.partial").tempfile_in(folder).map_err(unwritable)?;
    let (name, size) = dump_sql(engine, &store, part.as_file_mut()).await.map_err(failed)?;
    part.as_file().sync_all().map_err(unwritable)?;
    part.persist(&path).map_err(|e| unwritable(e.error))?;
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

/// What a timer runs, and what to do with it.
pub fn schedule(context: &Context, at: &str, keep: std::num::NonZeroUsize, cron: bool) -> Result<u8, Failure> {
    let keep = keep.to_string();
    let command = context.pasteable(&["backup", "--quiet", "--keep-last", &keep]);
    let (hour, minute) = at
        .split_once(':')
        .and_then(|(h, m)| Some((h.parse::<u8>().ok()?, m.parse::<u8>().ok()?)))
        .filter(|(h, m)| *h < 24 && *m < 60)
        .ok_or_else(|| Failure::new(Exit::Usage, 54, format!("`{at}` is no time of day")).hint("write 02:00"))?;
    let folder: PathBuf = context.folder().to_owned();
    let mut text = String::new();
    if cron {
        text.push_str(&format!("{minute} {hour} * * * cd {} && {command}\n", quoted(&folder)));
    } else {
        text.push_str(&format!(
            "# ~/.config/systemd/user/banyan-backup.service\n[Unit]\nDescription=Back up the platform\n\n[Service]\nType=oneshot\n\
             WorkingDirectory={}\nExecStart=/bin/sh -c \"{}\"\n\n\
             # ~/.config/systemd/user/banyan-backup.timer\n[Unit]\nDescription=Back up the platform every day\n\n[Timer]\n\
             OnCalendar=*-*-* {hour:02}:{minute:02}:00\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n\n\
             # systemctl --user daemon-reload && systemctl --user enable --now banyan-backup.timer\n",
            folder.display(),
            command.replace('%', "%%").replace('"', "\\\"")
        ));
    }
    std::io::stdout().flush().ok();
    context.print(&text);
    Ok(0)
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
