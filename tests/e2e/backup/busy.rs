//! A stack that is used while it is backed up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::backup;
use crate::support::filled::{APPENDING, fill, mortal, publish, sql};
use crate::support::{Stage, eventually, heavy};

#[test]
fn a_backup_of_a_busy_stack_can_be_restored() {
    let _alone = heavy();
    let stage = Stage::core("busy");
    stage.ok(&["up"]);
    fill(&stage, 500, 200);
    while_others_work(&stage);
    no_longer_than_allowed(&stage);
    without_a_store(&stage);
    stage.ok(&["down", "-v", "--no-snapshot"]);
}

/// Ends what waits for it, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Somebody outside of the project appends and publishes all the while, some messages end with the node, and some expire.
/// What a backup holds of the log is a beginning, and none of it is a loss.
fn while_others_work(stage: &Stage) {
    let name = format!("{}-postgres", stage.project());
    let append = "DO $$ BEGIN FOR n IN 1..1000000 LOOP PERFORM pg_advisory_xact_lock(LOCK); \
        INSERT INTO events SELECT coalesce(max(position), 0) + 1, gen_random_uuid(), 'w', 'W', gen_random_uuid()::text, 1, 'W', 1, \
            '{}', '{}', now(), NULL, NULL FROM events; COMMIT; END LOOP; END $$"
        .replace("LOCK", &APPENDING.to_string());
    let mut command = std::process::Command::new("docker");
    command
        .args(["exec", &name, "psql", "-U", "actor_user", "eventstore", "-qc", &append])
        .env_clear()
        .envs(stage.env());
    let mut writer = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually(Duration::from_secs(20), "events come in", || {
        sql(stage, "SELECT count(*) FROM events WHERE service = 'w'") != "0"
    });
    mortal(stage, 50);
    let over = AtomicBool::new(false);
    let (paused, online) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 100_000;
            while !over.load(Ordering::Relaxed) {
                publish(stage, next..next + 20);
                next += 20;
            }
        });
        let _over = Over(&over);
        (backup(stage, &["--to", "paused.banyan"]), backup(stage, &["--to", "online.banyan", "--online"]))
    });
    let still = sql(stage, "SELECT max(position) FROM events").parse::<u64>().unwrap();
    sql(stage, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'");
    writer.wait().unwrap();
    assert_eq!(paused["manifest"]["consistency"], "paused");
    assert_eq!(online["manifest"]["consistency"], "per-store");
    for (file, made) in [("paused.banyan", &paused), ("online.banyan", &online)] {
        let stores = made["manifest"]["stores"].as_array().unwrap();
        let counts = &stores.iter().find(|s| s["name"] == "postgres").unwrap()["counts"];
        let (rows, last) = (&counts["eventstore/public.events"], &counts["eventstore/public.events#position"]);
        assert_eq!(rows, last, "{file}: without a gap");
        assert!(last.as_u64().unwrap() < still, "{file}: the writer went on: {last} {still}");
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
}
