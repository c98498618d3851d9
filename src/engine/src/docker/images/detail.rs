//! What one image says about itself.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::{HealthConfig, ImageInspect};
use compose::project::Healthcheck;

use super::{SOURCE, VERSION, split_tag};

/// Variables in which official images carry the version of their server.
const VERSION_VARIABLES: [&str; 11] = [
    "PG_VERSION",
    "RABBITMQ_VERSION",
    "REDIS_VERSION",
    "VALKEY_VERSION",
    "MYSQL_VERSION",
    "MARIADB_VERSION",
    "MONGO_VERSION",
    "NATS_SERVER",
    "NGINX_VERSION",
    "MEMCACHED_VERSION",
    "CONSUL_VERSION",
];

/// One image, inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDetail {
    /// The name that was asked for.
    pub reference: String,
    /// `sha256:…`
    pub id: String,
    /// All its names.
    pub tags: Vec<String>,
    /// `linux`
    pub os: String,
    /// `amd64`
    pub architecture: String,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Its own check, if it has one.
    pub healthcheck: Option<Healthcheck>,
    /// Paths that become anonymous volumes when nothing is mounted there.
    pub volumes: Vec<String>,
    /// `5432/tcp`, …
    pub exposed_ports: Vec<String>,
    /// `user:group`; empty: root.
    pub user: String,
    /// What runs, before the command.
    pub entrypoint: Vec<String>,
    /// The command.
    pub cmd: Vec<String>,
    /// Working directory; empty: `/`.
    pub working_dir: String,
    /// The signal that stops it, if not SIGTERM.
    pub stop_signal: Option<String>,
    /// Bytes.
    pub size: u64,
}

impl ImageDetail {
    pub(super) fn new(reference: &str, image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        let env = config.env.unwrap_or_default();
        Self {
            reference: reference.to_owned(),
            id: image.id.unwrap_or_default(),
            tags: image.repo_tags.unwrap_or_default(),
            os: image.os.unwrap_or_default(),
            architecture: image.architecture.unwrap_or_default(),
            env: env.iter().filter_map(|e| e.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            healthcheck: config.healthcheck.and_then(healthcheck),
            volumes: sorted(config.volumes),
            exposed_ports: sorted(config.exposed_ports),
            user: config.user.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            cmd: config.cmd.unwrap_or_default(),
            working_dir: config.working_dir.unwrap_or_default(),
            stop_signal: config.stop_signal,
            size: image.size.and_then(|s| s.try_into().ok()).unwrap_or(0),
        }
    }

    /// The version of what is inside: our label; else what official images carry in their environment; else the usual
    /// labels (which may be inherited from the base, so they come late); else the tag.
    pub fn version(&self) -> &str {
        let label = |name: &str| self.labels.get(name).map(String::as_str).filter(|v| !v.is_empty());
        let variable = || VERSION_VARIABLES.iter().find_map(|name| self.env.get(*name)).map(|v| upstream(v));
        label(VERSION)
            .or_else(variable)
            .or_else(|| label("org.opencontainers.image.version"))
            .or_else(|| label("org.label-schema.version"))
            .unwrap_or_else(|| self.reference.split('@').next().map_or("latest", |name| split_tag(name).1))
    }

    /// `recipe` or `executable` for an image of ours, `None` for one that somebody published or the user built.
    pub fn source(&self) -> Option<&str> {
        self.labels.get(SOURCE).map(String::as_str)
    }
}

/// `16.4-1.pgdg120+1` → `16.4`, `v8.11.0` → `8.11.0`.
fn upstream(version: &str) -> &str {
    let version = version.split(['-', '+', '~']).next().unwrap_or(version);
    version.strip_prefix('v').unwrap_or(version)
}

fn sorted(list: Option<Vec<String>>) -> Vec<String> {
    let mut list = list.unwrap_or_default();
    list.sort();
    list
}

/// An empty test means that there is none to inherit.
fn healthcheck(check: HealthConfig) -> Option<Healthcheck> {
    // the engine says 0 for "not set"
    let time =
        |nanos: Option<i64>| nanos.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0).map(Duration::from_nanos);
    Some(Healthcheck {
        test: check.test.filter(|test| !test.is_empty())?,
        interval: time(check.interval),
        timeout: time(check.timeout),
        retries: check.retries.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0),
        start_period: time(check.start_period),
        start_interval: time(check.start_interval),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(reference: &str, env: &[&str], labels: &[(&str, &str)]) -> ImageDetail {
        let text = |s: &&str| (*s).to_owned();
        let config = bollard::models::ImageConfig {
            env: Some(env.iter().map(text).collect()),
            labels: Some(labels.iter().map(|(k, v)| (text(k), text(v))).collect()),
            ..Default::default()
        };
        ImageDetail::new(reference, ImageInspect { config: Some(config), ..Default::default() })
    }

    #[test]
    fn the_version_comes_from_the_best_witness() {
        let of = |i: ImageDetail| i.version().to_owned();
        let inherited = ("org.opencontainers.image.version", "24.04");
        assert_eq!(of(image("postgres:16-alpine", &["PG_VERSION=16.4-1.pgdg120+1"], &[])), "16.4");
        assert_eq!(of(image("rabbitmq:3.13", &["RABBITMQ_VERSION=3.13.7"], &[inherited])), "3.13.7");
        assert_eq!(of(image("a:1", &["PG_VERSION=16"], &[(VERSION, "7.0.15"), inherited])), "7.0.15");
        assert_eq!(of(image("elastic:8", &[], &[("org.label-schema.version", "8.11.0")])), "8.11.0");
        assert_eq!(of(image("host:5000/jaeger", &[], &[])), "latest");
        assert_eq!(of(image("jaeger:2.9@sha256:00", &[], &[])), "2.9");
    }

    #[test]
    fn a_check_is_taken_over_and_zero_means_not_set() {
        let config = HealthConfig {
            test: Some(vec!["CMD".to_owned(), "true".to_owned()]),
            interval: Some(2_000_000_000),
            timeout: Some(0),
            retries: Some(0),
            ..Default::default()
        };
        let check = healthcheck(config).unwrap();
        assert_eq!((check.interval, check.timeout, check.retries), (Some(Duration::from_secs(2)), None, None));
        assert_eq!(healthcheck(HealthConfig::default()), None);
    }
}
