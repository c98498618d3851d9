//! What has to stop for a restore.

use archive::{Image, Kind};
use compose::observed::{COMPOSE_DEPENDS_ON, COMPOSE_SERVICE, VolumeMount};

use super::*;

fn container(service: &str, volume: Option<&str>, depends_on: &str, state: State) -> Container {
    let labels = [(COMPOSE_SERVICE, service), (COMPOSE_DEPENDS_ON, depends_on)];
    let mount = |name: &str| VolumeMount { name: name.to_owned(), target: "/data".to_owned() };
    Container {
        name: format!("p-{service}"),
        labels: labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into(),
        volumes: volume.map(mount).into_iter().collect(),
        state,
        ..Container::default()
    }
}

fn store(service: &str, volume: &str) -> Store {
    Store {
        name: service.to_owned(),
        service: service.to_owned(),
        kind: Kind::Volume,
        container: format!("p-{service}"),
        users: Vec::new(),
        state: State::Running,
        volume: volume.to_owned(),
        path: "/data".to_owned(),
        image: Image { reference: "image".to_owned(), digest: None },
        version: String::new(),
        ready: None,
    }
}

#[test]
fn whoever_uses_the_volume_stops_and_whoever_depends_on_those() {
    let observed = Observed {
        containers: vec![
            container("store", Some("shared"), "", State::Running),
            container("reader", Some("shared"), "", State::Running),
            container("site", None, "reader:service_started:false", State::Running),
            container("edge", None, "site:service_started:false", State::Paused),
            container("rests", None, "store:service_started:false", State::Exited),
            container("other", Some("own"), "", State::Running),
        ],
        ..Observed::default()
    };
    let stop = concerned(&observed, &[&store("store", "shared")]);
    assert_eq!(stop, ["p-edge", "p-site", "p-reader", "p-store"], "dependents first, and nothing that does not run");
}
