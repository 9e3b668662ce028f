//! Server streams over a WebSocket, for browsers: they cannot set headers there, so the token comes as the
//! sub-protocol `bearer.<token>` and never in the URL.

use super::Problem;
use super::stream::Event;
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures::{Stream, StreamExt as _};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The sub-protocol that is answered where the caller offers it beside its token.
const PROTOCOL: &str = "eventflow";
const BEARER: &str = "bearer.";
/// A peer that takes nothing for so long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// An upgrade that was asked for.
pub(super) struct Socket(WebSocketUpgrade);

/// Reads the handshake, if the request is one, and turns its token into `Authorization`.
pub(super) async fn asked(parts: &mut Parts) -> Result<Option<Socket>, Problem> {
    let upgrade = parts.headers.get(header::UPGRADE);
    if !upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return Ok(None);
    }
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|rejection| {
        Problem::new(StatusCode::BAD_REQUEST, "InvalidHandshake", rejection.body_text())
    })?;
    let offered = parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered: Vec<String> = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().to_owned())
        .collect();
    let token = offered.iter().find_map(|one| one.strip_prefix(BEARER));
    if let (Some(token), false) = (token, parts.headers.contains_key(header::AUTHORIZATION)) {
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
            Problem::new(StatusCode::UNAUTHORIZED, "Unauthenticated", "the token is not valid")
        })?;
        value.set_sensitive(true);
        parts.headers.insert(header::AUTHORIZATION, value);
    }
    // A browser takes no answer that names none of its offers.
    let chosen = offered.iter().find(|one| *one == PROTOCOL).or_else(|| offered.first()).cloned();
    Ok(Some(Socket(upgrade.max_message_size(64 << 10).protocols(chosen))))
}

impl Socket {
    /// Upgrades, and sends each event as a text message until one side ends.
    pub(super) fn answer(
        self,
        events: impl Stream<Item = Event> + Send + 'static,
        request_id: Arc<str>,
        draining: CancellationToken,
    ) -> Response {
        self.0.on_upgrade(move |socket| run(socket, events, request_id, draining))
    }
}

async fn run(
    mut socket: WebSocket,
    events: impl Stream<Item = Event> + Send + 'static,
    request_id: Arc<str>,
    draining: CancellationToken,
) {
    let mut events = std::pin::pin!(events);
    loop {
        let message = tokio::select! {
            event = events.next() => match event {
                Some(Event::Message(json, _)) => text(json),
                Some(Event::Raw(bytes)) => Message::Binary(bytes),
                Some(Event::KeepAlive) => Message::Ping(bytes::Bytes::new()),
                Some(Event::Failed(problem)) => {
                    let _peer_may_be_gone = socket.send(Message::Text(problem.render_in_stream(&request_id).into())).await;
                    break close(&mut socket, close_code::ERROR, &problem.reason).await;
                }
                None if draining.is_cancelled() => break close(&mut socket, close_code::AWAY, "shutting down").await,
                None => break close(&mut socket, close_code::NORMAL, "").await,
            },
            received = socket.recv() => match received {
                // Callers have nothing to say here; pongs and closes are answered by the library.
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if !matches!(tokio::time::timeout(SEND_TIMEOUT, socket.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

fn text(json: Vec<u8>) -> Message {
    match String::from_utf8(json) {
        Ok(text) => Message::Text(text.into()),
        Err(bytes) => Message::Binary(bytes.into_bytes().into()),
    }
}

async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let _peer_may_be_gone = socket.send(Message::Close(Some(frame))).await;
}
