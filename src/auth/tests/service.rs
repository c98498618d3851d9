//! The auth service over real sockets, with fake stores.

#![allow(clippy::unwrap_used)]

#[path = "../../sdk/tests/fakes/mod.rs"]
mod fakes;

use auth::Settings;
use fakes::{Stores, ask, until_health};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn names_the_stores_it_misses_and_recovers() {
    let mut stores = Stores::start().await;
    let environment = stores.environment();
    let env = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let settings = Settings::read(&env).ok().unwrap();
    let service = tokio::spawn(auth::run(listener, settings, stop.clone().cancelled_owned()));

    until_health(address, 200, &[]).await;
    let health = ask(address, "GET /health").await.unwrap().json();
    assert_eq!(health["service"], "auth-service");
    assert_eq!(health["status"], "healthy");

    stores.postgres.die();
    stores.redis.die();
    until_health(address, 503, &["postgres", "redis"]).await;
    stores.postgres.come_back().await;
    stores.redis.come_back().await;
    until_health(address, 200, &[]).await;

    stop.cancel();
    service.await.unwrap().unwrap();
}
