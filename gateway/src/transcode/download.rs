//! Payloads and results of calls: read as they are sent, where the RPC would make one message of 64 MiB of them.

use super::call::{build, foreign};
use super::table::Binding;
use super::{Problem, Transcoder, headers};
use crate::deps::{RawDownload, Recorded};
use axum::body::Body;
use axum::response::Response;
use eventflow_proto::convert;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prost_reflect::DynamicMessage;

/// What the route reads of a record, if it is one of these.
pub(super) fn recorded(binding: &Binding) -> Option<Recorded> {
    match binding.rpc.path.as_str() {
        "/eventflow.v1.InvocationService/GetInvocationResult" => Some(Recorded::Result),
        "/eventflow.v1.InvocationService/GetInvocationPayload" => Some(Recorded::Payload),
        _ => None,
    }
}

impl Transcoder {
    pub(super) async fn download(
        &self,
        what: Recorded,
        binding: &Binding,
        values: &[&str],
        parts: &Parts,
        body: Body,
    ) -> Result<Response, Problem> {
        let (message, _held) = self.message(binding, values, parts, body).await?;
        let question = self.api.download(RawDownload {
            what,
            namespace: match text(&message, "namespace").as_str() {
                "" | "-" => None,
                name => Some(convert::namespace(name)?),
            },
            id: convert::invocation_id(&text(&message, "id"))?,
            authorization: parts.headers.get(header::AUTHORIZATION).cloned(),
        });
        let timeout = headers::deadline(&parts.headers)?.unwrap_or(self.config.request_timeout);
        let found = tokio::time::timeout(timeout, question).await;
        let found = found.map_err(|_| headers::deadline_exceeded())??;
        let mut headers = HeaderMap::new();
        foreign(found.content_type.as_deref(), &mut headers);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(found.size));
        Ok(build(StatusCode::OK, headers, Body::from_stream(found.bytes)))
    }
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
