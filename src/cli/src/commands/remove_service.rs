//! `banyan remove-service`: takes back what `banyan new-service` did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use scaffold::manifest;
use scaffold::name::Name;
use scaffold::template::{self, Answers};

use super::new_service::relative;
use crate::args::RemoveServiceArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::setup::shell::quote;
use crate::stack;

/// Takes the service out of `banyan.yaml`, then its folder away: without a question only when it is as it was written.
pub fn run(context: &Context, args: &RemoveServiceArgs) -> Result<u8, Failure> {
    let Some(path) = context.manifest() else {
        return Err(Failure::new(
            Exit::Config,
            6,
            "there is no project here: neither this folder nor one above it has a banyan.yaml",
        )
        .hint("change into the project's folder"));
    };
    let project = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Failure::new(Exit::Config, 3, format!("cannot read {}: {e}", path.display())))?;
    let services = manifest::services(&text).unwrap_or_default();
    let Some(folder) = services.get(&args.name) else { return Err(unknown(&args.name, &path, &services)) };
    let folder = compose::clean_path(&project.join(folder));
    let without = manifest::without(&text, &args.name).map_err(|why| {
        Failure::new(Exit::Exists, 5, format!("cannot take the service out: {why}"))
            .details([format!("in {}", path.display())])
            .hint(format!("take the line of `{}` out of it by hand", args.name))
    })?;
    let below = folder.strip_prefix(&project).is_ok_and(|inside| inside.components().next().is_some());
    let there = folder.is_dir() && !args.keep_files && below;
    let changed = if there { changed(&folder, &project, &args.name) } else { Vec::new() };
    if !args.dry_run {
        if !changed.is_empty() && !args.yes {
            consent(context, args, &folder, &changed)?;
        }
        let unwritable =
            |path: &Path, e| Failure::new(Exit::Config, 3, format!("cannot change {}: {e}", path.display()));
        stack::write(&path, &without).map_err(|e| unwritable(&path, e))?;
        if there && let Err(e) = std::fs::remove_dir_all(&folder) {
            return Err(Failure::new(Exit::Partial, 3, format!("cannot delete {}: {e}", folder.display()))
                .details([format!("`{}` is out of {}", args.name, path.display())])
                .hint(format!("delete it by hand: rm -r {}", quote(&folder.to_string_lossy()))));
        }
    }
    report(context, args, &path, &folder, there);
    Ok(0)
}

/// The files of the folder that are not as they were written, by their path in it.
fn changed(folder: &Path, project: &Path, name: &str) -> Vec<PathBuf> {
    let written = || {
        let compose = std::fs::read_to_string(folder.join("compose.yaml")).ok()?;
        template::rust(&Answers::of(Name::new(name).ok()?, &relative(folder, project)?, &compose)?).ok()
    };
    let written = written().unwrap_or_default();
    let (mut changed, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(folder).unwrap_or(&path);
            let text = inside.to_str().and_then(|inside| written.get(inside));
            // cargo changes it at the first build
            let is_same = inside == Path::new("Cargo.lock")
                || text.is_some_and(|text| std::fs::read(&path).is_ok_and(|found| found == text.as_bytes()));
            if !is_same {
                changed.push(inside.to_owned());
            }
        }
    }
    changed.sort();
    changed
}

fn consent(context: &Context, args: &RemoveServiceArgs, folder: &Path, changed: &[PathBuf]) -> Result<(), Failure> {
    const MOST: usize = 5;
    let mut files: Vec<String> = changed.iter().take(MOST).map(|file| file.display().to_string()).collect();
    if changed.len() > MOST {
        files.push(format!("and {} more", changed.len() - MOST));
    }
    let question = format!(
        "{} of the files of {} are yours or were changed:\n  {}\ndelete {} all the same?",
        changed.len(),
        args.name,
        files.join("\n  "),
        folder.display()
    );
    match context.ask(&question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Interrupted, 1, "nothing was removed")),
        None => Err(Failure::new(
            Exit::Exists,
            7,
            format!("files of `{}` are yours or were changed; nothing was removed", args.name),
        )
        .details(files)
        .hint(format!(
            "delete them all the same: {}\nor only take the service out: {}",
            context.again(&["--yes"]),
            context.again(&["--keep-files"])
        ))),
    }
}

/// No service of this name, and the ones that there are.
fn unknown(name: &str, manifest: &Path, services: &BTreeMap<String, String>) -> Failure {
    let failure = Failure::new(Exit::Exists, 8, format!("`{name}` is no service in {}", manifest.display()));
    match compose::suggest(name, services.keys().map(String::as_str)) {
        Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
        None if services.is_empty() => failure.hint("it has none"),
        None => failure.hint(format!("services: {}", services.keys().cloned().collect::<Vec<_>>().join(", "))),
    }
}

fn report(context: &Context, args: &RemoveServiceArgs, manifest: &Path, folder: &Path, deleted: bool) {
    if context.json() {
        return context.print_json(&serde_json::json!({
            "schema_version": 1, "service": args.name, "dry_run": args.dry_run, "taken_out_of": manifest,
            "folder": folder, "deleted": deleted,
        }));
    }
    let would = |would: &'static str, did: &'static str| if args.dry_run { would } else { did };
    let mut text = format!("{} {} out of {}\n", would("would take", "took"), args.name, manifest.display());
    if deleted {
        text.push_str(&format!("{} {}\n", would("would delete", "deleted"), folder.display()));
    } else if folder.exists() {
        text.push_str(&format!("left {} as it is\n", folder.display()));
    }
    if !args.dry_run {
        text.push_str("a container of it that still runs goes with the next `banyan down`\n");
    }
    context.print(&text);
}
