//! The way of bytes from a store into the file: told while they come, and ended when somebody asks for it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use archive::Writer;
use bytes::Bytes;
use engine::docker::process::Command;
use engine::progress::{self, Phase};
use futures_util::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::Order;
use crate::error::{Error, Result};
use crate::store::Store;

/// What is being written.
pub struct Out<'o> {
    /// What the backup needs to know.
    pub order: &'o Order<'o>,
    /// The file.
    pub writer: Writer,
    /// Bytes of every store so far.
    written: BTreeMap<String, u64>,
    /// Bytes of stores, where they say it themselves.
    totals: BTreeMap<String, u64>,
    /// Bytes of volumes, once the engine has told them.
    sizes: Arc<OnceLock<BTreeMap<String, u64>>>,
}

/// What is wanted, unless it ends before.
pub async fn heard<T>(end: &CancellationToken, work: impl Future<Output = T>) -> Result<T> {
    tokio::select! {
        biased;
        () = end.cancelled() => Err(Error::Interrupted),
        done = work => Ok(done),
    }
}

impl<'o> Out<'o> {
    /// Nothing is written yet; the volumes of these will be copied.
    pub fn new(order: &'o Order<'o>, writer: Writer, copied: &[Store]) -> Self {
        let sizes: Arc<OnceLock<BTreeMap<String, u64>>> = Arc::default();
        let volumes: Vec<String> = copied.iter().map(|s| s.volume.clone()).collect();
        if !volumes.is_empty() {
            // the engine looks at every file, so nobody waits for it
            let (engine, told) = (order.engine.clone(), sizes.clone());
            tokio::spawn(async move { told.set(engine.volume_sizes(&volumes).await) });
        }
        Self { order, writer, written: BTreeMap::new(), totals: BTreeMap::new(), sizes }
    }

    /// Says how much a store will be, as far as it knows.
    pub fn expect(&mut self, store: &Store, bytes: u64) {
        self.totals.insert(store.name.clone(), bytes);
    }

    /// Bytes so far.
    pub fn done(&self) -> u64 {
        self.written.values().sum()
    }

    /// The standard output of a program in the store's container becomes a member.
    pub async fn run(&mut self, store: &Store, member: &str, command: &Command) -> Result<()> {
        let process = self.order.engine.start(&store.container, command).await?;
        process.input.close().await;
        let mut output = process.output;
        let from = stream::unfold(&mut output, |output| async {
            let next = output.next().await.transpose()?;
            Some((next, output))
        });
        self.pour(store, member, self.order.cancel, from).await?;
        let ended = output.end().await?;
        if ended.code == 0 {
            return Ok(());
        }
        let doing = format!("write {member} of {}", store.name);
        Err(Error::Program { doing, code: ended.code, output: ended.output })
    }

    /// A stream becomes a member. One that fails before its first byte spoils nothing.
    pub async fn pour<S>(&mut self, store: &Store, member: &str, end: &CancellationToken, from: S) -> Result<()>
    where
        S: Stream<Item = std::result::Result<Bytes, engine::docker::Error>>,
    {
        let mut from = pin!(from);
        let mut next = heard(end, from.next()).await?.transpose()?;
        let mut to = self.writer.member(member)?;
        let written = self.written.entry(store.name.clone()).or_default();
        while let Some(bytes) = next {
            heard(end, to.push(&bytes)).await??;
            *written += bytes.len() as u64;
            let told = self.totals.get(&store.name).or_else(|| self.sizes.get()?.get(&store.volume));
            // an estimate that was too low is none
            let total = told.copied().filter(|total| *total >= *written).unwrap_or(0);
            let phase = Phase::Bytes("backing up", *written, total);
            self.order.journal.tell(progress::Kind::Service, &store.name, phase, None);
            next = heard(end, from.next()).await?.transpose()?;
        }
        to.finish()?;
        Ok(())
    }

    /// Says that a store is done.
    pub fn backed_up(&self, store: &Store, began: Instant) {
        let note = format!("in {:.1} s", began.elapsed().as_secs_f64());
        self.order.journal.tell(progress::Kind::Service, &store.name, Phase::Done("backed up"), Some(note));
    }
}
