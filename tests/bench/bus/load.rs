//! A load of calls, each of which waits for its answer before the next one is made.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::part::Load;

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
