//! The types of the typed routes on the wire and back.

use crate::deps::{Download, InvokeAnswer, RawDownload, RawInvoke, RawUrl, Recorded, UrlAdmission};
use bytes::Bytes;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{FunctionName, Namespace, Result, VersionNumber};
pub(super) use eventflow_interconnect::malformed;
use eventflow_proto::convert::{
    duration_to_wire, invocation_from_record, invocation_to_wire, state_from_wire, state_to_wire,
};
use eventflow_proto::internal as wire;
use eventflow_proto::prost_types;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::io;
use std::time::Duration;
use tonic::Streaming;

fn credentials(value: Option<&HeaderValue>) -> Option<Bytes> {
    value.map(|value| Bytes::copy_from_slice(value.as_bytes()))
}

fn credentials_from(bytes: Option<Bytes>) -> Result<Option<HeaderValue>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| malformed("authorization"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn duration(value: Option<prost_types::Duration>, what: &'static str) -> Result<Option<Duration>> {
    value.map(|value| Duration::try_from(value).map_err(|_| malformed(what))).transpose()
}

pub(super) fn invoke_to_wire(request: RawInvoke) -> wire::InvokeRequest {
    let header = |(name, value): (&HeaderName, &HeaderValue)| wire::Header {
        name: name.as_str().to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    wire::InvokeRequest {
        namespace: request.namespace.to_string(),
        function: request.name.to_string(),
        payload: request.body,
        content_type: request.content_type,
        wait: request.wait.map(duration_to_wire),
        delay: request.delay.map(duration_to_wire),
        version: request.version.map(|version| version.0),
        idempotency_key: request.idempotency_key,
        traceparent: request.trace.to_string(),
        headers: request.headers.iter().map(header).collect(),
        authorization: credentials(request.authorization.as_ref()),
    }
}

pub(super) fn invoke_from_wire(request: wire::InvokeRequest) -> Result<RawInvoke> {
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for header in request.headers {
        let name = HeaderName::try_from(header.name).map_err(|_| malformed("headers"))?;
        headers.append(name, HeaderValue::from_maybe_shared(header.value).map_err(|_| malformed("headers"))?);
    }
    Ok(RawInvoke {
        namespace: namespace(&request.namespace)?,
        name: name(&request.function)?,
        content_type: request.content_type,
        body: request.payload,
        wait: duration(request.wait, "wait")?,
        delay: duration(request.delay, "delay")?,
        version: request.version.map(VersionNumber),
        idempotency_key: request.idempotency_key,
        trace: request.traceparent.parse().unwrap_or_else(|_| TraceContext::generate()),
        headers,
        authorization: credentials_from(request.authorization)?,
    })
}

fn namespace(text: &str) -> Result<Namespace> {
    text.parse().map_err(|_| malformed("namespace"))
}

fn name(text: &str) -> Result<FunctionName> {
    text.parse().map_err(|_| malformed("function"))
}

pub(super) fn answer_to_wire(answer: InvokeAnswer) -> wire::InvokeResponse {
    let answer = match answer {
        InvokeAnswer::Accepted { id, state, version, attempt } => {
            let (id, version) = (id.to_string(), version.0);
            let state = state_to_wire(state).into();
            wire::invoke_response::Answer::Accepted(wire::AcceptedCall { id, state, version, attempt })
        }
        InvokeAnswer::Finished { invocation, body } => {
            wire::invoke_response::Answer::Finished(wire::FinishedCall {
                invocation: Some(invocation_to_wire(&invocation)),
                epoch: invocation.lifecycle.epoch.0,
                body,
            })
        }
    };
    wire::InvokeResponse { answer: Some(answer) }
}

pub(super) fn answer_from_wire(response: wire::InvokeResponse) -> Result<InvokeAnswer> {
    Ok(match response.answer.ok_or_else(|| malformed("the answer"))? {
        wire::invoke_response::Answer::Accepted(accepted) => InvokeAnswer::Accepted {
            state: state_from_wire(accepted.state()).ok_or_else(|| malformed("state"))?,
            id: accepted.id.parse().map_err(|_| malformed("id"))?,
            version: VersionNumber(accepted.version),
            attempt: accepted.attempt,
        },
        wire::invoke_response::Answer::Finished(finished) => {
            let record = finished.invocation.as_ref().ok_or_else(|| malformed("invocation"))?;
            let invocation = Box::new(invocation_from_record(record, finished.epoch)?);
            InvokeAnswer::Finished { invocation, body: finished.body }
        }
    })
}

pub(super) fn download_to_wire(request: &RawDownload) -> wire::DownloadRequest {
    let what = match request.what {
        Recorded::Payload => wire::Recorded::Payload,
        Recorded::Result => wire::Recorded::Result,
    };
    wire::DownloadRequest {
        what: what.into(),
        namespace: request.namespace.as_ref().map(ToString::to_string),
        id: request.id.to_string(),
        authorization: credentials(request.authorization.as_ref()),
    }
}

pub(super) fn download_from_request(request: wire::DownloadRequest) -> Result<RawDownload> {
    let what = match request.what() {
        wire::Recorded::Payload => Recorded::Payload,
        wire::Recorded::Result => Recorded::Result,
        wire::Recorded::Unspecified => return Err(malformed("what")),
    };
    Ok(RawDownload {
        what,
        namespace: request.namespace.as_deref().map(namespace).transpose()?,
        id: request.id.parse().map_err(|_| malformed("id"))?,
        authorization: credentials_from(request.authorization)?,
    })
}

/// `head` is the first message, `pieces` the rest.
pub(super) fn download_from_wire(
    head: wire::DownloadResponse,
    pieces: Streaming<wire::DownloadResponse>,
) -> Result<Download> {
    let bytes = pieces.map(|piece| piece.map(|piece| piece.data).map_err(io::Error::other)).boxed();
    Ok(Download {
        content_type: head.content_type.map(Into::into),
        size: u64::try_from(head.size).map_err(|_| malformed("size"))?,
        bytes,
    })
}

pub(super) fn url_to_wire(
    namespace: &Namespace,
    name: &FunctionName,
    authorization: Option<&HeaderValue>,
) -> wire::AdmitUrlRequest {
    wire::AdmitUrlRequest {
        namespace: namespace.to_string(),
        function: name.to_string(),
        authorization: credentials(authorization),
    }
}

pub(super) fn url_from_wire(request: wire::AdmitUrlRequest) -> Result<RawUrl> {
    Ok(RawUrl {
        namespace: namespace(&request.namespace)?,
        name: name(&request.function)?,
        authorization: credentials_from(request.authorization)?,
    })
}

pub(super) fn admission_to_wire(admission: &UrlAdmission) -> wire::AdmitUrlResponse {
    wire::AdmitUrlResponse {
        id: admission.id.to_string(),
        function_uid: admission.uid.to_string(),
        version: admission.version.0,
        caller: admission.caller.to_string(),
        public: admission.public,
    }
}

pub(super) fn admission_from_wire(response: wire::AdmitUrlResponse) -> Result<UrlAdmission> {
    Ok(UrlAdmission {
        id: response.id.parse().map_err(|_| malformed("id"))?,
        uid: response.function_uid.parse().map_err(|_| malformed("function_uid"))?,
        version: VersionNumber(response.version),
        caller: response.caller.into(),
        public: response.public,
    })
}
