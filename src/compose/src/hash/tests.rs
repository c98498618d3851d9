//! Our hashes against those that Compose gives the same files.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::load::{Sources, load};

/// Hashes of the enabled services, one a line, in the order of `docker compose config --hash`.
fn hashes(folder: &str, text: &'static str, profiles: &[&str]) -> String {
    hashes_of(&[folder.to_owned() + "/compose.yaml"], folder, text, profiles)
}

fn hashes_of(files: &[String], folder: &str, text: &'static str, profiles: &[&str]) -> String {
    let read = |path: &Path| match path.file_name().and_then(|n| n.to_str()) {
        Some("compose.yaml") => Ok(text.to_owned()),
        Some("over.yaml") => Ok(include_str!("vectors/over.yaml").into()),
        Some("a.env") => Ok("A=1\nB=${A}x\nC=\"$Z\"\nD\n".into()),
        Some("b.env") => Ok("B=2\nE=${B}y\nF=$A\n".into()),
        Some(".env") => Ok("Z=zed\nD=dd\n".into()),
        _ => Err(Error::from(ErrorKind::NotFound)),
    };
    let set = [("HOME", "/home/lab"), ("SET_OUTSIDE", "1")];
    let sources = Sources {
        files: files.iter().map(PathBuf::from).collect(),
        working_dir: PathBuf::from(folder),
        process_env: set.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        profiles: profiles.iter().map(|&profile| profile.to_owned()).collect(),
        ..Sources::default()
    };
    let project = load(&sources, &read).unwrap();
    let services: BTreeMap<_, _> = project.services.iter().collect();
    services.into_iter().map(|(name, service)| format!("{name} {}\n", service.config_hash)).collect()
}

#[test]
fn services_hash_as_compose_config_does() {
    assert_eq!(hashes("/lab/p", include_str!("vectors/config.yaml"), &["*"]), include_str!("vectors/config.hashes"));
}

#[test]
fn merged_services_hash_as_compose_config_does() {
    let files = ["/lab/p/compose.yaml".to_owned(), "/lab/p/over.yaml".to_owned()];
    let hashes = hashes_of(&files, "/lab/p", include_str!("vectors/config.yaml"), &["*"]);
    assert_eq!(hashes, include_str!("vectors/over.hashes"));
}

#[test]
fn services_hash_as_compose_up_does() {
    assert_eq!(hashes("/lab/p", include_str!("vectors/up.yaml"), &[]), include_str!("vectors/up.hashes"));
}

#[test]
fn a_service_with_only_an_image() {
    // sha256 of {"command":null,"entrypoint":null,"image":"redis:latest","networks":{"default":null}}
    let text = "services: {a: {image: 'redis:latest'}}";
    let expected = "a 1d46387138917e3b72ec38f9e06d9a31620ae8632d165d557e9de1dfe8ac0e37\n";
    assert_eq!(hashes("/lab/p", text, &[]), expected);
}

#[test]
fn a_changed_value_changes_the_hash() {
    let one = hashes("/lab/p", "services: {a: {image: x, tty: false}}", &[]);
    let same = hashes("/lab/p", "services: {a: {tty: no, image: x, pull_policy: always, scale: 1}}", &[]);
    let other = hashes("/lab/p", "services: {a: {image: x, tty: true}}", &[]);
    assert_eq!(one, same);
    assert_ne!(one, other);
}
