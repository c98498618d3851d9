//! Redis: the file of the moment at which the server forked for it.

use archive::Method;
use bytes::Bytes;
use engine::docker::process::{Command, Output};
use futures_util::{StreamExt, stream};

use super::out::{Out, heard};
use super::{Order, entry};
use crate::error::{Error, Result};
use crate::rdb::{Forked, Server};
use crate::store::Store;

/// A server that is about to fork.
pub struct Asked<'a> {
    server: Server<'a>,
    folder: String,
    file: String,
}

/// One that has forked.
pub struct Held<'a> {
    asked: Asked<'a>,
    forked: Forked,
}

/// A file that is held open, whatever the server saves in its place.
pub struct Kept<'a> {
    server: Server<'a>,
    file: String,
    keys: Option<u64>,
    begin: Bytes,
    output: Output,
    /// True when it is of the moment, and of no later one.
    pub exact: bool,
}

impl<'a> Asked<'a> {
    /// Asks it where it saves.
    pub async fn of(order: &Order<'a>, store: &Store) -> Result<Self> {
        let password = store.ready.as_ref().and_then(|r| r.password.clone());
        let (container, service) = (store.container.clone(), store.name.clone());
        let server = Server { engine: order.engine, container, service, password };
        let (folder, file) = server.file().await?;
        Ok(Self { server, folder, file })
    }

    /// Makes it fork. To be called in the window.
    pub async fn hold(self) -> Result<Held<'a>> {
        let forked = self.server.fork().await?;
        Ok(Held { asked: self, forked })
    }
}

impl<'a> Held<'a> {
    /// Waits for the file and opens it: a save that comes later puts another one in its place.
    pub async fn keep(self, order: &Order<'_>) -> Result<Kept<'a>> {
        let Self { asked: Asked { server, folder, file }, forked } = self;
        let saved = heard(order.cancel, server.saved(&forked)).await??;
        let tar = Command::new(["tar", "-cf", "-", "-C", &folder, &file]);
        let process = server.engine.start(&server.container, &tar).await?;
        process.input.close().await;
        let mut output = process.output;
        // once something comes, it is open
        let Some(begin) = heard(order.cancel, output.next()).await?? else {
            let ended = output.end().await?;
            let doing = format!("read {folder}/{file} of {}", server.service);
            return Err(Error::Program { doing, code: ended.code, output: ended.output });
        };
        let exact = saved.of_fork && server.is_latest(&saved).await?;
        Ok(Kept { keys: forked.keys, server, file, begin, output, exact })
    }
}

impl Kept<'_> {
    /// Writes it.
    pub async fn write(self, out: &mut Out<'_>, store: &Store) -> Result<archive::Store> {
        let Self { server, file, keys, begin, mut output, exact } = self;
        if let Some(bytes) = size(&begin) {
            out.expect(store, bytes);
        }
        let member = format!("{}/dump.tar", store.name);
        let rest = stream::unfold(&mut output, |output| async {
            let next = output.next().await.transpose()?;
            Some((next, output))
        });
        let cancel = out.order.cancel;
        out.pour(store, &member, cancel, stream::iter([Ok(begin)]).chain(rest)).await?;
        let ended = output.end().await?;
        if ended.code != 0 {
            let doing = format!("read {file} of {}", server.service);
            return Err(Error::Program { doing, code: ended.code, output: ended.output });
        }
        let mut entry = entry(store, Method::Physical, vec![member]);
        if let Some(keys) = keys.filter(|_| exact) {
            entry.counts.insert("keys".to_owned(), keys);
        }
        entry.facts.insert("file".to_owned(), file);
        entry.server_version = server.version().await?;
        Ok(entry)
    }
}

/// The size in the header of the first file of a tar archive.
fn size(tar: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(tar.get(124..135)?).ok()?;
    u64::from_str_radix(digits.trim_matches([' ', '\0']), 8).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_size_is_read_from_the_header() {
        let mut header = tar::Header::new_gnu();
        header.set_size(123_456_789);
        assert_eq!(super::size(header.as_bytes()), Some(123_456_789));
        assert_eq!(super::size(b"short"), None);
    }
}
