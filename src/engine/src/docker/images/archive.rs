//! Images in one file, for machines without a network.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bollard::query_parameters::ImportImageOptionsBuilder;
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::AsyncWriteExt;

use super::import::{chunks, counted};
use crate::docker::Engine;
use crate::docker::error::{Error, doing};
use crate::progress::Journal;

/// What the engine unpacks by itself: gzip, bzip2, xz, zstd.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];

/// Images could not be written to, or read from, a file.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// `read`, `write`
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is not what `save` writes.
    #[error("cannot load images from {path}: {why}")]
    NotImages {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The engine does not have an image that should be saved.
    #[error("cannot save image {reference}: the engine does not have it")]
    NoSuchImage {
        /// The image.
        reference: String,
    },
    /// The engine stopped in the middle.
    #[error("cannot save images to {path}: the engine stopped in the middle: {message}")]
    Incomplete {
        /// The file, which was not written.
        path: PathBuf,
        /// The engine's own words, if it had any.
        message: String,
    },
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Engine {
    /// Writes images into one file, which appears only when it is complete. Gives its size.
    pub async fn save(&self, references: &[&str], path: &Path, journal: &Journal) -> Result<u64, ArchiveError> {
        for reference in references {
            if self.image(reference).await?.is_none() {
                return Err(ArchiveError::NoSuchImage { reference: (*reference).to_owned() });
            }
        }
        // a link is followed, so that it is not the link that is replaced
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if std::fs::metadata(&target).is_ok_and(|m| !m.is_file()) {
            let source = std::io::Error::other("it is no regular file");
            return Err(ArchiveError::File { doing: "write", path: path.to_owned(), source });
        }
        let path = target.as_path();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = Part(path.with_file_name(name));
        let failed = |source| ArchiveError::File { doing: "write", path: path.to_owned(), source };
        let mut file = tokio::fs::File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&part.0)
            .await
            .map_err(failed)?;
        let shown = path.display().to_string();
        let bytes = self.docker.export_images(references);
        let mut bytes = Box::pin(counted(bytes, journal.clone(), shown, "saving", 0));
        let mut size = 0;
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(doing(|| format!("save {}", references.join(", "))))?;
            size += chunk.len() as u64;
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        let mut file = file.into_std().await;
        if let Some(message) = unfinished(&mut file, size).map_err(failed)? {
            return Err(ArchiveError::Incomplete { path: path.to_owned(), message });
        }
        std::fs::rename(&part.0, path).map_err(failed)?;
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            // the name, too, should survive a power cut; a file system that cannot promise it is no reason to fail
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(size)
    }

    /// Takes in the images of a file and gives their names.
    pub async fn load(&self, path: &Path, journal: &Journal) -> Result<Vec<String>, ArchiveError> {
        let failed = |source| ArchiveError::File { doing: "read", path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let checked = tokio::task::spawn_blocking(move || {
            let why = complaint(&mut file)?;
            let size = file.seek(SeekFrom::End(0))?;
            file.rewind()?;
            Ok((why, size, file))
        });
        let (why, size, file) = checked.await.unwrap_or_else(|e| Err(io::Error::other(e))).map_err(failed)?;
        if let Some(why) = why {
            return Err(ArchiveError::NotImages { path: path.to_owned(), why });
        }
        let shown = path.display().to_string();
        let bytes = counted(chunks(tokio::fs::File::from_std(file)), journal.clone(), shown.clone(), "loading", size);
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let news: Vec<_> = self
            .docker
            .import_image(options, bollard::body_try_stream(bytes), None)
            .try_collect()
            .await
            .map_err(doing(|| format!("load images from {shown}")))?;
        let text: String = news.into_iter().filter_map(|one| one.stream).collect();
        Ok(loaded(&text))
    }
}

/// A file that goes away unless it was renamed.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The names in the engine's answer to a load.
fn loaded(text: &str) -> Vec<String> {
    let name = |line: &str| {
        line.strip_prefix("Loaded image: ").or_else(|| line.strip_prefix("Loaded image ID: ")).map(str::to_owned)
    };
    text.lines().filter_map(name).collect()
}

/// A tar archive ends with empty blocks; the engine, when it fails in the middle, ends with an error as JSON.
fn unfinished(file: &mut File, size: u64) -> io::Result<Option<String>> {
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(512)))?;
    file.read_to_end(&mut end)?;
    if end.len() == 512 && end.iter().all(|b| *b == 0) {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&end);
    Ok(Some(text.find("{\"").map_or_else(|| "no reason given".to_owned(), |at| text[at..].trim().to_owned())))
}

/// What keeps a file from being an archive of images, if anything.
fn complaint(file: &mut File) -> io::Result<Option<&'static str>> {
    if file.metadata()?.is_dir() {
        return Ok(Some("it is a folder"));
    }
    let mut start = [0; 512];
    let mut read = 0;
    while read < start.len() {
        match file.read(&mut start[read..])? {
            0 => break,
            n => read += n,
        }
    }
    file.rewind()?;
    if COMPRESSED.iter().any(|magic| start.starts_with(magic)) {
        return Ok(None);
    }
    if read == 0 {
        return Ok(Some("it is empty"));
    }
    if read < start.len() || &start[257..262] != b"ustar" {
        return Ok(Some("it is not a tar archive"));
    }
    const DAMAGED: Option<&str> = Some("the tar archive is damaged or cut off");
    let length = file.metadata()?.len();
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let Ok(entry) = entry else { return Ok(DAMAGED) };
        // content is jumped over, also past the end
        if entry.raw_file_position().saturating_add(entry.size()) > length {
            return Ok(DAMAGED);
        }
        if matches!(entry.path_bytes().as_ref(), b"manifest.json" | b"index.json" | b"repositories") {
            return Ok(None);
        }
    }
    Ok(Some("it is a tar archive, but not one of images"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(content: &[u8]) -> Option<&'static str> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, content).unwrap();
        file.rewind().unwrap();
        complaint(&mut file).unwrap()
    }

    fn tar_with(name: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(3000);
        tar.append_data(&mut header, "layer/layer.tar", io::repeat(1).take(3000)).unwrap();
        header.set_size(2);
        tar.append_data(&mut header, name, &b"[]"[..]).unwrap();
        tar.into_inner().unwrap()
    }

    #[test]
    fn only_an_archive_of_images_is_taken() {
        assert_eq!(judged(b""), Some("it is empty"));
        assert_eq!(judged(&[b'x'; 2000]), Some("it is not a tar archive"));
        assert_eq!(judged(b"short"), Some("it is not a tar archive"));
        assert_eq!(judged(&tar_with("readme")), Some("it is a tar archive, but not one of images"));
        assert_eq!(judged(&tar_with("manifest.json")), None);
        assert_eq!(judged(b"\x1f\x8b\x08rest"), None);
        assert_eq!(judged(&tar_with("manifest.json")[..2000]), Some("the tar archive is damaged or cut off"));
    }

    #[test]
    fn an_archive_without_its_end_is_noticed() {
        let whole = tar_with("manifest.json");
        let check = |content: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, content).unwrap();
            unfinished(&mut file, content.len() as u64).unwrap()
        };
        assert_eq!(check(&whole), None);
        assert_eq!(check(&whole[..1024 + 3000]), Some("no reason given".to_owned()));
        let mut error = whole[..1024].to_vec();
        error.extend_from_slice(br#"{"errorDetail":{"message":"disk"}}"#);
        assert_eq!(check(&error), Some(r#"{"errorDetail":{"message":"disk"}}"#.to_owned()));
    }

    #[test]
    fn names_are_read_from_the_answer() {
        assert_eq!(loaded("Loaded image: a:1\nLoaded image ID: sha256:00\n"), ["a:1", "sha256:00"]);
    }
}
