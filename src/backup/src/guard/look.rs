//! What has to be asked of the engine to know whether a restore can succeed.

use archive::Kind;
use compose::observed::{Observed, State};
use compose::project::Project;
use engine::Engine;
use engine::docker::helpers::Helper;
use futures_util::StreamExt;

use super::numbers;
use crate::error::{Error, Result};
use crate::postgres;
use crate::prepare::Target;
use crate::rabbitmq::Node;
use crate::rdb;
use crate::store::Store;
use crate::window::{LABEL_WORK, labels};

/// What the work in a volume is done with.
const SHELL: &str = "/bin/sh";

/// Fills in the versions that no label tells: the image says it, or the running server.
pub async fn versions(engine: &Engine, stores: &mut [Store]) -> Result<()> {
    let has_one = |s: &&mut Store| {
        s.version.is_empty() && matches!(s.kind, Kind::Postgres | Kind::Redis | Kind::Rabbitmq | Kind::Elasticsearch)
    };
    for store in stores.iter_mut().filter(has_one) {
        let Some(id) = store.image.digest.clone() else { continue };
        // by its name where that still is its name: part of a version may stand there
        let named = engine.image(&store.image.reference).await?.filter(|image| image.id == id);
        let image = match named {
            Some(image) => Some(image),
            None => engine.image(&id).await?.filter(|image| image.version().contains('.')),
        };
        let version = image.map(|image| image.version().to_owned()).filter(|version| !numbers(version).is_empty());
        store.version = match version {
            Some(version) => version,
            None if store.state == State::Running => asked(engine, store).await.unwrap_or_default(),
            None => String::new(),
        };
    }
    Ok(())
}

async fn asked(engine: &Engine, store: &Store) -> Result<String> {
    let (container, service) = (store.container.clone(), store.name.clone());
    match store.kind {
        Kind::Postgres => {
            postgres::Server::of(engine, &service, &container, store.ready.as_ref()).await?.version().await
        }
        Kind::Redis => {
            let password = store.ready.as_ref().and_then(|r| r.password.clone());
            rdb::Server { engine, container, service, password }.version().await
        }
        Kind::Rabbitmq => Node { engine, container, service }.name_and_version().await.map(|(_, version)| version),
        _ => Ok(String::new()),
    }
}

/// Refuses what would fail later: a broker under another name, an image without a shell, a volume that somebody else
/// uses. Nothing is changed.
pub async fn look(engine: &Engine, project: &Project, observed: &Observed, targets: &[Target]) -> Result<()> {
    let mut why = Vec::new();
    for Target { store, archived } in targets {
        let name = &store.name;
        why.extend(user(observed, store).map(|by| format!("{name}: its volume {} is used by {by}", store.volume)));
        if let Some(node) = archived.facts.get("node").filter(|_| store.kind == Kind::Rabbitmq) {
            let here = node_name(engine, project, observed, store, node).await?;
            if here != *node {
                why.push(format!(
                    "{name}: the data of node {node}, a node that is called {here}: it would find nothing"
                ));
            }
        }
        if !has_shell(engine, &project.name, observed, store).await? {
            why.push(format!("{name}: its image has no {SHELL}, with which files are moved in its volume"));
        }
    }
    if why.is_empty() { Ok(()) } else { Err(Error::Refused(why)) }
}

/// A running container that is not the project's, on the store's volume.
fn user(observed: &Observed, store: &Store) -> Option<String> {
    let uses = |c: &&compose::observed::Container| {
        matches!(c.state, State::Running | State::Paused | State::Restarting)
            && !c.labels.contains_key(LABEL_WORK)
            && c.volumes.iter().any(|v| v.name == store.volume)
    };
    observed.others.iter().find(uses).map(|c| format!("container {}, which is not the project's", c.name))
}

/// What the node calls itself, which is a part of the path of its data.
async fn node_name(
    engine: &Engine,
    project: &Project,
    observed: &Observed,
    store: &Store,
    expected: &str,
) -> Result<String> {
    let service = project.services.get(&store.service);
    let container = observed.containers.iter().find(|c| c.name == store.container);
    let (host, env) = match container {
        Some(_) => {
            let detail = engine.inspect(&store.container).await?;
            (detail.host_name, detail.env)
        }
        None => {
            let set = service.into_iter().flat_map(|s| &s.environment);
            let env = set.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
            let own = || "(a name that changes with every container)".to_owned();
            (service.and_then(|s| s.hostname.clone()).unwrap_or_else(own), env)
        }
    };
    let computed = composed(&host, |name| env.get(name).map(String::as_str));
    if computed != expected && container.is_some_and(|c| c.state == State::Running) {
        // settings in files count as well
        let node = Node { engine, container: store.container.clone(), service: store.name.clone() };
        if let Ok((name, _)) = node.name_and_version().await {
            return Ok(name);
        }
    }
    Ok(computed)
}

/// As the server's own scripts put the name together.
fn composed<'a>(host: &str, env: impl Fn(&str) -> Option<&'a str>) -> String {
    let name = env("RABBITMQ_NODENAME").filter(|name| !name.is_empty()).unwrap_or("rabbit");
    if name.contains('@') {
        return name.to_owned();
    }
    let long = env("RABBITMQ_USE_LONGNAME") == Some("true") || host.contains('.');
    let host = if long { host } else { host.split('.').next().unwrap_or(host) };
    format!("{name}@{host}")
}

async fn has_shell(engine: &Engine, project: &str, observed: &Observed, store: &Store) -> Result<bool> {
    if observed.containers.iter().any(|c| c.name == store.container) {
        return is_there(engine, &store.container).await;
    }
    // not fetched yet: it is looked at again then
    let Some(image) = &store.image.digest else { return Ok(true) };
    let name = format!("{project}-banyan-{}-look", store.name);
    let command = Some(vec!["none".to_owned()]);
    let helper = Helper { name: name.clone(), labels: labels(project, "look"), command, ..Helper::default() };
    engine.create_helper_of(image, &helper).await?;
    let found = is_there(engine, &name).await;
    engine.remove_helper(&name).await?;
    found
}

async fn is_there(engine: &Engine, container: &str) -> Result<bool> {
    let mut file = std::pin::pin!(engine.download(container, SHELL));
    match file.next().await {
        Some(Err(error)) if error.is_not_found() => Ok(false),
        Some(Err(error)) => Err(error.into()),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::composed;

    #[test]
    fn nodes_are_called_as_their_scripts_call_them() {
        let none = |_: &str| None;
        assert_eq!(composed("rabbitmq", none), "rabbit@rabbitmq");
        assert_eq!(composed("mq.example.com", none), "rabbit@mq.example.com");
        let named = |name: &str| (name == "RABBITMQ_NODENAME").then_some("bunny");
        assert_eq!(composed("mq", named), "bunny@mq");
        let whole = |name: &str| (name == "RABBITMQ_NODENAME").then_some("bunny@burrow");
        assert_eq!(composed("mq", whole), "bunny@burrow");
    }
}
