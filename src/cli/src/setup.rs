//! `banyan up --setup`: from a fresh Debian or Ubuntu machine to an engine that answers.
//!
//! Look at the machine ([`facts`]), decide ([`plan`]), then do it ([`mod@run`]). Nothing is removed, no group is
//! edited, an engine that somebody chose by option, environment or context is never replaced.

pub mod connect;
pub mod facts;
pub mod handover;
pub mod plan;
pub mod run;
pub mod shell;
pub mod wait;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::docker::Engine;
use engine::docker::connect::{Request, Unreachable};
use engine::progress::Journal;

use facts::{EngineState, Facts};
pub use handover::Handover;

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The engine answers.
    Ready(Box<Engine>),
    /// The engine runs, but this process may not use it: [`Handover::exec`] goes on in one that may.
    Handover(Handover),
}

/// Why set-up could not be done. Commands in here work as pasted.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The distribution's packages are not known here.
    #[error("cannot set up Docker on {system}: only Debian and Ubuntu are known")]
    UnknownSystem {
        /// `Fedora Linux 42`, `macOS`.
        system: String,
        /// What to do by hand.
        by_hand: String,
    },
    /// Neither root nor sudo.
    #[error("cannot set up Docker: this takes root or sudo")]
    NotPermitted {
        /// The same by hand.
        command: String,
    },
    /// sudo wants a password, and there is nobody to type it.
    #[error("cannot set up Docker: sudo asks for a password, and there is no terminal to type it")]
    NeedsPassword {
        /// The same by hand.
        command: String,
    },
    /// Somebody chose an engine, and that one is not ours to set up.
    #[error("cannot set up the engine at {endpoint}: it was chosen by {source_of_choice}")]
    Chosen {
        /// Where it should be.
        endpoint: String,
        /// `DOCKER_HOST`, `context colima`.
        source_of_choice: String,
    },
    /// There is an engine in the place of the new one, and it will not do.
    #[error("cannot set up Docker: an engine is there already: {attempt}")]
    Unusable {
        /// Where, and what is the matter with it.
        attempt: String,
    },
    /// A command failed.
    #[error("`{command}` failed{}", code.map(|code| format!(" with exit code {code}")).unwrap_or_default())]
    Command {
        /// What was run.
        command: String,
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        /// The last lines that it said.
        tail: Vec<String>,
    },
    /// A command could not be run.
    #[error("cannot run `{command}`")]
    NotRun {
        /// What was to be run.
        command: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The engine was started and does not answer.
    #[error("the engine was started, but {} after {:.0?}", if *ended { "ended" } else { "does not answer" }, waited)]
    NoAnswer {
        /// Its process was seen, and is gone.
        ended: bool,
        /// How long we waited.
        waited: Duration,
        /// What was tried.
        unreachable: Unreachable,
        /// Its log.
        log: Option<PathBuf>,
        /// The log's last lines.
        tail: Vec<String>,
    },
    /// It runs, and even the group of its socket does not help.
    #[error("the engine runs, but {socket} may not be used, not even with its group")]
    StillDenied {
        /// The socket.
        socket: String,
    },
}

/// Install what is missing, start the engine, wait until it answers.
///
/// To be called when [`engine::docker::connect::connect`] found none. May ask for sudo's password on the
/// terminal, before anything is told to `journal`.
pub async fn run(request: &Request<'_>, unreachable: &Unreachable, journal: &Journal) -> Result<Outcome, SetupError> {
    let engine = facts::engine(unreachable)?;
    let facts = Facts::look(engine).await;
    let steps = plan::plan(&facts)?;
    run::run(&steps, &facts, request, journal).await
}

/// Install what the image recipes need, if it is not there: for when the engine answers, but no registry does.
pub async fn recipe_tools(journal: &Journal) -> Result<(), SetupError> {
    let facts = Facts::look(EngineState::Running).await;
    let steps = plan::plan(&facts)?;
    run::packages(&steps, &facts, journal).await
}

/// A command of this executable, as it can be pasted: by name when the shell would find it, else by path.
pub fn command_line(exe: &Path, on_path: bool, args: &[&str]) -> String {
    let exe = if on_path { exe.file_name().map_or(exe, Path::new) } else { exe };
    let words = std::iter::once(exe.to_string_lossy()).chain(args.iter().map(|arg| (*arg).into()));
    words.map(|word| shell::quote(&word)).collect::<Vec<_>>().join(" ")
}

/// True when the shell would find this very executable by its name.
pub fn on_path(exe: &Path, path: Option<&std::ffi::OsStr>) -> bool {
    let (Some(name), Some(path), Ok(exe)) = (exe.file_name(), path, exe.canonicalize()) else { return false };
    let first = std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| file.is_file());
    first.and_then(|file| file.canonicalize().ok()).is_some_and(|file| file == exe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_can_be_pasted() {
        let hint = |exe: &str, on_path| command_line(Path::new(exe), on_path, &["up", "--setup"]);
        assert_eq!(hint("/opt/banyan", true), "banyan up --setup");
        assert_eq!(hint("/opt/banyan", false), "/opt/banyan up --setup");
        assert_eq!(hint("/it's mine/banyan", false), r"'/it'\''s mine/banyan' up --setup");
    }

    #[test]
    fn only_the_executable_that_the_shell_finds_is_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
        for place in [&ours, &other] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("banyan"), "").unwrap();
        }
        let path = |folders: &[&PathBuf]| std::env::join_paths(folders).unwrap();
        let exe = ours.join("banyan");
        assert!(on_path(&exe, Some(&path(&[&ours, &other]))));
        assert!(!on_path(&exe, Some(&path(&[&other, &ours]))));
        assert!(!on_path(&exe, None));
    }
}
