use crate::problem::{FUNCTION_FAILED, Problem};
use crate::transcode::call::sandbox;
use crate::transcode::write;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use eventflow_domain::{Invocation, InvocationId, Reason, State, VersionNumber};
use eventflow_proto::convert;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use std::borrow::Cow;
use std::sync::LazyLock;

pub(crate) const INVOCATION_ID: HeaderName = HeaderName::from_static("eventflow-invocation-id");
pub(crate) const VERSION: HeaderName = HeaderName::from_static("eventflow-version");
pub(crate) const ATTEMPT: HeaderName = HeaderName::from_static("eventflow-attempt");

/// 202: the call is durable, and goes on.
pub(super) fn accepted(
    id: InvocationId,
    state: State,
    version: VersionNumber,
    attempt: u32,
) -> Result<Response, Problem> {
    let body = format!("{{\"id\":\"{id}\",\"state\":\"{state}\"}}\n");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::LOCATION, text(&format!("/v1/invocations/{id}"))?);
    about(id, version, attempt, headers)?;
    Ok(response)
}

/// The function's own result, or why there is none.
pub(super) fn result(invocation: &Invocation, body: Bytes) -> Result<Response, Problem> {
    if invocation.http_status.is_none() && invocation.state() != State::Succeeded {
        return Err(failed(invocation));
    }
    let status = invocation.http_status.map_or(Ok(StatusCode::OK), StatusCode::from_u16);
    let status = status.ok().filter(|status| !status.is_informational()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    about_ended(invocation, headers)?;
    let content_type =
        invocation.result.content_type.as_deref().and_then(|found| HeaderValue::from_str(found).ok());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, content_type);
    sandbox(headers);
    Ok(response)
}

/// Which call the answer is of. A problem says it by its metadata.
fn about(
    id: InvocationId,
    version: VersionNumber,
    attempt: u32,
    headers: &mut HeaderMap,
) -> Result<(), Problem> {
    headers.insert(INVOCATION_ID, text(&id.to_string())?);
    headers.insert(VERSION, HeaderValue::from(version.0));
    headers.insert(ATTEMPT, HeaderValue::from(attempt));
    Ok(())
}

fn about_ended(invocation: &Invocation, headers: &mut HeaderMap) -> Result<(), Problem> {
    about(invocation.id, invocation.version, invocation.lifecycle.attempts, headers)
}

fn text(value: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(value)
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "failed to write a header"))
}

/// A failure of the function without an answer of its own.
fn failed(invocation: &Invocation) -> Problem {
    let failure = invocation.failure.as_ref();
    let reason = failure.map_or(Reason::Internal, |failure| failure.reason);
    let status = match reason {
        Reason::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let why = failure.map_or("", |failure| failure.message.as_str());
    let detail = format!("function {} {}: {why}", invocation.function.name, describe(invocation.state()));
    let mut problem = Problem::new(status, FUNCTION_FAILED, detail.trim_end_matches([':', ' ']).to_owned());
    problem.retry_after = failure.and_then(|failure| failure.retry_after);
    let mut add = |key, value: String| problem.metadata.insert(Cow::Borrowed(key), value);
    add("invocationId", invocation.id.to_string());
    add("version", invocation.version.to_string());
    add("attempt", invocation.lifecycle.attempts.to_string());
    add("state", invocation.state().to_string());
    add("functionReason", reason.to_string());
    problem
}

fn describe(state: State) -> &'static str {
    if state == State::Cancelled { "was cancelled" } else { "failed" }
}

static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(eventflow_proto::DESCRIPTOR_SET).ok());

/// The record, as `GET /v1/invocations/{id}` shows it.
pub(super) fn record(invocation: &Invocation, body: &Bytes) -> Result<Response, Problem> {
    let fault = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "failed to write the record");
    let mut wire = convert::invocation_to_wire(invocation);
    if let (true, Ok(text)) = (body.len() <= 4096, std::str::from_utf8(body)) {
        text.clone_into(&mut wire.result_text);
    }
    let of = POOL
        .as_ref()
        .and_then(|pool| pool.get_message_by_name("eventflow.v1.Invocation"))
        .ok_or_else(fault)?;
    let message = DynamicMessage::decode(of, wire.encode_to_vec().as_slice()).map_err(|_| fault())?;
    let mut json = Vec::with_capacity(1024);
    write::answer(&message, None, &mut json);
    json.push(b'\n');
    let mut response = Response::new(Body::from(json));
    about_ended(invocation, response.headers_mut())?;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
