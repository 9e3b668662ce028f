//! Headers that mean something to an RPC, and metadata that means something to a caller.

use super::table::Binding;
use super::{Problem, shown};
use crate::context::{Context, REQUEST_ID, TRACEPARENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};
use std::time::Duration;
use tonic::metadata::MetadataMap;

/// Request headers that are passed on as they are.
const PASSED_ON: [&str; 4] = ["authorization", "tracestate", "idempotency-key", "user-agent"];

/// Response metadata that becomes headers, beside `eventflow-*`.
const PASSED_BACK: [&str; 5] = ["cache-control", "etag", "location", "retry-after", "www-authenticate"];

pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Longest time that a caller may give a request; longer ones are cut to it.
const MAX_DEADLINE: Duration = Duration::from_hours(24);

/// The metadata of the call upstream.
pub(super) fn metadata(headers: &HeaderMap, context: &Context) -> MetadataMap {
    let mut out = HeaderMap::new();
    for name in PASSED_ON {
        if let Some(value) = headers.get(name) {
            out.insert(HeaderName::from_static(name), value.clone());
        }
    }
    let mut set = |name, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            out.insert(HeaderName::from_static(name), value);
        }
    };
    set(TRACEPARENT, context.trace.to_string());
    set(REQUEST_ID, context.request_id.to_string());
    if let Some(client) = context.client {
        set("x-forwarded-for", client.ip().to_string());
    }
    MetadataMap::from_headers(out)
}

/// Headers of the answer from metadata of the response.
pub(super) fn answer(metadata: &MetadataMap) -> HeaderMap {
    let mut out = HeaderMap::new();
    for (name, value) in metadata.as_ref() {
        let text = name.as_str();
        if PASSED_BACK.contains(&text) || text.starts_with("eventflow-") {
            out.append(name.clone(), value.clone());
        }
    }
    out
}

/// `If-Match`, `If-None-Match: *`, `Idempotency-Key` and `Last-Event-ID` as fields, where the request has them
/// and the caller has not set them otherwise.
pub(super) fn apply(
    binding: &Binding,
    headers: &HeaderMap,
    message: &mut DynamicMessage,
) -> Result<(), Problem> {
    let unsafe_method = !binding.method.is_safe();
    if unsafe_method && let Some(etag) = text(headers, &header::IF_MATCH)? {
        match unquote(etag) {
            Some("*") => {}
            Some(etag) => set(message, "etag", Value::String(etag.to_owned())),
            None => return Err(Problem::invalid("If-Match", "must be one entity tag, such as \"…\"")),
        }
    }
    if unsafe_method && text(headers, &header::IF_NONE_MATCH)? == Some("*") {
        set(message, "create_only", Value::Bool(true));
    }
    if let Some(key) = idempotency_key(headers)? {
        set(message, "idempotency_key", Value::String(key.to_owned()));
    }
    if let Some(last) = text(headers, &HeaderName::from_static("last-event-id"))? {
        set(message, "resume_token", Value::String(last.to_owned()));
        set(message, "after", Value::String(last.to_owned()));
    }
    Ok(())
}

fn set(message: &mut DynamicMessage, name: &str, value: Value) {
    let Some(field) = message.descriptor().get_field_by_name(name) else { return };
    let fits =
        matches!((field.kind(), &value), (Kind::String, Value::String(_)) | (Kind::Bool, Value::Bool(_)));
    if fits && !message.has_field(&field) {
        message.set_field(&field, value);
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::invalid(name.as_str(), "must be printable ASCII"))?;
    Ok(Some(text.trim()))
}

/// `"x"`, `W/"x"` and, for people with curl, `x`.
pub(super) fn unquote(etag: &str) -> Option<&str> {
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    let bare = etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag);
    (!bare.is_empty() && !bare.contains(['"', ','])).then_some(bare)
}

/// The caller's key: 1 to 255 printable ASCII characters.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) && !key.contains('\t') => Ok(Some(key)),
        _ => Err(Problem::invalid("Idempotency-Key", "must be 1 to 255 printable ASCII characters")),
    }
}

/// `grpc-timeout`: `10S`, `500m` …; zero is over already.
pub(crate) fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(parse_timeout).ok_or_else(|| {
        let found = shown(&String::from_utf8_lossy(value.as_bytes()));
        Problem::invalid(
            "grpc-timeout",
            format!("must be 1 to 8 digits and a unit of H, M, S, m, u, n, is {found:?}"),
        )
    })?;
    if parsed.is_zero() { Err(deadline_exceeded()) } else { Ok(Some(parsed.min(MAX_DEADLINE))) }
}

pub(crate) fn deadline_exceeded() -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "DeadlineExceeded",
        "the request was not answered within its time",
    )
}

pub(crate) fn parse_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(number * 3600),
        'M' => Duration::from_secs(number * 60),
        'S' => Duration::from_secs(number),
        'm' => Duration::from_millis(number),
        'u' => Duration::from_micros(number),
        'n' => Duration::from_nanos(number),
        _ => return None,
    })
}
