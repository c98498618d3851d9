//! What a process keeps in memory, by Linux's own count.

use crate::Result;

/// Megabytes of 10^6 bytes.
pub struct Memory {
    /// All that is there now, the pages of the executable that were used among it.
    pub resident: f64,
    /// What no file holds: stacks and heap.
    pub anonymous: f64,
}

/// Of a process that runs.
pub fn of(process: u32) -> Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let megabytes = |name: &str| {
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(':'));
        let kibibytes: f64 = line.and_then(|it| it.split_whitespace().next()?.parse().ok())?;
        Some(kibibytes * 1024.0 / 1e6)
    };
    match (megabytes("VmRSS"), megabytes("RssAnon")) {
        (Some(resident), Some(anonymous)) => Ok(Memory { resident, anonymous }),
        _ => Err(format!("process {process} has no memory").into()),
    }
}
