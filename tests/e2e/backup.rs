//! Backups and restores of the built-in stack, compared to the row, the message, the key and the byte.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{changed, containers};
use crate::support::filled::{assert_same, contents, fill, redis, sql, wreck};
use crate::support::{Stage, eventually, heavy, run};

/// Writes a backup; what the command said of it.
#[track_caller]
fn backup(stage: &Stage, more: &[&str]) -> Value {
    stage.ok(&[&["backup", "--output", "json"], more].concat()).json()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key}: {value}"))
}

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
    assert_eq!((before.count("t.classic"), before.count("t.quorum")), (1000, 1000));
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
    let undo =
        again.stderr.lines().find_map(|l| l.strip_prefix("undo it: ")).unwrap_or_else(|| panic!("{}", again.stderr));
    let undone = stage.sh(undo);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_same(&contents(&stage), &emptied, "restored");

    // one store alone
    redis(&stage, &["set", "t:later", "x"]);
    stage.ok(&["restore", &file, "--only", "postgres", "--yes", "--no-snapshot"]);
    assert_eq!(redis(&stage, &["get", "t:later"]), "x");
    assert!(contents(&stage) != before, "there is a key more");
    stage.ok(&["restore", &file, "--only", "redis", "--yes", "--no-snapshot"]);
    assert_same(&contents(&stage), &before, "restored");

    while_others_write(&stage);
    without_a_store(&stage);
    encrypted(&stage);
    proved_and_removed(&stage, &file);
    beside_itself(&stage, &file, &before);
    damaged_files_change_nothing(&stage, &file, &before);
    plain_sql(&stage);
    resets_can_be_undone(&stage);
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

/// Somebody outside of the project appends while the backup is made: what it holds is a beginning of the log.
fn while_others_write(stage: &Stage) {
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

fn encrypted(stage: &Stage) {
    let with = |passphrase: &str, args: &[&str]| {
        let mut command = stage.bare(&[&["--instance", stage.instance.as_str()], args].concat());
        command.env("BANYAN_BACKUP_PASSPHRASE", passphrase);
        run(command)
    };
    let made = with("right", &["backup", "--to", "sealed.banyan"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let bytes = std::fs::read(stage.folder().join("sealed.banyan")).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1"));
    assert_eq!(with("right", &["backup", "verify", "sealed.banyan"]).code, 0);
    for passphrase in ["wrong", ""] {
        let refused = with(passphrase, &["restore", "sealed.banyan", "--yes"]);
        assert_eq!(refused.code, 13, "{}", refused.stderr);
    }
}

fn proved_and_removed(stage: &Stage, file: &str) {
    let was = containers(stage, &stage.project());
    stage.ok(&["backup", "verify", file, "--restore"]);
    assert_eq!(containers(stage, &stage.project()), was, "nothing of the project is touched");
    left_behind(stage);
}

fn beside_itself(stage: &Stage, file: &str, before: &crate::support::filled::Contents) {
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

fn damaged_files_change_nothing(stage: &Stage, file: &str, before: &crate::support::filled::Contents) {
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

/// The seed's own commands, and ours, in both directions.
fn plain_sql(stage: &Stage) {
    let rows = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM t_rows t";
    let before = sql(stage, rows);
    stage.ok(&["backup", "--format", "sql", "--to", "ours.sql"]);
    let name = format!("{}-postgres", stage.project());
    let theirs = stage.sh(&format!("docker exec {name} pg_dump -U actor_user eventstore > theirs.sql"));
    assert_eq!(theirs.code, 0, "{}", theirs.stderr);
    for file in ["ours.sql", "theirs.sql"] {
        sql(stage, "DELETE FROM t_rows");
        stage.ok(&["restore", file, "--yes", "--no-snapshot"]);
        assert_eq!(sql(stage, rows), before, "{file}");
    }
    // psql takes it as well
    let fed = stage.sh(&format!(
        "docker exec {name} createdb -U actor_user copy && docker exec -i {name} psql -U actor_user -v ON_ERROR_STOP=1 -q copy < ours.sql"
    ));
    assert_eq!(fed.code, 0, "{}", fed.stderr);
    // a mistake in it changes nothing
    let mut text = std::fs::read_to_string(stage.folder().join("ours.sql")).unwrap();
    text.push_str("\nSELECT no_such_function();\n");
    stage.write("broken.sql", &text);
    let failed = stage.banyan(&["restore", "broken.sql", "--yes", "--no-snapshot"]);
    assert_eq!(failed.code, 11, "{}", failed.stderr);
    assert_eq!(sql(stage, rows), before);
}

fn resets_can_be_undone(stage: &Stage) {
    let before = contents(stage);
    let reset = stage.ok(&["reset", "--yes"]);
    assert_eq!(sql(stage, "SELECT to_regclass('t_rows') IS NULL"), "t");
    let undo =
        reset.stderr.lines().find_map(|l| l.strip_prefix("undo it: ")).unwrap_or_else(|| panic!("{}", reset.stderr));
    let undone = stage.sh(undo);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_same(&contents(stage), &before, "restored");

    let down = stage.ok(&["down", "-v"]);
    assert_eq!(stage.leftovers(&stage.project()), [""; 0]);
    let undo =
        down.stderr.lines().find_map(|l| l.strip_prefix("undo it: ")).unwrap_or_else(|| panic!("{}", down.stderr));
    let undone = stage.sh(undo);
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_same(&contents(stage), &before, "restored");
    stage.ok(&["down", "-v", "--no-snapshot"]);
}
