//! Images that come from a registry.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use super::Small;
use super::terminal::on_terminal;
use crate::support::registry::{Registry, silent};
use crate::support::{Run, run};

/// A project with one service, of an image that is removed at the end.
struct Shop {
    small: Small,
    image: String,
}

impl Shop {
    fn new(name: &str, image: &str) -> Self {
        let small = Small::new(name);
        let text = format!("name: {}\nservices: {{ web: {{ image: \"{image}\" }} }}\n", small.project());
        small.stage.write("compose.yaml", &text);
        Self { small, image: image.to_owned() }
    }

    fn pull(&self) -> Run {
        self.small.banyan(&["images", "pull", "--output", "json"])
    }

    #[track_caller]
    fn version(&self) -> String {
        let run = self.pull();
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.json()["items"][0]["version"].as_str().unwrap().to_owned()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // an earlier one that has lost its name to a newer one, too
        let (repository, _) = self.image.rsplit_once(':').unwrap();
        self.small.stage.sh(&format!("docker images -aq --filter reference={repository} | xargs -r docker rmi -f"));
    }
}

#[test]
fn an_image_is_pulled_and_a_newer_one_when_asked() {
    let registry = Registry::start();
    let shop = Shop::new("pull", &registry.publish("shop/web:1", "7.1"));
    assert_eq!(shop.version(), "7.1");
    let here = shop.small.ok(&["images", "list", "--output", "json"]).json()["items"][0].clone();
    assert_eq!((&here["here"], &here["source"], &here["version"]), (&true.into(), &"image".into(), &"7.1".into()));
    // what is here is not asked for, until somebody says so
    registry.publish("shop/web:1", "7.2");
    let asked = registry.asked().len();
    let plan = |args: &[&str]| shop.small.ok(&[&["up", "--dry-run", "--output", "json"], args].concat()).json();
    assert_eq!(plan(&[])["images"], serde_json::json!([]));
    assert_eq!(registry.asked().len(), asked);
    assert_eq!(plan(&["--pull"])["images"], serde_json::json!([format!("pull {}", shop.image)]));
    assert_eq!(shop.version(), "7.2");
}

#[test]
fn a_pull_shows_every_layer_on_a_terminal() {
    let registry = Registry::start();
    // others than those of an earlier run, which the engine may still have
    let content = |n: u32| format!("{n} {}\n", registry.place).repeat(200_000);
    let contents: Vec<String> = (0..3).map(content).collect();
    let shop = Shop::new("layers", &registry.publish_layers("shop/web:1", "7.1", &contents));
    registry.holds_back(true);
    let command = on_terminal("", "--color never images pull");
    let mut child = shop.small.stage.command(&command).stdout(Stdio::piped()).spawn().unwrap();
    let mut screen = BufReader::new(child.stdout.take().unwrap());
    let (mut shown, mut layers) = (String::new(), BTreeSet::new());
    while layers.len() < contents.len() {
        let mut line = String::new();
        assert_ne!(screen.read_line(&mut line).unwrap(), 0, "it ended: {shown}");
        // mark, kind, name, state, timer, bar, bytes
        let words: Vec<&str> = line.split_whitespace().collect();
        let kind = words.iter().position(|word| word.ends_with("layer"));
        if let Some(kind) = kind.filter(|_| line.contains("downloading") && line.contains(" / ")) {
            layers.insert(words[kind + 1].to_owned());
        }
        shown.push_str(&line);
    }
    registry.holds_back(false);
    screen.read_to_string(&mut shown).unwrap();
    assert!(child.wait().unwrap().success(), "{shown}");
    let (_, after) = shown.rsplit_once("pulled").unwrap();
    assert!(!after.contains("layer"), "what stays is a line for the image: {shown}");
}

#[test]
fn a_registry_that_comes_a_moment_later_is_asked_again() {
    let registry = Registry::start();
    let shop = Shop::new("later", &registry.publish("shop/web:1", "7.1"));
    registry.is_deaf(1);
    assert_eq!(shop.version(), "7.1");
}

#[test]
fn an_image_that_the_registry_does_not_have() {
    let registry = Registry::start();
    registry.publish("shop/web:1", "7.1");
    let shop = Shop::new("unknown", &format!("{}/shop/wbe:1", registry.place));
    let run = shop.pull();
    assert_eq!(run.code, 6, "{}", run.stderr);
    for part in ["E0601", &shop.image, "not found", "check the name"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
}

#[test]
fn a_login_is_taken_from_dockers_configuration_or_its_helper() {
    let registry = Registry::start();
    let mut shop = Shop::new("login", &registry.publish("shop/web:1", "7.1"));
    registry.wants("bWU6c2VjcmV0"); // me:secret
    let run = shop.pull();
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.contains(&format!("docker login {}", registry.place)), "{}", run.stderr);

    let config = shop.small.stage.folder().join("docker");
    shop.small.stage.set("DOCKER_CONFIG", config.to_str().unwrap());
    let auths = serde_json::json!({ "auths": { registry.place.as_str(): { "auth": "bWU6c2VjcmV0" } } });
    shop.small.stage.write("docker/config.json", &auths.to_string());
    assert_eq!(shop.version(), "7.1");

    // a helper: a program on the path
    shop.small.stage.sh(&format!("docker rmi -f {}", shop.image));
    let helpers = serde_json::json!({ "credHelpers": { registry.place.as_str(): "banyan-test" } });
    shop.small.stage.write("docker/config.json", &helpers.to_string());
    let run = shop.pull();
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.contains("docker-credential-banyan-test"), "it is not there: {}", run.stderr);
    let helper = format!(
        "#!/bin/sh\n[ \"$1 $(cat)\" = 'get {}' ] && echo '{{\"Username\":\"me\",\"Secret\":\"secret\"}}'\n",
        registry.place
    );
    let program = shop.small.stage.write("bin/docker-credential-banyan-test", &helper);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", program.parent().unwrap().display(), shop.small.stage.env()["PATH"]);
    shop.small.stage.set("PATH", &path);
    assert_eq!(shop.version(), "7.1");
}

#[test]
fn an_interrupt_ends_a_pull() {
    let shop = Shop::new("interrupted", &format!("{}/shop/web:1", silent()));
    let mut command = shop.small.stage.bare(&["--file", "compose.yaml", "--progress", "json", "images", "pull"]);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut pull = crate::faults::Running::new(child);
    pull.until(&["shop/web:1", "pulling"]);
    pull.signal("INT");
    // far below the fifteen seconds that a registry has for its first word
    let run = pull.end(Duration::from_secs(10));
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert!(run.stderr.contains("interrupted"), "{}", run.stderr);
}

#[test]
fn an_executable_for_the_platform_must_be_one() {
    let stage = crate::support::Stage::core("binary");
    stage.write("text", "no executable\n");
    for command in [&["images", "build", "api-gateway"][..], &["up", "api-gateway"]] {
        let all = [&["--instance", &stage.instance][..], command, &["--platform-binary", "text"]].concat();
        let run = run(stage.bare(&all));
        assert_eq!(run.code, 6, "{}", run.stderr);
        assert!(run.stderr.contains("E0603") && run.stderr.contains("--platform-binary"), "{}", run.stderr);
    }
    assert_eq!(stage.leftovers(&stage.project()), [""; 0]);
}
