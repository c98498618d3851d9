//! Finding the contracts of a service, as service discovery does it for everybody who asks.

use std::time::Instant;

use banyan_sdk::{
    cache::Cache,
    config::Endpoint,
    metrics::Metrics,
    store::{EventStore, Options},
};
use discovery::registry::Registry;

use super::{
    Result,
    report::{Level, Report},
};

const LOOKUPS: usize = 20_000;

/// Finds the same contracts again and again; service discovery has made its tables in this database.
pub fn lookups(runtime: &tokio::runtime::Runtime, database: &str, report: &mut Report) -> Result<()> {
    let redis = std::env::var("BANYAN_TEST_REDIS_URL")?;
    let endpoint = |text: &str, scheme: &str, port| {
        Endpoint::parse(text, &[scheme], port).ok_or_else(|| format!("{text} is no address of {scheme}"))
    };
    let (database, redis) = (endpoint(database, "postgresql", 5432)?, endpoint(&redis, "redis", 6379)?);
    let times = runtime.block_on(async {
        let store = EventStore::connect(&database, Options::default()).await?;
        let registry = Registry::new(store, Cache::redis(&redis, "service-discovery", &Metrics::new("bench")));
        // Its own contracts, which it has registered by now.
        let found = registry.find("bench-discovery", None).await?;
        let mut times = Vec::with_capacity(LOOKUPS);
        for _ in 0..LOOKUPS {
            let began = Instant::now();
            let again = registry.find("bench-discovery", None).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            if again.checksum != found.checksum {
                return Err("it found something else".into());
            }
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
    });
    let mut times = times?;
    times.sort_by(f64::total_cmp);
    report.condition(
        "look-up",
        format!("{LOOKUPS} look-ups of the ten contracts of service discovery, one after the other"),
    );
    report.plain("contracts from the cache, p99", "ms", &[times[LOOKUPS * 99 / 100]], Level::at_most(1.0));
    report.plain("contracts from the cache, median", "ms", &[times[LOOKUPS / 2]], Level::NONE);
    Ok(())
}
