//! Images: what the engine has, and every way to get one: pull, build, import, load.
//!
//! Nothing here tells the journal that an image is done or has failed: only how far it is. The end is told by whoever
//! asked, because a failed pull may be followed by a build.

mod archive;
mod build;
mod credentials;
mod detail;
mod import;
mod layers;
mod pull;
mod verdict;

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::{ContainerCreateBody, ImageSummary};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptions, ListContainersOptionsBuilder, ListImagesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
};
use futures_util::TryStreamExt;

pub use compose::observed::Image;

pub use archive::ArchiveError;
pub use build::{Build, BuildError};
pub use credentials::{Credentials, HelperError, registry};
pub use detail::ImageDetail;
pub(crate) use import::quoted;
pub use import::{Import, chunks};
pub use pull::PullError;

use super::Engine;
use super::error::{Error, doing};

/// Label: the version of the server inside, as the server itself says it.
pub const VERSION: &str = compose::observed::LABEL_VERSION;
/// Label: where an image of ours comes from: `recipe`, `executable`.
pub const SOURCE: &str = compose::observed::LABEL_SOURCE;
/// Label: this container or image is of use only while something is being made; leftovers can go.
pub const TEMPORARY: &str = "dev.banyan.temporary";

fn listed(image: ImageSummary) -> Image {
    Image {
        id: image.id,
        tags: image.repo_tags.into_iter().filter(|tag| tag != "<none>:<none>").collect(),
        labels: image.labels.into_iter().collect(),
        size: image.size.try_into().unwrap_or(0),
        created: image.created,
    }
}

impl Engine {
    /// All images but the intermediate ones: one request.
    pub async fn images(&self) -> Result<Vec<Image>, Error> {
        self.list_images(HashMap::new()).await
    }

    /// Images without a name that carry a label.
    pub async fn nameless_images(&self, label: &str) -> Result<Vec<Image>, Error> {
        self.list_images(HashMap::from([("dangling", vec!["true"]), ("label", vec![label])])).await
    }

    async fn list_images(&self, filters: HashMap<&str, Vec<&str>>) -> Result<Vec<Image>, Error> {
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let images = self.docker.list_images(Some(options)).await.map_err(doing(|| "list images"))?;
        Ok(images.into_iter().map(listed).collect())
    }

    /// What an image says about itself; `None` when the engine does not have it.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageDetail>, Error> {
        match self.docker.inspect_image(reference).await.map_err(doing(|| format!("inspect image {reference}"))) {
            Ok(image) => Ok(Some(ImageDetail::new(reference, image))),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Take a name away from an image, and the image too when that was its last one. False: there was none, or a
    /// container uses it.
    pub async fn remove_image(&self, reference: &str) -> Result<bool, Error> {
        let options = RemoveImageOptionsBuilder::default().build();
        let removed = self.docker.remove_image(reference, Some(options), None).await;
        match removed.map_err(doing(|| format!("remove image {reference}"))) {
            Ok(_) => Ok(true),
            Err(e) if e.is_not_found() || e.is_conflict() => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// A file of an image, read through a container that is never started.
    pub async fn read_from_image(&self, image: &str, path: &str) -> Result<Vec<u8>, Error> {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(vec!["none".to_owned()]),
            labels: Some(HashMap::from([(TEMPORARY.to_owned(), "read".to_owned())])),
            ..Default::default()
        };
        let container = self
            .docker
            .create_container(None::<CreateContainerOptions>, body)
            .await
            .map_err(doing(|| format!("create a container of {image}")))?;
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let archive: Result<Vec<u8>, _> = self
            .docker
            .download_from_container(&container.id, Some(options))
            .try_fold(Vec::new(), |mut all, chunk| async move {
                all.extend_from_slice(&chunk);
                Ok(all)
            })
            .await
            .map_err(doing(|| format!("read {path} of image {image}")));
        let removed = self.remove_temporary(&container.id).await;
        let archive = archive?;
        removed?;
        first_file(&archive).ok_or_else(|| Error::Stream {
            doing: format!("read {path} of image {image}"),
            message: "it is not a file".to_owned(),
        })
    }

    /// Removes containers that were made to read an image and left behind by a program that was killed.
    pub async fn remove_temporary_containers(&self, older_than: Duration) -> Result<(), Error> {
        let filters = HashMap::from([("label", vec![TEMPORARY]), ("status", vec!["created"])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let containers = self.docker.list_containers(Some(options)).await.map_err(doing(|| "list containers"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        for container in containers {
            let created = container.created.and_then(|at| at.try_into().ok()).map_or(now, Duration::from_secs);
            if now.saturating_sub(created) > older_than {
                self.remove_temporary(container.id.as_deref().unwrap_or_default()).await?;
            }
        }
        Ok(())
    }

    async fn remove_temporary(&self, id: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let removed = self.docker.remove_container(id, Some(options)).await;
        removed.map_err(doing(|| format!("remove the temporary container {id}")))
    }
}

fn first_file(archive: &[u8]) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut content = Vec::new();
    entry.header().entry_type().is_file().then_some(())?;
    std::io::Read::read_to_end(&mut entry, &mut content).ok()?;
    Some(content)
}

/// `host:5000/a/b:tag` → (`host:5000/a/b`, `tag`); without a tag: `latest`.
fn split_tag(name: &str) -> (&str, &str) {
    match name.rsplit_once(':') {
        Some((repo, tag)) if !tag.contains('/') => (repo, tag),
        _ => (name, "latest"),
    }
}

/// The name as the engine needs it to pull one image, not all of a repository: with a tag or a digest.
fn exact(reference: &str) -> String {
    if reference.contains('@') {
        return reference.to_owned();
    }
    let (repo, tag) = split_tag(reference);
    format!("{repo}:{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_the_tag_and_not_at_the_port() {
        assert_eq!(split_tag("redis:7-alpine"), ("redis", "7-alpine"));
        assert_eq!(split_tag("host:5000/a/b"), ("host:5000/a/b", "latest"));
        assert_eq!(split_tag("host:5000/a/b:1"), ("host:5000/a/b", "1"));
        assert_eq!(exact("redis"), "redis:latest");
        assert_eq!(exact("redis@sha256:00"), "redis@sha256:00");
    }

    #[test]
    fn the_first_file_of_an_archive_is_read() {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        tar.append_data(&mut header, "version", &b"16.4\n"[..]).unwrap();
        assert_eq!(first_file(&tar.into_inner().unwrap()), Some(b"16.4\n".to_vec()));
        assert_eq!(first_file(b""), None);
    }
}
