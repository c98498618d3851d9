//! Recipes: images built from distribution packages, for when no registry answers.
//!
//! A recipe is a Dockerfile and its files. It begins with `ARG BASE` and `FROM ${BASE}`; the base is made here, once,
//! from the packages of the host's distribution. The image that comes out is called `banyan-local/<recipe>`, with the
//! version of the server that is really inside, never by a name that somebody else publishes.

mod base;
mod build;
mod confined;

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use base::Base;
pub use build::{build, sweep};

use crate::docker::Error;
use crate::docker::images::{self, BuildError, Image};

/// Label: the recipe's name.
pub const RECIPE: &str = compose::observed::LABEL_RECIPE;
/// Label: the recipe's hash.
pub const RECIPE_HASH: &str = "dev.banyan.recipe-hash";
/// Label that a recipe puts on stages whose files it copies from; what is left of them is swept away.
pub const STAGE: &str = "dev.banyan.stage";
/// Where every recipe writes the version of its server.
const VERSION_FILE: &str = "/usr/share/banyan/version";
/// Where every recipe writes what it is made of: a line `name=version sha256` for each package.
const PACKAGES_FILE: &str = "/usr/share/banyan/packages";
/// The tag of an image that is not finished begins like this.
const DRAFT: &str = "draft-";
/// The certificates of the building host, a file of the build context.
const CERTIFICATES: &str = "host-ca.crt";

/// A Dockerfile and the files beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// `postgres`
    pub name: String,
    /// Published images that it can stand in for: `postgres:16` means that and all that goes on with `.` or `-`.
    pub stands_in_for: String,
    /// Path in the build context, content, permissions.
    pub files: Vec<(String, Bytes, u32)>,
}

/// What a build takes from the machine it runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What recipes start from.
    pub base: Base,
    /// The certificates that this machine trusts, PEM; may be empty. Used for downloads, never part of an image.
    pub certificates: Bytes,
    /// Values for the Dockerfile's `ARG`s: proxies, a package index.
    pub args: BTreeMap<String, String>,
}

/// An image that a recipe made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// `banyan-local/postgres:16.14-0123456789ab`
    pub tag: String,
    /// `sha256:…`
    pub id: String,
    /// `16.14`
    pub version: String,
}

/// A recipe could not be built.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// No base can be made on this system.
    #[error("cannot make a base image on {found}: only Debian and Ubuntu are supported")]
    UnsupportedHost {
        /// What the system says it is.
        found: String,
    },
    /// The base would be of this machine's architecture, which is not the engine's.
    #[error("cannot make a base image for an engine on {engine}: this machine is {host}")]
    OtherPlatform {
        /// `linux/amd64`
        host: String,
        /// `linux/arm64`
        engine: String,
    },
    /// A program is missing on this machine.
    #[error("cannot make a base image: {tool} is not installed (package {package})")]
    NoTool {
        /// The program.
        tool: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// The program that makes the base failed.
    #[error("cannot make a base image: {tool} failed: {}", reason(log))]
    Tool {
        /// The program.
        tool: &'static str,
        /// The end of what it said.
        log: Vec<String>,
    },
    /// The image does not say what is inside.
    #[error("recipe {recipe} wrote nothing to {file}")]
    Untold {
        /// The recipe.
        recipe: String,
        /// The file in the image.
        file: &'static str,
    },
    /// The build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The engine refused or could not.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Recipe {
    /// Out of files embedded in the executable: path, content. Scripts (`.sh`) may be executed.
    pub fn embedded(name: &str, stands_in_for: &str, files: &[(&str, &'static [u8])]) -> Self {
        let mode = |path: &str| if path.ends_with(".sh") { 0o755 } else { 0o644 };
        let file =
            |(path, content): &(&str, &'static [u8])| ((*path).to_owned(), Bytes::from_static(content), mode(path));
        let (name, stands_in_for) = (name.to_owned(), stands_in_for.to_owned());
        Self { name, stands_in_for, files: files.iter().map(file).collect() }
    }

    /// True when an image of this name may be replaced by the recipe's, because it is the same server and version.
    pub fn replaces(&self, reference: &str) -> bool {
        let short = reference.strip_prefix("docker.io/library/").unwrap_or(reference);
        let rest = short.strip_prefix(&self.stands_in_for).filter(|_| !self.stands_in_for.is_empty());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    }

    /// The images of this recipe, whatever their version.
    pub fn repository(&self) -> String {
        format!("banyan-local/{}", self.name)
    }

    /// Twelve hexadecimal digits that change with any file and with the base.
    pub fn hash(&self, base: &Base) -> String {
        let mut hash = Sha256::new();
        for part in [self.name.as_bytes(), base.identity().as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        for (path, content, mode) in &self.files {
            for part in [path.as_bytes(), &content[..]] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            hash.update(mode.to_be_bytes());
        }
        short_hex(&hash.finalize())
    }

    /// `banyan-local/<name>:<version>-<hash>`
    pub fn tag(&self, version: &str, base: &Base) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '_' };
        let version: String = version.chars().take(64).map(plain).collect();
        format!("{}:{version}-{}", self.repository(), self.hash(base))
    }

    /// The image that this very recipe made on this base, if the engine has it.
    pub fn find(&self, images: &[Image], base: &Base) -> Option<Built> {
        let hash = self.hash(base);
        let ours = |image: &&Image| {
            image.label(RECIPE) == Some(self.name.as_str()) && image.label(RECIPE_HASH) == Some(hash.as_str())
        };
        images.iter().filter(ours).find_map(|image| {
            let version = image.label(images::VERSION)?;
            let tag = self.tag(version, base);
            let named = image.tags.contains(&tag);
            named.then(|| Built { tag, id: image.id.clone(), version: version.to_owned() })
        })
    }

    /// The newest image of this recipe from wherever, if it is of the version that the recipe stands for: for machines
    /// that cannot build it.
    pub fn newest(&self, images: &[Image]) -> Option<Built> {
        let wanted = self.stands_in_for.rsplit_once(':').map_or("", |(_, version)| version);
        let fits = |version: &str| {
            let rest = version.strip_prefix(wanted);
            rest.is_some_and(|rest| wanted.is_empty() || rest.is_empty() || rest.starts_with('.'))
        };
        let prefix = format!("{}:", self.repository());
        let built = images.iter().filter(|image| image.label(RECIPE) == Some(self.name.as_str())).filter_map(|image| {
            let version = image.label(images::VERSION).filter(|version| fits(version))?;
            let finished = |tag: &&String| tag.strip_prefix(&prefix).is_some_and(|t| !t.starts_with(DRAFT));
            let tag = image.tags.iter().find(finished)?.clone();
            Some((image.created, Built { tag, id: image.id.clone(), version: version.to_owned() }))
        });
        built.max_by_key(|(created, _)| *created).map(|(_, built)| built)
    }

    fn context(&self, certificates: &Bytes) -> Bytes {
        let mut tar = tar::Builder::new(Vec::new());
        let certificates = (CERTIFICATES.to_owned(), certificates.clone(), 0o644);
        for (path, content, mode) in self.files.iter().chain([&certificates]) {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(*mode);
            tar.append_data(&mut header, path, &content[..]).expect("a Vec takes all that is written to it");
        }
        tar.into_inner().expect("a Vec takes all that is written to it").into()
    }
}

/// The first error is the cause; those that follow say what it led to.
fn reason(log: &[String]) -> &str {
    let error = log.iter().find_map(|line| line.strip_prefix("E: "));
    error.or(log.last().map(String::as_str)).unwrap_or("it said nothing")
}

pub(crate) fn short_hex(digest: &[u8]) -> String {
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis() -> (Recipe, Base) {
        let files: [(&str, &[u8]); 2] = [("Dockerfile", b"ARG BASE\n"), ("docker-entrypoint.sh", b"#!/bin/sh\n")];
        (Recipe::embedded("redis", "redis:7", &files), Base::from_os_release("ID=debian\n").unwrap())
    }

    #[test]
    fn the_hash_sees_every_byte_mode_and_base() {
        let (recipe, base) = redis();
        let hash = recipe.hash(&base);
        assert_eq!(hash.len(), 12);
        assert_eq!(recipe.clone().hash(&base), hash);
        let mut other = recipe.clone();
        other.files[1].2 = 0o644;
        assert_ne!(other.hash(&base), hash);
        let mut other = recipe.clone();
        other.files[0].1 = Bytes::from_static(b"ARG BASE\n ");
        assert_ne!(other.hash(&base), hash);
        assert_ne!(recipe.hash(&Base::from_os_release("ID=ubuntu\n").unwrap()), hash);
    }

    #[test]
    fn the_tag_is_a_valid_one() {
        let (recipe, base) = redis();
        let hash = recipe.hash(&base);
        assert_eq!(recipe.tag("5:7.0.15-1+deb12u1", &base), format!("banyan-local/redis:5_7.0.15_1_deb12u1-{hash}"));
    }

    #[test]
    fn an_image_of_the_same_recipe_is_found() {
        let (recipe, base) = redis();
        let labels = [(RECIPE, "redis"), (RECIPE_HASH, &recipe.hash(&base)), (images::VERSION, "7.0.15")];
        let mut image = Image {
            id: "sha256:00".to_owned(),
            tags: vec![recipe.tag("7.0.15", &base)],
            labels: labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            size: 1,
            created: 1,
        };
        let found = recipe.find(std::slice::from_ref(&image), &base).unwrap();
        assert_eq!((found.version.as_str(), found.id.as_str()), ("7.0.15", "sha256:00"));
        image.labels.insert(RECIPE_HASH.to_owned(), "0".to_owned());
        assert_eq!(recipe.find(&[image], &base), None);
    }

    #[test]
    fn the_newest_finished_image_of_the_right_version_can_stand_in() {
        let (recipe, _) = redis();
        let image = |tag: &str, version: &str, created: i64| Image {
            id: tag.to_owned(),
            tags: vec![tag.to_owned()],
            labels: [(RECIPE, "redis"), (images::VERSION, version)].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            size: 1,
            created,
        };
        let images = [
            image("banyan-local/redis:7.0.15-aa", "7.0.15", 1),
            image("banyan-local/redis:7.0.16-bb", "7.0.16", 3),
            image("banyan-local/redis:draft-cc", "7.0.17", 4),
            image("mine/redis:7.0.18", "7.0.18", 5),
            image("banyan-local/redis:72.0-dd", "72.0", 6),
        ];
        assert_eq!(recipe.newest(&images).unwrap().tag, "banyan-local/redis:7.0.16-bb");
        assert_eq!(recipe.newest(&images[2..]), None);
    }

    #[test]
    fn the_first_error_is_the_reason() {
        let log = ["W: old", "E: not signed", "E: failed to run"].map(str::to_owned);
        let error = RecipeError::Tool { tool: "mmdebstrap", log: log.to_vec() };
        assert_eq!(error.to_string(), "cannot make a base image: mmdebstrap failed: not signed");
        assert_eq!(reason(&log[..1]), "W: old");
        assert_eq!(reason(&[]), "it said nothing");
    }

    #[test]
    fn the_context_has_all_files_and_the_certificates() {
        let (recipe, _) = redis();
        let context = recipe.context(&Bytes::from_static(b"PEM"));
        let mut archive = tar::Archive::new(&context[..]);
        let entries = archive.entries().unwrap().map(|e| {
            let e = e.unwrap();
            (e.path().unwrap().display().to_string(), e.header().mode().unwrap(), e.size())
        });
        let expected = [("Dockerfile", 0o644, 9), ("docker-entrypoint.sh", 0o755, 10), ("host-ca.crt", 0o644, 3)];
        assert_eq!(entries.collect::<Vec<_>>(), expected.map(|(name, mode, size)| (name.to_owned(), mode, size)));
    }
}
