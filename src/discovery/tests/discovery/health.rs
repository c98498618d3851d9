//! Services answer, fall silent, and drag others along.

use std::time::Duration;

use banyan_sdk::{
    Context, Fault, Query, Service,
    protocol::discovery::{HealthStatus, ServiceDeregistered, ServiceHealthChanged},
    schemars::{self, JsonSchema},
};
use discovery::queries::{GetAllServiceHealth, GetDependencyHealth, GetServiceHealth, ListServices};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{Ears, Stage, announce, ask, contract, token, unique, until};

const VIEW: &[&str] = &["admin:view-services"];

/// Asks something of the service that is named.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = u32, public)]
struct AskOther {
    service: String,
}

/// Answers.
#[derive(Serialize, Deserialize, JsonSchema, Query)]
#[query(reply = u32, public)]
struct Answer {}

async fn answer(_: Context<()>, _: Answer) -> Result<u32, Fault> {
    Ok(42)
}

async fn ask_other(cx: Context<()>, query: AskOther) -> Result<u32, Fault> {
    cx.call(Answer {}).to(query.service).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_come_and_go() {
    let stage = Stage::set().await;
    let discovery = stage.discovery().await;
    let ears = Ears::open(&stage).await;
    let name = unique("worker");
    let (one, other) = (stage.run(Service::new(&name, ())).await, stage.run(Service::new(&name, ())).await);
    discovery.sees(&name, "healthy").await;
    let instances = async |count: usize| {
        until("so many instances", async || {
            let seen = discovery.see(&format!("/admin/services/{name}")).await?;
            (seen["instances"].as_array()?.len() == count).then_some(seen)
        })
        .await
    };
    instances(2).await;
    let health = ask(one.client(), GetServiceHealth { service_name: name.clone() }, VIEW).await.unwrap();
    assert_eq!(health.status, HealthStatus::Healthy);
    assert!(health.last_health_check.is_some() && health.response_time.is_some_and(|it| it < 700), "{health:?}");
    let all = ask(one.client(), GetAllServiceHealth {}, VIEW).await.unwrap();
    assert!(
        all.services.contains(&ask(one.client(), GetServiceHealth { service_name: name.clone() }, VIEW).await.unwrap())
            || all.services.iter().any(|it| it.service_name == name)
    );
    let listed = async |status| ask(one.client(), ListServices { status }, VIEW).await.unwrap();
    assert!(listed(Some(HealthStatus::Healthy)).await.services.iter().any(|it| it.service_name == name));
    assert!(listed(Some(HealthStatus::Unhealthy)).await.services.iter().all(|it| it.service_name != name));

    assert!(other.stop(Duration::from_secs(10)).await);
    instances(1).await;
    assert_eq!(discovery.sees(&name, "healthy").await["errors"], json!([]));
    let client = stage.speaker("asker");
    assert!(one.stop(Duration::from_secs(10)).await);
    instances(0).await;
    let seen = discovery.sees(&name, "unhealthy").await;
    assert_eq!(seen["errors"], json!(["no instance is running"]));
    discovery.knows(&name, "1.0.0").await;
    assert_eq!(ears.so_many::<ServiceDeregistered>(2, &name).await.len(), 2);
    let changes = ears.so_many::<ServiceHealthChanged>(2, &name).await;
    assert_eq!(
        changes.iter().map(|it| (it.previous_status, it.status)).collect::<Vec<_>>(),
        [(HealthStatus::Unknown, HealthStatus::Healthy), (HealthStatus::Healthy, HealthStatus::Unhealthy)]
    );
    assert_eq!(
        ask(&client, GetServiceHealth { service_name: name }, VIEW).await.unwrap().status,
        HealthStatus::Unhealthy
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_falls_silent_is_forgotten() {
    let stage = Stage::set().await;
    let (discovery, _second) = (stage.discovery().await, stage.discovery().await);
    let ears = Ears::open(&stage).await;
    let name = unique("silent");
    let speaker = stage.speaker(&name);
    announce(&speaker, &name, "1.0.0", &[contract(&name, "AQuery", "string", "1.0.0")], json!({})).await;
    discovery.sees(&name, "unknown").await;
    discovery.sees(&name, "unhealthy").await;
    let gone: ServiceDeregistered = ears.first(&name).await;
    assert_eq!((gone.service_id, gone.reason.as_str()), (format!("{name}-v1.0.0"), "did not answer 3 health checks"));
    let changed: ServiceHealthChanged = ears.first(&name).await;
    assert_eq!((changed.previous_status, changed.status), (HealthStatus::Unknown, HealthStatus::Unhealthy));
    let seen = discovery.see(&format!("/admin/services/{name}")).await.unwrap();
    assert_eq!(seen["instances"], json!([]));
    discovery.knows(&name, "1.0.0").await;
    // Two of discovery found out, and one of them told.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ears.all::<ServiceDeregistered>(&name).len(), 1);
    assert_eq!(ears.all::<ServiceHealthChanged>(&name).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_is_seen_by_those_who_call() {
    let stage = Stage::set().await;
    let discovery = stage.discovery().await;
    let (front, back) = (unique("front"), unique("back"));
    let caller = stage.run(Service::new(&front, ()).query(ask_other)).await;
    let called = stage.run(Service::new(&back, ()).query(answer)).await;
    let call = banyan_sdk::Call {
        kind: banyan_sdk::protocol::Kind::Query,
        message_type: "AskOtherQuery".to_owned(),
        service: front.parse().unwrap(),
        payload: banyan_sdk::protocol::Payload::of(&AskOther { service: back.clone() }).unwrap(),
        timeout: Duration::from_secs(10),
        idempotency_key: None,
        repeatable: true,
        priority: None,
    };
    let flow = banyan_sdk::Flow::begin(banyan_sdk::ids::random);
    let reply = stage.speaker("asker").call(call, &flow).await.unwrap();
    assert_eq!(reply.read::<u32>().unwrap(), 42);
    // The caller tells of it with its next announcement.
    let graph = until("the edge", async || {
        let graph = discovery.see("/admin/graph").await?;
        let edge = json!({ "from": front, "to": back, "kind": "calls", "messageTypes": ["AnswerQuery"] });
        graph["dependencies"].as_array()?.contains(&edge).then_some(graph)
    })
    .await;
    assert!(graph["services"].as_array().unwrap().iter().any(|it| it["serviceName"] == front.as_str()));
    discovery.sees(&front, "healthy").await;
    discovery.sees(&back, "healthy").await;
    let asked = async || ask(caller.client(), GetDependencyHealth { service_name: front.clone() }, VIEW).await.unwrap();
    assert_eq!(asked().await.cascading_status, HealthStatus::Healthy);

    assert!(called.stop(Duration::from_secs(10)).await);
    discovery.sees(&back, "unhealthy").await;
    let health = asked().await;
    assert_eq!((health.status, health.cascading_status), (HealthStatus::Healthy, HealthStatus::Degraded));
    let [dependency] = health.dependencies.as_slice() else { panic!("{health:?}") };
    assert!(dependency.service_name == back && dependency.is_direct && dependency.status == HealthStatus::Unhealthy);
    let token = token(VIEW);
    let drawn =
        async |format: &str| discovery.get(&format!("/admin/graph?format={format}"), Some(&token)).await.unwrap().1;
    assert!(drawn("dot").await.contains(&format!("\"{front}\" -> \"{back}\" [style=solid, label=\"AnswerQuery\"]")));
    assert!(drawn("mermaid").await.contains(&format!("[\"{back}\"]:::unhealthy")));
}
