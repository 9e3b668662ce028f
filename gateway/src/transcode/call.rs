//! Unary RPCs: JSON or raw bytes back.

use super::table::{Binding, is_raw};
use super::{Problem, Transcoder, headers, write};
use crate::context::Context;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use prost_reflect::{DynamicMessage, Value};

impl Transcoder {
    pub(super) async fn unary(
        &self,
        binding: &Binding,
        values: &[&str],
        parts: &Parts,
        body: Body,
        context: &Context,
    ) -> Result<Response, Problem> {
        let (message, _held) = self.message(binding, values, parts, body).await?;
        let dry_run = message.get_field_by_name("dry_run").is_some_and(|value| value.as_bool() == Some(true));
        let (request, timeout) = self.request(parts, context, message)?;
        let call = self.upstream.unary(&binding.rpc, request);
        let answer = tokio::time::timeout(timeout, call).await.map_err(|_| headers::deadline_exceeded())?;
        let mut response = respond(binding, &parts.headers, answer.map_err(Problem::from)?)?;
        if dry_run && response.status() == StatusCode::CREATED {
            // It would be created; there is nothing yet.
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(header::LOCATION);
        }
        Ok(response)
    }
}

/// The answer of an RPC as an HTTP response.
pub(super) fn respond(
    binding: &Binding,
    asked: &HeaderMap,
    answer: tonic::Response<DynamicMessage>,
) -> Result<Response, Problem> {
    let mut passed = headers::answer(answer.metadata());
    let message = answer.into_inner();
    if let Some(field) = binding.answer.as_ref().filter(|field| is_raw(field)) {
        let value = message.get_field(field);
        let carrier = value.as_message().ok_or_else(|| internal("the answer has no body"))?;
        return raw(carrier, passed);
    }
    let mut json = Vec::with_capacity(512);
    write::answer(&message, binding.answer.as_ref(), &mut json);
    json.push(b'\n');
    let etag = etag(binding, &message);
    if let Some(etag) = &etag {
        passed.entry(header::ETAG).or_insert(etag.clone());
    }
    let known = asked.get(header::IF_NONE_MATCH);
    if binding.method == Method::GET && etag.is_some() && known == etag.as_ref() {
        return Ok(build(StatusCode::NOT_MODIFIED, passed, Body::empty()));
    }
    passed.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let created = message.get_field_by_name("created").is_some_and(|value| value.as_bool() == Some(true));
    if !created {
        return Ok(build(StatusCode::OK, passed, Body::from(json)));
    }
    if let Some(location) = location(binding, &message) {
        passed.entry(header::LOCATION).or_insert(location);
    }
    Ok(build(StatusCode::CREATED, passed, Body::from(json)))
}

pub(super) fn build(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

pub(super) fn internal(detail: &'static str) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", detail)
}

/// Bytes of somebody else, with their own content type, on our origin: a page among them must not act as ours.
pub(crate) fn sandbox(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
}

/// What a body of somebody else is declared as.
pub(super) fn foreign(content_type: Option<&str>, headers: &mut HeaderMap) {
    let content_type = content_type.filter(|text| !text.is_empty()).unwrap_or("application/octet-stream");
    let fallback = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap_or(fallback));
    sandbox(headers);
}

fn raw(carrier: &DynamicMessage, mut passed: HeaderMap) -> Result<Response, Problem> {
    let text = carrier.get_field_by_name("content_type");
    foreign(text.as_ref().and_then(|value| value.as_str()), &mut passed);
    let data = carrier.get_field_by_name("data").ok_or_else(|| internal("the answer has no bytes"))?;
    let bytes = data.as_bytes().cloned().unwrap_or_default();
    Ok(build(StatusCode::OK, passed, Body::from(bytes)))
}

/// The resource that the answer is about.
fn resource(binding: &Binding, message: &DynamicMessage) -> Option<DynamicMessage> {
    match message.get_field(binding.answer.as_ref()?).into_owned() {
        Value::Message(resource) => Some(resource),
        _ => None,
    }
}

fn etag(binding: &Binding, message: &DynamicMessage) -> Option<HeaderValue> {
    let resource = resource(binding, message)?;
    let value = resource.get_field_by_name("etag")?;
    let etag = value.as_str().filter(|etag| !etag.is_empty())?;
    HeaderValue::try_from(format!("\"{etag}\"")).ok()
}

/// Where a created resource is: the collection's path and its name.
fn location(binding: &Binding, message: &DynamicMessage) -> Option<HeaderValue> {
    let resource = resource(binding, message)?;
    let text = |name: &str| resource.get_field_by_name(name)?.as_str().map(str::to_owned);
    let (namespace, name) = (text("namespace")?, text("name")?);
    let literal = |part: &&str| !part.contains('{') && !["", "v1", "namespaces"].contains(part);
    let collection = binding.template.split('/').rfind(literal)?;
    HeaderValue::try_from(format!("/v1/namespaces/{namespace}/{collection}/{name}")).ok()
}
