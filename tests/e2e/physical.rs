//! PostgreSQL's files in a backup, with the log that leads to the moment at which it was taken.

use std::process::Stdio;
use std::time::Duration;

use crate::support::filled::{sql, sql_in};
use crate::support::{Stage, eventually};

/// Everything in the two databases that can be told from it.
fn contents(stage: &Stage) -> String {
    let rows = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM t_rows t;
        SELECT rolpassword FROM pg_authid WHERE rolname = 't_reader';
        SELECT pg_get_userbyid(datdba), datcollate, encoding FROM pg_database WHERE datname = 'other';
        SHOW work_mem;";
    format!("{}\n{}", sql(stage, rows), other(stage, "SELECT count(*), sum(n) FROM t_numbers"))
}

fn other(stage: &Stage, statement: &str) -> String {
    sql_in(stage, "other", statement)
}

#[test]
fn files_and_the_log_after_them_lead_to_the_moment() {
    let stage = Stage::core("physical");
    stage.ok(&["up", "postgres"]);
    sql(
        &stage,
        "CREATE TABLE t_rows AS SELECT n AS id, md5(n::text) AS words FROM generate_series(1, 20000) n;
         CREATE TABLE t_log (n int PRIMARY KEY);
         CREATE ROLE t_reader LOGIN PASSWORD 'secret';",
    );
    // neither is in a dump of a database
    sql(&stage, "ALTER SYSTEM SET work_mem = '7MB'");
    sql(&stage, "SELECT pg_reload_conf()");
    sql(&stage, "CREATE DATABASE other OWNER t_reader");
    other(&stage, "CREATE TABLE t_numbers AS SELECT generate_series(1, 1000) AS n");

    while_somebody_writes(&stage);

    let before = contents(&stage);
    let made = stage.ok(&["backup", "--physical", "--to", "files.banyan", "--output", "json"]).json();
    let store = &made["manifest"]["stores"][0];
    assert_eq!((store["name"].as_str(), store["method"].as_str()), (Some("postgres"), Some("physical")), "{made}");
    assert_eq!(store["counts"]["eventstore/public.t_rows"], 20000);
    assert_eq!(store["counts"]["other/public.t_numbers"], 1000);
    assert_eq!(sql(&stage, "SELECT count(*) FROM pg_replication_slots"), "0", "nothing keeps the log any more");

    // what comes after the mark is in the same file of the log, perhaps, and must not come back
    sql(&stage, "DELETE FROM t_rows WHERE id % 2 = 0; ALTER ROLE t_reader PASSWORD 'other'; DROP TABLE t_log");
    other(&stage, "DROP TABLE t_numbers");
    sql(&stage, "ALTER SYSTEM RESET work_mem");
    stage.ok(&["backup", "verify", "files.banyan", "--restore"]);
    stage.ok(&["restore", "files.banyan", "--yes", "--no-snapshot"]);
    assert_eq!(contents(&stage), before);
    // it goes on from there, and can be backed up again
    sql(&stage, "INSERT INTO t_rows VALUES (0, 'more')");
    let later = contents(&stage);
    stage.ok(&["backup", "--physical", "--to", "later.banyan"]);
    stage.ok(&["restore", "files.banyan", "--yes", "--no-snapshot"]);
    assert_eq!(contents(&stage), before);
    stage.ok(&["restore", "later.banyan", "--yes", "--no-snapshot"]);
    assert_eq!(contents(&stage), later);
    stage.ok(&["down", "-v", "--no-snapshot"]);
}

/// Somebody outside of the project writes all the time: what comes back is what was committed by some moment.
fn while_somebody_writes(stage: &Stage) {
    let write = "DO $$ BEGIN FOR n IN 1..1000000 LOOP INSERT INTO t_log VALUES (n); COMMIT; END LOOP; END $$";
    let name = format!("{}-postgres", stage.project());
    let mut command = std::process::Command::new("docker");
    command.args(["exec", &name, "psql", "-U", "actor_user", "eventstore", "-qc", write]).env_clear().envs(stage.env());
    let mut writer = command.stderr(Stdio::null()).spawn().unwrap();
    eventually(Duration::from_secs(20), "rows come in", || sql(stage, "SELECT count(*) FROM t_log") != "0");
    let first: u64 = sql(stage, "SELECT count(*) FROM t_log").parse().unwrap();
    stage.ok(&["backup", "--physical", "--to", "busy.banyan"]);
    let last: u64 = sql(stage, "SELECT count(*) FROM t_log").parse().unwrap();
    sql(stage, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'");
    writer.wait().unwrap();
    stage.ok(&["restore", "busy.banyan", "--yes", "--no-snapshot"]);
    let found = sql(stage, "SELECT count(*), max(n) FROM t_log");
    let (count, highest) = found.split_once('|').unwrap();
    assert_eq!(count, highest, "without a gap");
    let count: u64 = count.parse().unwrap();
    assert!((first..=last).contains(&count), "{first} {count} {last}");
}
