//! What there is on this machine, as far as set-up has to know.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use engine::docker::connect::{Attempt, Failure, Unreachable};

use super::SetupError;

/// The operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum System {
    /// Debian, or made from it.
    Debian,
    /// Ubuntu, or made from it.
    Ubuntu,
    /// Another Linux.
    OtherLinux {
        /// `fedora`
        id: String,
        /// `Fedora Linux 42`
        name: String,
    },
    /// macOS.
    MacOs,
    /// Anything else.
    Windows,
}

/// How to become root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// We are.
    Root,
    /// sudo does not ask.
    Sudo,
    /// sudo asks for a password, and somebody can type it.
    SudoAsks,
    /// sudo asks for a password, and nobody can type it.
    SudoCannotAsk,
    /// No sudo here.
    None,
}

/// The engine in the default place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineState {
    /// Not installed.
    Missing,
    /// Installed, not running.
    Stopped,
    /// Its socket is there, and this user may not use it.
    Denied,
    /// It answers.
    Running,
}

/// All that decides what has to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The operating system.
    pub system: System,
    /// How to become root.
    pub privilege: Privilege,
    /// systemd runs this machine.
    pub systemd: bool,
    /// The engine in the default place.
    pub engine: EngineState,
    /// The recipes' tool is there.
    pub mmdebstrap: bool,
    /// The keys of Debian's archive are there.
    pub keyring: bool,
}

impl Facts {
    /// Look around. Runs `sudo -n true`, which changes nothing.
    pub async fn look(engine: EngineState) -> Self {
        Self {
            system: system(),
            privilege: privilege().await,
            systemd: Path::new("/run/systemd/system").is_dir(),
            engine,
            mmdebstrap: find("mmdebstrap").is_some(),
            keyring: Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists(),
        }
    }
}

/// The places where the distribution's own engine listens.
const DEFAULT: [&str; 2] = ["unix:///var/run/docker.sock", "unix:///run/docker.sock"];

/// What the failed connection tells about the engine in the default place.
pub fn engine(unreachable: &Unreachable) -> Result<EngineState, SetupError> {
    let default = in_default_place(unreachable);
    if let (true, None, Some(chosen)) = (unreachable.explicit, default, unreachable.attempts.first()) {
        let (endpoint, source_of_choice) = (chosen.endpoint.clone(), chosen.source.clone());
        return Err(SetupError::Chosen { endpoint, source_of_choice });
    }
    let installed = if find("dockerd").is_some() { EngineState::Stopped } else { EngineState::Missing };
    let Some(attempt) = default else { return Ok(installed) };
    match attempt.failure {
        Failure::PermissionDenied => Ok(EngineState::Denied),
        Failure::Missing | Failure::Refused | Failure::Closed | Failure::TimedOut { .. } => Ok(installed),
        _ => Err(SetupError::Unusable { attempt: attempt.to_string() }),
    }
}

/// The attempt at the place where the distribution's own engine listens.
pub fn in_default_place(unreachable: &Unreachable) -> Option<&Attempt> {
    unreachable.attempts.iter().find(|attempt| DEFAULT.contains(&attempt.endpoint.as_str()))
}

/// The folders of the system's own tools, which an ordinary user's path may lack.
pub const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Where an executable is.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn system() -> System {
    if cfg!(target_os = "macos") {
        return System::MacOs;
    }
    if !cfg!(target_os = "linux") {
        return System::Windows;
    }
    let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
    distribution(&text.unwrap_or_default())
}

fn distribution(os_release: &str) -> System {
    let value = |key: &str| {
        let lines = os_release.lines().filter_map(|line| line.trim().split_once('='));
        let value =
            lines.filter(|(name, _)| *name == key).map(|(_, value)| value.trim_matches(['"', '\''])).next_back();
        value.unwrap_or_default().to_owned()
    };
    let id = value("ID");
    // what is made from Ubuntu says `ubuntu debian`: the first one that we know is the nearest
    let family = format!("{id} {}", value("ID_LIKE"));
    for name in family.split_whitespace() {
        match name {
            "debian" => return System::Debian,
            "ubuntu" => return System::Ubuntu,
            _ => {}
        }
    }
    let name = Some(value("PRETTY_NAME")).filter(|name| !name.is_empty());
    System::OtherLinux { name: name.unwrap_or_else(|| "this Linux".to_owned()), id }
}

async fn privilege() -> Privilege {
    if is_root() {
        return Privilege::Root;
    }
    if find("sudo").is_none() {
        return Privilege::None;
    }
    let mut quiet = tokio::process::Command::new("sudo");
    quiet.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if quiet.status().await.is_ok_and(|status| status.success()) {
        Privilege::Sudo
    } else if std::io::stdin().is_terminal() {
        Privilege::SudoAsks
    } else {
        Privilege::SudoCannotAsk
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_told_by_their_family() {
        assert_eq!(distribution("NAME=x\nID=debian\nVERSION_ID=\"12\"\n"), System::Debian);
        assert_eq!(distribution("ID=ubuntu\nID_LIKE=debian\n"), System::Ubuntu);
        assert_eq!(distribution("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), System::Ubuntu);
        assert_eq!(distribution("ID='raspbian'\nID_LIKE=debian\n"), System::Debian);
        let fedora = System::OtherLinux { id: "fedora".to_owned(), name: "Fedora Linux 42".to_owned() };
        assert_eq!(distribution("ID=fedora\nPRETTY_NAME=\"Fedora Linux 42\"\n"), fedora);
        assert_eq!(distribution(""), System::OtherLinux { id: String::new(), name: "this Linux".to_owned() });
    }

    fn failed(endpoint: &str, failure: Failure, explicit: bool) -> Unreachable {
        let attempt = Attempt { endpoint: endpoint.to_owned(), source: "DOCKER_HOST".to_owned(), failure };
        Unreachable { attempts: vec![attempt], explicit }
    }

    #[test]
    fn a_chosen_engine_is_not_replaced() {
        let chosen = failed("tcp://build:2375", Failure::Refused, true);
        assert!(matches!(engine(&chosen), Err(SetupError::Chosen { .. })));
        assert!(engine(&failed("unix:///var/run/docker.sock", Failure::Missing, true)).is_ok());
    }

    #[test]
    fn an_engine_that_answers_wrongly_is_not_set_up_over() {
        let broken = failed(DEFAULT[0], Failure::NotDocker { answer: "SSH-2.0".to_owned() }, false);
        assert!(matches!(engine(&broken), Err(SetupError::Unusable { .. })));
        let denied = failed(DEFAULT[0], Failure::PermissionDenied, false);
        assert!(matches!(engine(&denied), Ok(EngineState::Denied)));
    }
}
