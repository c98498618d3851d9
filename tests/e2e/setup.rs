//! `up` where no engine answers: the question, the set-up, and going on as a user who may not use the socket.

use std::os::unix::fs::PermissionsExt;

use super::Small;
use super::terminal::on_terminal;
use crate::support::{BANYAN, Run, root, run};

/// A machine on which no engine is in any place that is known, whatever this one has: mounts of its own hide them. The
/// real one is at `engine.sock`; the programs that would change the machine are replaced.
struct Machine {
    small: Small,
}

impl Machine {
    fn new(name: &str) -> Self {
        let small = Small::new(name).cache("cache", "").rest("");
        std::fs::set_permissions(small.stage.folder(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(small.stage.folder().join("open")).unwrap();
        std::fs::set_permissions(small.stage.folder().join("open"), PermissionsExt::from_mode(0o777)).unwrap();
        let machine = Self { small };
        // whatever they are asked to do, they only write it down; an engine that is started is there at once
        machine.program("apt-get", "echo apt-get >> called");
        machine.program("service", "echo service \"$@\" >> called; ln -s \"$PWD/engine.sock\" /run/docker.sock");
        machine
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.small.stage.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Runs a command line as root; `clean` in it begins a command with the environment of a user.
    fn run(&self, line: &str) -> Run {
        let host = self.small.stage.env().get("DOCKER_HOST").map_or("/var/run/docker.sock", String::as_str);
        let engine = host.strip_prefix("unix://").unwrap_or(host);
        let path = &self.small.stage.env()["PATH"];
        let script = format!(
            "set -e
touch engine.sock banyan
mount --bind '{engine}' engine.sock
mount --bind '{BANYAN}' banyan
mount -t tmpfs tmpfs /run
clean() {{ env -i PATH=\"$PWD/bin:{path}\" HOME=\"$PWD/open\" BANYAN_DATA_DIR=\"$PWD/open/data\" LANG=C.UTF-8 \"$@\"; }}
{line}"
        );
        let mut command = root("unshare");
        command.args(["--mount", "sh", "-c", &script]).current_dir(self.small.stage.folder());
        run(command)
    }

    fn called(&self) -> String {
        std::fs::read_to_string(self.small.stage.folder().join("called")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // what others than this user have written
        let _ = root("rm").args(["-rf", "open", "called"]).current_dir(self.small.stage.folder()).status();
    }
}

const QUESTION: &str = "No Docker engine answers. Install and start one now? [y/N]";

#[test]
fn a_no_to_the_set_up_changes_nothing_and_ends_with_4() {
    let machine = Machine::new("no");
    for answer in ["n\\n", "\\n"] {
        let run = machine.run(&format!("printf '{answer}' | clean {}", on_terminal("", "up")));
        assert_eq!(run.code, 4, "{}", run.stdout);
        for part in [QUESTION, "E0401", "up --setup"] {
            assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
        }
    }
    // without a terminal nobody is asked, and the command for it can be pasted
    let run = machine.run(&format!("clean '{BANYAN}' --file compose.yaml up"));
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(!run.stderr.contains(QUESTION), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("{BANYAN} --file compose.yaml up --setup")), "{}", run.stderr);
    assert_eq!(machine.called(), "");
    assert_eq!(machine.small.leftovers(), [""; 0]);
}

#[test]
fn a_yes_starts_an_engine_and_the_same_run_goes_on() {
    let machine = Machine::new("yes");
    let run = machine.run(&format!("printf 'y\\n' | clean {}", on_terminal("", "up")));
    assert_eq!(run.code, 0, "{}", run.stdout);
    for part in [QUESTION, "redis://localhost:"] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    assert!(machine.called().contains("service docker start"), "{}", machine.called());
    assert_eq!(machine.small.inspect("cache", "{{.State.Running}}"), "true");
}

/// The socket is there, and this user may not use it.
const DENIED: &str = "touch /run/docker.sock; mount --bind engine.sock /run/docker.sock";
const AS_NOBODY: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups --";

#[test]
fn a_user_who_may_not_use_the_socket_goes_on_through_sudo_as_the_same_user() {
    let machine = Machine::new("handover");
    machine.program("sudo", "[ \"$*\" != '-n true' ] || exit 0\nprintf '%s\\n' \"$@\" > open/handed\nexit 42");
    let up = "--file compose.yaml up --setup";
    let run = machine.run(&format!("{DENIED}\nclean {AS_NOBODY} ./banyan --file compose.yaml up"));
    assert_eq!(run.code, 4, "{}", run.stderr);
    let hint = format!("or go on through sudo: {}/banyan {up}", machine.small.stage.folder().display());
    assert!(run.stderr.contains(&hint), "{hint}: {}", run.stderr);
    let run = machine.run(&format!("{DENIED}\nclean {AS_NOBODY} ./banyan {up}"));
    assert_eq!(run.code, 42, "it has become sudo: {}", run.stderr);
    assert!(run.stderr.contains("this run goes on through sudo as the same user"), "{}", run.stderr);
    let handed = std::fs::read_to_string(machine.small.stage.folder().join("open/handed")).unwrap();
    let words: Vec<&str> = handed.lines().collect();
    assert_eq!(words[..5], ["-E", "--", "setpriv", "--reuid=65534", "--regid=65534"]);
    assert!(
        words.contains(&"BANYAN_HANDED_OVER=1") && handed.ends_with("--file\ncompose.yaml\nup\n--setup\n"),
        "{handed}"
    );
    assert_eq!(machine.small.leftovers(), [""; 0]);

    // what sudo would do
    let sudo = "set --\nwhile read -r word; do set -- \"$@\" \"$word\"; done < open/handed\nshift 2";
    let run = machine.run(&format!("{DENIED}\n{sudo}\nclean \"$@\""));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(machine.small.inspect("cache", "{{.State.Running}}"), "true");
    let owner = machine.small.stage.sh("stat -c %u open/data");
    assert_eq!(owner.stdout.trim(), "65534", "what is written is the user's");

    // where the group does not help, it is not tried again and again
    let run = machine.run(&format!("{DENIED}\nclean {AS_NOBODY} env BANYAN_HANDED_OVER=1 ./banyan {up}"));
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("may not be used, not even with its group"), "{}", run.stderr);
}

#[test]
fn set_up_that_cannot_install_what_recipes_need_is_no_obstacle_where_an_engine_answers() {
    let mut small = Small::new("setup").cache("cache", "").rest("");
    let path = small.stage.env()["PATH"].clone();
    // no mmdebstrap, and neither sudo nor a package manager to get it with
    small.stage.set("PATH", "/nowhere");
    let run = small.banyan(&["up", "--setup"]);
    small.stage.set("PATH", &path);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("note: image recipes cannot be built here: "), "{}", run.stderr);
}
