//! What the process tells of itself.

use std::{fs, time::Instant};

use super::Metrics;

pub(super) fn watch(metrics: &Metrics) {
    metrics.watched("process_resident_memory_bytes", "Memory that the process holds, in bytes.", &[], resident);
    let started = Instant::now();
    metrics.watched("process_uptime_seconds", "How long the process runs, in seconds.", &[], move || {
        started.elapsed().as_secs_f64()
    });
}

/// As the kernel tells it; not a number where it does not.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1_024.0)
}
