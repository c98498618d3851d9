//! The parts of a benchmark, each a process of its own: servers, which say that they are ready, and clients, which are
//! told on their standard input how many calls to keep under way and for how long.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::report::percentile;

/// What a load came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    /// Answers.
    pub calls: u64,
    /// Calls without the right answer.
    pub errors: u64,
    /// How long it took.
    pub seconds: f64,
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
}

impl Load {
    /// From the times of all calls, in microseconds.
    pub fn of(mut times: Vec<f64>, errors: u64, seconds: f64) -> Self {
        times.sort_by(f64::total_cmp);
        // JSON has no other word for a figure that is missing.
        let at = |share| if times.is_empty() { 0.0 } else { percentile(&times, share) };
        Self { calls: times.len() as u64, errors, seconds, p50: at(0.5), p99: at(0.99) }
    }

    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }
}

/// A process of the benchmark, seen from the one that measures. It ends when its standard input does.
pub struct Part {
    name: String,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Part {
    /// Starts it and waits until it says that it is ready.
    pub fn start(name: &str, mut command: Command) -> Result<Self, String> {
        let trouble = |e| format!("{name}: {e}");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(trouble)?;
        let missing = || format!("{name} has no input or output");
        let orders = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut part = Self { name: name.to_owned(), child, orders: Some(orders), answers };
        match part.line()?.as_str() {
            "ready" => Ok(part),
            other => Err(format!("{name} is not ready: {other}")),
        }
    }

    /// One load.
    pub fn load(&mut self, in_flight: usize, time: Duration) -> Result<Load, String> {
        self.order(&format!("{in_flight} {}", time.as_millis()))
    }

    /// One order, and the answer to it.
    pub fn order<T: serde::de::DeserializeOwned>(&mut self, order: &str) -> Result<T, String> {
        let orders = self.orders.as_mut().ok_or("it ended")?;
        writeln!(orders, "{order}").map_err(|e| format!("{}: {e}", self.name))?;
        let line = self.line()?;
        serde_json::from_str(&line).map_err(|e| format!("{} answers {line}: {e}", self.name))
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err(format!("{} ended", self.name)),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(e) => Err(format!("{}: {e}", self.name)),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.orders = None;
        // Parts of other makers may not look at their input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
