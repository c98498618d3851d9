//! What deletes backs up first; what happens when it cannot.

use super::super::Small;
use super::undo_of;

/// Two caches with data, and the volume of a third service that has neither container nor image.
fn with_a_lost_one(name: &str) -> Small {
    let small = Small::new(name)
        .cache("first", "command: [redis-server, --appendonly, \"yes\"]\nvolumes: [\"first:/data\"]\n")
        .cache("second", "command: [redis-server, --appendonly, \"yes\"]\nvolumes: [\"second:/data\"]\n")
        .rest("  lost:\n    image: nobody.invalid/lost:1\n    profiles: [never]\n    volumes: [\"lost:/data\"]\nvolumes: { first: {}, second: {}, lost: {} }\n");
    small.ok(&["up"]);
    let volume = format!("{}_lost", small.project());
    let labels = [
        format!("com.docker.compose.project={}", small.project()),
        "com.docker.compose.volume=lost".to_owned(),
        "com.docker.compose.version=2".to_owned(),
    ];
    small
        .stage
        .docker(&["volume", "create", "--label", &labels[0], "--label", &labels[1], "--label", &labels[2], &volume]);
    small.redis("first", "set kept yes");
    small.redis("second", "set kept yes");
    small
}

fn values(small: &Small) -> [String; 2] {
    ["first", "second"].map(|service| small.redis(service, "get kept"))
}

#[test]
fn a_broken_store_is_named_and_asked_about_and_never_in_the_way() {
    let small = with_a_lost_one("brokenone");
    let refused = small.ends(&["down", "-v"], 11);
    assert!(refused.stderr.contains("_lost") && !refused.stderr.contains("first:"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--no-snapshot"), "{}", refused.stderr);
    assert_eq!(values(&small), ["yes", "yes"], "they run again");

    let reset = small.ok(&["reset", "--yes"]);
    assert!(reset.stderr.contains("cannot back up") && reset.stderr.contains("_lost"), "{}", reset.stderr);
    assert_eq!(values(&small), ["", ""]);
    let undone = small.stage.sh(undo_of(&reset.stderr));
    assert_eq!(undone.code, 0, "{}", undone.stderr);
    assert_eq!(values(&small), ["yes", "yes"], "the others are in it");
}

#[test]
fn without_any_backup_yes_is_no_answer() {
    let small = with_a_lost_one("nobackup");
    // where backups would go is a file
    small.stage.write("data/backups", "");
    for command in [&["reset", "--yes"][..], &["down", "-v"]] {
        let refused = small.ends(command, 11);
        assert!(refused.stderr.contains("nothing was deleted"), "{}", refused.stderr);
        assert_eq!(values(&small), ["yes", "yes"], "{command:?}: they run again");
    }
    small.ok(&["down", "-v", "--no-snapshot"]);
    assert_eq!(small.leftovers(), [""; 0]);
}
