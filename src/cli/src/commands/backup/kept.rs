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

/// The file that was meant: a path, a name in the folder, or `latest`, which is the newest of this project.
pub fn find(context: &Context, named: &Path) -> Result<PathBuf, Failure> {
    let folder = folder(context)?;
    if named == Path::new("latest") {
        let whose = identity(context, &context.load(&["*".to_owned()], &[])?);
        let all = listed(&folder, &unsealing(context, &OpenArgs::default())?)?;
        let created = |l: &Listed| l.manifest.as_ref().map(|m| m.created).ok();
        let newest = all.into_iter().filter(|l| is_of(l, &whose)).max_by_key(created);
        return newest.map(|l| l.path).ok_or_else(|| {
            Failure::new(Exit::NotRunning, 11, format!("there is no backup of {}", whose.project))
                .hint(format!("write one: {}", context.pasteable(&["backup"])))
        });
    }
    let path = context.folder().join(named);
    if path.exists() || named.components().count() > 1 {
        return Ok(path);
    }
    let kept = folder.join(named);
    Ok(if kept.exists() { kept } else { path })
}

fn is_of(listed: &Listed, whose: &Identity) -> bool {
    listed.manifest.as_ref().is_ok_and(|m| m.project == whose.project && m.instance == whose.instance)
}

pub(super) fn list(context: &Context) -> Result<u8, Failure> {
    let folder = folder(context)?;
    let all = listed(&folder, &unsealing(context, &OpenArgs::default())?)?;
    if context.json() {
        let items: Vec<_> = all
            .iter()
            .map(|l| {
                let (manifest, error) = match &l.manifest {
                    Ok(m) => (serde_json::json!({ "project": m.project, "instance": m.instance, "created": m.created, "consistency": m.consistency, "stores": m.stores }), None),
                    Err(error) => (serde_json::Value::Null, Some(error.to_string())),
                };
                serde_json::json!({ "file": l.path, "size_bytes": l.size, "manifest": manifest, "error": error })
            })
            .collect();
        context.print_json(&serde_json::json!({ "schema_version": 1, "folder": folder, "items": items }));
        return Ok(0);
    }
    let mut table = Table::new(["NAME", "PROJECT", "CREATED", "SIZE", "STORES"]);
    for one in &all {
        let name = one.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (project, created, stores) = match &one.manifest {
            Ok(m) => (
                m.project.clone(),
                m.created.to_string(),
                m.stores.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", "),
            ),
            Err(error) => (String::new(), String::new(), error.to_string()),
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
    let going = surplus(&whose, &folder, keep)?;
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
    let removed = remove_surplus(&whose, &folder, keep)?;
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "deleted": removed }));
    } else {
        removed.iter().for_each(|path| context.print(&format!("deleted {}", path.display())));
    }
    Ok(0)
}

/// The backups of this project that are more than so many.
fn surplus(whose: &Identity, folder: &Path, keep: NonZeroUsize) -> Result<Vec<PathBuf>, Failure> {
    // by their manifests: one that cannot be read is not ours to delete
    let all = listed(folder, &Unsealing::none())?;
    let kept: Vec<Kept> = all.iter().filter(|l| is_of(l, whose)).filter_map(Listed::kept).collect();
    Ok(archive::surplus(&kept, keep).into_iter().map(|k| k.path.clone()).collect())
}

/// Deletes them.
pub(super) fn remove_surplus(whose: &Identity, folder: &Path, keep: NonZeroUsize) -> Result<Vec<PathBuf>, Failure> {
    let going = surplus(whose, folder, keep)?;
    for path in &going {
        std::fs::remove_file(path)
            .map_err(|e| Failure::new(Exit::Partial, 50, format!("cannot delete {}: {e}", path.display())))?;
    }
    Ok(going)
}
