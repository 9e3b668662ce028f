//! An attempt in http mode: one `POST /` in the binary mode of CloudEvents, its answer buffered.

use super::{Outcome, Work, result};
use crate::core::Core;
use bytes::{Bytes, BytesMut};
use eventflow_domain::invocation::Content;
use eventflow_domain::ports::{ByteStream, Call, HttpRequest, HttpResponse, Runtime};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Failure, Invocation, Output, Reason};
use futures::{StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use std::io;
use std::sync::Arc;
use std::time::Duration;

const CE_SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");
const CE_ID: HeaderName = HeaderName::from_static("ce-id");
const CE_SOURCE: HeaderName = HeaderName::from_static("ce-source");
const CE_TYPE: HeaderName = HeaderName::from_static("ce-type");
const CE_TIME: HeaderName = HeaderName::from_static("ce-time");
const INVOCATION_ID: HeaderName = HeaderName::from_static("eventflow-invocation-id");
const ATTEMPT: HeaderName = HeaderName::from_static("eventflow-attempt");
const INVOKED: HeaderValue = HeaderValue::from_static("io.eventflow.function.invoked");

pub(super) async fn request(core: &Core, runtime: &Arc<dyn Runtime>, mut call: Call, work: &Work) -> Outcome {
    let payload = std::mem::take(&mut call.payload);
    let request = HttpRequest {
        method: Method::POST,
        uri: Uri::from_static("/"),
        headers: event_headers(&work.invocation, &call.trace, &payload, &work.headers),
        body: once(payload.bytes),
        upgrade: false,
    };
    match runtime.serve(call, request, Arc::clone(&work.logs) as _).await {
        Ok(response) => answered(response, core.config.limits.payload).await,
        Err(failure) => Outcome::failed(failure),
    }
}

fn once(bytes: Bytes) -> ByteStream {
    if bytes.is_empty() {
        futures::stream::empty().boxed()
    } else {
        futures::stream::iter([Ok(bytes)]).boxed()
    }
}

async fn answered(response: HttpResponse, limit: u64) -> Outcome {
    let failure = status_failure(response.status, &response.headers);
    let content_type =
        response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(Arc::from);
    let mut outcome = Outcome {
        start: Some(response.start),
        started_at: Some(response.started_at),
        failure,
        ..Outcome::default()
    };
    match collect(response.body, limit).await {
        Ok(bytes) => {
            let content = Content { bytes, content_type };
            outcome.output = Some(Output { content, status: Some(response.status.as_u16()) });
        }
        Err(broken) => outcome.failure = Some(broken),
    }
    outcome
}

async fn collect(mut body: ByteStream, limit: u64) -> Result<Bytes, Failure> {
    let broken = |error: io::Error| body_failure(&error);
    let first = body.try_next().await.map_err(broken)?.unwrap_or_default();
    if first.len() as u64 > limit {
        return Err(result::too_large(limit));
    }
    let Some(second) = body.try_next().await.map_err(broken)? else { return Ok(first) };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if (whole.len() + chunk.len()) as u64 > limit {
            return Err(result::too_large(limit));
        }
        whole.extend_from_slice(&chunk);
        next = body.try_next().await.map_err(broken)?;
    }
    Ok(whole.freeze())
}

/// Why an answer broke off.
pub(crate) fn body_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::TimedOut => Failure::new(Reason::Timeout, "timed out while it answered"),
        _ => Failure::new(Reason::NoAnswer, format!("the answer broke off: {error}")),
    }
}

/// What a status means for the call.
pub(crate) fn status_failure(status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
    let reason = match status {
        StatusCode::TOO_MANY_REQUESTS => Reason::TooManyRequests,
        status if status.is_server_error() => Reason::ServerError,
        status if status.is_client_error() => Reason::ClientError,
        _ => return None,
    };
    let mut failure = Failure::new(reason, format!("the function answered with status {}", status.as_u16()));
    if reason == Reason::TooManyRequests || status == StatusCode::SERVICE_UNAVAILABLE {
        failure.retry_after = retry_after(headers);
    }
    Some(failure)
}

/// `Retry-After` in seconds; the form with a date is not known to us.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The caller's headers and ours. A caller that sends a CloudEvent of its own keeps its attributes.
fn event_headers(
    invocation: &Invocation,
    trace: &TraceContext,
    payload: &Content,
    caller: &HeaderMap,
) -> HeaderMap {
    let mut headers = caller.clone();
    headers.reserve(9);
    if !headers.contains_key(CE_SPECVERSION) {
        headers.insert(CE_SPECVERSION, HeaderValue::from_static("1.0"));
        set(&mut headers, CE_ID, &invocation.id.to_string());
        let function = &invocation.function;
        let source = format!("/v1/namespaces/{}/functions/{}", function.namespace, function.name);
        set(&mut headers, CE_SOURCE, &source);
        headers.insert(CE_TYPE, INVOKED);
        set(&mut headers, CE_TIME, &invocation.created_at.to_string());
    }
    if let Some(content_type) = &payload.content_type {
        set(&mut headers, CONTENT_TYPE, content_type);
    }
    headers.insert(CONTENT_LENGTH, payload.bytes.len().into());
    identify(&mut headers, invocation, trace);
    headers
}

fn identify(headers: &mut HeaderMap, invocation: &Invocation, trace: &TraceContext) {
    set(headers, INVOCATION_ID, &invocation.id.to_string());
    headers.insert(ATTEMPT, invocation.lifecycle.attempts.into());
    eventflow_telemetry::propagation::http::inject(*trace, headers);
}

/// What a request to the function's own URL is told beside its own headers.
pub(crate) fn proxied_headers(headers: &mut HeaderMap, invocation: &Invocation, trace: &TraceContext) {
    identify(headers, invocation, trace);
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // A content type with characters that no header may have is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests;
