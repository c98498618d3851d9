//! Which project: the files named, the nearest banyan.yaml, or the stack inside the executable.

mod files;
mod instance;
pub mod manifest;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compose::project::Project;
use compose::{Sources, clean_path};

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::stack;
use files::{load_with, piped, unreadable, unwritable, write};
use instance::{block, first_port, free_block, hash_block, isolated};
use manifest::MANIFEST;

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

/// Where a project comes from, known without loading it: its containers' labels say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The folder that the project belongs to.
    pub folder: PathBuf,
    /// Its compose files; `None` when the manifest that names them cannot be read.
    pub files: Option<Vec<PathBuf>>,
    /// `--instance`.
    pub instance: Option<String>,
    /// The project's name, where no file can change it.
    pub name: Option<String>,
    /// The name it has unless a file changes it.
    pub usual: Option<String>,
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
        if let Some(manifest) = self.manifest() {
            let files = manifest::files(&manifest)?;
            let working_dir = manifest.parent().map(Path::to_path_buf).unwrap_or_default();
            return self.own(files, working_dir, format!("{} (nearest banyan.yaml)", manifest.display()));
        }
        self.built_in()
    }

    /// Where the project comes from, as far as that is known without loading it.
    pub fn origin(&self) -> Result<Origin, Failure> {
        let instance = self.global.instance.clone();
        let chosen = self.env.get("COMPOSE_PROJECT_NAME").filter(|name| compose::is_project_name(name));
        let name = chosen.map(|name| instance.as_ref().map_or(name.clone(), |i| format!("{name}-{i}")));
        let folder_of = |file: &Path| file.parent().map(Path::to_path_buf).unwrap_or_default();
        if let Some((files, _)) = self.named_files() {
            let folder = folder_of(&files[0]);
            return Ok(Origin { folder, files: Some(files), instance, name, usual: None });
        }
        if let Some(manifest) = self.manifest() {
            let files = manifest::files(&manifest).ok();
            return Ok(Origin { folder: folder_of(&manifest), files, instance, name, usual: None });
        }
        let folder = self.stacks()?.join(instance.as_deref().unwrap_or("default"));
        let files = Some(vec![folder.join(stack::FILE)]);
        Ok(match &instance {
            Some(i) => {
                let name = Some(format!("{}-{i}", stack::PROJECT));
                Origin { folder, files, name, instance, usual: None }
            }
            None => Origin { folder, files, name, instance, usual: Some(stack::PROJECT.to_owned()) },
        })
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

    /// The nearest one.
    pub fn manifest(&self) -> Option<PathBuf> {
        self.folder.ancestors().map(|d| d.join(MANIFEST)).find(|p| p.is_file())
    }

    /// A project of the user's own files.
    fn own(&self, files: Vec<PathBuf>, working_dir: PathBuf, why: String) -> Result<Loaded, Failure> {
        let piped = piped(&files)?;
        let mut sources = self.sources(files, working_dir);
        let Some(instance) = &self.global.instance else {
            return Ok(Loaded { project: load_with(&sources, &piped)?, why, files: vec![] });
        };
        // with all profiles, so that a port is the same whichever of them is active
        let all = Sources { profiles: ["*".to_owned()].into(), ..sources.clone() };
        let first = load_with(&all, &piped)?;
        let name = format!("{}-{instance}", first.name);
        sources.overlay = block(&first, first_port(hash_block(&name)));
        sources.project_name = Some(name);
        sources.instance = Some(instance.clone());
        let project = load_with(&sources, &piped)?;
        isolated(&first, &project)?;
        Ok(Loaded { project, why, files: vec![] })
    }

    /// The stack inside the executable, in a folder of its own for each instance.
    fn built_in(&self) -> Result<Loaded, Failure> {
        let stacks = self.stacks()?;
        let folder = stacks.join(self.global.instance.as_deref().unwrap_or("default"));
        if let Some(e) = std::fs::metadata(&folder).err().filter(|e| e.kind() != std::io::ErrorKind::NotFound) {
            return Err(unwritable(&folder, &e));
        }
        let file = folder.join(stack::FILE);
        let mut files = vec![(file.clone(), stack::render(&self.stand_ins))];
        let mut sources = self.sources(vec![file.clone()], folder.clone());
        if let Some(instance) = &self.global.instance {
            let settings = folder.join(".env");
            if let Err(e) = std::fs::metadata(&settings) {
                if e.kind() != std::io::ErrorKind::NotFound {
                    return Err(unreadable(&settings, &e));
                }
                let all = Sources { profiles: ["*".to_owned()].into(), ..sources.clone() };
                let ports = block(&load_with(&all, &files)?, first_port(free_block(instance, &stacks)));
                files.push((settings.clone(), instance::settings(instance, &ports)));
            }
            // an instance stays itself whatever other files and variables say
            sources.project_name = Some(format!("{}-{instance}", stack::PROJECT));
            sources.instance = Some(instance.clone());
            if !sources.env_files.is_empty() {
                // named files stand in place of a folder's .env, but not of the one that holds the instance's ports
                sources.env_files.insert(0, settings);
            }
        }
        let project = load_with(&sources, &files)?;
        Ok(Loaded { project, why: format!("{} (built-in stack)", file.display()), files })
    }

    /// The folder of the built-in stack's copies.
    fn stacks(&self) -> Result<PathBuf, Failure> {
        Ok(data_folder(self.env, self.folder)?.join("stacks"))
    }

    fn sources(&self, files: Vec<PathBuf>, working_dir: PathBuf) -> Sources {
        let absolute = |p: &PathBuf| clean_path(&self.folder.join(p));
        Sources {
            files,
            working_dir,
            process_env: self.env.clone(),
            env_files: self.global.env_file.iter().map(absolute).collect(),
            profiles: self.profiles.iter().cloned().collect(),
            named: self.named.to_vec(),
            ..Sources::default()
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    /// The host port of each service of the copy `b`, with these profiles.
    fn ports(folder: &Path, file: &str, profiles: &[&str]) -> BTreeMap<String, u16> {
        let global = Cli::parse_from(["banyan", "--file", file, "--instance", "b", "status"]).global;
        let profiles: Vec<String> = profiles.iter().map(|p| (*p).to_owned()).collect();
        let (env, stand_ins) = (BTreeMap::new(), BTreeMap::new());
        let chooser = Chooser { global: &global, env: &env, folder, profiles: &profiles, named: &[], stand_ins };
        let project = chooser.load().unwrap().project;
        assert_eq!(project.instance.as_deref(), Some("b"));
        project.services.values().map(|s| (s.name.clone(), s.ports[0].host.unwrap())).collect()
    }

    #[test]
    fn the_ports_of_a_copy_depend_on_its_project_and_on_no_profile() {
        let folder = tempfile::tempdir().unwrap();
        let services = "services:
  first: { image: i, profiles: [tools], ports: [\"${FIRST_PORT:-1}:1\"] }
  second: { image: i, ports: [\"${SECOND_PORT:-2}:2\"] }
";
        for name in ["shop", "bakery"] {
            std::fs::write(folder.path().join(format!("{name}.yaml")), format!("name: {name}\n{services}")).unwrap();
        }
        let shop = |profiles: &[&str]| ports(folder.path(), "shop.yaml", profiles);
        assert_eq!((shop(&[]).len(), shop(&["tools"]).len()), (1, 2));
        assert_eq!(shop(&[])["second"], shop(&["tools"])["second"]);
        assert_eq!(shop(&[])["second"], shop(&["tools"])["first"] + 1);
        assert_ne!(shop(&[])["second"], ports(folder.path(), "bakery.yaml", &[])["second"]);
    }
}
