//! The gateway over real sockets, with fake stores and fake neighbours.

#![allow(clippy::unwrap_used)]

#[path = "../../sdk/tests/fakes/mod.rs"]
mod fakes;

use fakes::{Fake, Speaks, Stores, ask, until_health};
use gateway::Settings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn needs_its_neighbours_and_lists_the_platform() {
    let stores = Stores::start().await;
    let mut discovery = Fake::start(Speaks::Http).await;
    let mut auth = Fake::absent(Speaks::Http).await;
    let mut environment = stores.environment();
    environment.push(("SERVICE_DISCOVERY_URL", format!("http://{}", discovery.address)));
    environment.push(("AUTH_SERVICE_URL", format!("http://{}/", auth.address)));
    environment.push(("PUBLIC_ADDRESSES", "grafana=http://127.0.0.1:5005".to_owned()));
    let env = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let settings = Settings::read(&env).ok().unwrap();
    let service = tokio::spawn(gateway::run(listener, settings, stop.clone().cancelled_owned()));

    until_health(address, 503, &["auth-service"]).await;
    auth.come_back().await;
    until_health(address, 200, &[]).await;
    discovery.die();
    until_health(address, 503, &["service-discovery"]).await;

    let page = ask(address, "GET /").await.unwrap();
    assert_eq!(page.json()["addresses"]["grafana"], "http://127.0.0.1:5005");
    let page = ask(address, "GET /\nAccept: text/html\r\n").await.unwrap();
    assert!(page.head.contains("content-type: text/html"), "{}", page.head);
    assert!(page.body.contains("href=\"http://127.0.0.1:5005\""), "{}", page.body);

    stop.cancel();
    service.await.unwrap().unwrap();
}

#[test]
fn every_mistake_is_reported_at_once() {
    let env = |name: &str| match name {
        "PORT" => Some("gateway".to_owned()),
        "AUTH_SERVICE_URL" => Some("https://auth".to_owned()),
        "PUBLIC_ADDRESSES" => Some("grafana".to_owned()),
        _ => None,
    };
    let error = Settings::read(&env).err().unwrap().to_string();
    let names = ["PORT", "DATABASE_URL", "RABBITMQ_URL", "REDIS_URL", "AUTH_SERVICE_URL", "PUBLIC_ADDRESSES"];
    for name in names {
        assert!(error.contains(&format!("\n  {name} ")), "{name} in {error}");
    }
    assert_eq!(error.lines().count(), 1 + names.len(), "{error}");
}
