//! Making an image from the files of a root file system.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};

use bollard::query_parameters::CreateImageOptionsBuilder;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::split_tag;
use crate::docker::Engine;
use crate::docker::error::{Error, doing};
use crate::progress::{Journal, Kind, Phase};

/// An image out of a root file system.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// The name under which the journal hears of it.
    pub name: String,
    /// The name that the image gets.
    pub tag: String,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Dockerfile instructions: `ENTRYPOINT ["/banyan"]`, `USER 65532`.
    pub changes: Vec<String>,
}

impl Engine {
    /// Makes an image of one layer from a tar archive that need not be in memory. An error in the stream is passed to
    /// the engine as a broken connection, so that no half image comes to be.
    pub async fn import<S>(&self, import: &Import, rootfs: S, journal: &Journal) -> Result<String, Error>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let (repo, tag) = split_tag(&import.tag);
        let labels = import.labels.iter().map(|(k, v)| format!("LABEL {k}={}", quoted(v)));
        let changes: Vec<String> = import.changes.iter().cloned().chain(labels).collect();
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(repo).tag(tag).changes(changes).build();
        let broken = Arc::new(OnceLock::new());
        let rootfs = rootfs.inspect_err({
            let broken = broken.clone();
            move |e| drop(broken.set(e.to_string()))
        });
        let rootfs = counted(rootfs, journal.clone(), import.name.clone(), "importing", 0);
        let what = || format!("import {}", import.name);
        let news = self.docker.create_image(Some(options), Some(bollard::body_try_stream(rootfs)), None);
        let last: Vec<_> = news.try_collect().await.map_err(|e| match broken.get() {
            // more than the engine can know
            Some(message) => Error::Stream { doing: what(), message: message.clone() },
            None => doing(what)(e),
        })?;
        let id = last.into_iter().rev().find_map(|one| one.status).unwrap_or_default();
        if !id.starts_with("sha256:") {
            return Err(Error::Stream { doing: what(), message: format!("unexpected answer: {id}") });
        }
        Ok(id)
    }
}

/// A reader as a stream of chunks.
pub fn chunks<R: AsyncRead + Unpin + Send + 'static>(reader: R) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(reader, |mut reader| async move {
        let mut chunk = BytesMut::with_capacity(128 * 1024);
        let read = reader.read_buf(&mut chunk).await?;
        Ok((read > 0).then(|| (chunk.freeze(), reader)))
    })
}

/// Tells the journal how many bytes have gone by, ten times a second at most.
pub(super) fn counted<S, E>(
    inner: S,
    journal: Journal,
    name: String,
    word: &'static str,
    all: u64,
) -> impl Stream<Item = Result<Bytes, E>> + Send
where
    S: Stream<Item = Result<Bytes, E>> + Send,
{
    let (mut done, mut told) = (0, None::<std::time::Instant>);
    inner.inspect(move |chunk| {
        let Ok(chunk) = chunk else { return };
        done += chunk.len() as u64;
        if told.is_none_or(|at| at.elapsed().as_millis() >= 100) {
            told = Some(std::time::Instant::now());
            journal.tell(Kind::Image, &name, Phase::Bytes(word, done, all), None);
        }
    })
}

/// A value in a Dockerfile instruction.
pub(crate) fn quoted(value: &str) -> String {
    let mut text = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' | '$' => text.extend(['\\', c]),
            '\n' | '\r' => text.push(' '),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted() {
        assert_eq!(quoted(r#"a "b" $c \d"#), r#""a \"b\" \$c \\d""#);
    }
}
