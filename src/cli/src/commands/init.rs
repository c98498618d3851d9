//! `banyan init`: the stack's files in the user's folder.

use crate::args::InitArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::stack;

/// Writes all files, or none when one of them exists.
pub fn run(context: &Context, args: &InitArgs) -> Result<u8, Failure> {
    let folder = context.folder().join(&args.folder);
    let files: Vec<_> = stack::init_files().into_iter().map(|(name, text)| (folder.join(name), text)).collect();
    let there: Vec<_> =
        files.iter().filter(|(path, _)| path.exists()).map(|(path, _)| path.display().to_string()).collect();
    if !there.is_empty() {
        return Err(Failure::new(Exit::Exists, 1, "files of the stack are here already; nothing was written")
            .details(there)
            .hint("move them away, or name another folder: banyan init FOLDER"));
    }
    let mut written = Vec::new();
    for (path, text) in &files {
        if let Err(e) = stack::write(path, text) {
            for done in &written {
                let _ = std::fs::remove_file(done);
            }
            return Err(Failure::new(Exit::Config, 3, format!("cannot write {}: {e}", path.display()))
                .hint("make the folder writable, or name another one: banyan init FOLDER"));
        }
        written.push(path.clone());
    }
    let names: Vec<_> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "files": names }));
    } else {
        context.print(&format!("wrote\n  {}\nchange them, then: {}", names.join("\n  "), context.pasteable(&["up"])));
    }
    Ok(0)
}
