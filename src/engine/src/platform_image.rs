//! An image made from an executable and nothing else that it does not need: of the platform's own services from this very
//! one, of a service of the user's own from its program.

mod elf;
mod rootfs;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use elf::Elf;
pub use elf::architecture_here;

use crate::docker::images::{self, Image, Import};
use crate::docker::{Engine, Error};
use crate::progress::{Journal, Kind, Phase};
use crate::recipe::short_hex;

/// Where the images of the platform's own services are.
pub const REPOSITORY: &str = "banyan-local/platform";
/// Label: what an executable can be known by without reading all of it.
const EXECUTABLE: &str = "dev.banyan.executable";
/// An image that was made so recently may be on its way into a container.
const FRESH: i64 = 120;

/// The image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PlatformImageError {
    /// The executable cannot run on the engine.
    #[error("{path} is {found}: the engine needs an executable for {os}/{arch}", path = path.display())]
    NeedsLinuxExecutable {
        /// The executable.
        path: PathBuf,
        /// What it is instead: `no Linux executable`, `an executable for linux/arm64`.
        found: String,
        /// The engine's operating system.
        os: String,
        /// The engine's architecture.
        arch: String,
    },
    /// The executable cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Unreadable {
        /// The executable.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is dynamic, and what it links cannot be found out here.
    #[error("cannot find the libraries of {path}: {message}", path = path.display())]
    Libraries {
        /// The executable.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// The engine refused or could not.
    #[error(transparent)]
    Engine(#[from] Error),
}

/// The tag of the image with this executable; made first if the engine does not have it. Older ones in the repository that
/// no container uses are removed then.
pub async fn ensure(
    engine: &Engine,
    repository: &str,
    executable: &Path,
    journal: &Journal,
) -> Result<String, PlatformImageError> {
    let unreadable = |source| PlatformImageError::Unreadable { path: executable.to_owned(), source };
    let mut file = File::open(executable).map_err(unreadable)?;
    let Some(elf) = elf::read(&mut file).map_err(unreadable)? else {
        return Err(unfit(engine, executable, "no Linux executable".to_owned()).await?);
    };
    let fingerprint = fingerprint(&file, &elf).map_err(unreadable)?;
    let images = engine.images().await?;
    if let Some(tag) = known(&images, repository, &fingerprint) {
        return Ok(tag);
    }
    let (os, arch) = (engine.os(), engine.arch().await?);
    if os != "linux" || arch != elf.architecture {
        let found = format!("an executable for linux/{}", elf.architecture);
        return Err(unfit(engine, executable, found).await?);
    }
    let hash = tokio::task::spawn_blocking({
        let file = file.try_clone().map_err(unreadable)?;
        move || hash(file)
    });
    let hash = hash.await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(unreadable)?;
    let tag = format!("{repository}:{}-{hash}", env!("CARGO_PKG_VERSION"));
    if images.iter().any(|image| image.tags.contains(&tag)) {
        return Ok(tag);
    }
    make(engine, executable, file, &elf, &fingerprint, &tag, journal).await?;
    remove_older(engine, repository, &images).await?;
    Ok(tag)
}

/// The tag of the image with this executable, if it was made before; makes nothing.
pub fn find(images: &[Image], repository: &str, executable: &Path) -> Result<Option<String>, PlatformImageError> {
    let unreadable = |source| PlatformImageError::Unreadable { path: executable.to_owned(), source };
    let mut file = File::open(executable).map_err(unreadable)?;
    let Some(elf) = elf::read(&mut file).map_err(unreadable)? else { return Ok(None) };
    let fingerprint = fingerprint(&file, &elf).map_err(unreadable)?;
    Ok(known(images, repository, &fingerprint))
}

/// The newest image that was made from an executable of this version.
pub fn of_this_version(images: &[Image]) -> Option<String> {
    let same = images.iter().filter(|image| image.label(images::VERSION) == Some(env!("CARGO_PKG_VERSION")));
    let named = same.filter_map(|image| Some((image.created, ours(image, REPOSITORY).next()?)));
    named.max_by_key(|(created, _)| *created).map(|(_, tag)| tag.clone())
}

async fn make(
    engine: &Engine,
    executable: &Path,
    file: File,
    elf: &Elf,
    fingerprint: &str,
    tag: &str,
    journal: &Journal,
) -> Result<(), PlatformImageError> {
    journal.tell(Kind::Image, tag, Phase::Doing("building"), None);
    let libraries = match &elf.interpreter {
        Some(interpreter) => rootfs::libraries(interpreter, executable)
            .await
            .map_err(|message| PlatformImageError::Libraries { path: executable.to_owned(), message })?,
        None => Vec::new(),
    };
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let import = Import {
        name: tag.to_owned(),
        tag: tag.to_owned(),
        labels: [
            label(EXECUTABLE, fingerprint),
            label(images::VERSION, env!("CARGO_PKG_VERSION")),
            label(images::SOURCE, "executable"),
        ]
        .into(),
        changes: rootfs::changes(&libraries),
    };
    engine.import(&import, rootfs::stream(file, libraries), journal).await?;
    Ok(())
}

async fn unfit(engine: &Engine, path: &Path, found: String) -> Result<PlatformImageError, Error> {
    let (os, arch) = (engine.os().to_owned(), engine.arch().await?.to_owned());
    Ok(PlatformImageError::NeedsLinuxExecutable { path: path.to_owned(), found, os, arch })
}

/// The linker's own hash of what it wrote, if it left one; else the time of the last change. With the size.
fn fingerprint(file: &File, elf: &Elf) -> io::Result<String> {
    let metadata = file.metadata()?;
    let what = match &elf.build_id {
        Some(id) => id.clone(),
        None => metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string(),
    };
    Ok(format!("{}-{what}", metadata.len()))
}

fn known(images: &[Image], repository: &str, fingerprint: &str) -> Option<String> {
    let same = images.iter().filter(|image| image.label(EXECUTABLE) == Some(fingerprint));
    same.flat_map(|image| ours(image, repository)).next().cloned()
}

fn ours<'a>(image: &'a Image, repository: &'a str) -> impl Iterator<Item = &'a String> {
    image.tags.iter().filter(move |tag| tag.rsplit_once(':').is_some_and(|(of, _)| of == repository))
}

/// `images` is what the engine had before the new one. The engine itself keeps those that a container uses.
async fn remove_older(engine: &Engine, repository: &str, images: &[Image]) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    for image in images.iter().filter(|image| image.created < now - FRESH) {
        for tag in ours(image, repository) {
            engine.remove_image(tag).await?;
        }
    }
    Ok(())
}

fn hash(mut file: File) -> io::Result<String> {
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(short_hex(&hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_repository_is_ours() {
        let image = |tag: &str| Image {
            id: String::new(),
            tags: vec![tag.to_owned()],
            labels: [(EXECUTABLE.to_owned(), "1-a".to_owned())].into(),
            size: 0,
            created: 0,
        };
        let images = [image("other/banyan-local/platform:1"), image("banyan-local/platform:0.1.0-aa")];
        assert_eq!(known(&images, REPOSITORY, "1-a").as_deref(), Some("banyan-local/platform:0.1.0-aa"));
        assert_eq!(known(&images, REPOSITORY, "2-a"), None);
        assert_eq!(known(&images, "banyan-local/order-service", "1-a"), None);
    }

    #[test]
    fn the_newest_image_of_this_version_is_found() {
        let image = |tag: &str, version: &str, created| Image {
            id: String::new(),
            tags: vec![format!("{REPOSITORY}:{tag}")],
            labels: [(images::VERSION.to_owned(), version.to_owned())].into(),
            size: 0,
            created,
        };
        let now = env!("CARGO_PKG_VERSION");
        let images = [image("a", now, 1), image("b", now, 2), image("c", "0.0.0", 3)];
        assert_eq!(of_this_version(&images).as_deref(), Some("banyan-local/platform:b"));
        assert_eq!(of_this_version(&images[2..]), None);
    }

    #[test]
    fn a_build_id_is_preferred_to_the_time() {
        let file = tempfile::tempfile().unwrap();
        let elf = |build_id: Option<&str>| Elf {
            architecture: "amd64",
            interpreter: None,
            build_id: build_id.map(str::to_owned),
        };
        assert_eq!(fingerprint(&file, &elf(Some("ab12"))).unwrap(), "0-ab12");
        assert!(fingerprint(&file, &elf(None)).unwrap().len() > 15);
    }
}
