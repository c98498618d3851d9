//! `/ws`: who may connect, and what a WebSocket costs.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use banyan_sdk::{Fault, Flow, protocol::Category};
use futures_util::SinkExt as _;

use super::{
    connection::{self, LONGEST_MESSAGE},
    door::is_foreign,
    origin,
};
use crate::{Gateway, caller::Caller, problem};

/// Who the client is, is not known: no token, a wrong one, or one that has expired.
pub(super) const NOT_KNOWN: u16 = 4001;
/// The client takes its events more slowly than they come.
pub(super) const TOO_SLOW: u16 = 4008;

/// What a WebSocket reads at a time. It is kept for as long as the WebSocket is open, so it is small.
const READ: usize = 1024;
/// What it collects before it writes.
const WRITE: usize = 4096;

/// `GET /ws`.
pub(super) async fn upgrade(
    State(gateway): State<Arc<Gateway>>,
    Extension(caller): Extension<Arc<Caller>>,
    Extension(flow): Extension<Arc<Flow>>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let door = &gateway.events;
    let refuse = |fault: &Fault| problem::response(fault, &flow.correlation_id);
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(_) => {
            let mut answer = refuse(&Fault::validation("a WebSocket is opened here"));
            *answer.status_mut() = StatusCode::UPGRADE_REQUIRED;
            answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            return answer;
        }
    };
    if !origin::is_welcome(&headers, &door.settings.origins) {
        return refuse(&Fault::forbidden("pages of this origin may not open a WebSocket"));
    }
    let upgrade = upgrade
        .read_buffer_size(READ)
        .write_buffer_size(WRITE)
        .max_message_size(4 * LONGEST_MESSAGE)
        .max_frame_size(4 * LONGEST_MESSAGE);
    let caller = match door.who(&gateway.who, caller, &uri).await {
        Ok(caller) => caller,
        // A browser does not tell a page why an upgrade was refused, but it tells the code of a close.
        Err(fault) if fault.code.category() == Category::Unauthenticated => {
            return upgrade.on_upgrade(|socket| close(socket, NOT_KNOWN, "invalid token")).into_response();
        }
        Err(fault) => return refuse(&fault),
    };
    let seat = match door.websockets.take(caller.key()) {
        Ok(seat) => seat,
        Err(full) => return refuse(&Fault::unavailable(full.reason())),
    };
    let listener = door.hub.listen(caller);
    let foreign = is_foreign(&headers);
    let token = door.open.token();
    upgrade.on_upgrade(move |socket| {
        // boxed: what waits for its end holds a pointer to it, and not as much room as it needs itself
        Box::pin(async move {
            connection::run(socket, gateway, listener, seat, foreign).await;
            drop(token);
        })
    })
}

/// Says why, and closes.
pub(super) async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let goodbye = async {
        let frame = CloseFrame { code, reason: reason.into() };
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            // What the client still says is taken in, or the close might never get there.
            while let Some(Ok(_)) = socket.recv().await {}
        }
        let _ = socket.close().await;
    };
    let _ = tokio::time::timeout(connection::FAREWELL, goodbye).await;
}

/// The gateway stops.
pub(super) const GOING_AWAY: u16 = close_code::AWAY;
/// The client does not keep to the protocol.
pub(super) const POLICY: u16 = close_code::POLICY;
/// The client's message is too large.
pub(super) const TOO_LARGE: u16 = close_code::SIZE;
/// There is no place for the client.
pub(super) const TRY_LATER: u16 = close_code::AGAIN;
