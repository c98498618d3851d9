//! `up`, `down` and `reset` of a project: what changes, and what must not.

use std::time::Duration;

use super::{Small, changed};
use crate::support::{BANYAN, Stage, eventually, root, run};

/// Two caches; the first keeps its data, reads a variable and mounts a configuration; the second needs the first.
fn two(name: &str) -> Small {
    Small::new(name)
        .cache(
            "first",
            "command: [redis-server, --appendonly, \"yes\"]
volumes: [\"data:/data\"]
environment: { MARK: \"${MARK:-one}\" }
configs: [{ source: note, target: /note }]
",
        )
        .cache("second", "depends_on: [first]\n")
        .rest("volumes: { data: {} }\nconfigs: { note: { content: \"${NOTE:-hello}\" } }\n")
}

#[test]
fn a_data_folder_that_is_read_only() {
    let stage = Stage::core("ro");
    std::fs::create_dir(stage.folder().join("ro")).unwrap();
    let env: Vec<String> = stage.env().iter().map(|(name, value)| format!("'{name}={value}'")).collect();
    for args in [format!("--instance {} up", stage.instance), "--file compose.yaml up".to_owned()] {
        stage.write("compose.yaml", &format!("name: {}\nservices: {{ a: {{ image: a }} }}\n", stage.instance));
        let line = format!(
            "mount -t tmpfs -o ro tmpfs ro && env -i {} BANYAN_DATA_DIR=\"$PWD/ro\" '{BANYAN}' {args}",
            env.join(" ")
        );
        let mut command = root("unshare");
        command.args(["--mount", "sh", "-c", &line]).current_dir(stage.folder());
        let run = run(command);
        assert_eq!(run.code, 3, "{args}: {}", run.stderr);
        assert!(run.stderr.contains("E0303") && run.stderr.contains("Read-only file system"), "{args}: {}", run.stderr);
        assert_eq!(stage.leftovers(&stage.project()), [""; 0]);
        assert_eq!(stage.leftovers(&stage.instance), [""; 0]);
    }
}

#[test]
fn an_unchanged_up_touches_nothing() {
    let small = two("same");
    let first = small.ok(&["up"]);
    assert!(first.stdout.contains(&format!("redis://localhost:{}", small.ports["first"])), "{}", first.stdout);
    let before = small.containers();
    assert_eq!(before.len(), 2);

    let json = small.ok(&["--output", "json", "up"]).json();
    assert_eq!(changed(&before, &small.containers()), [""; 0]);
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["project"], small.project());
    assert!(json["services"].as_array().unwrap().iter().all(|s| s["ready"] == true), "{json}");

    let plan = small.ok(&["--output", "json", "up", "--dry-run", "--exit-code"]).json();
    let actions: Vec<_> = plan["required"].as_array().unwrap().iter().map(|s| s["because"].clone()).collect();
    assert_eq!(actions, ["unchanged", "unchanged"]);
}

#[test]
fn a_dry_run_changes_nothing_and_says_whether_it_would() {
    let small = two("dry");
    let run = small.ends(&["up", "--dry-run", "--exit-code"], 20);
    assert!(run.stdout.contains("start container"), "{}", run.stdout);
    assert_eq!(small.leftovers(), [""; 0]);
    small.ok(&["up", "--dry-run"]);
    assert_eq!(small.leftovers(), [""; 0]);
}

#[test]
fn up_repairs_exactly_what_is_broken() {
    let small = two("repair");
    small.ok(&["up"]);
    let before = small.containers();

    small.stage.docker(&["stop", "-t", "5", &small.container("second")]);
    small.ok(&["up"]);
    let after = small.containers();
    assert_eq!(changed(&before, &after), ["second"]);
    let id = |look: &std::collections::BTreeMap<String, String>| look["second"].split(' ').next().unwrap().to_owned();
    assert_eq!(id(&before), id(&after), "a stopped container is started, not made anew");

    small.stage.docker(&["rm", "-f", &small.container("second")]);
    small.ok(&["up"]);
    assert_eq!(changed(&after, &small.containers()), ["second"]);
    let after = small.containers();

    small.stage.docker(&["pause", &small.container("first")]);
    small.ok(&["up"]);
    assert_eq!(small.inspect("first", "{{.State.Status}}"), "running");
    assert_eq!(changed(&after, &small.containers()), [""; 0], "a paused container is thawed");
}

#[test]
fn a_change_recreates_that_service_and_says_why() {
    let mut small = two("change");
    small.ok(&["up"]);
    let before = small.containers();

    small.stage.set("MARK", "two");
    let run = small.ok(&["up"]);
    assert!(run.stderr.contains("changed: environment"), "{}", run.stderr);
    let after = small.containers();
    assert_eq!(changed(&before, &after), ["first"]);
    let env = small.inspect("first", "{{join .Config.Env \" \"}}");
    assert!(env.contains("MARK=two"), "{env}");

    small.stage.set("NOTE", "bye");
    let run = small.ok(&["up"]);
    assert!(run.stderr.contains("changed: configs"), "{}", run.stderr);
    assert_eq!(changed(&after, &small.containers()), ["first"]);
    assert_eq!(small.stage.docker(&["exec", &small.container("first"), "cat", "/note"]), "bye");

    // once more without a change
    let after = small.containers();
    small.ok(&["up"]);
    assert_eq!(changed(&after, &small.containers()), [""; 0]);
    small.ok(&["up", "--force-recreate", "second"]);
    let changes = changed(&after, &small.containers());
    assert!(changes.contains(&"second".to_owned()), "{changes:?}");
}

#[test]
fn data_outlives_down_but_not_down_with_volumes() {
    let small = two("data");
    small.ok(&["up"]);
    assert_eq!(small.redis("first", "set kept yes"), "OK");

    let run = small.ok(&["down"]);
    assert!(!run.stderr.contains("killed"), "{}", run.stderr);
    assert_eq!(small.containers().len(), 0);
    let volume = format!("{}_data", small.project());
    assert_eq!(small.leftovers(), [volume], "the volume, and neither container nor network");

    small.ok(&["up"]);
    assert_eq!(small.redis("first", "get kept"), "yes");

    small.ok(&["down", "--volumes"]);
    assert_eq!(small.leftovers(), [""; 0]);
    let again = small.ok(&["--output", "json", "down"]).json();
    assert_eq!(again["removed"], serde_json::json!([]));
    small.ok(&["up"]);
    assert_eq!(small.redis("first", "get kept"), "");
}

#[test]
fn down_of_one_service_takes_what_depends_on_it() {
    let small = two("partial");
    small.ok(&["up"]);
    small.ok(&["down", "second"]);
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), ["first"]);
    small.ok(&["up"]);
    small.ok(&["down", "first"]);
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn down_goes_by_the_labels_when_the_file_is_gone() {
    let small = two("labels");
    small.ok(&["up"]);
    std::fs::write(small.stage.folder().join("compose.yaml"), "services: [\n").unwrap();
    small.ok(&["down", "-v"]);
    assert_eq!(small.leftovers(), [""; 0]);
}

#[test]
fn reset_asks_lists_deletes_and_brings_up() {
    let small = two("reset");
    small.ok(&["up"]);
    small.redis("first", "set kept yes");
    let before = small.containers();

    let refused = small.ends(&["reset"], 2);
    assert!(refused.stderr.contains(&format!("{}_data", small.project())), "{}", refused.stderr);
    assert!(refused.stderr.contains("reset --yes"), "{}", refused.stderr);
    assert_eq!(changed(&before, &small.containers()), [""; 0]);
    assert_eq!(small.redis("first", "get kept"), "yes");

    let done = small.ok(&["reset", "--yes"]);
    assert!(done.stderr.contains(&format!("{}_data", small.project())), "{}", done.stderr);
    assert_eq!(small.redis("first", "get kept"), "");
    assert_eq!(changed(&before, &small.containers()), ["first", "second"]);
}

#[test]
fn only_one_up_at_a_time() {
    let small = Small::new("lock")
        .cache("first", "")
        .service(
            "never",
            "command: [sleep, infinity]\ninit: true\nhealthcheck: { test: [CMD, \"false\"], start_period: 600s }\n",
        )
        .rest("");
    let mut held = small.stage.bare(&["--file", "compose.yaml", "up", "--wait-timeout", "600s"]);
    let mut child = held.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually(Duration::from_secs(60), "the first up has begun to wait", || {
        small.containers().get("never").is_some_and(|c| !c.ends_with("0001-01-01T00:00:00Z"))
    });

    for command in [&["up"][..], &["down"], &["reset", "--yes"]] {
        let second = small.ends(command, 10);
        assert!(second.stderr.contains(&format!("pid {}", child.id())), "{}", second.stderr);
    }
    // looking is no change
    small.ok(&["status"]);

    // SIGINT: it ends well, and the lock goes with it
    assert_eq!(small.stage.sh(&format!("kill -INT {}", child.id())).code, 0);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    small.ok(&["down"]);
    assert_eq!(small.leftovers(), [""; 0]);
}

#[test]
fn a_job_runs_once_and_what_waits_for_it_starts_after_it() {
    let small = Small::new("job")
        .service("job", "command: [sh, -c, \"echo done\"]\nrestart: \"no\"\n")
        .cache("after", "depends_on: { job: { condition: service_completed_successfully } }\n")
        .rest("");
    small.ok(&["up"]);
    let before = small.containers();
    let ended = small.inspect("job", "{{.State.FinishedAt}}");
    assert!(ended < small.inspect("after", "{{.State.StartedAt}}"));
    small.ok(&["up"]);
    assert_eq!(changed(&before, &small.containers()), [""; 0], "a job that went well is not run again");
}

#[test]
fn profiles_are_brought_up_when_asked_for_and_always_taken_down() {
    let small = Small::new("profile").cache("main", "").cache("extra", "profiles: [tools]\n").rest("");
    small.ok(&["up"]);
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), ["main"]);
    small.ok(&["up", "--profile", "tools"]);
    assert_eq!(small.containers().into_keys().collect::<Vec<_>>(), ["extra", "main"]);
    small.ok(&["down"]);
    assert_eq!(small.leftovers(), [""; 0]);
}
