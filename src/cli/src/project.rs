//! Which project: the files named, the nearest banyan.yaml, or the stack inside the executable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use compose::project::Project;
use compose::{Problem, Sources};
use serde::Deserialize;

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::stack;

/// The manifest of a project folder.
const MANIFEST: &str = "banyan.yaml";
/// Instances get blocks of so many ports …
const BLOCK: u16 = 40;
/// … from here on …
const FIRST_PORT: u16 = 20_000;
/// … and so many blocks, below the ports that the kernel hands out by itself.
const BLOCKS: u16 = 300;

/// A loaded project, and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The project.
    pub project: Project,
    /// Which one it is and why: one line.
    pub why: String,
    /// Files that the stack inside the executable needs on disk; empty for the user's own.
    pub files: Vec<(PathBuf, String)>,
}

impl Loaded {
    /// True for the stack inside the executable.
    pub fn is_built_in(&self) -> bool {
        !self.files.is_empty()
    }

    /// Writes the built-in stack's files, so that its labels name files that exist and Compose can read them.
    pub fn persist(&self) -> Result<(), Failure> {
        self.files.iter().try_for_each(|(path, content)| write(path, content))
    }
}

/// Everything from outside that decides which project it is.
pub struct Chooser<'a> {
    /// The options.
    pub global: &'a Global,
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// The current folder.
    pub folder: &'a Path,
    /// `--profile`.
    pub profiles: &'a [String],
    /// Services named on the command line.
    pub named: &'a [String],
    /// Stand-ins for the built-in stack's images.
    pub stand_ins: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    compose: Vec<PathBuf>,
    #[serde(default)]
    services: BTreeMap<String, PathBuf>,
}

impl Chooser<'_> {
    /// Finds and loads the project; writes nothing.
    pub fn load(&self) -> Result<Loaded, Failure> {
        if let Some(instance) = &self.global.instance {
            check_instance_name(instance)?;
        }
        if let Some((files, why)) = self.named_files() {
            let working_dir = files[0].parent().map(Path::to_path_buf).unwrap_or_default();
            return self.own(files, working_dir, why);
        }
        if let Some(manifest) = self.folder.ancestors().map(|d| d.join(MANIFEST)).find(|p| p.is_file()) {
            let files = manifest_files(&manifest)?;
            let working_dir = manifest.parent().map(Path::to_path_buf).unwrap_or_default();
            return self.own(files, working_dir, format!("{} (nearest banyan.yaml)", manifest.display()));
        }
        self.built_in()
    }

    /// `--file`, or else `COMPOSE_FILE`.
    fn named_files(&self) -> Option<(Vec<PathBuf>, String)> {
        let absolute = |p: &Path| clean(&self.folder.join(p));
        if !self.global.file.is_empty() {
            let files: Vec<_> = self.global.file.iter().map(|p| absolute(p)).collect();
            return Some((files.clone(), format!("{} (--file)", list(&files))));
        }
        let value = self.env.get("COMPOSE_FILE").filter(|v| !v.is_empty())?;
        let default = if cfg!(windows) { ";" } else { ":" };
        let separator = self.env.get("COMPOSE_PATH_SEPARATOR").map_or(default, String::as_str);
        let files: Vec<_> = value.split(separator).map(|p| absolute(Path::new(p))).collect();
        Some((files.clone(), format!("{} (COMPOSE_FILE)", list(&files))))
    }

    /// A project of the user's own files.
    fn own(&self, files: Vec<PathBuf>, working_dir: PathBuf, why: String) -> Result<Loaded, Failure> {
        let piped = piped(&files)?;
        let load = |sources: &Sources| load_with(sources, &piped);
        let mut sources = self.sources(files, working_dir);
        let mut project = load(&sources)?;
        if let Some(instance) = &self.global.instance {
            sources.project_name = Some(format!("{}-{instance}", project.name));
            sources.overlay = block(&project, first_port(hash_block(instance)));
            let original = std::mem::replace(&mut project, load(&sources)?);
            isolated(&original, &project)?;
        }
        Ok(Loaded { project, why, files: vec![] })
    }

    /// The stack inside the executable, in a folder of its own for each instance.
    fn built_in(&self) -> Result<Loaded, Failure> {
        let stacks = data_folder(self.env, self.folder)?.join("stacks");
        let folder = stacks.join(self.global.instance.as_deref().unwrap_or("default"));
        if let Some(e) = std::fs::metadata(&folder).err().filter(|e| e.kind() == std::io::ErrorKind::NotADirectory) {
            return Err(unwritable(&folder, &e));
        }
        let file = folder.join(stack::FILE);
        let mut files = vec![(file.clone(), stack::render(&self.stand_ins))];
        let mut sources = self.sources(vec![file.clone()], folder.clone());
        if let Some(instance) = &self.global.instance {
            let settings = folder.join(".env");
            let text = match std::fs::read_to_string(&settings) {
                Ok(text) => text,
                Err(_) => {
                    let all = Sources { profiles: ["*".to_owned()].into(), ..sources.clone() };
                    let plain = load_with(&all, &files)?;
                    let ports = block(&plain, first_port(free_block(instance, &stacks)));
                    let text = instance_settings(instance, &ports);
                    files.push((settings, text.clone()));
                    text
                }
            };
            // an instance stays itself whatever other files and variables say
            sources.project_name = Some(format!("{}-{instance}", stack::PROJECT));
            sources.overlay = settings_of(&text);
        }
        let project = load_with(&sources, &files)?;
        Ok(Loaded { project, why: format!("{} (built-in stack)", file.display()), files })
    }

    fn sources(&self, files: Vec<PathBuf>, working_dir: PathBuf) -> Sources {
        let absolute = |p: &PathBuf| clean(&self.folder.join(p));
        Sources {
            files,
            working_dir,
            process_env: self.env.clone(),
            env_files: self.global.env_file.iter().map(absolute).collect(),
            overlay: BTreeMap::new(),
            profiles: self.profiles.iter().cloned().collect(),
            named: self.named.to_vec(),
            project_name: None,
        }
    }
}

/// The folder for banyan's own files.
pub fn data_folder(env: &BTreeMap<String, String>, folder: &Path) -> Result<PathBuf, Failure> {
    stack::data_folder(env).map(|data| folder.join(data)).ok_or_else(|| {
        Failure::new(Exit::Config, 2, "no folder to keep the stack's files in: HOME is not set")
            .hint("name one: BANYAN_DATA_DIR=/some/folder")
    })
}

/// A file's text; a device without end is no compose file.
fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    const LIMIT: u64 = 16 << 20;
    let mut text = String::new();
    std::fs::File::open(path)?.take(LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LIMIT {
        return Err(std::io::Error::other("larger than 16 MiB"));
    }
    Ok(text)
}

/// What is piped into standard input, when `-` is one of the files.
fn piped(files: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Failure> {
    let Some(path) = files.iter().find(|f| f.file_name().is_some_and(|n| n == "-")) else { return Ok(vec![]) };
    let text = std::io::read_to_string(std::io::stdin())
        .map_err(|e| Failure::new(Exit::Config, 3, format!("cannot read the compose file from standard input: {e}")))?;
    Ok(vec![(path.clone(), text)])
}

/// Loads with some files taken from here instead of the disk.
fn load_with(sources: &Sources, files: &[(PathBuf, String)]) -> Result<Project, Failure> {
    let read = |path: &Path| match files.iter().find(|(p, _)| p == path) {
        Some((_, text)) => Ok(text.clone()),
        None => read_bounded(path),
    };
    compose::load(sources, &read).map_err(|problems| Failure::problems(&problems))
}

/// The `.env` of an instance of the built-in stack.
fn instance_settings(instance: &str, ports: &BTreeMap<String, String>) -> String {
    let mut text = format!(
        "# Written once, when instance {instance} was made; yours to edit.\nCOMPOSE_PROJECT_NAME={}-{instance}\n",
        stack::PROJECT
    );
    for (name, port) in ports {
        text.push_str(&format!("{name}={port}\n"));
    }
    text
}

/// What such a file sets.
fn settings_of(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| *name != "COMPOSE_PROJECT_NAME")
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn write(path: &Path, content: &str) -> Result<(), Failure> {
    stack::write(path, content).map_err(|e| unwritable(path, &e))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Config, 3, format!("cannot write {}: {error}", path.display()))
        .hint("make the folder writable, or name another one: BANYAN_DATA_DIR=/some/folder")
}

/// The compose files that a manifest names, then those of its services.
fn manifest_files(manifest: &Path) -> Result<Vec<PathBuf>, Failure> {
    let text = read_bounded(manifest)
        .map_err(|e| Failure::new(Exit::Config, 3, format!("cannot read {}: {e}", manifest.display())))?;
    let parsed: Manifest = serde_yaml::from_str(&text).map_err(|e| {
        let place = e.location().map(|l| compose::problem::Place {
            file: manifest.to_owned(),
            line: l.line(),
            column: l.column(),
        });
        // the place is told by the problem itself
        let message = e.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let mut problem = Problem::new(message)
            .hint("banyan.yaml has two keys: `compose` (a list of files) and `services` (name: folder)");
        problem.source_line =
            place.as_ref().and_then(|p| text.lines().nth(p.line.saturating_sub(1))).map(str::to_owned);
        problem.place = place;
        Failure::problems(&[problem])
    })?;
    let root = manifest.parent().unwrap_or(Path::new("/"));
    let mut files: Vec<PathBuf> = parsed.compose.iter().map(|f| clean(&root.join(f))).collect();
    let mut problems = Vec::new();
    for (name, folder) in &parsed.services {
        let file = clean(&root.join(folder).join("compose.yaml"));
        if file.is_file() {
            files.push(file);
        } else {
            problems.push(
                Problem::new(format!("{}: service `{name}`: there is no {}", manifest.display(), file.display()))
                    .hint("correct the folder, or take the service out"),
            );
        }
    }
    if files.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new(format!("{}: `compose` names no file", manifest.display()))
                .hint("write `compose: [docker-compose.yml]`"),
        );
    }
    if problems.is_empty() { Ok(files) } else { Err(Failure::problems(&problems)) }
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn check_instance_name(name: &str) -> Result<(), Failure> {
    let fits = !name.is_empty()
        && name.len() <= 30
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits && name != "default" && !name.starts_with('-') {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, 1, format!("`{name}` is no name for an instance"))
        .hint("use lower-case letters, digits and hyphens, at most 30, and not `default`"))
}

/// A port for every variable that sets one, counted from `base` in the order of the file.
fn block(project: &Project, base: u16) -> BTreeMap<String, String> {
    let mut variables = Vec::new();
    for port in project.services.values().flat_map(|s| &s.ports) {
        if let Some(variable) = port.variable.as_ref().filter(|v| !variables.contains(v)) {
            variables.push(variable);
        }
    }
    variables.into_iter().zip(base..base + BLOCK).map(|(name, port)| (name.clone(), port.to_string())).collect()
}

fn first_port(block: u16) -> u16 {
    FIRST_PORT + block * BLOCK
}

/// The block that a name falls on.
fn hash_block(instance: &str) -> u16 {
    // FNV-1a: the same on every machine and in every version
    let hash = instance.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    u16::try_from(hash % u32::from(BLOCKS)).unwrap_or(0)
}

/// The block that a name falls on, or the next one that no other instance of this user has.
fn free_block(instance: &str, stacks: &Path) -> u16 {
    let taken: BTreeSet<u16> = std::fs::read_dir(stacks)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path().join(".env")).ok())
        .filter_map(|text| text.lines().filter_map(|l| l.split_once("_PORT=")?.1.parse::<u16>().ok()).min())
        .map(|port| port.saturating_sub(FIRST_PORT) / BLOCK)
        .collect();
    let start = hash_block(instance);
    (0..BLOCKS).map(|i| (start + i) % BLOCKS).find(|b| !taken.contains(b)).unwrap_or(start)
}

/// Every fixed name or port of the user's files would collide with the first copy.
fn isolated(first: &Project, second: &Project) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for (name, service) in &second.services {
        let Some(original) = first.services.get(name) else { continue };
        if service.named && service.container_name == original.container_name {
            problems.push(
                Problem::new(format!(
                    "service `{name}`: container_name `{}` is the same in every instance",
                    service.container_name
                ))
                .hint("write ${COMPOSE_PROJECT_NAME} in it"),
            );
        }
        for port in service.ports.iter().filter(|p| p.host.is_some_and(|h| h != 0) && original.ports.contains(p)) {
            problems.push(
                Problem::new(format!(
                    "service `{name}`: host port {} is the same in every instance",
                    port.host.unwrap_or(0)
                ))
                .hint(format!(
                    "write a variable: \"${{{}_PORT:-{}}}:{}\"",
                    name.to_uppercase().replace('-', "_"),
                    port.host.unwrap_or(0),
                    port.container
                )),
            );
        }
    }
    for (key, volume) in second.volumes.iter().filter(|(_, v)| !v.external) {
        if first.volumes.get(key).is_some_and(|v| v.name == volume.name) {
            problems.push(
                Problem::new(format!("volume `{key}`: its name `{}` is the same in every instance", volume.name))
                    .hint("write ${COMPOSE_PROJECT_NAME} in it"),
            );
        }
    }
    for (key, network) in second.networks.iter().filter(|(_, n)| !n.external) {
        if first.networks.get(key).is_some_and(|n| n.name == network.name) {
            problems.push(
                Problem::new(format!("network `{key}`: its name `{}` is the same in every instance", network.name))
                    .hint("write ${COMPOSE_PROJECT_NAME} in it"),
            );
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::problems(&problems)) }
}

/// The path without `.` and `..`, as Compose writes it into its labels; the disk is not asked, so links stay links.
pub fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(cleaned.pop()),
            other => cleaned.push(other),
        }
    }
    cleaned
}
