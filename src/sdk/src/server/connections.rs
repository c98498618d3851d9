//! Takes connections and serves HTTP/1 on them, within limits.

use std::{convert::Infallible, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, DefaultBodyLimit},
    http::{HeaderMap, HeaderValue, Request, StatusCode, header},
    response::Response,
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::{
    bodies,
    places::{self, Place, Places},
    stream::{Stream, Upgraded},
};
use crate::{config::Limits, refusal};

/// How long to wait after the system refused a connection, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// The connections of a server.
pub(super) struct Connections {
    routes: TowerToHyperService<Router>,
    limits: Limits,
    places: Arc<Places>,
    tracker: TaskTracker,
    /// Tells the connections to end when they have answered, and then at once.
    draining: CancellationToken,
    over: CancellationToken,
}

impl Connections {
    pub(super) fn new(routes: Router, limits: &Limits) -> Self {
        let all = places::affordable(limits.connections);
        let each = limits.connections_each.min(all.div_ceil(2));
        let tracker = TaskTracker::new();
        Self {
            // the limit is one for all bodies, whatever reads them
            routes: TowerToHyperService::new(routes.layer(DefaultBodyLimit::disable())),
            limits: *limits,
            places: Places::new(all, each, tracker.clone()),
            tracker,
            draining: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }

    /// Takes connections until it is dropped.
    pub(super) async fn accept(&self, listener: TcpListener) {
        let mut pause = PAUSES.0;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    pause = PAUSES.0;
                    self.take(stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    warn!("cannot take connections: {error}");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.places.take(peer.ip().to_canonical()) else {
            debug!("refused a connection: there are too many");
            // It is a courtesy: whoever does not get it sees a closed connection.
            let _ = stream.try_write(FULL);
            return;
        };
        // Only speed is lost when it is refused.
        let _ = stream.set_nodelay(true);
        let serving = serve(stream, place, peer, self.routes.clone(), self.limits, self.draining.clone());
        self.tracker.spawn(self.over.clone().run_until_cancelled_owned(serving));
    }

    /// Lets the connections end, those of WebSockets too, for as long as `limit`; says whether they all have.
    pub(super) async fn drain(&self, limit: Duration) -> bool {
        self.draining.cancel();
        self.tracker.close();
        timeout(limit, self.tracker.wait()).await.is_ok()
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// Whether the next connection may well be taken at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn serve(
    stream: TcpStream,
    place: Place,
    peer: SocketAddr,
    routes: TowerToHyperService<Router>,
    limits: Limits,
    draining: CancellationToken,
) {
    let upgraded = Upgraded::default();
    let stream = Stream::new(stream, place, upgraded.clone(), &limits);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        answer(routes.clone(), request, limits, upgraded.clone())
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time)
        .max_headers(limits.headers)
        .max_header_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let ended = tokio::select! {
        biased;
        result = &mut connection => Some(result),
        () = draining.cancelled() => None,
    };
    let result = match ended {
        Some(result) => result,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    if let Err(error) = result {
        debug!("a connection from {peer} ended: {error}");
    }
    if let Some(parts) = connection.into_parts() {
        parts.io.into_inner().end().await;
    }
}

async fn answer(
    routes: TowerToHyperService<Router>,
    request: Request<Incoming>,
    limits: Limits,
    upgraded: Upgraded,
) -> Result<Response, Infallible> {
    let (head, incoming) = request.into_parts();
    let Some((body, late)) = bodies::bounded(incoming, &limits) else {
        return Ok(refusal::too_large(limits.body_bytes, &head.headers));
    };
    let websocket = asks_for_websocket(&head.headers);
    // what an answer to a late body says of the request, should it become one
    let correlation = refusal::correlation(&head.headers).cloned();
    let mut response = routes.call(Request::from_parts(head, body)).await?;
    if late.is() {
        response = refusal::too_slow(correlation.as_ref());
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        upgraded.set();
    } else if websocket {
        // what comes next has not been looked at
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}
