//! Which project: the files named, the nearest banyan.yaml, or the stack inside the executable.

mod files;
mod instance;
mod manifest;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compose::project::Project;
use compose::{Sources, clean_path};

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::stack;
use files::{load_with, piped, unwritable, write};
use instance::{block, first_port, free_block, hash_block, isolated, settings_of};
pub use manifest::MANIFEST;

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

impl Chooser<'_> {
    /// Finds and loads the project; writes nothing.
    pub fn load(&self) -> Result<Loaded, Failure> {
        if let Some(instance) = &self.global.instance {
            instance::check_name(instance)?;
        }
        if let Some((files, why)) = self.named_files() {
            let working_dir = files[0].parent().map(Path::to_path_buf).unwrap_or_default();
            return self.own(files, working_dir, why);
        }
        if let Some(manifest) = self.folder.ancestors().map(|d| d.join(MANIFEST)).find(|p| p.is_file()) {
            let files = manifest::files(&manifest)?;
            let working_dir = manifest.parent().map(Path::to_path_buf).unwrap_or_default();
            return self.own(files, working_dir, format!("{} (nearest banyan.yaml)", manifest.display()));
        }
        self.built_in()
    }

    /// `--file`, or else `COMPOSE_FILE`.
    fn named_files(&self) -> Option<(Vec<PathBuf>, String)> {
        let absolute = |p: &Path| clean_path(&self.folder.join(p));
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
                    let text = instance::settings(instance, &ports);
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
        let absolute = |p: &PathBuf| clean_path(&self.folder.join(p));
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

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", ")
}
