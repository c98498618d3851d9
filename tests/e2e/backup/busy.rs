//! A stack that is used while it is backed up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backup;
use crate::support::filled::{fill, mortal, publish, sql};
use crate::support::{Stage, eventually, heavy};

#[test]
fn a_backup_of_a_busy_stack_can_be_restored() {
    let _alone = heavy();
    let stage = Stage::core("busy");
    stage.ok(&["up"]);
    fill(&stage, 500, 200);
    while_others_append(&stage);
    while_others_publish(&stage);
    no_longer_than_allowed(&stage);
    without_a_store(&stage);
    stage.ok(&["down", "-v", "--no-snapshot"]);
}

/// Somebody outside of the project appends while the backup is made: what it holds is a beginning of the log.
fn while_others_append(stage: &Stage) {
    let name = format!("{}-postgres", stage.project());
    let append = "DO $$ BEGIN FOR n IN 1..100000 LOOP \
        INSERT INTO events SELECT coalesce(max(position), 0) + 1, gen_random_uuid(), 'w', 'W', gen_random_uuid()::text, 1, 'W', 1, \
            '{}', '{}', now(), NULL, NULL FROM events; COMMIT; END LOOP; END $$";
    let mut command = std::process::Command::new("docker");
    command
        .args(["exec", &name, "psql", "-U", "actor_user", "eventstore", "-qc", append])
        .env_clear()
        .envs(stage.env());
    let mut writer = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually(Duration::from_secs(20), "events come in", || {
        sql(stage, "SELECT count(*) FROM events WHERE service = 'w'") != "0"
    });
    let made = backup(stage, &["--to", "busy.banyan"]);
    let still = sql(stage, "SELECT max(position) FROM events").parse::<u64>().unwrap();
    sql(stage, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'");
    writer.wait().unwrap();
    let stores = made["manifest"]["stores"].as_array().unwrap();
    let counts = &stores.iter().find(|s| s["name"] == "postgres").unwrap()["counts"];
    let (rows, last) = (&counts["eventstore/public.events"], &counts["eventstore/public.events#position"]);
    assert_eq!(rows, last, "without a gap");
    assert!(last.as_u64().unwrap() < still, "the writer went on: {last} {still}");
    stage.ok(&["backup", "verify", "busy.banyan", "--restore"]);
    sql(stage, "DELETE FROM events WHERE service = 'w'");
}

/// Somebody outside of the project publishes all the while, some messages end with the node, and some expire: none of
/// that is a loss.
fn while_others_publish(stage: &Stage) {
    mortal(stage, 50);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 100_000;
            while !over.load(Ordering::Relaxed) {
                publish(stage, next..next + 20);
                next += 20;
            }
        });
        let made = backup(stage, &["--to", "published.banyan"]);
        let online = backup(stage, &["--to", "online.banyan", "--online"]);
        over.store(true, Ordering::Relaxed);
        assert_eq!(made["manifest"]["consistency"], "paused");
        assert_eq!(online["manifest"]["consistency"], "per-store");
    });
    for file in ["published.banyan", "online.banyan"] {
        stage.ok(&["backup", "verify", file, "--restore"]);
    }
}

/// A window that would take too long is closed, and nothing is left of it.
fn no_longer_than_allowed(stage: &Stage) {
    let failed = stage.banyan(&["backup", "--to", "late.banyan", "--longest-pause", "1ms"]);
    assert_eq!(failed.code, 11, "{}", failed.stderr);
    assert!(failed.stderr.contains("--longest-pause"), "{}", failed.stderr);
    assert!(!stage.folder().join("late.banyan").exists());
    let project = format!("label=com.docker.compose.project={}", stage.project());
    assert_eq!(stage.docker(&["ps", "-q", "--filter", &project, "--filter", "status=paused"]), "");
    super::left_behind(stage);
}

fn without_a_store(stage: &Stage) {
    let name = format!("{}-redis", stage.project());
    stage.docker(&["stop", &name]);
    let made = backup(stage, &["--to", "without.banyan"]);
    assert_eq!(made["manifest"]["skipped"][0]["name"], "redis", "{made}");
    let refused = stage.banyan(&["restore", "without.banyan", "--only", "redis", "--yes"]);
    assert_eq!(refused.code, 12, "{}", refused.stderr);
    assert!(refused.stderr.contains("skipped"), "{}", refused.stderr);
    stage.ok(&["up"]);
}
