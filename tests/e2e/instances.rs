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
