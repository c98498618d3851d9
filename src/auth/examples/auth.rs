//! The service with a clock that can be wrong: `CLOCK_AHEAD` is by how many seconds. For tests.

use std::{sync::Arc, time::Duration};

use auth::{Settings, World, service};
use banyan_sdk::Error;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let env = |name: &str| std::env::var(name).ok();
    let ahead: i64 = env("CLOCK_AHEAD").and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut world = World::default();
    let clock = Arc::clone(&world.clock);
    world.clock = Arc::new(move || {
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 { clock() - by } else { clock() + by }
    });
    service(Settings::read(&env)?, world)?.run_with(&env).await
}
