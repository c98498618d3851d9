//! Which project `down` takes when the files cannot tell any more.

use super::{Small, containers};
use crate::support::{Stage, free_port, run};

/// A second file with the same services, for a project of another name.
fn sibling(small: &Small) -> String {
    let name = format!("{}-b", small.project());
    let text = std::fs::read_to_string(small.stage.folder().join("compose.yaml")).unwrap();
    let text = text.replace(&format!("name: {}\n", small.project()), &format!("name: {name}\n"));
    small.stage.write("b.yaml", &text.replace(&small.ports["cache"].to_string(), &free_port().to_string()));
    name
}

fn cache(name: &str) -> Small {
    Small::new(name).cache("cache", "volumes: [\"data:/data\"]\n").rest("volumes: { data: {} }\n")
}

#[test]
fn two_files_in_one_folder_are_two_projects() {
    let small = cache("siblings");
    let other = sibling(&small);
    let b = |args: &[&str]| run(small.stage.bare(&[&["--file", "b.yaml"], args].concat()));
    assert_eq!(b(&["up"]).code, 0);
    let theirs = containers(&small.stage, &other);

    // the file of one is broken, and only the other runs: nothing of it is touched
    std::fs::write(small.stage.folder().join("compose.yaml"), "services: [\n").unwrap();
    let run = small.ends(&["down", "-v"], 3);
    assert!(run.stderr.contains("compose.yaml:") && run.stderr.contains(&other), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("COMPOSE_PROJECT_NAME={other} ")), "{}", run.stderr);
    assert_eq!(containers(&small.stage, &other), theirs);
    // whoever says which one it is, gets it
    let line = run.stderr.lines().find_map(|l| l.split_once("say which: ")).unwrap().1;
    let done = small.stage.sh(line);
    assert_eq!(done.code, 0, "{line}\n{}", done.stderr);
    assert_eq!(small.stage.leftovers(&other), [""; 0]);
}

#[test]
fn an_instance_is_not_another_one() {
    let mut small = cache("copies");
    let path = small.stage.folder().join("compose.yaml");
    let (text, port) = (std::fs::read_to_string(&path).unwrap(), small.ports["cache"].to_string());
    std::fs::write(&path, text.replace(&format!("127.0.0.1:{port}:"), &format!("127.0.0.1:${{CACHE_PORT:-{port}}}:")))
        .unwrap();
    small.ok(&["up"]);
    let copy = |args: &[&str]| small.banyan(&[&["--instance", "b"], args].concat());
    assert_eq!(copy(&["up"]).code, 0);
    let (name, first) = (format!("{}-b", small.project()), small.containers());
    assert_eq!(containers(&small.stage, &name).len(), 1);

    std::fs::write(&path, "services: [\n").unwrap();
    let gone = copy(&["down", "-v"]);
    assert_eq!(gone.code, 0, "{}", gone.stderr);
    assert!(gone.stderr.contains("undo it: "), "backed up all the same: {}", gone.stderr);
    assert_eq!(small.stage.leftovers(&name), [""; 0]);
    assert_eq!(small.containers(), first);
    // and the first is not taken for a copy
    assert_eq!(copy(&["down", "-v"]).code, 3);
    assert_eq!(small.containers(), first);
    small.stage.set("COMPOSE_PROJECT_NAME", "");
    small.ok(&["down", "-v"]);
    assert_eq!(small.leftovers(), [""; 0]);
}

#[test]
fn the_built_in_stack_goes_whatever_its_variables_are() {
    let mut stage = Stage::core("vars");
    stage.ok(&["up", "redis"]);
    stage.set("GATEWAY_PORT", "abc");
    assert_eq!(stage.banyan(&["status"]).code, 3);
    stage.ok(&["down", "-v"]);
    assert_eq!(stage.leftovers(&stage.project()), [""; 0]);

    // the first copy, under a name that only its settings say
    let mut stage = Stage::core("vars-first");
    let name = format!("{}-own", stage.instance);
    let settings = format!("COMPOSE_PROJECT_NAME={name}\nREDIS_PORT={}\n", free_port());
    stage.write("data/stacks/default/.env", &settings);
    let up = run(stage.bare(&["up", "redis"]));
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(containers(&stage, &name).len(), 1);
    stage.set("GATEWAY_PORT", "abc");
    let down = run(stage.bare(&["down", "-v"]));
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert!(down.stderr.contains(&name), "{}", down.stderr);
    assert_eq!(stage.leftovers(&name), [""; 0]);
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let mut small = cache("sysfs");
    // where nobody, not even root, can make a folder
    small.stage.set("BANYAN_DATA_DIR", "/sys/banyan");
    for command in [&["up"][..], &["down"], &["reset", "--yes"]] {
        let run = small.ends(command, 3);
        assert!(run.stderr.contains("error[E0303]") && run.stderr.contains("BANYAN_DATA_DIR="), "{}", run.stderr);
    }
    assert_eq!(small.leftovers(), [""; 0]);
}
