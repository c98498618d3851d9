//! The executable on a terminal: live lines, colours, questions.

use super::Small;
use crate::support::{BANYAN, Run};

fn cache(name: &str) -> Small {
    Small::new(name)
        .cache("cache", "command: [redis-server, --appendonly, \"yes\"]\nvolumes: [\"data:/data\"]\n")
        .rest("volumes: { data: {} }\n")
}

/// Runs a command on a terminal of its own, on which somebody types; what both streams showed.
fn on_terminal(small: &Small, variables: &str, args: &str, typed: &str) -> Run {
    let line = format!("stty cols 100 rows 30; exec '{BANYAN}' --file compose.yaml {args}");
    small.stage.sh(&format!("printf '{typed}' | {variables} TERM=xterm-256color script -qec \"{line}\" /dev/null"))
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
    let run = on_terminal(&small, "", "up", "");
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("\x1b[2K"), "lines are drawn again: {:?}", run.stdout);
    assert!(has_colour(&run.stdout), "{:?}", run.stdout);
    assert!(run.stdout.contains("ready") && run.stdout.contains("redis://localhost:"), "{}", run.stdout);
    small.ok(&["down"]);
    for (variables, args) in [("NO_COLOR=1", "up"), ("", "--color never status")] {
        let run = on_terminal(&small, variables, args, "");
        assert_eq!(run.code, 0, "{}", run.stdout);
        assert!(!has_colour(&run.stdout), "{args}: {:?}", run.stdout);
    }
}

#[test]
fn a_reset_asks_and_takes_no_for_an_answer() {
    let small = cache("asks");
    small.ok(&["up"]);
    small.redis("cache", "set kept yes");
    let run = on_terminal(&small, "", "reset", "n\\n");
    assert_eq!(run.code, 1, "{}", run.stdout);
    for part in ["_data", "Delete them? [y/N]", "nothing was changed"] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    assert_eq!(small.redis("cache", "get kept"), "yes");
    let run = on_terminal(&small, "", "reset", "y\\n");
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(small.redis("cache", "get kept"), "");
}
