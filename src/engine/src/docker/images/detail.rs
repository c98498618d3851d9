//! What one image says about itself.

use std::collections::BTreeMap;

use bollard::models::ImageInspect;

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
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

impl ImageDetail {
    pub(super) fn new(reference: &str, image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        let env = config.env.unwrap_or_default();
        Self {
            reference: reference.to_owned(),
            id: image.id.unwrap_or_default(),
            env: env.iter().filter_map(|e| e.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
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
}
