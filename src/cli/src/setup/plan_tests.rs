//! What is done where: one table.

use super::*;
use EngineState::{Denied, Missing, Running, Stopped};

const BARE: &str = "lists; install docker.io apparmor ca-certificates mmdebstrap gpg uidmap (docker-cli)";

fn facts(system: System, privilege: Privilege, systemd: bool, engine: EngineState, mmdebstrap: bool) -> Facts {
    let keyring = system == System::Debian;
    Facts { system, privilege, systemd, engine, mmdebstrap, keyring }
}

fn short(steps: &[Step]) -> String {
    let word = |step: &Step| match step {
        Step::AskPassword => "password".to_owned(),
        Step::UpdateLists => "lists".to_owned(),
        Step::Install { packages, if_offered } if if_offered.is_empty() => format!("install {}", packages.join(" ")),
        Step::Install { packages, if_offered } => format!("install {} ({})", packages.join(" "), if_offered.join(" ")),
        Step::Start(start) => format!("{start:?}"),
        Step::Wait => "wait".to_owned(),
    };
    steps.iter().map(word).collect::<Vec<_>>().join("; ")
}

fn fedora() -> System {
    System::OtherLinux { id: "fedora".to_owned(), name: "Fedora Linux 42".to_owned() }
}

#[test]
fn what_is_missing_is_installed_and_what_is_stopped_is_started() {
    use Privilege::{Root, Sudo, SudoAsks};
    use System::{Debian, Ubuntu};
    let bare = |rest: &str| format!("{BARE}; {rest}");
    let ubuntu = BARE.replace("uidmap", "uidmap debian-archive-keyring");
    for (system, privilege, systemd, engine, mmdebstrap, expected) in [
        (Debian, Root, true, Missing, false, bare("Systemd; wait")),
        (Debian, Root, false, Missing, false, bare("Service; wait")),
        (Debian, Sudo, true, Missing, false, bare("Systemd; wait")),
        (Debian, SudoAsks, false, Missing, false, format!("password; {BARE}; Service; wait")),
        (Ubuntu, Sudo, true, Missing, false, format!("{ubuntu}; Systemd; wait")),
        (Debian, Root, true, Stopped, true, "Systemd; wait".to_owned()),
        (Debian, Root, false, Stopped, false, "lists; install mmdebstrap gpg uidmap; Service; wait".to_owned()),
        (Debian, Sudo, true, Denied, true, "wait".to_owned()),
        (fedora(), SudoAsks, true, Denied, false, "password; wait".to_owned()),
        (Debian, Root, true, Running, false, "lists; install mmdebstrap gpg uidmap".to_owned()),
        (Ubuntu, Root, true, Running, true, "lists; install debian-archive-keyring".to_owned()),
        (Debian, Root, true, Running, true, String::new()),
    ] {
        let facts = facts(system, privilege, systemd, engine, mmdebstrap);
        assert_eq!(short(&plan(&facts).unwrap()), expected, "{facts:?}");
    }
}

#[test]
fn nothing_to_do_takes_no_privilege_and_no_known_system() {
    for system in [System::Debian, fedora(), System::MacOs] {
        assert_eq!(plan(&facts(system, Privilege::None, false, Running, true)).unwrap(), []);
    }
}

#[test]
fn without_the_means_the_error_holds_the_whole_command() {
    let of = |privilege, engine| plan(&facts(System::Debian, privilege, true, engine, true)).unwrap_err();
    match of(Privilege::SudoCannotAsk, Missing) {
        SetupError::NeedsPassword { command } => assert_eq!(
            command,
            "sudo apt-get update && sudo env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get install -y \
             --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 docker.io apparmor ca-certificates \
             && sudo systemctl start docker"
        ),
        other => panic!("{other:?}"),
    }
    match of(Privilege::None, Stopped) {
        SetupError::NotPermitted { command } => assert_eq!(command, "su - -c 'systemctl start docker'"),
        other => panic!("{other:?}"),
    }
    match of(Privilege::SudoCannotAsk, Denied) {
        SetupError::NeedsPassword { command } => assert_eq!(command, "sudo usermod -aG docker \"$USER\""),
        other => panic!("{other:?}"),
    }
}

#[test]
fn elsewhere_the_error_says_what_to_do_by_hand() {
    for (system, engine, expected) in [
        (fedora(), Missing, "dnf install moby-engine"),
        (fedora(), Stopped, "systemctl start docker"),
        (fedora(), Running, "dnf install mmdebstrap"),
        (System::MacOs, Missing, "colima start"),
        (System::Windows, Missing, "WSL"),
        (System::OtherLinux { id: "void".to_owned(), name: "Void".to_owned() }, Missing, "from your distribution"),
    ] {
        match plan(&facts(system, Privilege::Root, true, engine, false)) {
            Err(SetupError::UnknownSystem { by_hand, .. }) => assert!(by_hand.contains(expected), "{by_hand}"),
            other => panic!("{other:?}"),
        }
    }
}
