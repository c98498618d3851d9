//! The shape of the source tree: what a reviewer would otherwise have to look at each time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate, and the crates of ours that it may use; `src/README.md` draws the same.
const ARROWS: [(&str, &[&str]); 12] = [
    ("banyan", &["archive", "auth", "backup", "banyan-sdk", "compose", "discovery", "engine", "gateway", "scaffold"]),
    ("scaffold", &[]),
    ("backup", &["archive", "compose", "engine"]),
    ("engine", &["compose"]),
    ("gateway", &["banyan-sdk"]),
    ("discovery", &["banyan-sdk"]),
    ("auth", &["banyan-sdk"]),
    ("banyan-sdk", &["banyan-protocol", "sdk-macros"]),
    ("archive", &["banyan-protocol"]),
    ("banyan-protocol", &[]),
    ("sdk-macros", &[]),
    ("compose", &[]),
];

/// A file that is longer than this has more than one subject.
const LINES: usize = 420;

/// Files that are still longer; none of them may grow beyond the number.
const LONGER: &[(&str, usize)] =
    &[("src/compose/src/load/tests.rs", 700), ("src/compose/src/project.rs", 450), ("tests/bench/up/core.rs", 600)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

#[track_caller]
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every file below a folder, by its path from the root.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                found.push(entry.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder}");
    found
}

/// Rust files with their text.
fn sources() -> Vec<(String, String)> {
    let all = files("src").into_iter().chain(files("tests"));
    all.filter(|f| f.ends_with(".rs")).map(|f| (f.clone(), read(&f))).collect()
}

/// The lines that are no comment.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, l)| (i + 1, l.trim())).filter(|(_, l)| !l.starts_with("//"))
}

/// Places outside the allowed paths where a crate is used.
fn uses(crate_name: &str, allowed: &[&str]) -> Vec<String> {
    let (path, import) = (format!("{crate_name}::"), format!("use {crate_name};"));
    let mut found = Vec::new();
    for (file, text) in sources() {
        if !file.starts_with("src/") || file.contains("/tests") || allowed.iter().any(|a| file.starts_with(a)) {
            continue;
        }
        let outside_quotes = |line: &str| line.split('"').step_by(2).collect::<String>();
        let lines = code(&text).filter(|(_, l)| [&path, &import].iter().any(|p| outside_quotes(l).contains(*p)));
        found.extend(lines.map(|(n, l)| format!("{file}:{n}: {l}")));
    }
    found
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = sources().into_iter().filter(|(_, t)| !t.starts_with("//! ")).map(|(f, _)| f).collect();
    assert_eq!(silent, [""; 0], "begin these with `//!` and a sentence");
}

#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let lines = text.lines().count();
        match LONGER.iter().find(|(f, _)| *f == file) {
            Some((_, most)) if lines > *most => wrong.push(format!("{file}: {lines} lines, more than {most}")),
            Some(_) if lines <= LINES => wrong.push(format!("{file}: short enough now, take it off the list")),
            None if lines > LINES => wrong.push(format!("{file}: {lines} lines, more than {LINES}")),
            _ => {}
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn arrows_between_crates_only_go_down() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    assert_eq!(ours, ARROWS.iter().map(|(n, _)| (*n).to_owned()).collect(), "a crate came or went");

    let map = read("src/README.md");
    for package in packages {
        let from = name(package);
        let allowed = ARROWS.iter().find(|(n, _)| *n == from).unwrap().1;
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = name(dependency);
            // tests may look at everything
            if ours.contains(&to) && dependency["kind"] != "dev" {
                assert!(allowed.contains(&to.as_str()), "{from} must not use {to}: see src/README.md");
            }
        }
        assert!(map.contains(&from), "src/README.md does not mention {from}");
    }
}

#[test]
fn the_pure_crates_reach_for_nothing_outside() {
    let outside = [
        "std::fs",
        "std::env",
        "std::process",
        "std::time::SystemTime",
        "SystemTime",
        "tokio",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "std::thread",
        "Instant::now",
        "println!",
        "eprintln!",
    ];
    let mut found = Vec::new();
    for (file, text) in sources() {
        let pure = ["src/compose/", "src/protocol/", "src/scaffold/src/"].iter().any(|folder| file.starts_with(folder));
        if pure && !file.contains("/tests") && !file.ends_with("/fuzz.rs") {
            let lines = code(&text).filter(|(_, l)| outside.iter().any(|o| l.contains(o)));
            found.extend(lines.map(|(n, l)| format!("{file}:{n}: {l}")));
        }
    }
    assert_eq!(found, [""; 0], "pure crates get everything through their arguments");
}

#[test]
fn libraries_for_the_outside_stay_where_they_belong() {
    assert_eq!(uses("bollard", &["src/engine/src/docker"]), [""; 0]);
    assert_eq!(uses("lapin", &["src/engine/src/probe.rs", "src/sdk/src/bus/rabbit"]), [""; 0]);
    assert_eq!(uses("redis", &["src/engine/src/probe.rs", "src/sdk/src/cache", "src/sdk/src/dependency"]), [""; 0]);
    assert_eq!(uses("opentelemetry", &["src/sdk/src/telemetry"]), [""; 0]);
    assert_eq!(uses("axum", &["src/sdk/", "src/gateway/", "src/discovery/", "src/auth/"]), [""; 0]);
    assert_eq!(uses("clap", &["src/cli/"]), [""; 0]);
    assert_eq!(uses("zstd", &["src/archive/src"]), [""; 0]);
}

#[test]
fn every_file_of_a_recipe_is_in_the_executable() {
    let on_disk: BTreeSet<String> = files("compose/images")
        .into_iter()
        .map(|f| f.strip_prefix("compose/images/").unwrap().to_owned())
        .filter(|f| f.contains('/'))
        .collect();
    let mut embedded = BTreeSet::new();
    for list in read("src/cli/src/stack.rs").split("recipe!(").skip(1) {
        let words: Vec<&str> = list.split(')').next().unwrap().split('"').skip(1).step_by(2).collect();
        if let [name, _stands_in_for, paths @ ..] = words.as_slice() {
            embedded.extend(paths.iter().map(|p| format!("{name}/{p}")));
        }
    }
    assert_eq!(embedded, on_disk, "left: `recipes` in stack.rs, right: compose/images");
}

#[test]
fn every_template_is_in_the_executable() {
    let on_disk: BTreeSet<String> = files("templates").into_iter().collect();
    let mut embedded = BTreeSet::new();
    for list in read("src/scaffold/src/template.rs").split("= templates!(").skip(1) {
        let words: Vec<&str> = list.split(')').next().unwrap().split('"').skip(1).step_by(2).collect();
        if let [language, paths @ ..] = words.as_slice() {
            embedded.extend(paths.iter().map(|p| format!("templates/{language}/{p}")));
        }
    }
    assert_eq!(embedded, on_disk, "left: `templates!` in template.rs, right: templates");
}

#[test]
fn every_variable_of_the_stack_is_documented_with_its_default() {
    let text = read("compose/docker-compose.yml");
    let mut defaults = BTreeMap::from([("COMPOSE_PROJECT_NAME".to_owned(), "flow-platform".to_owned())]);
    assert!(text.contains("\nname: flow-platform\n"));
    for line in text.lines().filter(|l| !l.trim_start().starts_with('#')) {
        for part in line.replace("$${", "").split("${").skip(1) {
            let expression = part.split_once('}').unwrap().0;
            let Some((name, default)) = expression.split_once(":-") else {
                // in a container's own shell, or the project's name
                assert!(defaults.contains_key(expression), "{expression} has no default: {line}");
                continue;
            };
            let before = defaults.insert(name.to_owned(), default.to_owned());
            assert!(before.is_none_or(|b| b == default), "{name} has two defaults: {line}");
        }
    }
    let readme = read("compose/README.md");
    let table = readme.split("### Variables").nth(1).unwrap().split("\n(1)").next().unwrap();
    let documented: BTreeMap<String, String> = table
        .lines()
        .filter_map(|l| l.strip_prefix("| `"))
        .map(|l| {
            let (name, rest) = l.split_once("` | `").unwrap();
            (name.to_owned(), rest.split_once('`').unwrap().0.to_owned())
        })
        .collect();
    assert_eq!(documented, defaults, "left: compose/README.md, right: docker-compose.yml");
}

#[test]
fn nothing_is_left_out_of_the_tests() {
    for (file, text) in sources() {
        for (n, line) in code(&text) {
            let ignored = concat!("#[", "ignore");
            assert!(!line.starts_with(ignored), "{file}:{n}: a test that does not run says nothing");
        }
    }
}
