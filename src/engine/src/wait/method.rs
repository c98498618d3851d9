//! How to find out whether a service is ready: its own protocol, its check, or nothing but its container.

use std::time::{Duration, Instant};

use compose::project::{Healthcheck, Service};

use crate::docker::Engine;
use crate::docker::containers::Detail;
use crate::probe::{NoAnswer, Probe};

/// How to find out whether a service is ready.
pub(super) enum Method {
    Protocol(Probe),
    Check(Healthcheck),
    Watch,
}

pub(super) fn method(engine: &Engine, service: Option<&Service>, detail: &Detail) -> Method {
    if let Some(probe) = service.and_then(|s| probe(engine, s, detail)) {
        return Method::Protocol(probe);
    }
    match &detail.healthcheck {
        Some(check) if !check.is_disabled() => Method::Check(check.clone()),
        _ => Method::Watch,
    }
}

/// The probe of a service, if its port can be reached from here: published, or by the container's own address.
pub fn probe(engine: &Engine, service: &Service, detail: &Detail) -> Option<Probe> {
    let ready = service.extension.ready.clone()?;
    if !engine.is_local() {
        return None;
    }
    let (host, port) = match detail.published.get(&ready.port) {
        Some((ip, port)) => (reachable(ip), *port),
        None if cfg!(target_os = "linux") && !detail.address.is_empty() => (detail.address.clone(), ready.port),
        None => return None,
    };
    Some(Probe { ready, host, port })
}

/// A wildcard address is reached over loopback.
fn reachable(ip: &str) -> String {
    match ip {
        "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        other => other.to_owned(),
    }
}

/// What a service answered to one question.
#[derive(Debug, Clone)]
pub struct Answered {
    /// `SQL answered in 0.6 ms`
    pub how: String,
    /// How long it took.
    pub latency: Option<Duration>,
    /// What the server says of itself.
    pub version: Option<String>,
}

/// Asks a service once: in its own protocol, or else by its check.
pub async fn ask(engine: &Engine, service: &Service, name: &str, limit: Duration) -> Result<Answered, String> {
    let detail = engine.inspect(name).await.map_err(|e| e.message())?;
    if !detail.running {
        return Err(format!("its container is {}", detail.state));
    }
    match method(engine, Some(service), &detail) {
        Method::Protocol(probe) => {
            let answer = probe.ask(limit).await.map_err(NoAnswer::into_message)?;
            Ok(Answered { how: probe.answered(&answer), latency: Some(answer.latency), version: answer.version })
        }
        Method::Check(check) => {
            let began = Instant::now();
            let ended = engine.exec(name, &check_command(&check), check.timeout.unwrap_or(limit)).await;
            match ended.map_err(|e| e.message())? {
                Some(ended) if ended.code == 0 => Ok(Answered {
                    how: "health check passed".to_owned(),
                    latency: Some(began.elapsed()),
                    version: None,
                }),
                Some(ended) => Err(format!("health check: exit code {}: {}", ended.code, ended.output)),
                None => Err("health check: no end within its time".to_owned()),
            }
        }
        Method::Watch => Ok(Answered { how: "runs (it has no check)".to_owned(), latency: None, version: None }),
    }
}

/// The command line of a check.
pub(super) fn check_command(check: &Healthcheck) -> Vec<String> {
    match check.test.split_first() {
        Some((kind, rest)) if kind == "CMD-SHELL" => {
            vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.first().cloned().unwrap_or_default()]
        }
        Some((_, rest)) => rest.to_vec(),
        None => Vec::new(),
    }
}
