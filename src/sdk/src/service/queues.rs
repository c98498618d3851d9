//! Which queue feeds which handlers.

use crate::{
    bus::{Queue, Topology},
    handler::Handler,
    protocol::{
        Kind,
        discovery::{DependencyKind, ServiceDependency},
        names::{self, ServiceName},
    },
    retry::RetryPolicy,
};

/// The handlers with the queues that feed them. Events have one queue for all handlers of a service.
pub(super) fn by_queue<S>(
    service: &ServiceName,
    unique: &str,
    handlers: Vec<Handler<S>>,
) -> Vec<(String, Vec<Handler<S>>)> {
    let mut queues: Vec<(String, Vec<Handler<S>>)> = Vec::new();
    for handler in handlers {
        let queue = match handler.kind {
            Kind::Query => names::query_queue(service, handler.message_type),
            Kind::Event if handler.settings.listens => names::listener_queue(service, handler.message_type, unique),
            Kind::Event => names::event_queue(service, handler.message_type),
            _ => names::command_queue(service, handler.message_type),
        };
        match queues.iter_mut().find(|(name, _)| *name == queue) {
            Some((_, handlers)) => handlers.push(handler),
            None => queues.push((queue, vec![handler])),
        }
    }
    queues
}

/// What a handler needs of the broker.
pub(super) fn declared<S>(queue: &str, handler: &Handler<S>, policy: &RetryPolicy) -> Topology {
    let topology = Topology::default();
    let topology = match handler.kind {
        Kind::Query => return topology.queue(Queue::query(queue)),
        Kind::Event => {
            let publisher = handler.publisher.and_then(|name| ServiceName::new(name).ok());
            let pattern = names::event_pattern(publisher.as_ref(), Some(handler.message_type));
            if handler.settings.listens {
                return topology.listener(queue, pattern);
            }
            topology.events(queue, pattern)
        }
        _ => topology.queue(Queue::work(queue)),
    };
    (1..policy.attempts).fold(topology, |topology, step| topology.queue(Queue::delay(queue, step, policy.hold(step))))
}

/// The services whose events are handled, where the events say whose they are.
pub(super) fn listened_to<S>(service: &ServiceName, handlers: &[Handler<S>]) -> Vec<ServiceDependency> {
    let mut found: Vec<ServiceDependency> = Vec::new();
    for handler in handlers.iter().filter(|it| it.kind == Kind::Event) {
        let Some(publisher) = handler.publisher.filter(|it| *it != service.as_str()) else { continue };
        let message_type = handler.message_type.to_owned();
        match found.iter_mut().find(|it| it.service_name == publisher) {
            Some(known) if known.message_types.contains(&message_type) => {}
            Some(known) => known.message_types.push(message_type),
            None => found.push(ServiceDependency {
                service_name: publisher.to_owned(),
                kind: DependencyKind::Listens,
                message_types: vec![message_type],
            }),
        }
    }
    found
}
