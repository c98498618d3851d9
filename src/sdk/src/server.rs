//! Runs a service: HTTP until a termination signal, then drain and stop.

use std::{
    fmt::Write as _,
    future::Future,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use axum::{Router, serve::ListenerExt};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Error,
    config::Config,
    dependency::{self, Dependency},
    health::{self, Board},
    http, logging,
    metrics::Metrics,
    refusal,
};

pub use refusal::refused;

/// How long the connections to dependencies may take to close politely.
const CLOSE_LIMIT: Duration = Duration::from_millis(300);

/// How long a whole health check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// What is put around all routes of a service.
pub(crate) type Around = Box<dyn FnOnce(Router) -> Router + Send + Sync>;

/// What a service serves over HTTP: routes of its own, and what is put around those and the common ones.
pub(crate) struct Site {
    pub(crate) routes: Router,
    pub(crate) around: Option<Around>,
}

impl From<Router> for Site {
    fn from(routes: Router) -> Self {
        Self { routes, around: None }
    }
}

/// Runs a service in this process: starts its log, serves on its port until SIGTERM or SIGINT, drains and stops. A
/// second signal stops without draining.
pub async fn serve(
    config: &Config,
    metrics: &Metrics,
    dependencies: Vec<Dependency>,
    routes: Router,
) -> Result<(), Error> {
    let board = dependency::board(&config.service, &config.version, &dependencies, &[]);
    serve_on(config, metrics, board, dependencies, routes.into(), CancellationToken::cancelled_owned).await
}

/// The same with a board that others write to as well, and with work beside it: it is told when to stop, and has until
/// the second signal to do so.
pub(crate) async fn serve_on<F: Future<Output = ()>>(
    config: &Config,
    metrics: &Metrics,
    board: Board,
    dependencies: Vec<Dependency>,
    site: Site,
    beside: impl FnOnce(CancellationToken) -> F,
) -> Result<(), Error> {
    logging::init(&config.service, config.log_level);
    let signals = Signals::listen()?;
    let listener = listen(config.port).await?;
    let stop = signals.first.clone();
    let serving = async {
        let stopped = stop.clone().cancelled_owned();
        let result = run_on(listener, config, metrics, board, dependencies, site, stopped).await;
        stop.cancel();
        result
    };
    let draining = async { tokio::join!(serving, beside(stop.clone())).0 };
    tokio::select! {
        result = draining => result,
        () = signals.second.cancelled() => {
            warn!("stopped by a second signal before all requests were answered");
            Ok(())
        }
    }
}

/// Runs a service on `listener` until `shutdown` completes; then answers the requests in flight, for as long as the
/// configuration allows, and returns.
pub async fn run(
    listener: TcpListener,
    config: &Config,
    metrics: &Metrics,
    dependencies: Vec<Dependency>,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let board = dependency::board(&config.service, &config.version, &dependencies, &[]);
    run_on(listener, config, metrics, board, dependencies, routes.into(), shutdown).await
}

async fn run_on(
    listener: TcpListener,
    config: &Config,
    metrics: &Metrics,
    board: Board,
    dependencies: Vec<Dependency>,
    Site { routes, around }: Site,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let _stop_at_any_exit = stop.clone().drop_guard();
    let monitors = dependency::watch(dependencies, &board, &stop);
    if let Ok(address) = listener.local_addr() {
        info!(version = config.version, "listening on {address}");
    }

    let routes = routes
        .merge(health::routes(board))
        .merge(metrics.routes())
        .fallback(refusal::not_found)
        .method_not_allowed_fallback(refusal::method_not_allowed);
    let routes = match around {
        Some(around) => around(routes),
        None => routes,
    };
    let listener = listener.tap_io(|stream| {
        // Only speed is lost when it is refused.
        let _ = stream.set_nodelay(true);
    });
    let draining = CancellationToken::new();
    let begun = draining.clone();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(async move {
        shutdown.await;
        info!("stopping");
        begun.cancel();
    });
    let limit = config.shutdown_timeout;
    let result = tokio::select! {
        result = serving => result.map_err(Error::Serve),
        () = async { draining.cancelled().await; sleep(limit).await } => {
            warn!(limit_ms = limit.as_millis() as u64, "stopped with requests unanswered: the time to finish them is over");
            Ok(())
        }
    };

    stop.cancel();
    let _ = timeout(CLOSE_LIMIT, monitors.join_all()).await;
    info!("stopped");
    result
}

async fn listen(port: u16) -> Result<TcpListener, Error> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

struct Signals {
    first: CancellationToken,
    second: CancellationToken,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
        let signals = Self { first: CancellationToken::new(), second: CancellationToken::new() };
        let tokens = [signals.first.clone(), signals.second.clone()];
        tokio::spawn(async move {
            for token in tokens {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(signals)
    }
}

/// Asks the service on `port` of this machine whether it is healthy. An error says why it is not.
///
/// It blocks, for at most two seconds, and needs no runtime: it is what a container's health check runs.
pub fn check(port: u16) -> Result<(), String> {
    let answer = ask(port).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer within 2 s".to_owned(),
            io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            _ => error.to_string(),
        };
        format!("127.0.0.1:{port}: {reason}")
    })?;
    match http::status(&answer) {
        Some(200) => Ok(()),
        Some(status) => Err(format!("{status}{}", unhealthy(&answer))),
        None => Err(format!("127.0.0.1:{port}: not an HTTP answer")),
    }
}

fn ask(port: u16) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + CHECK_LIMIT;
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(http::request(&address.to_string(), "/health").as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while (answer.len() as u64) < http::LONGEST_ANSWER {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut chunk)? {
            0 => break,
            length => answer.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(answer)
}

/// The dependencies that an answer of `/health` complains of, as text.
fn unhealthy(answer: &[u8]) -> String {
    let body: Option<Value> = http::body(answer).and_then(|body| serde_json::from_slice(body).ok());
    let dependencies = body.as_ref().and_then(|body| body["dependencies"].as_object());
    let mut text = String::new();
    for (name, state) in dependencies.into_iter().flatten() {
        if let Some(error) = state["error"].as_str() {
            // Writing to a `String` does not fail.
            let _ = write!(text, "; {name}: {error}");
        }
    }
    text
}
