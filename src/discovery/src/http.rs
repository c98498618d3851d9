//! The registry over HTTP, for people and tools. Whoever asks needs a token with the permission that the bus query needs.

use std::time::SystemTime;

use axum::{
    Json, Router,
    extract::{Path, Query, State as Shared},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use banyan_sdk::{
    Fault,
    protocol::{discovery::HealthStatus, permission},
    server::refused,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{queries, registry::Registered, state::State};

const VIEW_SERVICES: &str = "admin:view-services";
const VIEW_CONTRACTS: &str = "admin:view-contracts";

/// The paths of the registry.
pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/admin/services", get(services))
        .route("/admin/services/{name}", get(service))
        .route("/admin/stats", get(stats))
        .route("/admin/graph", get(graph))
        .route("/api/contracts", get(contracts))
        .route("/api/services", get(short_services))
        .route("/api/services/{name}", get(short_service))
        .route("/api/services/{name}/contracts", get(service_contracts))
        .route("/api/services/{name}/contracts/history", get(history))
        .route("/api/services/{name}/contracts/{contract}", get(contract))
        .route("/api/services/{name}/contracts/{contract}/versions", get(contract_versions))
        .with_state(state)
}

/// Lets those in who hold `permission`, and answers with what `work` finds.
async fn answer<T: Serialize>(
    state: &State,
    headers: &HeaderMap,
    permission: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Response {
    let result = async {
        admit(state, headers, permission).await?;
        work.await
    };
    match result.await {
        Ok(found) => ([(header::CACHE_CONTROL, "no-store")], Json(found)).into_response(),
        Err(fault) => refused(&fault, headers),
    }
}

async fn admit(state: &State, headers: &HeaderMap, permission: &str) -> Result<(), Fault> {
    let given = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = given.and_then(|it| it.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or_else(|| Fault::unauthorized("send `Authorization: Bearer` and an access token"))?;
    let verified = state.verifier().verify(token.trim(), SystemTime::now()).await?;
    permission::admit(false, &[permission], Some(&verified.auth))
}

#[derive(Deserialize)]
struct Wanted {
    status: Option<HealthStatus>,
}

async fn services(Shared(state): Shared<State>, headers: HeaderMap, wanted: Query<Wanted>) -> Response {
    answer(&state, &headers, VIEW_SERVICES, queries::services(&state, wanted.status)).await
}

async fn service(Shared(state): Shared<State>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    answer(&state, &headers, VIEW_SERVICES, one(&state, &name)).await
}

async fn one(state: &State, name: &str) -> Result<queries::ServiceEntry, Fault> {
    let all = queries::services(state, None).await?.services;
    let found = all.into_iter().find(|it| it.service_name == name);
    found.ok_or_else(|| Fault::not_found(format!("{name} is not registered")))
}

async fn stats(Shared(state): Shared<State>, headers: HeaderMap) -> Response {
    let stats = async {
        let all = queries::services(&state, None).await?.services;
        let count = |status| all.iter().filter(|it| it.status == status).count();
        let times: Vec<u64> = all.iter().filter_map(|it| it.response_time).collect();
        let average = if times.is_empty() { 0.0 } else { times.iter().sum::<u64>() as f64 / times.len() as f64 };
        Ok(json!({
            "totalServices": all.len(),
            "totalContracts": all.iter().map(|it| it.contracts).sum::<usize>(),
            "healthyServices": count(HealthStatus::Healthy),
            "degradedServices": count(HealthStatus::Degraded),
            "unhealthyServices": count(HealthStatus::Unhealthy),
            "unknownServices": count(HealthStatus::Unknown),
            "cacheHitRatio": state.hit_ratio(),
            "averageResponseTime": average,
        }))
    };
    answer(&state, &headers, VIEW_SERVICES, stats).await
}

#[derive(Deserialize)]
struct Drawn {
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Dot,
    Mermaid,
}

async fn graph(Shared(state): Shared<State>, headers: HeaderMap, drawn: Query<Drawn>) -> Response {
    let drawn = match drawn.format {
        Format::Json => return answer(&state, &headers, VIEW_SERVICES, queries::graph(&state)).await,
        Format::Dot => (crate::graph::Graph::to_dot as fn(&_) -> String, "text/vnd.graphviz; charset=utf-8"),
        Format::Mermaid => (crate::graph::Graph::to_mermaid as fn(&_) -> String, "text/plain; charset=utf-8"),
    };
    let (draw, media_type) = drawn;
    let result = async {
        admit(&state, &headers, VIEW_SERVICES).await?;
        queries::graph(&state).await
    };
    match result.await {
        Ok(graph) => {
            ([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")], draw(&graph)).into_response()
        }
        Err(fault) => refused(&fault, &headers),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Which {
    #[serde(default)]
    include_internal_services: bool,
}

async fn contracts(Shared(state): Shared<State>, headers: HeaderMap, which: Query<Which>) -> Response {
    let all =
        async { Ok(json!({ "services": queries::all_contracts(&state, which.include_internal_services).await? })) };
    answer(&state, &headers, VIEW_CONTRACTS, all).await
}

async fn short_services(Shared(state): Shared<State>, headers: HeaderMap) -> Response {
    let all = async {
        let all = queries::services(&state, None).await?.services;
        Ok(json!({ "services": all.iter().flat_map(short).collect::<Vec<_>>() }))
    };
    answer(&state, &headers, VIEW_SERVICES, all).await
}

async fn short_service(Shared(state): Shared<State>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    let one = async { Ok(json!({ "services": short(&one(&state, &name).await?) })) };
    answer(&state, &headers, VIEW_SERVICES, one).await
}

/// A service as one entry for each instance.
fn short(entry: &queries::ServiceEntry) -> Vec<Value> {
    let instance = |it: &queries::InstanceEntry| {
        json!({
            "serviceId": it.service_id, "name": entry.service_name, "version": it.version, "status": entry.status,
            "endpoint": it.endpoint, "registeredAt": entry.registered_at, "lastHealthCheck": entry.last_health_check,
        })
    };
    entry.instances.iter().map(instance).collect()
}

#[derive(Deserialize)]
struct Version {
    version: Option<String>,
}

async fn service_contracts(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(Version { version }): Query<Version>,
) -> Response {
    let found = async {
        let Registered { service_name, version, contracts, checksum, registered_at, last_updated } =
            state.registry()?.find(&name, version.as_deref()).await?;
        Ok(json!({
            "service": service_name, "version": version, "contracts": contracts, "checksum": checksum,
            "registeredAt": registered_at, "lastUpdated": last_updated,
        }))
    };
    answer(&state, &headers, VIEW_CONTRACTS, found).await
}

async fn history(Shared(state): Shared<State>, headers: HeaderMap, Path(name): Path<String>) -> Response {
    let found = async {
        let history = state.registry()?.history(&name).await?;
        if history.is_empty() {
            return Err(Fault::not_found(format!("{name} was never registered")));
        }
        Ok(json!({ "service": name, "history": history }))
    };
    answer(&state, &headers, VIEW_CONTRACTS, found).await
}

async fn contract(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    Path((name, contract)): Path<(String, String)>,
) -> Response {
    let found = async {
        let registered = state.registry()?.find(&name, None).await?;
        let found = registered.contracts.into_iter().find(|it| it.message_type == contract);
        found.ok_or_else(|| Fault::not_found(format!("{name} has no contract {contract}")))
    };
    answer(&state, &headers, VIEW_CONTRACTS, found).await
}

async fn contract_versions(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    Path((name, contract)): Path<(String, String)>,
) -> Response {
    let found = async {
        let mut known = state.registry()?.known(&name).await?;
        known.sort_by(|a, b| b.version.cmp(&a.version));
        let versions: Vec<Value> = known
            .iter()
            .filter_map(|it| {
                let found = it.contracts.iter().find(|it| it.message_type == contract)?;
                Some(json!({ "serviceVersion": it.version.to_string(), "contract": found }))
            })
            .collect();
        if versions.is_empty() {
            return Err(Fault::not_found(format!("{name} never had a contract {contract}")));
        }
        Ok(json!({ "service": name, "messageType": contract, "versions": versions }))
    };
    answer(&state, &headers, VIEW_CONTRACTS, found).await
}
