//! When nothing at all is done.

use std::collections::BTreeMap;

use super::{Docker, all, images, project, running};
use crate::observed::{COMPOSE_PROJECT, Container, LABEL_SOURCE, LABEL_VERSION, Labelled};
use crate::plan::{Refusal, up};

const DB: &str = "services: {db: {image: db, volumes: ['data:/data']}}\nvolumes: {data: {}}";

#[test]
fn a_project_of_the_same_name_from_another_folder() {
    let mut project = project(DB);
    let docker = running(&project);
    project.working_dir = "/elsewhere".into();
    let refusals = up(&project, &docker.observed, &all(&project)).unwrap_err();
    assert_eq!(refusals, [Refusal::OtherOrigin { origin: "/p".into() }]);
}

#[test]
fn a_name_that_somebody_else_has() {
    let project = project(DB);
    for owner in [None, Some("bakery".to_owned())] {
        let mut docker = Docker::default();
        let labels = owner.iter().map(|p| (COMPOSE_PROJECT.to_owned(), p.clone())).collect();
        docker.observed.others.push(Container { name: "shop-db-1".into(), labels, ..Container::default() });
        let refusals = up(&project, &docker.observed, &all(&project)).unwrap_err();
        assert_eq!(refusals, [Refusal::NameTaken { service: "db".into(), name: "shop-db-1".into(), project: owner }]);
    }
}

#[test]
fn everything_that_stands_in_the_way_is_told_at_once() {
    let project = project("services: {a: {image: a}, b: {image: b}, c: {image: c}}");
    let mut docker = Docker::default();
    for name in ["shop-a-1", "shop-c-1"] {
        docker.observed.others.push(Container { name: name.into(), ..Container::default() });
    }
    assert_eq!(up(&project, &docker.observed, &all(&project)).unwrap_err().len(), 2);
}

/// True when a server opens a volume with these labels.
fn opens(data: Option<(&str, &str)>, server: (&str, &str)) -> bool {
    let project = project(DB);
    let mut docker = Docker::default();
    let labels: BTreeMap<String, String> = data
        .into_iter()
        .flat_map(|(source, version)| [(LABEL_SOURCE, source), (LABEL_VERSION, version)])
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    docker.observed.volumes.insert("shop_data".into(), Labelled { labels });
    let mut images = images(&project);
    let image = images.get_mut("db").unwrap();
    (image.source, image.version) = (server.0.into(), server.1.into());
    let wish = super::Up { images, ..all(&project) };
    match up(&project, &docker.observed, &wish) {
        Ok(_) => true,
        Err(refusals) => {
            assert!(matches!(&refusals[..], [Refusal::VolumeMismatch { .. }]), "{refusals:?}");
            false
        }
    }
}

#[test]
fn a_volume_is_opened_by_its_own_kind_of_server_only() {
    assert!(opens(Some(("official", "16.4")), ("official", "16.4")));
    assert!(!opens(Some(("official", "16.4")), ("recipe", "16.4")));
    assert!(!opens(Some(("recipe", "16.4")), ("official", "16.4")));
    assert!(opens(None, ("official", "16.4")), "a volume that says nothing is not ours to judge");
    assert!(opens(Some(("official", "16.4")), ("", "")), "an image that is not there yet says nothing");
}

#[test]
fn a_volume_is_opened_by_the_same_major_version_and_no_earlier_minor_one() {
    for (data, server, expected) in [
        ("16.4", "16.4", true),
        ("16.4", "16.14", true),
        ("16.14", "16.4", false),
        ("16.4", "17.0", false),
        ("17.0", "16.9", false),
        ("3.10.8", "3.10.8", true),
        ("3.10.8", "3.13.0", true),
        ("3.13.0", "3.10.8", false),
        ("7.0.15", "7.2.0", true),
        ("7.2.0", "7.0.15", false),
        ("16.4", "16.4-1.pgdg120+1", true),
        ("8.11.0", "8.9.9", false),
        ("9.6", "10.1", false),
        ("16", "16.4", true),
        ("16.4", "16", true),
        ("latest", "16.4", true),
        ("16.4", "", true),
    ] {
        assert_eq!(opens(Some(("official", data)), ("official", server)), expected, "{data} by {server}");
    }
}
