//! The forms of a backup: encrypted, through a pipe, as SQL; and the way back from what deletes.

use super::undo_of;
use crate::support::filled::{assert_same, contents, fill, sql};
use crate::support::{Run, Stage, heavy, run};

#[test]
fn every_form_comes_back() {
    let _alone = heavy();
    let stage = Stage::core("forms");
    stage.ok(&["up"]);
    fill(&stage, 500, 50);
    encrypted(&stage);
    through_a_pipe(&stage);
    plain_sql(&stage);
    resets_can_be_undone(&stage);
}

fn with(stage: &Stage, passphrase: &str, args: &[&str]) -> Run {
    let mut command = stage.bare(&[&["--instance", stage.instance.as_str()], args].concat());
    command.env("BANYAN_BACKUP_PASSPHRASE", passphrase);
    run(command)
}

fn encrypted(stage: &Stage) {
    let with = |passphrase: &str, args: &[&str]| with(stage, passphrase, args);
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

fn through_a_pipe(stage: &Stage) {
    let before = contents(stage);
    let banyan = format!("{} --instance {}", crate::support::BANYAN, stage.instance);
    let piped = stage.sh(&format!("{banyan} backup --to - > piped.banyan && {banyan} backup verify - < piped.banyan"));
    assert_eq!(piped.code, 0, "{}", piped.stderr);
    sql(stage, "DELETE FROM t_rows");
    let back = stage.sh(&format!("{banyan} restore - --yes --no-snapshot < piped.banyan"));
    assert_eq!(back.code, 0, "{}", back.stderr);
    assert_same(&contents(stage), &before, "through a pipe");
}

/// The seed's own commands, and ours, in both directions.
fn plain_sql(stage: &Stage) {
    let rows = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM t_rows t";
    let before = sql(stage, rows);
    stage.ok(&["backup", "--format", "sql", "--to", "ours.sql"]);
    let again = stage.banyan(&["backup", "--format", "sql", "--to", "ours.sql"]);
    assert_eq!(again.code, 11, "never over another file: {}", again.stderr);
    let sealed = with(stage, "secret", &["backup", "--format", "sql"]);
    assert_eq!((sealed.code, sealed.stdout.as_str()), (2, ""), "never in the clear by mistake: {}", sealed.stderr);
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
    let reset = stage.ok(&["reset", "--yes", "--output", "json"]);
    let undo = reset.json()["undo"]["command"].as_str().unwrap().to_owned();
    assert_eq!(undo, undo_of(&reset.stderr));
    assert_eq!(sql(stage, "SELECT to_regclass('t_rows') IS NULL"), "t");
    let undone = stage.sh(undo_of(&reset.stderr));
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_same(&contents(stage), &before, "restored");

    let down = stage.ok(&["down", "-v"]);
    assert_eq!(stage.leftovers(&stage.project()), [""; 0]);
    let undone = stage.sh(undo_of(&down.stderr));
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_same(&contents(stage), &before, "restored");
    stage.ok(&["down", "-v", "--no-snapshot"]);
}
