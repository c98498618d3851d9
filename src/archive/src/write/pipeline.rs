//! From full parts to the file: two threads compress, one writes, in order.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc as async_mpsc;
use zstd::bulk::Compressor;

use super::Summary;
use super::target::{Paced, Target};
use crate::error::{Error, Result};
use crate::layout::{self, BLOCK, ENTRY, Footer, LEVEL, PART, Prefix};
use crate::manifest::{self, Contradiction, Manifest};
use crate::seal::{BeginError, Sealed, Sealing};

/// How many parts there are at a time: one is filled, two are compressed, one is written, one waits.
const PARTS: usize = 5;
const WORKERS: usize = 2;

/// An entry of the tar, and the frame that it becomes.
pub struct Part {
    entry: Vec<u8>,
    frame: Vec<u8>,
}

impl Part {
    fn new() -> Self {
        let mut part = Self {
            entry: Vec::with_capacity(ENTRY),
            frame: Vec::with_capacity(zstd::zstd_safe::compress_bound(ENTRY)),
        };
        part.clear();
        part
    }

    /// One that nothing will be added to.
    pub fn empty() -> Self {
        Self { entry: vec![0; BLOCK], frame: Vec::with_capacity(zstd::zstd_safe::compress_bound(BLOCK)) }
    }

    fn clear(&mut self) {
        self.entry.clear();
        self.entry.resize(BLOCK, 0);
        self.frame.clear();
    }

    /// How many bytes still fit.
    pub fn room(&self) -> usize {
        ENTRY - self.entry.len()
    }

    pub fn add(&mut self, bytes: &[u8]) {
        self.entry.extend_from_slice(bytes);
    }

    /// Makes an entry of what was added.
    fn close(&mut self, name: &str) {
        let size = self.entry.len() - BLOCK;
        self.entry[..BLOCK].copy_from_slice(&layout::header(name, size));
        self.entry.resize(BLOCK + layout::padded(size), 0);
    }
}

/// A part to compress, and who waits for it.
struct Job {
    part: Part,
    done: mpsc::SyncSender<io::Result<Part>>,
}

/// What the writing thread does next.
enum Order {
    Write { member: usize, done: mpsc::Receiver<io::Result<Part>> },
    Finish(Box<Manifest>),
}

/// The threads and the ways between them.
pub struct Pipeline {
    archive: PathBuf,
    free: async_mpsc::UnboundedReceiver<Part>,
    /// Gone when no more can come.
    ways: Option<(mpsc::Sender<Job>, mpsc::Sender<Order>)>,
    writing: Option<JoinHandle<Result<Summary>>>,
    workers: Vec<JoinHandle<()>>,
}

impl Pipeline {
    pub fn start(target: Target, sealing: &Sealing) -> Result<Self> {
        let archive = target.archive().to_owned();
        let create = |source| Error::Create { archive: archive.clone(), source };
        let out = sealing.begin(target.writer().map_err(create)?).map_err(|why| match why {
            BeginError::Seal(source) => Error::Seal { archive: archive.clone(), source: source.into() },
            BeginError::Write(source) => Error::Write { archive: archive.clone(), source },
        })?;
        let (free, freed) = async_mpsc::unbounded_channel();
        for _ in 0..PARTS {
            // cannot fail: the other end is here
            _ = free.send(Part::new());
        }
        let (jobs, to_do) = mpsc::channel();
        let (orders, ordered) = mpsc::channel();
        let to_do = Arc::new(Mutex::new(to_do));
        let compressors = (0..WORKERS).map(|_| compressor()).collect::<io::Result<Vec<_>>>().map_err(create)?;
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let mut pipeline =
            Self { archive: archive.clone(), free: freed, ways: None, writing: None, workers: Vec::new() };
        for compressor in compressors {
            let to_do = Arc::clone(&to_do);
            let worker = named("archive-zstd").spawn(move || compress(compressor, &to_do)).map_err(create)?;
            pipeline.workers.push(worker);
        }
        let file = Storing { target, out, at: 0, extents: Vec::new() };
        pipeline.writing = Some(named("archive-file").spawn(move || file.run(&ordered, &free)).map_err(create)?);
        pipeline.ways = Some((jobs, orders));
        Ok(pipeline)
    }

    pub fn archive(&self) -> &Path {
        &self.archive
    }

    /// A part to fill; waits until there is one.
    pub async fn part(&mut self) -> Result<Part> {
        match self.free.recv().await {
            Some(part) => Ok(part),
            None => Err(self.failure()),
        }
    }

    /// A part to fill; blocks until there is one.
    pub fn blocking_part(&mut self) -> Result<Part> {
        match self.free.blocking_recv() {
            Some(part) => Ok(part),
            None => Err(self.failure()),
        }
    }

    /// Sends off a part of the member of this number.
    pub fn send(&mut self, mut part: Part, name: &str, member: usize) -> Result<()> {
        part.close(name);
        let (done, wait) = mpsc::sync_channel(1);
        let sent = self.ways.as_ref().is_some_and(|(jobs, orders)| {
            jobs.send(Job { part, done }).is_ok() && orders.send(Order::Write { member, done: wait }).is_ok()
        });
        if sent { Ok(()) } else { Err(self.failure()) }
    }

    pub fn finish(mut self, manifest: Manifest) -> Result<Summary> {
        if let Some((_, orders)) = &self.ways {
            // if it has ended already, it says why
            _ = orders.send(Order::Finish(Box::new(manifest)));
        }
        self.end()
    }

    /// Why the writing thread has ended.
    fn failure(&mut self) -> Error {
        match self.end() {
            Err(why) => why,
            Ok(_) => Error::GivenUp { archive: self.archive.clone() },
        }
    }

    fn end(&mut self) -> Result<Summary> {
        self.ways = None;
        let result = self.writing.take().and_then(|thread| thread.join().ok());
        for worker in self.workers.drain(..) {
            // one that panicked has left a part unfinished, which the writing thread told
            _ = worker.join();
        }
        result.unwrap_or_else(|| Err(Error::GivenUp { archive: self.archive.clone() }))
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // waits for the threads, so that the temporary file is gone afterwards
        _ = self.end();
    }
}

fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

fn compress(mut compressor: Compressor<'_>, jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut part, done }) = job else { return };
        let result = compressor.compress_to_buffer(&part.entry, &mut part.frame).map(|_| part);
        // nobody waits any more when the file could not be written
        _ = done.send(result);
    }
}

/// The file, and how far it is.
struct Storing {
    // the file goes before the target does
    out: Sealed<Paced>,
    target: Target,
    at: u64,
    /// Where each member begins, and how long it is.
    extents: Vec<(u64, u64)>,
}

impl Storing {
    fn run(mut self, orders: &mpsc::Receiver<Order>, free: &async_mpsc::UnboundedSender<Part>) -> Result<Summary> {
        let archive = self.target.archive().to_owned();
        let write = |source| Error::Write { archive: archive.clone(), source };
        self.put(&layout::start()).map_err(write)?;
        while let Ok(order) = orders.recv() {
            match order {
                Order::Write { member, done } => {
                    let Ok(part) = done.recv() else { break };
                    let mut part = part.and_then(|part| self.store(&part, member).map(|()| part)).map_err(write)?;
                    if part.entry.capacity() >= ENTRY {
                        part.clear();
                        // nobody fills parts any more when it is over
                        _ = free.send(part);
                    }
                }
                Order::Finish(manifest) => return self.finish(*manifest),
            }
        }
        Err(Error::GivenUp { archive })
    }

    fn store(&mut self, part: &Part, member: usize) -> io::Result<()> {
        let begin = self.at;
        self.frame(&part.frame)?;
        if self.extents.len() == member {
            self.extents.push((begin, 0));
        }
        self.extents[member].1 += self.at - begin;
        Ok(())
    }

    fn frame(&mut self, frame: &[u8]) -> io::Result<()> {
        self.put(&Prefix::of(frame).bytes())?;
        self.put(frame)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn finish(mut self, mut manifest: Manifest) -> Result<Summary> {
        let archive = self.target.archive().to_owned();
        let write = |source| Error::Write { archive: archive.clone(), source };
        for (member, (at, stored)) in manifest.members.iter_mut().zip(&self.extents) {
            (member.at, member.stored) = (*at, *stored);
        }
        let wrong = |fault| Error::Description { archive: archive.clone(), fault };
        manifest::check(&manifest, self.at).map_err(wrong)?;
        let json = serde_json::to_vec_pretty(&manifest).map_err(|why| write(why.into()))?;
        if json.len() > layout::MANIFEST_MOST {
            return Err(wrong(Contradiction::TooLong));
        }
        let digest = layout::sha256(&json);
        let at = self.at;
        let entry = manifest_entry(&json);
        let frame = compressor().and_then(|mut it| it.compress(&entry)).map_err(write)?;
        self.frame(&frame).map_err(write)?;
        let stored = u32::try_from(self.at - at).expect("a manifest is not that long");
        let size = u32::try_from(json.len()).expect("a manifest is not that long");
        self.put(&Footer { at, stored, size, sha256: digest }.bytes()).map_err(write)?;
        let file = self.out.finish().map_err(write)?;
        let size = file.written();
        drop(file);
        self.target.complete()?;
        Ok(Summary { manifest, size, digest: layout::hex(&digest) })
    }
}

/// The manifest as the last entry, and the end of the tar.
fn manifest_entry(json: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(BLOCK + layout::padded(json.len()) + 2 * BLOCK);
    entry.extend_from_slice(&layout::header(layout::MANIFEST, json.len()));
    entry.extend_from_slice(json);
    entry.resize(BLOCK + layout::padded(json.len()) + 2 * BLOCK, 0);
    entry
}

const _: () = assert!(PART.is_multiple_of(BLOCK));
