//! Service discovery, PostgreSQL, Redis and RabbitMQ stop and come back: nothing is lost, and no service has to restart.

use banyan_sdk::Service;
use serde_json::json;

use crate::support::{Server, Servers, Stage, announce, contract, unique, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_back() {
    let (postgres, redis, rabbitmq) = (Server::start("postgres"), Server::start("redis"), Server::start("rabbitmq"));
    let servers = Servers {
        postgres: format!("postgresql://postgres@127.0.0.1:{}/postgres", postgres.port),
        rabbitmq: format!("amqp://guest:guest@127.0.0.1:{}", rabbitmq.port),
        redis: format!("redis://127.0.0.1:{}", redis.port),
    };
    let stage = Stage::on(servers).await;
    let mut discovery = stage.discovery().await;
    let (name, once) = (unique("worker"), unique("once"));
    let _worker = stage.run(Service::new(&name, ()).version("1.2.3")).await;
    // Another one that says what it offers once and never again.
    let speaker = stage.speaker(&once);
    announce(&speaker, &once, "1.0.0", &[contract(&once, "AQuery", "string", "1.0.0")], json!({})).await;
    discovery.knows(&name, "1.2.3").await;
    discovery.knows(&once, "1.0.0").await;
    discovery.sees(&name, "healthy").await;

    // Discovery is killed; what happens meanwhile waits for it.
    discovery.kill();
    announce(&speaker, &once, "1.1.0", &[contract(&once, "AQuery", "string", "1.1.0")], json!({})).await;
    let discovery = stage.discovery().await;
    discovery.knows(&once, "1.1.0").await;
    discovery.knows(&name, "1.2.3").await;
    discovery.sees(&name, "healthy").await;

    // Redis is gone: look-ups go to the database, and what is new is seen at once.
    redis.order("kill");
    discovery.knows(&name, "1.2.3").await;
    announce(&speaker, &once, "1.2.0", &[contract(&once, "AQuery", "string", "1.2.0")], json!({})).await;
    discovery.knows(&once, "1.2.0").await;
    redis.order("start");
    announce(&speaker, &once, "1.3.0", &[contract(&once, "AQuery", "string", "1.3.0")], json!({})).await;
    discovery.knows(&once, "1.3.0").await;

    // PostgreSQL is gone, as if the power had failed, and comes back.
    postgres.order("stop");
    until("it says so", async || discovery.get("/health", None).await.filter(|it| it.0 == 503).map(drop)).await;
    announce(&speaker, &once, "1.4.0", &[contract(&once, "AQuery", "string", "1.4.0")], json!({})).await;
    postgres.order("start");
    discovery.ready().await;
    discovery.knows(&once, "1.4.0").await;
    discovery.knows(&name, "1.2.3").await;
    discovery.sees(&name, "healthy").await;

    // RabbitMQ is gone and comes back; nobody is taken for dead, since nobody could be asked.
    rabbitmq.order("stop");
    until("it says so", async || discovery.get("/health", None).await.filter(|it| it.0 == 503).map(drop)).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let seen = discovery.see(&format!("/admin/services/{name}")).await.unwrap();
    assert_eq!((seen["status"].as_str(), seen["instances"].as_array().unwrap().len()), (Some("healthy"), 1), "{seen}");
    rabbitmq.order("start");
    discovery.ready().await;
    let checked = discovery.see(&format!("/admin/services/{name}")).await.unwrap()["lastHealthCheck"].clone();
    until("another answer", async || {
        let seen = discovery.see(&format!("/admin/services/{name}")).await?;
        (seen["status"] == "healthy" && seen["lastHealthCheck"] != checked).then_some(())
    })
    .await;
}
