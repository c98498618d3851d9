//! Who may see what over HTTP, and the shapes of the answers.

use banyan_sdk::Service;
use serde_json::Value;

use crate::support::{Stage, token, unique, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_those_with_the_permission_see_the_registry() {
    let stage = Stage::set().await;
    let discovery = stage.discovery().await;
    let (contracts, services) = (token(&["admin:view-contracts"]), token(&["admin:view-services"]));
    let table = [
        ("/admin/services", &services, &contracts),
        ("/admin/services/service-discovery", &services, &contracts),
        ("/admin/stats", &services, &contracts),
        ("/admin/graph", &services, &contracts),
        ("/admin/graph?format=dot", &services, &contracts),
        ("/api/services", &services, &contracts),
        ("/api/services/service-discovery", &services, &contracts),
        ("/api/contracts", &contracts, &services),
        ("/api/services/service-discovery/contracts", &contracts, &services),
        ("/api/services/service-discovery/contracts/history", &contracts, &services),
        ("/api/services/service-discovery/contracts/ListServicesQuery", &contracts, &services),
        ("/api/services/service-discovery/contracts/ListServicesQuery/versions", &contracts, &services),
    ];
    discovery.sees("service-discovery", "healthy").await;
    for (path, right, wrong) in table {
        let status = async |token| discovery.get(path, token).await.unwrap().0;
        assert_eq!(status(None).await, 401, "{path}");
        assert_eq!(status(Some("a.b.c")).await, 401, "{path}");
        let mut forged = right.clone();
        forged.truncate(right.len() - 2);
        assert_eq!(status(Some(&forged)).await, 401, "{path}");
        assert_eq!(status(Some(wrong)).await, 403, "{path}");
        until(path, async || (status(Some(right)).await == 200).then_some(())).await;
    }
    let (status, body) = discovery.get("/admin/services/nobody", Some(&services)).await.unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, body["message"].as_str()), (404, Some("nobody is not registered")));
    assert_eq!(discovery.get("/admin/graph?format=png", Some(&services)).await.unwrap().0, 400);
    assert_eq!(discovery.get("/nothing", Some(&services)).await.unwrap().0, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_add_up() {
    let stage = Stage::set().await;
    let discovery = stage.discovery().await;
    let name = unique("worker");
    let _worker = stage.run(Service::new(&name, ())).await;
    discovery.sees(&name, "healthy").await;
    discovery.sees("service-discovery", "healthy").await;
    for _ in 0..3 {
        discovery.knows(&name, "1.0.0").await;
    }
    let stats = discovery.see("/admin/stats").await.unwrap();
    let number = |key: &str| stats[key].as_f64().unwrap_or_else(|| panic!("{key}: {stats}"));
    let sum =
        ["healthyServices", "degradedServices", "unhealthyServices", "unknownServices"].map(number).iter().sum::<f64>();
    assert_eq!(number("totalServices"), sum);
    assert!(number("healthyServices") >= 2.0 && number("totalContracts") >= 6.0, "{stats}");
    assert!(number("cacheHitRatio") > 0.0 && number("cacheHitRatio") <= 1.0, "{stats}");
    assert!(number("averageResponseTime") < 700.0, "{stats}");

    let (_, health) = discovery.get("/health", None).await.unwrap();
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health["service"], "service-discovery");
    assert!(health["registeredServices"].as_u64().unwrap() >= health["healthyServices"].as_u64().unwrap());
    assert!(health["healthyServices"].as_u64().unwrap() >= 2, "{health}");
    let listed = discovery.see(&format!("/api/services/{name}")).await.unwrap();
    let entry = &listed["services"][0];
    assert_eq!((entry["name"].as_str(), entry["status"].as_str()), (Some(name.as_str()), Some("healthy")));
    assert!(entry["serviceId"].as_str().unwrap().starts_with(&format!("{name}-v1-")), "{entry}");
}
