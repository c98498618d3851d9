//! The health of a service: what its monitors saw last, and the routes that tell it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::clock;

/// Holds the latest state of every dependency. The monitors write to it; clones see the same states.
#[derive(Clone)]
pub struct Board(Arc<Inner>);

struct Inner {
    service: String,
    version: String,
    started: Instant,
    states: watch::Sender<States>,
    /// What is wrong with dependencies that answer all the same.
    remarks: Mutex<BTreeMap<String, String>>,
    /// What else `/health` tells.
    facts: OnceLock<Facts>,
}

/// Fields that a service adds to what `/health` tells.
pub(crate) type Facts = Arc<dyn Fn() -> Map<String, Value> + Send + Sync>;

/// The states of all dependencies, in the order in which the service named them.
pub type States = Vec<(String, DependencyState)>;

/// What is known of one dependency.
#[derive(Debug, Clone, PartialEq)]
pub struct DependencyState {
    /// Whether its last round trip succeeded.
    pub status: Status,
    /// Whether the service can do nothing without it.
    pub needed: bool,
    /// How long that round trip took; none while it is unhealthy.
    pub latency: Option<Duration>,
    /// When the status became what it is (RFC 3339).
    pub since: String,
    /// Why it is not healthy; safe to show.
    pub error: Option<String>,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It answered.
    Healthy,
    /// It answered, but does not do all that it should; of a service: something that it can do without is missing.
    Degraded,
    /// It did not answer, or refused.
    Unhealthy,
}

impl Status {
    /// The word for it in answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    fn code(self) -> StatusCode {
        match self {
            Self::Healthy | Self::Degraded => StatusCode::OK,
            Self::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Board {
    /// A board on which no dependency has answered yet.
    pub fn new(service: &str, version: &str, dependencies: impl IntoIterator<Item = String>) -> Self {
        let since = clock::now();
        let unseen = |name| {
            let state = DependencyState {
                status: Status::Unhealthy,
                needed: true,
                latency: None,
                since: since.clone(),
                error: Some("has not answered yet".to_owned()),
            };
            (name, state)
        };
        Self(Arc::new(Inner {
            service: service.to_owned(),
            version: version.to_owned(),
            started: Instant::now(),
            states: watch::Sender::new(dependencies.into_iter().map(unseen).collect()),
            remarks: Mutex::default(),
            facts: OnceLock::new(),
        }))
    }

    /// The same, where the service can do without one of them.
    #[must_use]
    pub fn optional(self, name: &str) -> Self {
        self.0.states.send_modify(|states| {
            states.iter_mut().filter(|(known, _)| known == name).for_each(|(_, state)| state.needed = false);
        });
        self
    }

    /// Has `/health` tell more; the first one wins.
    pub(crate) fn tell(&self, facts: Facts) {
        let _ = self.0.facts.set(facts);
    }

    /// Follows the states; every round trip of a monitor is a change.
    pub fn subscribe(&self) -> watch::Receiver<States> {
        self.0.states.subscribe()
    }

    /// Healthy when every dependency is; unhealthy when one is that the service needs.
    pub fn status(&self) -> Status {
        overall(&self.0.states.borrow())
    }

    pub(crate) fn healthy(&self, name: &str, latency: Duration) {
        self.update(name, Status::Healthy, Some(latency), None);
    }

    pub(crate) fn unhealthy(&self, name: &str, error: &str) {
        self.update(name, Status::Unhealthy, None, Some(error.to_owned()));
    }

    /// Says what is wrong with a dependency as long as it answers, or that nothing is any more. Whether that is news.
    pub(crate) fn remark(&self, name: &str, remark: Option<String>) -> bool {
        let news = {
            let mut remarks = self.0.remarks.lock().unwrap_or_else(PoisonError::into_inner);
            let before = match remark.clone() {
                Some(remark) => remarks.insert(name.to_owned(), remark),
                None => remarks.remove(name),
            };
            before != remark
        };
        let known = self.0.states.borrow().iter().find(|(known, _)| known == name).map(|(_, state)| state.clone());
        if let Some(state) = known.filter(|it| it.status != Status::Unhealthy) {
            self.update(name, Status::Healthy, state.latency, None);
        }
        news
    }

    fn update(&self, name: &str, status: Status, latency: Option<Duration>, error: Option<String>) {
        let remark = self.0.remarks.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let (status, error) = match remark.filter(|_| status == Status::Healthy) {
            Some(remark) => (Status::Degraded, Some(remark)),
            None => (status, error),
        };
        self.0.states.send_modify(|states| {
            for (_, state) in states.iter_mut().filter(|(known, _)| known == name) {
                if state.status != status {
                    state.since = clock::now();
                }
                state.status = status;
                state.latency = latency;
                state.error = error.clone();
            }
        });
    }
}

fn overall(states: &States) -> Status {
    let counts = |state: &DependencyState| match state.status {
        Status::Unhealthy if !state.needed => Status::Degraded,
        status => status,
    };
    states.iter().map(|(_, state)| counts(state)).max().unwrap_or(Status::Healthy)
}

/// The health routes: `/health` and `/ready` (200, or 503 when unhealthy, with every dependency), `/health/dependencies` (only those,
/// same status), `/health/live` and `/live` (200 as long as the process answers).
pub fn routes(board: Board) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(health))
        .route("/health/dependencies", get(dependencies))
        .route("/health/live", get(live))
        .route("/live", get(live))
        .with_state(board)
}

async fn health(State(board): State<Board>) -> Response {
    let (status, dependencies) = report(&board);
    let mut body = heading(&board, status.word());
    body.insert("uptime".to_owned(), board.0.started.elapsed().as_secs().into());
    body.insert("dependencies".to_owned(), dependencies);
    body.extend(board.0.facts.get().map(|facts| facts()).unwrap_or_default());
    fresh(status.code(), body.into())
}

async fn dependencies(State(board): State<Board>) -> Response {
    let (status, dependencies) = report(&board);
    fresh(status.code(), json!({ "dependencies": dependencies }))
}

async fn live(State(board): State<Board>) -> Response {
    fresh(StatusCode::OK, heading(&board, "alive").into())
}

fn heading(board: &Board, status: &str) -> Map<String, Value> {
    let mut heading = Map::new();
    heading.insert("status".to_owned(), status.into());
    heading.insert("service".to_owned(), board.0.service.as_str().into());
    heading.insert("version".to_owned(), board.0.version.as_str().into());
    heading.insert("timestamp".to_owned(), clock::now().into());
    heading
}

/// Status and details from one reading of the states, so that they never contradict each other.
fn report(board: &Board) -> (Status, Value) {
    let states = board.0.states.borrow();
    let details: Map<String, Value> = states.iter().map(|(name, state)| (name.clone(), described(state))).collect();
    (overall(&states), details.into())
}

fn described(state: &DependencyState) -> Value {
    json!({
        "status": state.status.word(),
        "latencyMs": state.latency.map(milliseconds),
        "since": state.since,
        "error": state.error,
    })
}

fn milliseconds(latency: Duration) -> f64 {
    (latency.as_secs_f64() * 100_000.0).round() / 100.0
}

fn fresh(code: StatusCode, body: Value) -> Response {
    (code, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        Board::new("auth-service", "1.2.3", ["postgres".to_owned(), "redis".to_owned()])
    }

    #[test]
    fn all_dependencies_make_a_healthy_service() {
        let board = board();
        assert_eq!(board.status(), Status::Unhealthy);
        board.healthy("postgres", Duration::from_micros(1_234));
        assert_eq!(board.status(), Status::Unhealthy);
        board.healthy("redis", Duration::from_millis(1));
        assert_eq!(board.status(), Status::Healthy);
        let (_, details) = report(&board);
        assert_eq!(details["postgres"]["latencyMs"], json!(1.23));
        assert_eq!(details["postgres"]["error"], Value::Null);
    }

    #[test]
    fn an_unhealthy_dependency_says_why_and_since_when() {
        let board = board();
        board.healthy("redis", Duration::ZERO);
        let since = report(&board).1["redis"]["since"].clone();
        board.healthy("redis", Duration::ZERO);
        assert_eq!(report(&board).1["redis"]["since"], since);
        board.unhealthy("redis", "connection refused");
        let (status, details) = report(&board);
        assert_eq!(status, Status::Unhealthy);
        assert_eq!(details["redis"]["error"], "connection refused");
        assert_eq!(details["redis"]["latencyMs"], Value::Null);
        assert_ne!(details["redis"]["since"], since);
    }

    #[test]
    fn a_service_that_can_do_without_is_degraded() {
        let board = board().optional("redis");
        board.healthy("postgres", Duration::ZERO);
        assert_eq!(board.status(), Status::Degraded);
        assert_eq!(board.status().code(), StatusCode::OK);
        board.healthy("redis", Duration::ZERO);
        assert_eq!(board.status(), Status::Healthy);
        board.unhealthy("postgres", "connection refused");
        assert_eq!(board.status(), Status::Unhealthy);
    }

    #[test]
    fn what_is_wrong_stays_until_it_is_said_to_be_over() {
        let board = board().optional("redis");
        board.healthy("redis", Duration::ZERO);
        board.remark("postgres", Some("its disk is full".to_owned()));
        assert_eq!(report(&board).1["postgres"]["error"], "has not answered yet");
        board.healthy("postgres", Duration::ZERO);
        assert_eq!(report(&board).1["postgres"]["error"], "its disk is full");
        assert_eq!(
            (board.status(), report(&board).1["postgres"]["status"].clone()),
            (Status::Degraded, json!("degraded"))
        );
        board.unhealthy("postgres", "connection refused");
        assert_eq!(report(&board).1["postgres"]["error"], "connection refused");
        board.healthy("postgres", Duration::ZERO);
        assert_eq!(board.status(), Status::Degraded);
        board.remark("postgres", None);
        assert_eq!((board.status(), report(&board).1["postgres"]["error"].clone()), (Status::Healthy, Value::Null));
    }

    #[test]
    fn without_dependencies_a_service_is_healthy() {
        assert_eq!(Board::new("x", "1", []).status(), Status::Healthy);
    }
}
