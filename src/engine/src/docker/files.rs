//! Files in and out of a container, also one that does not run: what `docker cp` does, as streams of tar.

use std::io;

use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::connect::Engine;
use super::error::{Error, doing};

impl Engine {
    /// A folder with all that is in it, or a file, as a tar archive. A path that ends with `/.` names its entries
    /// `./…`.
    pub fn download(&self, container: &str, path: &str) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
        let what = format!("copy {path} out of {container}");
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        self.docker
            .download_from_container(container, Some(options))
            .map(move |chunk| chunk.map_err(doing(|| what.clone())))
    }

    /// Makes a symbolic link in a container, and the folders on the way to it.
    pub async fn link(&self, container: &str, path: &str, target: &str) -> Result<(), Error> {
        let what = || format!("link {path} in {container}");
        let archive = || {
            let mut builder = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            builder.append_link(&mut header, path.trim_start_matches('/'), target)?;
            builder.into_inner()
        };
        let archive = archive().map_err(|e| Error::Stream { doing: what(), message: e.to_string() })?;
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let sent = self.docker.upload_to_container(container, Some(options), bollard::body_full(archive.into())).await;
        sent.map_err(doing(what))
    }

    /// Unpacks a tar archive into a folder of the container; owners, permissions and times are those of the archive. An
    /// error in the stream ends it half-way.
    pub async fn upload<S>(&self, container: &str, path: &str, tar: S) -> Result<(), Error>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let options = UploadToContainerOptions { path: path.to_owned(), ..Default::default() };
        let sent = self.docker.upload_to_container(container, Some(options), bollard::body_try_stream(tar)).await;
        sent.map_err(doing(|| format!("copy files into {container}:{path}")))
    }
}
