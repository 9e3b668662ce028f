//! An HTTP request as the request message of its RPC.

use super::table::{Binding, BodyRule, is_raw};
use super::{Problem, Transcoder, headers, pattern, query, read, shown};
use crate::context::Context;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use std::time::Duration;

impl Transcoder {
    /// The whole message, and the body's share of the memory budget for as long as the call goes on.
    pub(super) async fn message(
        &self,
        binding: &Binding,
        values: &[&str],
        parts: &Parts,
        body: Body,
    ) -> Result<(DynamicMessage, crate::body::Held), Problem> {
        let limit = match &binding.body {
            BodyRule::Field(field) if is_raw(field) => self.config.payload_limit,
            // A payload in base64, and the rest of the request.
            _ if binding.rpc.carries_bytes => self.config.payload_limit / 3 * 4 + self.config.json_limit,
            _ => self.config.json_limit,
        };
        let held = self.bodies.read(&parts.headers, body, limit).await?;
        let mut message = body_message(binding, &parts.headers, &held.bytes)?;
        path_and_query(binding, values, parts, &mut message)?;
        Ok((message, held))
    }

    /// The call upstream. How long it may take: the caller's `grpc-timeout`, else ours and the wait asked for.
    pub(super) fn request(
        &self,
        parts: &Parts,
        context: &Context,
        message: DynamicMessage,
    ) -> Result<(tonic::Request<DynamicMessage>, Duration), Problem> {
        let given = headers::deadline(&parts.headers)?;
        let timeout = given.unwrap_or_else(|| self.config.request_timeout.saturating_add(wait(&message)));
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = headers::metadata(&parts.headers, context);
        if let Some(client) = context.client {
            request.extensions_mut().insert(crate::context::ClientAddress(client));
        }
        if let Some(given) = given {
            request.set_timeout(given);
        }
        Ok((request, timeout))
    }
}

/// The `wait` of a request that has one.
fn wait(message: &DynamicMessage) -> Duration {
    let seconds = || {
        let field = message.descriptor().get_field_by_name("wait")?;
        let value = message.get_field(&field);
        value.as_message()?.get_field_by_name("seconds")?.as_i64()
    };
    Duration::from_secs(seconds().and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0).min(86_400))
}

pub(super) fn path_and_query(
    binding: &Binding,
    values: &[&str],
    parts: &Parts,
    message: &mut DynamicMessage,
) -> Result<(), Problem> {
    for (field, raw) in binding.fields.iter().zip(values) {
        let value = pattern::decode(field.json_name(), raw)?;
        if message.get_field(field).as_str().is_some_and(|given| !given.is_empty() && given != value) {
            return Err(Problem::invalid(field.json_name(), "differs from the one in the path"));
        }
        message.set_field(field, Value::String(value));
    }
    query::apply(binding, parts.uri.query(), message)?;
    headers::apply(binding, &parts.headers, message)
}

fn body_message(binding: &Binding, headers: &HeaderMap, body: &Bytes) -> Result<DynamicMessage, Problem> {
    let mut message = DynamicMessage::new(binding.rpc.input());
    match &binding.body {
        BodyRule::None if body.is_empty() => {}
        BodyRule::None => return Err(Problem::invalid("body", "this request takes no body")),
        BodyRule::Field(field) if is_raw(field) => {
            message.set_field(field, raw(field, headers, body.clone())?);
        }
        BodyRule::All | BodyRule::Field(_) if body.is_empty() => {}
        BodyRule::All => {
            expect_json(headers)?;
            message = read::message(body, &binding.rpc.input())?;
        }
        BodyRule::Field(field) => {
            expect_json(headers)?;
            if let Kind::Message(of) = field.kind() {
                message.set_field(field, Value::Message(read::message(body, &of)?));
            }
        }
    }
    Ok(message)
}

/// Bytes with their content type, as the message that carries them.
pub(super) fn raw(field: &FieldDescriptor, headers: &HeaderMap, body: Bytes) -> Result<Value, Problem> {
    let fault = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "failed to carry the body");
    let Kind::Message(of) = field.kind() else { return Err(fault()) };
    let mut carrier = DynamicMessage::new(of);
    if let Some(content_type) = content_type(headers)? {
        let set = carrier.try_set_field_by_name("content_type", Value::String(content_type.to_owned()));
        set.map_err(|_| fault())?;
    }
    carrier.try_set_field_by_name("data", Value::Bytes(body)).map_err(|_| fault())?;
    Ok(Value::Message(carrier))
}

/// The content type, as it stands.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| text.len() <= 256);
    text.map(Some)
        .ok_or_else(|| Problem::invalid("Content-Type", "must be at most 256 printable ASCII characters"))
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(found) = content_type(headers)? else { return Ok(()) };
    let essence = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let detail = format!("send Content-Type: application/json, not {:?}", shown(found));
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", detail))
}
