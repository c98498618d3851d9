//! Running commands and waiting, with nothing of the machine's own touched.

use std::sync::{Arc, Mutex};

use engine::docker::connect::{Failure, Request};
use engine::progress::{Progress, Reporter};

use super::*;

#[derive(Default)]
struct Said(Mutex<Vec<String>>);

impl Reporter for Said {
    fn report(&self, progress: &Progress) {
        let note = progress.note.clone().unwrap_or_default();
        self.0.lock().unwrap().push(format!("{} {}: {note}", progress.name, progress.phase.word()));
    }
}

#[tokio::test]
async fn a_command_is_shown_as_it_is_run_and_its_last_words_are_kept() {
    let said = Arc::new(Said::default());
    let journal = Journal::new(said.clone());
    let line = "seq 1 100; echo 'E: no such package' >&2; exit 3";
    let done = told(&Shell::new(["sh", "-c", line]), "packages", "installing", &journal).await;
    match fail("packages", done, &journal).unwrap_err() {
        SetupError::Command { code: Some(3), tail, .. } => {
            assert_eq!((tail.len(), tail.first().unwrap().as_str()), (TAIL, "82"));
            assert_eq!(tail.last().unwrap(), "E: no such package");
        }
        other => panic!("{other:?}"),
    }
    let said = said.0.lock().unwrap();
    assert_eq!(said[0], r"packages installing: sh -c 'seq 1 100; echo '\''E: no such package'\'' >&2; exit 3'");
    assert!(said[1].starts_with("packages failed: ") && said.len() == 2, "{said:?}");
}

#[tokio::test]
async fn a_command_that_is_not_there_is_named() {
    let missing = spoken(&Shell::new(["no-such-command-here", "x"])).await;
    assert!(matches!(missing, Err(SetupError::NotRun { command, .. }) if command == "no-such-command-here x"));
}

#[tokio::test]
async fn patience_ends_with_what_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let host = Some(format!("unix://{}", folder.path().join("none.sock").display()));
    let request = Request { host, env: &|_: &str| None, home: None, uid: 0 };
    match wait::answer(&request, Duration::from_millis(1), None).await {
        Awaited::Nothing { unreachable, .. } => {
            assert!(matches!(unreachable.attempts[0].failure, Failure::Missing), "{unreachable}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_what_a_log_says_since_the_start_counts() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("dockerd.log");
    std::fs::write(&log, "old\nnew one\n\nnew two\n").unwrap();
    assert_eq!(tail_of(&log, 4), ["new one", "new two"]);
    assert!(tail_of(&log, 400).is_empty());
    assert!(tail_of(&folder.path().join("none"), 0).is_empty());
}
