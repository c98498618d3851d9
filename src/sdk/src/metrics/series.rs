//! The numbers themselves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Upper bounds of a histogram's buckets, in seconds.
pub(super) const BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A number that only grows. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that goes up and down. Clones are the same number.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Makes it `value`.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// Adds `change`, which may be negative.
    pub fn add(&self, change: f64) {
        let changed = |bits| Some((f64::from_bits(bits) + change).to_bits());
        // the closure never declines
        let _ = self.0.fetch_update(Relaxed, Relaxed, changed);
    }

    /// What it is.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

/// How long something takes. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    /// How many there were up to each bound and above the one before; the last is for those above all bounds.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// Nanoseconds: 580 years of them.
    sum: AtomicU64,
}

impl Histogram {
    /// Counts one that took `time`.
    pub fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.0.counts[bucket].fetch_add(1, Relaxed);
        self.0.sum.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// How many there were at most as long as each bound, then all of them; and how long all took, in seconds.
    pub(super) fn cumulative(&self) -> ([u64; BOUNDS.len() + 1], f64) {
        let mut sum = 0;
        let counts = std::array::from_fn(|at| {
            sum += self.0.counts[at].load(Relaxed);
            sum
        });
        (counts, Duration::from_nanos(self.0.sum.load(Relaxed)).as_secs_f64())
    }
}

/// One line of numbers, of any kind.
#[derive(Clone)]
pub(super) enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Watched(Arc<dyn Fn() -> f64 + Send + Sync>),
}

impl Series {
    /// The word that Prometheus has for it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) | Self::Watched(_) => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}
