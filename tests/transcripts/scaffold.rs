//! `banyan new-service` and `banyan remove-service`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{stage, transcript, written};
use crate::support::{Stage, run};

/// A corner with a project, as `banyan init` makes it.
fn project(name: &str) -> Stage {
    let stage = stage(name);
    assert_eq!(run(stage.bare(&["init"])).code, 0);
    stage
}

/// Every file of the corner with its text.
fn everything(folder: &Path) -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().display().to_string(),
                    std::fs::read_to_string(&path).unwrap(),
                );
            }
        }
    }
    found
}

#[test]
fn writes_a_service_and_says_what_to_type_next() {
    let stage = project("new-service");
    insta::assert_snapshot!(transcript(&stage, &["new-service", "order-service"]), @"");
    let manifest = std::fs::read_to_string(stage.folder().join("banyan.yaml")).unwrap();
    assert!(manifest.ends_with("services:\n  order-service: order-service\n"), "{manifest}");
    assert!(manifest.contains("# Services of your own"), "comments stay: {manifest}");
    // the second one finds the SDK, and the next port
    insta::assert_snapshot!(transcript(&stage, &["new-service", "user-service", "--dir", "src/users"]), @"");
}

#[test]
fn what_it_writes_is_a_service_of_the_project() {
    let stage = project("loaded");
    assert_eq!(run(stage.bare(&["new-service", "order-service"])).code, 0);
    stage.write("order-service/src/deep/x", "");
    let mut command = stage.bare(&["up", "no-such-service"]);
    command.current_dir(stage.folder().join("order-service/src/deep"));
    let text = written(&stage, &run(command));
    assert!(text.contains("there is no service `no-such-service`") && text.contains("order-service"), "{text}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let stage = project("dry-new");
    let before = everything(stage.folder());
    insta::assert_snapshot!(transcript(&stage, &["new-service", "order-service", "--dry-run"]), @"");
    assert_eq!(everything(stage.folder()), before);
    assert!(!stage.folder().join(".banyan").exists());
}

#[test]
fn without_a_project() {
    let stage = stage("no-project");
    insta::assert_snapshot!(transcript(&stage, &["new-service", "order-service"]), @"");
    assert!(everything(stage.folder()).is_empty());
    let text = transcript(&stage, &["new-service", "order-service", "--init"]);
    assert!(text.starts_with("exit code 0\n") && text.contains("made a project\n  [folder]/banyan.yaml\n"), "{text}");
    assert!(stage.folder().join("order-service/src/main.rs").exists());
}

#[test]
fn what_init_wrote_goes_when_the_service_cannot_be_written() {
    let stage = stage("init-undone");
    stage.write("order-service/mine", "");
    let text = transcript(&stage, &["new-service", "order-service", "--init"]);
    assert!(text.starts_with("exit code 14\n"), "{text}");
    assert_eq!(everything(stage.folder()).into_keys().collect::<Vec<_>>(), ["order-service/mine"]);
}

#[test]
fn names_that_are_none() {
    let stage = project("names");
    let before = everything(stage.folder());
    insta::assert_snapshot!(transcript(&stage, &["new-service", "OrderService"]), @"");
    insta::assert_snapshot!(transcript(&stage, &["new-service", "type"]), @"");
    insta::assert_snapshot!(transcript(&stage, &["new-service", ""]), @"");
    insta::assert_snapshot!(transcript(&stage, &["new-service", "../x"]), @"");
    // one of the stack's
    insta::assert_snapshot!(transcript(&stage, &["new-service", "postgres"]), @"");
    assert_eq!(everything(stage.folder()), before);
}

#[test]
fn what_is_there_is_never_overwritten() {
    let stage = project("there");
    stage.write("order-service/mine", "mine");
    let before = everything(stage.folder());
    insta::assert_snapshot!(transcript(&stage, &["new-service", "order-service"]), @"");
    insta::assert_snapshot!(transcript(&stage, &["new-service", "order-service", "--dir", "../elsewhere"]), @"");
    assert_eq!(everything(stage.folder()), before);

    assert_eq!(run(stage.bare(&["new-service", "order-service", "--dir", "orders"])).code, 0);
    let before = everything(stage.folder());
    insta::assert_snapshot!(transcript(&stage, &["new-service", "order-service"]), @"");
    insta::assert_snapshot!(transcript(&stage, &["new-service", "other", "--port", "3010"]), @"");
    insta::assert_snapshot!(transcript(&stage, &["new-service", "other", "--file", "docker-compose.yml"]), @"");
    assert_eq!(everything(stage.folder()), before);
}

#[test]
fn a_manifest_that_cannot_be_edited_safely() {
    let stage = project("unclear");
    stage.write("banyan.yaml", "{ compose: [docker-compose.yml] }\n");
    let before = everything(stage.folder());
    insta::assert_snapshot!(transcript(&stage, &["new-service", "order-service"]), @"");
    assert_eq!(everything(stage.folder()), before);
}

#[test]
fn another_sdk_is_replaced_whole() {
    let stage = project("sdk");
    assert_eq!(run(stage.bare(&["new-service", "a-service"])).code, 0);
    stage.write(".banyan/sdk/Cargo.toml", "another version");
    stage.write(".banyan/sdk/src/old.rs", "");
    let text = transcript(&stage, &["new-service", "b-service"]);
    assert!(text.contains("wrote the SDK in [folder]/.banyan/sdk anew: it was another version\n"), "{text}");
    let now = everything(&stage.folder().join(".banyan"));
    assert!(!now.contains_key("sdk/src/old.rs") && now["sdk/Cargo.toml"].contains("[workspace]"));
    assert_eq!(now.keys().filter(|path| !path.starts_with("sdk/")).collect::<Vec<_>>(), [".gitignore"]);
}

#[test]
fn as_json() {
    let stage = project("scaffold-json");
    let json = run(stage.bare(&["new-service", "order-service", "--output", "json"])).json();
    let folder = stage.folder().join("order-service");
    assert_eq!(
        (&json["service"], &json["port"], &json["sdk"]),
        (&"order-service".into(), &3010.into(), &"written".into())
    );
    for file in json["files"].as_array().unwrap() {
        assert!(
            Path::new(file.as_str().unwrap()).starts_with(&folder) && Path::new(file.as_str().unwrap()).is_file(),
            "{file}"
        );
    }
    let json = run(stage.bare(&["remove-service", "order-service", "--output", "json"])).json();
    assert_eq!((&json["deleted"], folder.exists()), (&true.into(), false));
}

#[test]
fn removing_takes_back_what_was_written() {
    let stage = project("removed");
    let before = everything(stage.folder());
    assert_eq!(run(stage.bare(&["new-service", "order-service"])).code, 0);
    let between = everything(stage.folder());
    insta::assert_snapshot!(transcript(&stage, &["remove-service", "order-service", "--dry-run"]), @"");
    assert_eq!(everything(stage.folder()), between);
    insta::assert_snapshot!(transcript(&stage, &["remove-service", "order-service"]), @"");
    let mut after = everything(stage.folder());
    after.retain(|path, _| !path.starts_with(".banyan/"));
    assert_eq!(after, before);
    insta::assert_snapshot!(transcript(&stage, &["remove-service", "order-service"]), @"");
}

#[test]
fn removing_asks_before_it_deletes_what_is_yours() {
    let stage = project("yours");
    assert_eq!(run(stage.bare(&["new-service", "order-service"])).code, 0);
    stage.write("order-service/src/commands.rs", "mine");
    stage.write("order-service/notes", "mine");
    let before = everything(stage.folder());
    insta::assert_snapshot!(transcript(&stage, &["remove-service", "order-service"]), @"");
    assert_eq!(everything(stage.folder()), before);
    insta::assert_snapshot!(transcript(&stage, &["remove-service", "order-servis"]), @"");
    insta::assert_snapshot!(transcript(&stage, &["remove-service", "order-service", "--keep-files"]), @"");
    assert!(stage.folder().join("order-service/notes").exists());
    assert_eq!(run(stage.bare(&["new-service", "user-service"])).code, 0);
    stage.write("user-service/notes", "mine");
    let text = transcript(&stage, &["remove-service", "user-service", "--yes"]);
    assert!(text.starts_with("exit code 0\n") && !stage.folder().join("user-service").exists(), "{text}");
}

#[test]
fn removing_without_a_project() {
    insta::assert_snapshot!(transcript(&stage("remove-nothing"), &["remove-service", "a"]), @"");
}
