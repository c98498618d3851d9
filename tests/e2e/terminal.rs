//! The executable on a terminal: live lines, colours, questions.

use super::Small;
use crate::support::{BANYAN, Run};

fn cache(name: &str) -> Small {
    Small::new(name)
        .cache("cache", "command: [redis-server, --appendonly, \"yes\"]\nvolumes: [\"data:/data\"]\n")
        .rest("volumes: { data: {} }\n")
}

/// A command line that runs banyan on a terminal of its own, where its standard input is typed and both its streams
/// show.
pub fn on_terminal(variables: &str, args: &str) -> String {
    let line = format!("stty cols 100 rows 30; exec '{BANYAN}' --file compose.yaml {args}");
    format!("{variables} TERM=xterm-256color script -qec \"{line}\" /dev/null")
}

/// Runs it while somebody types.
fn typed(small: &Small, variables: &str, args: &str, typed: &str) -> Run {
    small.stage.sh(&format!("printf '{typed}' | {}", on_terminal(variables, args)))
}

/// The text has a sequence that colours.
fn has_colour(text: &str) -> bool {
    text.split("\x1b[").skip(1).any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';');
        end.is_some_and(|end| rest[end..].starts_with('m'))
    })
}

#[test]
fn lines_are_live_and_colours_can_be_switched_off() {
    let small = cache("live");
    let run = typed(&small, "", "up", "");
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("\x1b[2K"), "lines are drawn again: {:?}", run.stdout);
    assert!(has_colour(&run.stdout), "{:?}", run.stdout);
    assert!(run.stdout.contains("ready") && run.stdout.contains("redis://localhost:"), "{}", run.stdout);
    small.ok(&["down"]);
    for (variables, args) in [("NO_COLOR=1", "up"), ("", "--color never status")] {
        let run = typed(&small, variables, args, "");
        assert_eq!(run.code, 0, "{}", run.stdout);
        assert!(!has_colour(&run.stdout), "{args}: {:?}", run.stdout);
    }
}

#[test]
fn a_reset_asks_and_takes_no_for_an_answer() {
    let small = cache("asks");
    small.ok(&["up"]);
    small.redis("cache", "set kept yes");
    let run = typed(&small, "", "reset", "n\\n");
    assert_eq!(run.code, 1, "{}", run.stdout);
    for part in ["_data", "Delete them? [y/N]", "nothing was changed"] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    assert_eq!(small.redis("cache", "get kept"), "yes");
    let run = typed(&small, "", "reset", "y\\n");
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(small.redis("cache", "get kept"), "");
}
