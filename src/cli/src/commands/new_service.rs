//! `banyan new-service`: a service of the user's own, in the folder of the project.

mod place;

use std::path::{Path, PathBuf};

use scaffold::name::{self, Name, NoName};
use scaffold::template::{self, Answers};
use scaffold::{manifest, sdk};

use super::init;
use crate::args::NewServiceArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::manifest::MANIFEST;
use crate::setup::shell::quote;
use crate::stack;
pub use place::relative;
use place::{Sdk, place, tree};

/// Where the SDK is in a project, and what it is built into.
const SDK: &str = ".banyan/sdk";
/// The first port that a service of the user's own gets.
const FIRST_PORT: u16 = 3010;
/// Services of the stack that the scaffolded one connects to.
const NEEDS: [&str; 3] = ["postgres", "rabbitmq", "redis"];

/// Everything that will be written.
struct Plan {
    name: Name,
    /// The folder with `banyan.yaml`.
    project: PathBuf,
    /// The service's own.
    folder: PathBuf,
    files: scaffold::Files,
    sdk: Sdk,
    sdk_files: scaffold::Files,
    manifest: String,
    port: u16,
}

/// Writes the service, or nothing.
pub fn run(context: &Context, args: &NewServiceArgs) -> Result<u8, Failure> {
    let name = checked(context, &args.name)?;
    let mut made = Vec::new();
    let project = project(context, args, &mut made)?;
    let done = plan(context, args, name, &project).and_then(|plan| {
        if !args.dry_run {
            carry_out(context, &plan)?;
        }
        Ok(plan)
    });
    match done {
        Ok(plan) => {
            report(context, args, &plan, &made);
            Ok(0)
        }
        Err(failure) => {
            made.iter().for_each(|file| drop(std::fs::remove_file(file)));
            Err(failure)
        }
    }
}

/// The name, or why it is none.
fn checked(context: &Context, text: &str) -> Result<Name, Failure> {
    Name::new(text).map_err(|why: NoName| {
        let failure = Failure::new(Exit::Exists, 2, format!("`{text}` is no name for a service: {why}"));
        let again = |name: &str| format!("take another one: {}", context.pasteable(&["new-service", name]));
        failure.hint(again(name::suggestion(text).as_deref().unwrap_or("order-service")))
    })
}

/// The folder of the project; made first when that was asked for.
fn project(context: &Context, args: &NewServiceArgs, made: &mut Vec<PathBuf>) -> Result<PathBuf, Failure> {
    let folder_of = |manifest: PathBuf| manifest.parent().map(Path::to_path_buf).unwrap_or_default();
    if !context.global.file.is_empty() {
        return Err(Failure::new(Exit::Usage, 6, "a service belongs to the project of a banyan.yaml, not to a file")
            .hint("leave --file out"));
    }
    match context.manifest() {
        Some(manifest) => Ok(folder_of(manifest)),
        None if args.init => {
            *made = init::write(context, context.folder())?.0;
            Ok(context.folder().to_owned())
        }
        None => {
            let init = context.again(&["--init"]);
            Err(Failure::new(
                Exit::Config,
                6,
                "there is no project here: neither this folder nor one above it has a banyan.yaml",
            )
            .hint(format!("change into the project's folder, or make one of this folder: {init}")))
        }
    }
}

fn plan(context: &Context, args: &NewServiceArgs, name: Name, project: &Path) -> Result<Plan, Failure> {
    let manifest = project.join(MANIFEST);
    let unreadable = |e| Failure::new(Exit::Config, 3, format!("cannot read {}: {e}", manifest.display()));
    let text = std::fs::read_to_string(&manifest).map_err(unreadable)?;
    let services = manifest::services(&text).unwrap_or_default();
    if let Some(folder) = services.get(&name.name) {
        return Err(Failure::new(Exit::Exists, 3, format!("`{}` is a service of this project already", name.name))
            .details([format!("its folder: {}", compose::clean_path(&project.join(folder)).display())])
            .hint(format!(
                "take another name, or take it out first: {}",
                context.pasteable(&["remove-service", &name.name])
            )));
    }
    let loaded = context.load(&["*".to_owned()], &[])?.project;
    if loaded.services.contains_key(&name.name) {
        let files: Vec<String> = loaded.files.iter().map(|file| file.display().to_string()).collect();
        return Err(Failure::new(Exit::Exists, 3, format!("`{}` is a service of this project already", name.name))
            .details([format!("it is in {}", files.join(" or "))])
            .hint("take another name"));
    }
    let folder = match &args.dir {
        Some(dir) => compose::clean_path(&context.folder().join(dir)),
        None => project.join(&name.name),
    };
    if folder.symlink_metadata().is_ok() {
        return Err(Failure::new(
            Exit::Exists,
            4,
            format!("{} is there already; nothing was written", folder.display()),
        )
        .hint(format!("move it away, or name another folder: {}", context.again(&["--dir", "FOLDER"]))));
    }
    let Some(up) = relative(&folder, project) else {
        return Err(Failure::new(Exit::Exists, 6, format!("{} is not below the project's folder", folder.display()))
            .details([format!("the project's folder: {}", project.display())])
            .hint(format!("name a folder below it: {}", context.again(&["--dir", "FOLDER"]))));
    };
    let inside = folder.strip_prefix(project).unwrap_or(&folder).to_string_lossy().into_owned();
    let manifest = manifest::with(&text, &name.name, &inside).map_err(|why| {
        Failure::new(Exit::Exists, 5, format!("cannot register the service: {why}"))
            .details([format!("in {}", manifest.display())])
            .hint("write `services:` with a line for each service below it: `  name: folder`")
    })?;
    let taken: Vec<u16> = loaded.services.values().flat_map(|s| &s.ports).filter_map(|p| p.host).collect();
    let port = match args.port {
        Some(port) if taken.contains(&port) => {
            return Err(Failure::new(
                Exit::Conflict,
                6,
                format!("port {port} is that of another service of the project"),
            )
            .hint("leave --port out, and a free one is taken"));
        }
        Some(port) => port,
        None => (FIRST_PORT..).find(|port| !taken.contains(port)).unwrap_or(FIRST_PORT),
    };
    let needs = NEEDS.iter().filter(|needed| loaded.services.contains_key(**needed)).map(|s| (*s).to_owned()).collect();
    let damaged = |e: &dyn std::fmt::Display| Failure::new(Exit::Other, 7, format!("this executable is damaged: {e}"));
    let answers = Answers { name: name.clone(), up, port, needs };
    let mut files = template::rust(&answers).map_err(|e| damaged(&e))?;
    let sdk = sdk::unpack().map_err(|e| damaged(&e))?;
    files.insert("Cargo.lock".to_owned(), sdk.lock);
    let state = Sdk::of(&project.join(SDK), &sdk.files);
    Ok(Plan { name, project: project.to_owned(), folder, files, sdk: state, sdk_files: sdk.files, manifest, port })
}

/// Each folder is written under another name first; what this has made is taken away again when a later step fails.
fn carry_out(context: &Context, plan: &Plan) -> Result<(), Failure> {
    let unwritable = |path: &Path, e: std::io::Error| {
        Failure::new(Exit::Config, 3, format!("cannot write {}: {e}; nothing was changed", path.display()))
            .hint(format!("make the folder writable, or name another one: {}", context.again(&["--dir", "FOLDER"])))
    };
    let sdk = plan.project.join(SDK);
    let (manifest, ignored) = (plan.project.join(MANIFEST), plan.project.join(".banyan/.gitignore"));
    stack::write(&ignored, "/target\n").map_err(|e| unwritable(&ignored, e))?;
    let before = tree(&plan.folder);
    let undo = || before.iter().rev().for_each(|folder| drop(std::fs::remove_dir(folder)));
    let written = place(&plan.folder, &plan.files).map_err(|e| unwritable(&plan.folder, e)).and_then(|()| {
        if plan.sdk != Sdk::Kept {
            place::replace(&sdk, &plan.sdk_files).map_err(|e| unwritable(&sdk, e))?;
        }
        stack::write(&manifest, &plan.manifest).map_err(|e| unwritable(&manifest, e))
    });
    written.inspect_err(|_| {
        // it was not there before
        let _ = std::fs::remove_dir_all(&plan.folder);
        undo();
    })
}

fn report(context: &Context, args: &NewServiceArgs, plan: &Plan, made: &[PathBuf]) {
    let folder = quote(&plan.folder.to_string_lossy());
    let next = [format!("cd {folder}"), "cargo test".to_owned(), "cargo build".to_owned(), context.pasteable(&["up"])];
    let manifest = plan.project.join(MANIFEST);
    if context.json() {
        let files: Vec<PathBuf> = plan.files.keys().map(|file| plan.folder.join(file)).collect();
        return context.print_json(&serde_json::json!({
            "schema_version": 1, "service": plan.name.name, "folder": plan.folder, "files": files, "dry_run": args.dry_run,
            "registered_in": manifest, "sdk": plan.sdk.word(), "sdk_folder": plan.project.join(SDK), "sdk_version": sdk::VERSION,
            "port": plan.port, "made": made, "next": next,
        }));
    }
    let verb = if args.dry_run { "would write" } else { "wrote" };
    let list = |files: &mut dyn Iterator<Item = String>| files.map(|file| format!("  {file}\n")).collect::<String>();
    let mut text = String::new();
    if !made.is_empty() {
        text.push_str(&format!("made a project\n{}", list(&mut made.iter().map(|file| file.display().to_string()))));
    }
    text.push_str(&format!(
        "{verb} {} in {}\n{}",
        plan.name.name,
        plan.folder.display(),
        list(&mut plan.files.keys().cloned())
    ));
    text.push_str(&match plan.sdk {
        Sdk::Kept => String::new(),
        Sdk::New => format!("{verb} the SDK in {}\n", plan.project.join(SDK).display()),
        Sdk::Replaced => {
            format!("{verb} the SDK in {} anew: it was another version\n", plan.project.join(SDK).display())
        }
    });
    let registered = if args.dry_run { "would register" } else { "registered" };
    text.push_str(&format!("{registered} it in {}, on port {}\n", manifest.display(), plan.port));
    if !args.dry_run {
        text.push_str(&format!("test it, build it, bring it up: {}\n", next.join(" && ")));
    }
    context.print(&text);
}
