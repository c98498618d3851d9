//! From what there is to what has to be done. Pure.

use super::SetupError;
use super::facts::{EngineState, Facts, Privilege, System};
use super::shell::Shell;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Have sudo ask for the password, once, before anything else is on the screen.
    AskPassword,
    /// Fetch the lists of packages.
    UpdateLists,
    /// Install packages.
    Install {
        /// The packages.
        packages: Vec<&'static str>,
        /// Those which not every release has, and which are left out there.
        if_offered: Vec<&'static str>,
    },
    /// Start the engine.
    Start(Start),
    /// Wait until it answers.
    Wait,
}

/// A way to start the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As a unit of systemd.
    Systemd,
    /// By its init script, and directly if that does not help.
    Service,
    /// Directly, in a session of its own.
    Daemon,
}

/// Where an engine that is started directly writes its log.
pub const DAEMON_LOG: &str = "/var/log/dockerd.log";

/// What has to be done, in order.
pub fn plan(facts: &Facts) -> Result<Vec<Step>, SetupError> {
    let work = work(facts);
    if work.is_empty() {
        return Ok(work);
    }
    if let Some((system, by_hand)) = unknown(facts) {
        return Err(SetupError::UnknownSystem { system, by_hand });
    }
    match facts.privilege {
        Privilege::Root | Privilege::Sudo => Ok(work),
        Privilege::SudoAsks => Ok([vec![Step::AskPassword], work].concat()),
        Privilege::SudoCannotAsk => Err(SetupError::NeedsPassword { command: with_sudo(&work) }),
        Privilege::None => Err(SetupError::NotPermitted { command: with_su(&work) }),
    }
}

fn work(facts: &Facts) -> Vec<Step> {
    let (mut packages, mut if_offered) = (Vec::new(), Vec::new());
    if facts.engine == EngineState::Missing {
        // without apparmor no container starts where the kernel has it; without certificates nothing is pulled
        packages.extend(["docker.io", "apparmor", "ca-certificates"]);
        if_offered.push("docker-cli");
    }
    if matches!(facts.system, System::Debian | System::Ubuntu) || facts.engine == EngineState::Running {
        if !facts.mmdebstrap {
            packages.extend(["mmdebstrap", "gpg", "uidmap"]);
        }
        if facts.system == System::Ubuntu && !facts.keyring {
            packages.push("debian-archive-keyring");
        }
    }
    let mut steps = Vec::new();
    if !packages.is_empty() {
        steps.extend([Step::UpdateLists, Step::Install { packages, if_offered }]);
    }
    if matches!(facts.engine, EngineState::Missing | EngineState::Stopped) {
        steps.push(Step::Start(if facts.systemd { Start::Systemd } else { Start::Service }));
    }
    if facts.engine != EngineState::Running {
        steps.push(Step::Wait);
    }
    steps
}

/// The system's name and what to do by hand, where we cannot do it.
fn unknown(facts: &Facts) -> Option<(String, String)> {
    let (system, id) = match &facts.system {
        System::Debian | System::Ubuntu => return None,
        System::OtherLinux { .. } if facts.engine == EngineState::Denied => return None,
        System::OtherLinux { id, name } => (name.as_str(), id.as_str()),
        System::MacOs => ("macOS", "macos"),
        System::Windows => ("this system", "windows"),
    };
    let by_hand = match (facts.engine, id) {
        (EngineState::Running, "fedora") => "install mmdebstrap: `sudo dnf install mmdebstrap`",
        (EngineState::Running, _) => {
            "the image recipes need mmdebstrap: build them on Debian or Ubuntu, and bring them"
        }
        (_, "macos") => "install Docker Desktop, OrbStack or Colima: `brew install colima docker && colima start`",
        (_, "windows") => "install Docker Desktop, or use WSL with Debian or Ubuntu",
        (EngineState::Stopped, _) if facts.systemd => "start the engine: `sudo systemctl start docker`",
        (EngineState::Stopped, _) => "start the engine: `sudo service docker start`",
        (_, "fedora") => "install Docker: `sudo dnf install moby-engine && sudo systemctl start docker`",
        (_, "arch") => "install Docker: `sudo pacman -S docker && sudo systemctl start docker`",
        (_, "alpine") => "install Docker: `sudo apk add docker && sudo rc-service docker start`",
        (_, id) if id.starts_with("opensuse") => {
            "install Docker: `sudo zypper install docker && sudo systemctl start docker`"
        }
        _ => "install Docker Engine 20.10 or newer from your distribution and start it",
    };
    Some((system.to_owned(), by_hand.to_owned()))
}

/// All commands in one line, through sudo. None: the engine runs, and only the group of its socket is missing.
fn with_sudo(steps: &[Step]) -> String {
    let commands = steps.iter().filter_map(Step::command).map(|command| command.with_sudo().to_string());
    match commands.collect::<Vec<_>>() {
        none if none.is_empty() => "sudo usermod -aG docker \"$USER\"".to_owned(),
        commands => commands.join(" && "),
    }
}

/// The same for machines without sudo.
fn with_su(steps: &[Step]) -> String {
    let commands = steps.iter().filter_map(Step::command).map(|command| command.to_string());
    match commands.collect::<Vec<_>>() {
        none if none.is_empty() => "su - -c \"usermod -aG docker $USER\"".to_owned(),
        commands => Shell::new(["su", "-", "-c", &commands.join(" && ")]).to_string(),
    }
}

impl Step {
    /// The command for it, to be run as root.
    pub fn command(&self) -> Option<Shell> {
        match self {
            Step::AskPassword | Step::Wait => None,
            Step::UpdateLists => Some(Shell::new(["apt-get", "update"])),
            Step::Install { packages, .. } => Some(install(packages)),
            Step::Start(start) => Some(start.command()),
        }
    }
}

/// Asks nothing, removes nothing, restarts nothing, and waits for whoever else installs at the moment.
pub fn install(packages: &[&str]) -> Shell {
    let Shell(mut words) = Shell::new(["env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=l", "apt-get"]);
    let Shell(options) = Shell::new(["-y", "--no-install-recommends", "--no-remove", "-o", "DPkg::Lock::Timeout=300"]);
    words.push("install".to_owned());
    words.extend(options);
    words.extend(packages.iter().map(|package| (*package).to_owned()));
    Shell(words)
}

impl Start {
    /// The command for it, to be run as root.
    pub fn command(self) -> Shell {
        match self {
            Start::Systemd => Shell::new(["systemctl", "start", "docker"]),
            Start::Service => Shell::new(["service", "docker", "start"]),
            Start::Daemon => {
                let line = format!("nohup setsid --fork dockerd >>{DAEMON_LOG} 2>&1 </dev/null");
                Shell::new(["sh", "-c", &line])
            }
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
