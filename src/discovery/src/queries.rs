//! What can be asked over the bus, and the answers, which HTTP gives as well.

use std::collections::BTreeMap;

use banyan_sdk::{
    Context, Fault, Query,
    protocol::{Contract, Timestamp, discovery::HealthStatus, discovery::SERVICE},
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use crate::{
    graph::{Dependency, Graph, Need},
    monitor::Health,
    registry::{InstanceRow, Registered},
    state::State,
};

/// Lists the contracts of all services.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = Vec<Registered>, permissions = ["admin:view-contracts"])]
#[serde(rename_all = "camelCase")]
pub struct GetAllContracts {
    /// Whether those of service discovery itself are wanted, too.
    #[serde(default)]
    pub include_internal_services: bool,
}

/// Finds the contracts of a service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = ServiceContracts, permissions = ["admin:view-contracts"])]
#[serde(rename_all = "camelCase")]
pub struct GetServiceContracts {
    /// The service.
    pub service_name: String,
    /// The version of the service; the one in use, when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// The contracts of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceContracts {
    /// The service.
    pub service_name: String,
    /// Its version.
    pub version: String,
    /// What it offers.
    pub contracts: Vec<Contract>,
}

/// Says how a service is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = ServiceHealth, permissions = ["admin:view-services"])]
#[serde(rename_all = "camelCase")]
pub struct GetServiceHealth {
    /// The service.
    pub service_name: String,
}

/// How a service is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHealth {
    /// The service.
    pub service_name: String,
    /// In one word.
    pub status: HealthStatus,
    /// When it was asked last.
    pub last_health_check: Option<Timestamp>,
    /// How long the slowest of its instances took to answer, in milliseconds.
    pub response_time: Option<u64>,
    /// What is wrong.
    pub errors: Vec<String>,
}

/// Says how all services are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = AllServiceHealth, permissions = ["admin:view-services"])]
pub struct GetAllServiceHealth {}

/// How all services are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AllServiceHealth {
    /// Each of them, by name.
    pub services: Vec<ServiceHealth>,
}

/// Says how a service is, and what it calls.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = DependencyHealth, permissions = ["admin:view-services"])]
#[serde(rename_all = "camelCase")]
pub struct GetDependencyHealth {
    /// The service.
    pub service_name: String,
}

/// How a service is, and what it calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyHealth {
    /// The service.
    pub service_name: String,
    /// How it is by itself.
    pub status: HealthStatus,
    /// What it calls, and what those call.
    pub dependencies: Vec<Dependency>,
    /// How it is with those taken into account.
    pub cascading_status: HealthStatus,
}

/// Lists the services.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Query)]
#[query(service = "service-discovery", reply = Services, permissions = ["admin:view-services"])]
pub struct ListServices {
    /// Only those that are like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<HealthStatus>,
}

/// The services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Services {
    /// Each of them, by name.
    pub services: Vec<ServiceEntry>,
    /// How many there are.
    pub total_count: usize,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEntry {
    /// Its name.
    pub service_name: String,
    /// The version in use; none while its contracts are refused and none were accepted before.
    pub version: Option<String>,
    /// How it is by itself.
    pub status: HealthStatus,
    /// How it is with what it calls taken into account.
    pub cascading_status: HealthStatus,
    /// When the version in use was registered first.
    pub registered_at: Option<Timestamp>,
    /// When it was asked last.
    pub last_health_check: Option<Timestamp>,
    /// How long the slowest of its instances took to answer, in milliseconds.
    pub response_time: Option<u64>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// How many contracts it has.
    pub contracts: usize,
    /// Its instances.
    pub instances: Vec<InstanceEntry>,
}

/// An instance of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceEntry {
    /// Its name.
    pub service_id: String,
    /// Its version.
    pub version: String,
    /// Where it can be reached beside the bus.
    pub endpoint: Option<String>,
    /// When it became ready.
    pub started_at: Timestamp,
}

pub(crate) async fn get_all_contracts(cx: Context<State>, query: GetAllContracts) -> Result<Vec<Registered>, Fault> {
    all_contracts(&cx.state, query.include_internal_services).await
}

pub(crate) async fn get_service_contracts(
    cx: Context<State>,
    query: GetServiceContracts,
) -> Result<ServiceContracts, Fault> {
    let found = cx.state.registry()?.find(&query.service_name, query.version.as_deref()).await?;
    let Registered { service_name, version, contracts, .. } = found;
    Ok(ServiceContracts { service_name, version, contracts })
}

pub(crate) async fn get_service_health(cx: Context<State>, query: GetServiceHealth) -> Result<ServiceHealth, Fault> {
    health(&cx.state, query.service_name)
}

pub(crate) async fn get_all_service_health(
    cx: Context<State>,
    _: GetAllServiceHealth,
) -> Result<AllServiceHealth, Fault> {
    let all = cx.state.monitor().all();
    Ok(AllServiceHealth { services: all.into_iter().map(|(name, it)| ServiceHealth::new(name, it)).collect() })
}

pub(crate) async fn get_dependency_health(
    cx: Context<State>,
    query: GetDependencyHealth,
) -> Result<DependencyHealth, Fault> {
    let own = health(&cx.state, query.service_name)?;
    let graph = graph(&cx.state).await?;
    Ok(DependencyHealth {
        dependencies: graph.needed(&own.service_name),
        cascading_status: graph.cascading(&own.service_name),
        status: own.status,
        service_name: own.service_name,
    })
}

pub(crate) async fn list_services(cx: Context<State>, query: ListServices) -> Result<Services, Fault> {
    services(&cx.state, query.status).await
}

/// The contracts of all services, those of service discovery if they are wanted.
pub(crate) async fn all_contracts(state: &State, internal: bool) -> Result<Vec<Registered>, Fault> {
    let mut all = state.registry()?.all().await?;
    all.retain(|it| internal || it.service_name != SERVICE);
    Ok(all)
}

fn health(state: &State, service: String) -> Result<ServiceHealth, Fault> {
    let health = state.monitor().health(&service);
    let health = health.ok_or_else(|| Fault::not_found(format!("{service} is not registered")))?;
    Ok(ServiceHealth::new(service, health))
}

/// Who needs whom, and how all of them are.
pub(crate) async fn graph(state: &State) -> Result<Graph, Fault> {
    let mut needs: Vec<Need> = Vec::new();
    for edge in state.registry()?.edges().await? {
        match needs.last_mut() {
            Some(last) if (&last.from, &last.to, last.kind) == (&edge.from, &edge.to, edge.kind) => {
                last.message_types.push(edge.message_type);
            }
            _ => needs.push(Need {
                from: edge.from,
                to: edge.to,
                kind: edge.kind,
                message_types: vec![edge.message_type],
            }),
        }
    }
    let health = state.monitor().all().into_iter().map(|(name, it)| (name, it.status)).collect();
    Ok(Graph::new(&health, needs))
}

/// The services with everything that is known of them; only those of one status, if one is named.
pub(crate) async fn services(state: &State, status: Option<HealthStatus>) -> Result<Services, Fault> {
    let registry = state.registry()?;
    let (registered, instances, graph) = tokio::try_join!(registry.all(), registry.instances(), graph(state))?;
    let registered: BTreeMap<_, _> = registered.iter().map(|it| (it.service_name.as_str(), it)).collect();
    let all = state.monitor().all().into_iter().filter(|(_, it)| status.is_none_or(|status| it.status == status));
    let services: Vec<_> = all
        .map(|(name, health)| {
            let known = registered.get(name.as_str());
            ServiceEntry {
                version: known.map(|it| it.version.clone()),
                status: health.status,
                cascading_status: graph.cascading(&name),
                registered_at: known.map(|it| it.registered_at),
                last_health_check: health.checked,
                response_time: health.response_time,
                errors: health.errors,
                contracts: known.map_or(0, |it| it.contracts.len()),
                instances: instances.iter().filter(|it| it.service_name == name).map(InstanceEntry::from).collect(),
                service_name: name,
            }
        })
        .collect();
    Ok(Services { total_count: services.len(), services })
}

impl ServiceHealth {
    fn new(service_name: String, health: Health) -> Self {
        let Health { status, checked: last_health_check, response_time, errors } = health;
        Self { service_name, status, last_health_check, response_time, errors }
    }
}

impl From<&InstanceRow> for InstanceEntry {
    fn from(row: &InstanceRow) -> Self {
        Self {
            service_id: row.service_id.clone(),
            version: row.version.clone(),
            endpoint: row.endpoint.clone(),
            started_at: row.started_at,
        }
    }
}
