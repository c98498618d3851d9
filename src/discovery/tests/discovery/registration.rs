//! Services come with their contracts, and not all of them are accepted.

use banyan_sdk::{
    Command, Context, Fault, FaultCode, Service,
    protocol::discovery::{ServiceContractsChanged, ServiceContractsRefused},
    schemars::{self, JsonSchema},
};
use discovery::queries::{GetAllContracts, GetServiceContracts};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{Ears, Stage, announce, ask, contract, publish, unique, until};

/// Does something.
#[derive(Serialize, Deserialize, JsonSchema, Command)]
#[command(reply = u32, permissions = ["things:do"])]
struct DoIt {
    /// How often.
    times: u32,
}

async fn do_it(_: Context<()>, command: DoIt) -> Result<u32, Fault> {
    Ok(command.times)
}

const VIEW: &[&str] = &["admin:view-contracts"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_starts_is_known_with_its_contracts() {
    let stage = Stage::set().await;
    let discovery = stage.discovery().await;
    let name = unique("worker");
    let worker = stage.run(Service::new(&name, ()).version("1.4.2").command(do_it)).await;
    let seen = discovery.knows(&name, "1.4.2").await;
    assert_eq!(seen["contracts"][0]["messageType"], "DoItCommand");
    assert_eq!(seen["contracts"][0]["requiredPermissions"], json!(["things:do"]));

    let find =
        |version: Option<&str>| GetServiceContracts { service_name: name.clone(), version: version.map(str::to_owned) };
    let found = ask(worker.client(), find(None), VIEW).await.unwrap();
    assert_eq!((found.version.as_str(), found.contracts.len()), ("1.4.2", 1));
    assert_eq!(ask(worker.client(), find(Some("1.4.2")), VIEW).await.unwrap(), found);
    assert_eq!(ask(worker.client(), find(Some("9.0.0")), VIEW).await.unwrap_err().code, FaultCode::NotFound);
    assert_eq!(ask(worker.client(), find(None), &[]).await.unwrap_err().code, FaultCode::Authorization);

    let all = |include_internal_services| GetAllContracts { include_internal_services };
    let others = ask(worker.client(), all(false), VIEW).await.unwrap();
    assert!(others.iter().any(|it| it.service_name == name));
    assert!(others.iter().all(|it| it.service_name != "service-discovery"));
    until("discovery itself", async || {
        let all = ask(worker.client(), all(true), VIEW).await.unwrap();
        all.iter().any(|it| it.service_name == "service-discovery" && it.contracts.len() >= 6).then_some(())
    })
    .await;
    let kept = stage.redis("KEYS *contracts*").await;
    assert!(
        kept.contains(&format!("contracts:{name}:latest")) && kept.contains(&format!("contracts:{name}:1.4.2")),
        "{kept}"
    );
    let ttl = stage.redis(&format!("PTTL cache:service-discovery:contracts:{name}:1.4.2")).await;
    let ttl: u64 = ttl.lines().filter_map(|it| it.strip_prefix(':')).next().unwrap().parse().unwrap();
    assert!((200_000..=300_000).contains(&ttl), "{ttl} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_callers_is_refused_with_every_difference() {
    let stage = Stage::set().await;
    let discovery = stage.discovery().await;
    let ears = Ears::open(&stage).await;
    let name = unique("users");
    let users = stage.speaker(&name);
    let old =
        [contract(&name, "GetUserQuery", "string", "1.0.0"), contract(&name, "DropUserCommand", "string", "1.0.0")];
    announce(&users, &name, "1.0.0", &old, json!({})).await;
    discovery.knows(&name, "1.0.0").await;
    assert_eq!(ears.first::<ServiceContractsChanged>(&name).await.differences, []);

    let new = [contract(&name, "GetUserQuery", "integer", "1.1.0")];
    announce(&users, &name, "1.1.0", &new, json!({})).await;
    let refused: ServiceContractsRefused = ears.first(&name).await;
    let told: Vec<_> =
        refused.differences.iter().map(|it| format!("{} {}: {}", it.message_type, it.path, it.reason)).collect();
    assert_eq!(
        told,
        [
            "DropUserCommand messageType: is gone; callers still need it",
            "GetUserQuery input.id: changes from string to integer; what callers send may be refused",
        ]
    );
    assert_eq!((refused.service_id, refused.faults), (format!("{name}-v1.1.0"), Vec::new()));
    let seen = discovery.see(&format!("/api/services/{name}/contracts")).await.unwrap();
    assert_eq!(seen["version"], "1.0.0", "those in use stay in use");

    // With more room for callers, a new major number, or by force.
    announce(
        &users,
        &name,
        "1.1.1",
        &[old[0].clone(), old[1].clone(), contract(&name, "NewQuery", "string", "1.0.0")],
        json!({}),
    )
    .await;
    discovery.knows(&name, "1.1.1").await;
    announce(&users, &name, "1.2.0", &new, json!({ "forced": true })).await;
    discovery.knows(&name, "1.2.0").await;
    announce(&users, &name, "2.0.0", &[contract(&name, "GetUserQuery", "boolean", "1.0.0")], json!({})).await;
    discovery.knows(&name, "2.0.0").await;

    let history = discovery.see(&format!("/api/services/{name}/contracts/history")).await.unwrap();
    let told: Vec<_> = history["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", it["version"], it["verdict"]))
        .collect();
    assert_eq!(
        told,
        [
            "\"2.0.0\" \"accepted\"",
            "\"1.2.0\" \"forced\"",
            "\"1.1.1\" \"accepted\"",
            "\"1.1.0\" \"refused\"",
            "\"1.0.0\" \"accepted\""
        ]
    );
    let versions = discovery.see(&format!("/api/services/{name}/contracts/GetUserQuery/versions")).await.unwrap();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 4);
    assert_eq!(ears.so_many::<ServiceContractsChanged>(4, &name).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_told_to_whoever_registers() {
    let stage = Stage::set().await;
    let discovery = stage.discovery().await;
    let ears = Ears::open(&stage).await;
    let name = unique("users");
    let users = stage.speaker(&name);
    let payload = json!({
        "serviceName": name, "version": "1.0.0", "serviceId": "a", "timestamp": 1, "checksum": "0",
        "contracts": [{ "messageType": "GetUserQuery", "targetService": name }],
    });
    publish(&users, "ServiceContractsRegistered", payload).await;
    let refused: ServiceContractsRefused = ears.first(&name).await;
    let fields: Vec<_> = refused.faults.iter().map(|it| it.field.as_str()).collect();
    let missing = ["description", "inputSchema", "outputSchema", "version"].map(|it| format!("contracts[0].{it}"));
    assert_eq!(fields[..4], missing);
    assert_eq!(fields[4..], ["checksum"]);
    let (status, _) =
        discovery.get(&format!("/api/services/{name}/contracts"), Some(&crate::support::token(VIEW))).await.unwrap();
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_instances_of_discovery_are_one() {
    const SERVICES: usize = 40;
    let stage = Stage::set().await;
    let (one, other) = (stage.discovery().await, stage.discovery().await);
    let ears = Ears::open(&stage).await;
    let prefix = unique("many");
    let speaker = stage.speaker("many");
    for i in 0..SERVICES {
        let name = format!("{prefix}-{i}");
        // Twice at the same time, so that both may get one.
        let contracts = [contract(&name, "GetUserQuery", "string", "1.0.0")];
        let announcing = || announce(&speaker, &name, "1.0.0", &contracts, json!({}));
        tokio::join!(announcing(), announcing());
    }
    for discovery in [&one, &other] {
        until("all services", async || {
            let all = discovery.see("/api/contracts").await?;
            let found = all["services"]
                .as_array()?
                .iter()
                .filter(|it| it["serviceName"].as_str().unwrap().starts_with(&prefix))
                .count();
            (found == SERVICES).then_some(())
        })
        .await;
    }
    // What one of them learns, both tell at once, although both have kept what was before.
    let name = format!("{prefix}-0");
    for discovery in [&one, &other] {
        discovery.knows(&name, "1.0.0").await;
    }
    announce(&speaker, &name, "1.0.1", &[contract(&name, "GetUserQuery", "string", "1.0.1")], json!({})).await;
    ears.first::<ServiceContractsChanged>(&format!("{prefix}-1")).await;
    for discovery in [&one, &other] {
        discovery.knows(&name, "1.0.1").await;
    }
    for i in 1..SERVICES {
        let told = ears.so_many::<ServiceContractsChanged>(1, &format!("{prefix}-{i}")).await;
        assert_eq!(told.len(), 1, "told once");
    }
}
