//! What the machine is and does: cores, kernel, load, processor time of children.

use std::time::{Duration, Instant};

/// Busier than this, a measurement is put off.
pub const IDLE: f64 = 0.20;
/// How long the load is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Ticks of `/proc` per second; Linux tells every program this number.
const TICKS: f64 = 100.0;

/// Waits until the processors have little to do, for as long as `limit`; the share that was busy at the end.
pub fn settle(limit: Duration) -> f64 {
    let began = Instant::now();
    loop {
        let busy = busy();
        if busy < IDLE || began.elapsed() >= limit {
            return busy;
        }
    }
}

/// Share of all processors that was busy during a short look.
fn busy() -> f64 {
    let (busy, all) = ticks();
    std::thread::sleep(LOOK);
    let (busy_then, all_then) = ticks();
    (busy_then - busy) / (all_then - all).max(1.0)
}

fn ticks() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    let all = fields.iter().take(8).sum::<f64>();
    let idle = fields.get(3).unwrap_or(&0.0) + fields.get(4).unwrap_or(&0.0);
    (all - idle, all)
}

/// `6.1.0-18-amd64`
pub fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Processors that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Model of the first processor.
pub fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(String::new, |(_, name)| name.trim().to_owned())
}

/// User and system seconds of all children of this process that have ended, in steps of 10 ms.
pub fn children_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<f64> = after_name.split_whitespace().skip(1).flat_map(str::parse).collect();
    // fields 16 and 17 of the line; the name is 2, the state 3
    fields.iter().skip(12).take(2).sum::<f64>() / TICKS
}

/// Most memory that a process has had so far.
pub fn peak_memory(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
