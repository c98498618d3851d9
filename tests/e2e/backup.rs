//! Backups and restores, compared to the row, the message, the key and the byte.
//!
//! The built-in stack takes ten seconds to come up, so each of its tests is a topic and shares one stack between the checks
//! of it; what needs no more than a cache has small projects of its own.

mod busy;
mod forms;
mod keeping;
mod stopped;
mod undo;
mod whole;

use serde_json::Value;

use crate::support::Stage;

/// Writes a backup; what the command said of it.
#[track_caller]
fn backup(stage: &Stage, more: &[&str]) -> Value {
    stage.ok(&[&["backup", "--output", "json"], more].concat()).json()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key}: {value}"))
}

/// The command that undoes what another one did, as that has printed it.
#[track_caller]
fn undo_of(stderr: &str) -> &str {
    stderr.lines().find_map(|l| l.strip_prefix("undo it: ")).unwrap_or_else(|| panic!("{stderr}"))
}

/// No helper container, no volume of one, and nothing of ours in the stores' folders.
#[track_caller]
fn left_behind(stage: &Stage) {
    let helpers = stage.docker(&["ps", "-aq", "--filter", &format!("label=dev.banyan.work={}", stage.project())]);
    assert_eq!(helpers, "");
    let volumes = stage.docker(&["volume", "ls", "-q", "--filter", &format!("name={}-banyan", stage.project())]);
    assert_eq!(volumes, "");
    for (service, folder) in
        [("postgres", "/var/lib/postgresql/data"), ("redis", "/data"), ("rabbitmq", "/var/lib/rabbitmq")]
    {
        let name = format!("{}-{service}", stage.project());
        let files = stage.docker(&["exec", &name, "ls", "-A", folder]);
        assert!(!files.contains(".banyan"), "{service}: {files}");
    }
}
