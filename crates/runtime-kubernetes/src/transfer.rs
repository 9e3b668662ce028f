//! The port that pods reach: payloads out, results in, for one attempt each, as long as it runs.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State as Shared};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use eventflow_domain::error::Chain;
use eventflow_domain::invocation::Body as Kept;
use eventflow_domain::ports::{Blobs, Store};
use eventflow_domain::{Error, ErrorKind, Invocation, InvocationId, State};
use futures::{StreamExt as _, TryStreamExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;

/// The key of the tokens: every dispatcher of the installation has the same.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Derived, so that what signs one thing signs nothing else.
    pub fn derived(key: &[u8]) -> Self {
        Self(mac(key, b"eventflow job transfer v1").finalize().into_bytes().to_vec().into())
    }

    /// The token of one attempt. It says nothing by itself: what it opens is closed once the attempt has ended.
    pub fn token(&self, invocation: InvocationId, attempt: u32) -> String {
        hex::encode(mac(&self.0, of(invocation, attempt).as_bytes()).finalize().into_bytes())
    }

    fn verifies(&self, token: &str, invocation: InvocationId, attempt: u32) -> bool {
        let Ok(given) = hex::decode(token) else { return false };
        mac(&self.0, of(invocation, attempt).as_bytes()).verify_slice(&given).is_ok()
    }
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    #[expect(clippy::expect_used, reason = "HMAC has no wrong length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("should be a key of any length");
    mac.update(text);
    mac
}

fn of(invocation: InvocationId, attempt: u32) -> String {
    format!("{invocation}/{attempt}")
}

/// Where the result of an attempt is uploaded to; also where the record will name it.
pub(crate) fn result_key(invocation: InvocationId, attempt: u32) -> String {
    format!("results/{invocation}-{attempt}")
}

/// The path below the transfer URL.
pub(crate) fn path(invocation: InvocationId, attempt: u32) -> String {
    format!("/v1/attempts/{invocation}/{attempt}")
}

/// What the port works with.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn Blobs>,
    pub secret: Secret,
    /// Bytes of a result.
    pub limit: u64,
}

impl Transfer {
    /// `GET …/payload` and `PUT …/result` of attempts that run.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/v1/attempts/{invocation}/{attempt}/payload", get(payload))
            .route("/v1/attempts/{invocation}/{attempt}/result", put(result))
            .with_state(Arc::new(self))
    }

    /// The record, if the token is its attempt's and the attempt runs.
    async fn admit(&self, id: &str, attempt: u32, headers: &HeaderMap) -> Result<Invocation, Response> {
        let refused = |status: StatusCode, text: &'static str| (status, text).into_response();
        let unauthorized = || refused(StatusCode::UNAUTHORIZED, "the token is of no attempt");
        let id: InvocationId = id.parse().map_err(|_| unauthorized())?;
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(unauthorized)?;
        if !self.secret.verifies(token, id, attempt) {
            return Err(unauthorized());
        }
        let record = self.store.get(id).await.map_err(|error| failed(&error))?;
        let runs =
            |record: &Invocation| record.state() == State::Running && record.lifecycle.attempts == attempt;
        record.filter(runs).ok_or_else(|| refused(StatusCode::GONE, "the attempt has ended"))
    }
}

fn failed(error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if status.is_server_error() {
        tracing::warn!(error = %Chain(error), "a transfer with a pod failed");
    }
    (status, error.message().to_owned()).into_response()
}

async fn payload(
    Shared(transfer): Shared<Arc<Transfer>>,
    Path((id, attempt)): Path<(String, u32)>,
    headers: HeaderMap,
) -> Response {
    let record = match transfer.admit(&id, attempt, &headers).await {
        Ok(record) => record,
        Err(refused) => return refused,
    };
    let (size, body) = match record.payload.body {
        Kept::None => (0, Body::empty()),
        Kept::Inline(bytes) => (bytes.len() as u64, Body::from(bytes)),
        Kept::Blob(key) => match transfer.blobs.get(&key).await {
            Ok((size, stream)) => (size, Body::from_stream(stream)),
            Err(error) => return failed(&error),
        },
    };
    let content_type = "application/octet-stream".to_owned();
    ([(CONTENT_LENGTH, size.to_string()), (CONTENT_TYPE, content_type)], body).into_response()
}

async fn result(
    Shared(transfer): Shared<Arc<Transfer>>,
    Path((id, attempt)): Path<(String, u32)>,
    request: Request,
) -> Response {
    let record = match transfer.admit(&id, attempt, request.headers()).await {
        Ok(record) => record,
        Err(refused) => return refused,
    };
    let length =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > transfer.limit) {
        let text = format!("a result has at most {} bytes", transfer.limit);
        return (StatusCode::PAYLOAD_TOO_LARGE, text).into_response();
    }
    let bytes = request.into_body().into_data_stream().map_err(std::io::Error::other).boxed();
    match transfer.blobs.put(&result_key(record.id, attempt), bytes, transfer.limit).await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_own_attempt_only() {
        let (secret, other) = (Secret::derived(b"key"), Secret::derived(b"other"));
        let (id, another) = (InvocationId::generate(), InvocationId::generate());
        let token = secret.token(id, 1);
        assert!(secret.verifies(&token, id, 1));
        assert!(!secret.verifies(&token, id, 2) && !secret.verifies(&token, another, 1));
        assert!(!other.verifies(&token, id, 1));
        assert!(!secret.verifies("", id, 1) && !secret.verifies("zz", id, 1));
        assert!(!secret.verifies(&token[2..], id, 1));
    }
}
