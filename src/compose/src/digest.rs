//! Our own digest of a service, per group of fields, so that a recreation can name its reason.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::project::{MountSource, Project, Service};

/// Short digest by field group; kept in label [`crate::observed::LABEL_SPEC`].
pub type Groups = BTreeMap<String, String>;

/// The digests of a service as it would be created from `image`.
pub fn groups(project: &Project, service: &Service, image: &str) -> Groups {
    let s = service;
    let networks: Vec<_> = s.networks.iter().map(|(k, a)| (project.networks.get(k).map(|n| &n.name), a)).collect();
    let mounts: Vec<_> = s
        .mounts
        .iter()
        .map(|m| match &m.source {
            MountSource::Volume(key) => (project.volumes.get(key).map(|v| v.name.clone()), m),
            _ => (None, m),
        })
        .collect();
    let mut ports = s.ports.clone();
    ports.sort();
    BTreeMap::from([
        ("image".into(), short(&image)),
        ("command".into(), short(&(&s.command, &s.entrypoint, &s.user, &s.working_dir))),
        ("environment".into(), short(&s.environment)),
        ("ports".into(), short(&ports)),
        ("mounts".into(), short(&mounts)),
        ("configs".into(), short(&s.configs)),
        ("networks".into(), short(&(networks, &s.hostname, &s.extra_hosts))),
        ("healthcheck".into(), short(&s.healthcheck)),
        ("limits".into(), short(&(&s.resources, &s.ulimits))),
        ("labels".into(), short(&s.labels)),
        (
            "options".into(),
            short(&(
                (s.restart, s.init, s.tty, s.stdin_open, s.read_only),
                (&s.stop_signal, s.stop_grace_period, &s.cap_add, &s.cap_drop),
            )),
        ),
    ])
}

/// Names of the groups that differ; empty: unchanged.
pub fn changed(before: &Groups, now: &Groups) -> Vec<String> {
    now.iter().filter(|(group, digest)| before.get(*group) != Some(digest)).map(|(group, _)| group.clone()).collect()
}

/// First 12 hexadecimal digits of the SHA-256 of the value's JSON.
pub fn short(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("types of this crate have string keys and no failing serializers");
    Sha256::digest(json).iter().take(6).map(|b| format!("{b:02x}")).collect()
}
