//! `banyan init`: the stack's files in the user's folder.

use std::path::{Path, PathBuf};

use crate::args::InitArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::{setup, stack};

/// Writes all files, or none when the project's own are there already; a README.md or .env of the user's stays. Those
/// that were written, and those that stayed.
pub fn write(context: &Context, folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let (mut written, mut kept) = (Vec::new(), Vec::new());
    let files: Vec<_> =
        stack::init_files().into_iter().map(|(name, text, may_stay)| (folder.join(name), text, may_stay)).collect();
    let there: Vec<_> = files
        .iter()
        .filter(|(path, _, may_stay)| path.exists() && !may_stay)
        .map(|(path, ..)| path.display().to_string())
        .collect();
    if !there.is_empty() {
        return Err(Failure::new(Exit::Exists, 1, "files of the stack are here already; nothing was written")
            .details(there)
            .hint(format!("move them away, or name another folder: {}", context.pasteable(&["init", "FOLDER"]))));
    }
    for (path, text, _) in files {
        if path.exists() {
            kept.push(path);
        } else if let Err(e) = stack::write(&path, &text) {
            written.iter().for_each(|done: &PathBuf| drop(std::fs::remove_file(done)));
            return Err(Failure::new(Exit::Config, 3, format!("cannot write {}: {e}", path.display())).hint(format!(
                "make the folder writable, or name another one: {}",
                context.pasteable(&["init", "FOLDER"])
            )));
        } else {
            written.push(path);
        }
    }
    Ok((written, kept))
}

/// Writes them, and says so.
pub fn run(context: &Context, args: &InitArgs) -> Result<u8, Failure> {
    let folder = compose::clean_path(&context.folder().join(&args.folder));
    let (written, kept) = write(context, &folder)?;
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "files": written, "kept": kept }));
        return Ok(0);
    }
    let list = |paths: &[PathBuf]| paths.iter().map(|p| format!("  {}\n", p.display())).collect::<String>();
    let mut text = format!("wrote\n{}", list(&written));
    if !kept.is_empty() {
        text.push_str(&format!("left as they were\n{}", list(&kept)));
    }
    let up = context.pasteable(&["up"]);
    let go = if folder == context.folder() {
        up
    } else {
        format!("cd {} && {up}", setup::shell::quote(&folder.to_string_lossy()))
    };
    context.print(&format!("{text}change them, then: {go}"));
    Ok(0)
}
