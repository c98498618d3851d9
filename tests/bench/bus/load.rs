//! A load of calls, each of which waits for its answer before the next one is made.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

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
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN);
        Self { calls: times.len() as u64, errors, seconds, p50: at(50), p99: at(99) }
    }

    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }
}

/// Keeps `in_flight` calls under way for a while.
pub async fn run<F, Fut>(in_flight: usize, time: Duration, call: F) -> Load
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<(), String>> + Send,
{
    let began = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|_| {
            let call = call.clone();
            tokio::spawn(async move {
                let (mut times, mut errors) = (Vec::new(), 0);
                while began.elapsed() < time {
                    let asked = Instant::now();
                    match call().await {
                        Ok(()) => times.push(asked.elapsed().as_secs_f64() * 1e6),
                        Err(error) => {
                            if errors == 0 {
                                eprintln!("a call failed: {error}");
                            }
                            errors += 1;
                        }
                    }
                }
                (times, errors)
            })
        })
        .collect();
    let (mut times, mut errors) = (Vec::new(), 0);
    for caller in callers {
        match caller.await {
            Ok((more, failed)) => {
                times.extend(more);
                errors += failed;
            }
            Err(_) => errors += 1,
        }
    }
    Load::of(times, errors, began.elapsed().as_secs_f64())
}
