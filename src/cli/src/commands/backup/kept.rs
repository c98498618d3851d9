//! The folder in which backups are kept.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use archive::{Kept, Listed, Unsealing};

use super::create::{Identity, identity};
use super::unsealing;
use crate::args::OpenArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::data_folder;
use crate::report::style::humansize;
use crate::report::table::Table;

/// How many backups are kept of those that were made to undo something.
pub const UNDOS: NonZeroUsize = NonZeroUsize::new(5).unwrap();

/// Where backups go, unless somebody says where.
pub fn folder(context: &Context) -> Result<PathBuf, Failure> {
    Ok(data_folder(&context.env, context.folder())?.join("backups"))
}

pub(super) fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Backup, 3, format!("cannot use the folder of backups: {}: {error}", folder.display()))
        .hint("make the folder writable, or name another one: BANYAN_DATA_DIR=/some/folder")
}

fn listed(folder: &Path, unsealing: &Unsealing) -> Result<Vec<Listed>, Failure> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    archive::list(folder, unsealing).map_err(|e| Failure::new(Exit::Other, 51, e.to_string()))
}

/// The backups of this project that were given no name, encrypted ones with them.
fn kept(whose: &Identity, folder: &Path) -> Result<Vec<Kept>, Failure> {
    let is_ours = |k: &Kept| k.name.project == whose.project && k.name.instance == whose.instance;
    Ok(listed(folder, &Unsealing::none())?.iter().filter_map(Listed::kept).filter(is_ours).collect())
}

/// The file that was meant: a path, a name in the folder, or `latest`, which is the newest of this project that was made
/// for its own sake.
pub fn find(context: &Context, named: &Path) -> Result<PathBuf, Failure> {
    let folder = folder(context)?;
    if named == Path::new("latest") {
        let whose = identity(context, &context.load(&["*".to_owned()], &[])?);
        let all = kept(&whose, &folder)?.into_iter().filter(|k| !k.name.undo);
        return all.max_by_key(|k| k.name.created).map(|k| k.path).ok_or_else(|| {
            Failure::new(Exit::NotRunning, 11, format!("there is no backup of {}", whose.project))
                .hint(format!("write one: {}", context.pasteable(&["backup"])))
        });
    }
    let path = context.folder().join(named);
    if path.is_file() || named.components().count() > 1 {
        return Ok(path);
    }
    let name = named.display().to_string();
    let in_folder = [folder.join(&name), folder.join(format!("{name}.banyan"))];
    Ok(in_folder.into_iter().find(|p| p.is_file()).unwrap_or(path))
}

pub(super) fn list(context: &Context, open: &OpenArgs) -> Result<u8, Failure> {
    let folder = folder(context)?;
    let all = listed(&folder, &unsealing(context, open)?)?;
    if context.json() {
        let items: Vec<_> = all
            .iter()
            .map(|l| {
                let (manifest, error) = match &l.manifest {
                    Ok(m) => (serde_json::json!({ "project": m.project, "instance": m.instance, "created": m.created, "consistency": m.consistency, "stores": m.stores }), None),
                    Err(error) => (serde_json::Value::Null, Some(error.to_string())),
                };
                let undo = l.name().is_some_and(|name| name.undo);
                serde_json::json!({ "file": l.path, "size_bytes": l.size, "undo": undo, "manifest": manifest, "error": error })
            })
            .collect();
        context.print_json(&serde_json::json!({ "schema_version": 1, "folder": folder, "items": items }));
        return Ok(0);
    }
    let mut table = Table::new(["NAME", "PROJECT", "CREATED", "SIZE", "STORES"]);
    for one in &all {
        let name = one.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (project, created, stores) = match (&one.manifest, one.name()) {
            (Ok(m), _) => (
                m.project.clone(),
                m.created.to_string(),
                m.stores.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", "),
            ),
            (Err(error), Some(name)) => (name.project, name.created.to_string(), error.to_string()),
            (Err(error), None) => (String::new(), String::new(), error.to_string()),
        };
        table.row([name, project, created, humansize(one.size), stores]);
    }
    if table.is_empty() {
        context.note(&format!("no backups in {}", folder.display()));
    }
    context.print(&table.render(context.style, context.terminal.table_width()));
    Ok(0)
}

pub(super) fn prune(context: &Context, keep: NonZeroUsize, yes: bool) -> Result<u8, Failure> {
    let whose = identity(context, &context.load(&["*".to_owned()], &[])?);
    let folder = folder(context)?;
    let going = surplus(&whose, &folder, false, keep)?;
    if !going.is_empty() && !yes {
        let names: Vec<String> = going.iter().map(|p| p.display().to_string()).collect();
        context.note(&format!("these backups will be deleted:\n  {}", names.join("\n  ")));
        match context.ask("Delete them?") {
            Some(true) => {}
            Some(false) => return Err(Failure::new(Exit::Other, 52, "not confirmed; nothing was deleted")),
            None => {
                return Err(Failure::new(Exit::Usage, 52, "this deletes backups, and nobody can be asked")
                    .hint(format!("say so: {}", context.again(&["--yes"]))));
            }
        }
    }
    remove(&going)?;
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "deleted": going }));
    } else {
        going.iter().for_each(|path| context.print(&format!("deleted {}", path.display())));
    }
    Ok(0)
}

/// The backups of this project that are more than so many: those that undo something, or the others.
fn surplus(whose: &Identity, folder: &Path, undo: bool, keep: NonZeroUsize) -> Result<Vec<PathBuf>, Failure> {
    let kept: Vec<Kept> = kept(whose, folder)?.into_iter().filter(|k| k.name.undo == undo).collect();
    Ok(archive::surplus(&kept, keep).into_iter().map(|k| k.path.clone()).collect())
}

/// Deletes them.
pub(super) fn remove_surplus(
    whose: &Identity,
    folder: &Path,
    undo: bool,
    keep: NonZeroUsize,
) -> Result<Vec<PathBuf>, Failure> {
    let going = surplus(whose, folder, undo, keep)?;
    remove(&going)?;
    Ok(going)
}

fn remove(paths: &[PathBuf]) -> Result<(), Failure> {
    for path in paths {
        std::fs::remove_file(path)
            .map_err(|e| Failure::new(Exit::Partial, 50, format!("cannot delete {}: {e}", path.display())))?;
    }
    Ok(())
}
