//! The whole stack, there and back.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::super::{changed, containers};
use super::{backup, left_behind, text, undo_of};
use crate::support::filled::{Contents, assert_same, contents, fill, leave_behind, redis, sql, wreck};
use crate::support::{Stage, heavy, run};

#[test]
fn a_filled_stack_comes_back_whole() {
    let _alone = heavy();
    let stage = Stage::core("backup");
    stage.ok(&["up"]);
    fill(&stage, 3000, 1000);
    let made = backup(&stage, &[]);
    let file = text(&made, "file").to_owned();
    assert!(made["window_ms"].as_u64().unwrap() <= 1000, "{made}");
    assert_eq!(made["manifest"]["consistency"], "paused");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let before = contents(&stage);
    assert_eq!(["t.classic", "t.quorum", "t.unasked"].map(|queue| before.count(queue)), [1000; 3]);
    assert!(before.in_order(), "a backup changes nothing");

    let list = stage.ok(&["backup", "list", "--output", "json"]).json();
    assert_eq!(list["items"][0]["file"], file.as_str());
    let shown = stage.ok(&["backup", "show", "latest", "--output", "json"]).json();
    assert_eq!(shown["digest"], made["digest"]);
    let name = Path::new(&file).file_name().unwrap().to_str().unwrap();
    stage.ok(&["backup", "verify", name]);

    wreck(&stage);
    assert_eq!(sql(&stage, "SELECT to_regclass('t_new')::text, to_regclass('t_rows')::text"), "t_new|");
    let was = containers(&stage, &stage.project());
    let restored = stage.ok(&["restore", "latest", "--yes", "--no-snapshot"]);
    assert!(restored.stdout.contains("restored"), "{}", restored.stdout);
    let found = contents(&stage);
    assert_same(&found, &before, "restored");
    assert!(found.in_order(), "restored in order");
    assert_eq!(changed(&was, &containers(&stage, &stage.project())).len(), 6, "started again, none made anew");
    stage.ok(&["health"]);
    left_behind(&stage);

    // once more, with the data as it is now kept for an undo
    sql(&stage, "DELETE FROM t_rows");
    let emptied = contents(&stage);
    let again = stage.ok(&["restore", &file, "--yes"]);
    assert_same(&contents(&stage), &before, "restored");
    let undone = stage.sh(undo_of(&again.stderr));
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_same(&contents(&stage), &emptied, "restored");

    // one store alone
    redis(&stage, &["set", "t:later", "x"]);
    stage.ok(&["restore", &file, "--only", "postgres", "--yes", "--no-snapshot"]);
    assert_eq!(redis(&stage, &["get", "t:later"]), "x");
    assert!(contents(&stage) != before, "there is a key more");
    stage.ok(&["restore", &file, "--only", "redis", "--yes", "--no-snapshot"]);
    assert_same(&contents(&stage), &before, "restored");

    proved_and_removed(&stage, &file);
    beside_itself(&stage, &file, &before);
    damaged_files_change_nothing(&stage, &file, &before);
    a_broker_that_holds_the_same_stays(&stage);
    stage.ok(&["down", "-v", "--no-snapshot"]);
}

fn proved_and_removed(stage: &Stage, file: &str) {
    let was = containers(stage, &stage.project());
    stage.ok(&["backup", "verify", file, "--restore"]);
    assert_eq!(containers(stage, &stage.project()), was, "nothing of the project is touched");
    left_behind(stage);
}

fn beside_itself(stage: &Stage, file: &str, before: &Contents) {
    let was = containers(stage, &stage.project());
    let second = Stage::core("second");
    let mut command = second.bare(&["restore", file, "--into-instance", &second.instance, "--yes"]);
    command.current_dir(stage.folder());
    let restored = run(command);
    assert_eq!(restored.code, 0, "{}\n{}", restored.stdout, restored.stderr);
    assert_same(&contents(&second), before, "restored");
    assert_eq!(containers(stage, &stage.project()), was, "the first one goes on");
    // without saying so it is refused
    let refused = second.banyan(&["restore", file, "--yes"]);
    assert_eq!(refused.code, 12, "{}", refused.stderr);
    second.ok(&["down", "-v", "--no-snapshot"]);
}

fn damaged_files_change_nothing(stage: &Stage, file: &str, before: &Contents) {
    let whole = std::fs::read(file).unwrap();
    let damaged = stage.folder().join("damaged.banyan");
    let was = containers(stage, &stage.project());
    let mut seed = 7_u64;
    for round in 0..if crate::support::long() { 200 } else { 12 } {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = whole.clone();
        let at = (seed >> 16) as usize % bytes.len();
        match round % 4 {
            3 => bytes.truncate(at),
            _ => bytes[at] ^= 1 << (seed % 8),
        }
        std::fs::write(&damaged, &bytes).unwrap();
        let refused = stage.banyan(&["restore", "damaged.banyan", "--yes", "--no-snapshot"]);
        assert_eq!(refused.code, 13, "round {round}, byte {at}\n{}", refused.stderr);
    }
    assert_eq!(containers(stage, &stage.project()), was);
    assert_same(&contents(stage), before, "restored");
}

fn a_broker_that_holds_the_same_stays(stage: &Stage) {
    let broker = format!("{}-rabbitmq", stage.project());
    let ctl = |words: &[&str]| stage.docker(&[&["exec", &broker, "rabbitmqctl", "-q"], words].concat());
    for queue in ["t.classic", "t.quorum", "t.unasked"] {
        ctl(&["purge_queue", queue]);
    }
    // what a service listened to that is gone
    leave_behind(stage);
    let file = text(&backup(stage, &[]), "file").to_owned();
    leave_behind(stage);
    let back = || {
        let was = containers(stage, &stage.project());
        redis(stage, &["set", "t:later", "x"]);
        let restored = stage.ok(&["restore", &file, "--yes", "--no-snapshot", "--output", "json"]);
        assert_eq!(redis(stage, &["get", "t:later"]), "", "the others are restored");
        (changed(&was, &containers(stage, &stage.project())), restored.json()["unchanged"].clone())
    };
    let (restarted, unchanged) = back();
    assert_eq!(unchanged, serde_json::json!(["rabbitmq"]));
    assert!(!restarted.contains(&"rabbitmq".to_owned()) && restarted.len() == 5, "{restarted:?}");

    // whatever differs is noticed
    let policies = || ctl(&["list_policies", "--formatter", "json"]);
    ctl(&["set_policy", "short", "^t", "{\"max-length\":7}"]);
    assert!(policies().contains("short"));
    let (restarted, unchanged) = back();
    assert_eq!((restarted.len(), unchanged), (6, serde_json::json!([])));
    assert!(!policies().contains("short"), "the policy is gone");
}
