//! What is happening, said once, for whoever shows it.

use std::time::Duration;

/// What the news is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A network.
    Network,
    /// A volume.
    Volume,
    /// An image: pulled, built or loaded.
    Image,
    /// A layer of an image that is being pulled.
    Layer,
    /// A container, or the service that it runs.
    Service,
    /// The machine or the engine (set-up).
    Engine,
    /// A backup: its file.
    Backup,
}

impl Kind {
    /// Lower-case word for JSON and plain output.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Network => "network",
            Kind::Volume => "volume",
            Kind::Image => "image",
            Kind::Layer => "layer",
            Kind::Service => "service",
            Kind::Engine => "engine",
            Kind::Backup => "backup",
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Under way: `creating`, `starting`, `waiting`, `stopping`, `pulling`, `building`.
    Doing(&'static str),
    /// Under way, with a measure: bytes done and bytes in all (0: not known).
    Bytes(&'static str, u64, u64),
    /// A state on the way that is no end: `created`, `started`.
    Reached(&'static str),
    /// The end of it: `ready`, `running`, `unchanged`, `stopped`, `removed`, `pulled`, `built`.
    Done(&'static str),
    /// The end of it, with something to know: `killed`, `unavailable`, `skipped`, `kept`.
    Warned(&'static str),
    /// It failed: `failed`, `blocked`, `timed out`.
    Failed(&'static str),
}

impl Phase {
    /// The word alone.
    pub fn word(&self) -> &'static str {
        match self {
            Phase::Doing(w)
            | Phase::Bytes(w, ..)
            | Phase::Reached(w)
            | Phase::Done(w)
            | Phase::Warned(w)
            | Phase::Failed(w) => w,
        }
    }

    /// True when nothing more is expected about this resource in this run.
    pub fn is_final(&self) -> bool {
        matches!(self, Phase::Done(_) | Phase::Warned(_) | Phase::Failed(_))
    }
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What it is about.
    pub kind: Kind,
    /// Its name: `postgres`, `flow-platform-network`, `postgres:16-alpine`.
    pub name: String,
    /// The image that a layer is of.
    pub of: Option<String>,
    /// How far it is.
    pub phase: Phase,
    /// Why, or what is waited for: one line.
    pub note: Option<String>,
    /// Time since the run began.
    pub at: Duration,
}

/// Whoever shows the news. Called from several tasks at once; must not block.
pub trait Reporter: Send + Sync {
    /// One piece of news.
    fn report(&self, progress: &Progress);
}

/// A reporter and the moment when the run began.
#[derive(Clone)]
pub struct Journal {
    reporter: std::sync::Arc<dyn Reporter>,
    began: std::time::Instant,
}

impl Journal {
    /// The run begins now.
    pub fn new(reporter: std::sync::Arc<dyn Reporter>) -> Self {
        Self { reporter, began: std::time::Instant::now() }
    }

    /// Tell what happened.
    pub fn tell(&self, kind: Kind, name: &str, phase: Phase, note: Option<String>) {
        let at = self.began.elapsed();
        self.reporter.report(&Progress { kind, name: name.to_owned(), of: None, phase, note, at });
    }

    /// Tell how far a layer of an image is.
    pub fn tell_layer(&self, image: &str, layer: &str, phase: Phase) {
        let (kind, name, of) = (Kind::Layer, layer.to_owned(), Some(image.to_owned()));
        self.reporter.report(&Progress { kind, name, of, phase, note: None, at: self.began.elapsed() });
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
