//! `banyan init`.

use super::{stage, transcript};

#[test]
fn writes_what_up_takes_and_never_overwrites() {
    let stage = stage("init");
    insta::assert_snapshot!(transcript(&stage, &["init", "mine"]), @"
    exit code 0
    ── stdout
    wrote
      [folder]/mine/banyan.yaml
      [folder]/mine/docker-compose.yml
      [folder]/mine/README.md
      [folder]/mine/.env
    change them, then: cd [folder]/mine && banyan up
    ");
    let before = std::fs::read_to_string(stage.folder().join("mine/.env")).unwrap();
    assert!(before.contains("\n#POSTGRES_PORT=55432\n"), "{before}");

    stage.write("mine/.env", "POSTGRES_PORT=5\n");
    insta::assert_snapshot!(transcript(&stage, &["init", "mine"]), @"
    exit code 14
    ── stderr
    error[E1401]: files of the stack are here already; nothing was written
      [folder]/mine/banyan.yaml
      [folder]/mine/docker-compose.yml
      hint: move them away, or name another folder: banyan init FOLDER
    ");
    assert_eq!(std::fs::read_to_string(stage.folder().join("mine/.env")).unwrap(), "POSTGRES_PORT=5\n");

    // one file of the project's is enough to write none
    stage.write("other/banyan.yaml", "compose: []\n");
    assert!(transcript(&stage, &["init", "other"]).starts_with("exit code 14\n"));
    assert!(!stage.folder().join("other/docker-compose.yml").exists());
}

#[test]
fn leaves_a_readme_and_settings_as_they_are() {
    let stage = stage("kept");
    stage.write("README.md", "mine\n");
    insta::assert_snapshot!(transcript(&stage, &["init"]), @"
    exit code 0
    ── stdout
    wrote
      [folder]/banyan.yaml
      [folder]/docker-compose.yml
      [folder]/.env
    left as they were
      [folder]/README.md
    change them, then: banyan up
    ");
    assert_eq!(std::fs::read_to_string(stage.folder().join("README.md")).unwrap(), "mine\n");
}

#[test]
fn the_project_is_then_found_from_every_folder_below() {
    let stage = stage("below");
    assert!(transcript(&stage, &["init"]).starts_with("exit code 0\n"));
    stage.write("src/deep/x", "");
    let mut command = stage.bare(&["up", "--dry-run"]);
    command.current_dir(stage.folder().join("src/deep"));
    let text = super::written(&stage, &crate::support::run(command));
    assert!(text.contains("project flow-platform: [folder]/banyan.yaml (nearest banyan.yaml)"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let stage = stage("readonly");
    stage.write("file", "");
    insta::assert_snapshot!(transcript(&stage, &["init", "file/below"]), @"
    exit code 3
    ── stderr
    error[E0303]: cannot write [folder]/file/below/banyan.yaml: Not a directory (os error 20)
      hint: make the folder writable, or name another one: banyan init FOLDER
    ");
}

#[test]
fn a_place_where_nobody_may_write() {
    let text = transcript(&stage("nobody"), &["init", "/sys/banyan"]);
    assert!(text.starts_with("exit code 3\n"), "{text}");
    assert!(text.contains("error[E0303]: cannot write /sys/banyan/banyan.yaml: "), "{text}");
}

#[test]
fn as_json() {
    let stage = stage("init-json");
    let run = crate::support::run(stage.bare(&["init", "--output", "json"]));
    let files: Vec<_> = ["banyan.yaml", "docker-compose.yml", "README.md", ".env"]
        .iter()
        .map(|f| stage.folder().join(f).display().to_string())
        .collect();
    assert_eq!(run.json(), serde_json::json!({ "schema_version": 1, "files": files, "kept": [] }));
}
