//! Copies of the same project beside each other.

use std::collections::BTreeSet;

use super::{clients, containers};
use crate::support::Stage;

#[test]
fn two_copies_of_the_built_in_stack() {
    let (one, two) = (Stage::core("copy-one"), Stage::core("copy-two"));
    let mut ports = BTreeSet::new();
    for stage in [&one, &two] {
        let json = stage.ok(&["up", "redis", "--output", "json"]).json();
        assert_eq!(json["project"], stage.project());
        let address = json["services"][0]["addresses"][0]["url"].as_str().unwrap().to_owned();
        let port = address.rsplit(':').next().unwrap().to_owned();
        assert_eq!(clients::redis(&format!("redis://:redis123@127.0.0.1:{port}")).unwrap(), "PONG");
        ports.insert(port);
    }
    assert_eq!(ports.len(), 2, "{ports:?}");
    assert!(!ports.contains("56379"), "the first copy's port is not taken: {ports:?}");

    // own names, own volume, own network, and one says nothing about the other
    let set = |stage: &Stage, what: &str| {
        let name = format!("{}-redis", stage.project());
        stage.docker(&["exec", &name, "redis-cli", "set", "who", what]);
    };
    set(&one, "one");
    set(&two, "two");
    let before = containers(&two, &two.project());
    assert_eq!(one.ok(&["status", "--output", "json"]).json()["project"], one.project());
    one.ok(&["down", "-v"]);
    assert_eq!(one.leftovers(&one.project()), [""; 0]);
    assert_eq!(containers(&two, &two.project()), before);
    let name = format!("{}-redis", two.project());
    assert_eq!(two.docker(&["exec", &name, "redis-cli", "get", "who"]), "two");

    // the ports belong to the copy: they are the same next time
    two.ok(&["down"]);
    let again = two.ok(&["up", "redis", "--output", "json"]).json();
    let address = again["services"][0]["addresses"][0]["url"].as_str().unwrap();
    assert!(ports.contains(address.rsplit(':').next().unwrap()), "{address}: {ports:?}");
    assert_eq!(two.docker(&["exec", &name, "redis-cli", "get", "who"]), "two");
}

#[test]
fn an_instance_keeps_what_its_user_has_written() {
    let stage = Stage::core("edited");
    let port = crate::support::free_port();
    let text =
        format!("# mine\nexport REDIS_PORT=\"{port}\" # not the one that was chosen\nREDIS_PASSWORD='quoted-word'\n");
    let path = stage.write(&format!("data/stacks/{}/.env", stage.instance), &text);
    let json = stage.ok(&["up", "redis", "--output", "json"]).json();
    let address = json["services"][0]["addresses"][0]["url"].as_str().unwrap();
    assert!(address.ends_with(&format!(":{port}")), "{address}");
    assert_eq!(clients::redis(&format!("redis://:quoted-word@127.0.0.1:{port}")).unwrap(), "PONG");
    assert!(std::fs::read_to_string(path).unwrap().starts_with("# mine\nexport "));
}

#[test]
fn copies_of_own_files_get_ports_of_their_own() {
    let small = super::Small::new("own-copies").cache("cache", "").rest("");
    let path = small.stage.folder().join("compose.yaml");
    let port = small.ports["cache"];
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&format!("127.0.0.1:{port}:"), &format!("127.0.0.1:${{CACHE_PORT:-{port}}}:")))
        .unwrap();
    small.ok(&["up"]);
    let up = |name: &str| {
        let json = small.ok(&["--instance", name, "up", "--output", "json"]).json();
        json["services"][0]["addresses"][0]["url"].as_str().unwrap().rsplit(':').next().unwrap().parse::<u16>().unwrap()
    };
    let (one, two) = (up("one"), up("two"));
    assert!(one != two && one != port && two != port, "{port} {one} {two}");
    assert_eq!(up("one"), one);
    for name in ["one", "two"] {
        small.ok(&["--instance", name, "down"]);
    }
}

#[test]
fn the_files_that_init_writes_come_up() {
    let stage = Stage::core("init-up");
    let init = crate::support::run(stage.bare(&["init"]));
    assert_eq!(init.code, 0, "{}", init.stderr);
    let settings = stage.folder().join(".env");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("#REDIS_PASSWORD=redis123", "REDIS_PASSWORD=of-mine")).unwrap();
    let up = stage.ok(&["up", "redis", "--output", "json"]);
    assert!(up.stderr.contains("banyan.yaml (nearest banyan.yaml)"), "{}", up.stderr);
    let json = up.json();
    assert_eq!(json["project"], stage.project());
    let port = json["services"][0]["addresses"][0]["url"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    assert_eq!(clients::redis(&format!("redis://:of-mine@127.0.0.1:{port}")).unwrap(), "PONG");
    stage.ok(&["down", "-v"]);
    assert_eq!(stage.leftovers(&stage.project()), [""; 0]);
}
