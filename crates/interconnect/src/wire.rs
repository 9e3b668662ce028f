//! The types of the port on the wire and back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use eventflow_domain::access::Caller;
use eventflow_domain::invocation::{Body, Stored};
use eventflow_domain::ports::{
    FunctionRegistry, HttpResponse, IdempotencyKey, ProxyCall, SyncAnswer, SyncCall,
};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Error, ErrorKind, Function, FunctionKey, FunctionUid, InvocationId, Result, VersionNumber,
};
use eventflow_proto::convert::{
    duration_to_wire, invocation_from_record, invocation_to_wire, source_from_wire, source_to_wire,
    start_from_wire, start_to_wire, timestamp_from_wire, timestamp_to_wire,
};
use eventflow_proto::internal as wire;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;

/// What came is not what a process of our release sends.
pub fn malformed(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "MalformedInternalMessage", format!("{what} is malformed"))
}

pub(crate) fn call_to_wire(call: &SyncCall) -> wire::CallFunctionRequest {
    let key = &call.function.key;
    let (blob, kept) = match &call.payload.body {
        Body::Blob(key) => (Some(key.to_string()), true),
        Body::Inline(_) => (None, true),
        Body::None => (None, false),
    };
    wire::CallFunctionRequest {
        id: call.id.to_string(),
        namespace: key.namespace.to_string(),
        function: key.name.to_string(),
        function_uid: call.function.uid.to_string(),
        version: call.version.0,
        payload: call.bytes.clone(),
        payload_content_type: call.payload.content_type.as_deref().map(str::to_owned),
        payload_blob: blob,
        payload_kept: kept,
        caller: call.caller.to_string(),
        source: source_to_wire(call.source).into(),
        replay_of: call.replay_of.map(|id| id.to_string()),
        traceparent: call.trace.to_string(),
        headers: call.headers.iter().map(header_to_wire).collect(),
        idempotency: call.idempotency.as_ref().map(|key| wire::IdempotencyKey {
            scope: key.scope.to_string(),
            payload_hash: Bytes::copy_from_slice(&key.payload_hash),
            expire_time: Some(timestamp_to_wire(key.expires_at)),
        }),
        wait: Some(duration_to_wire(call.wait)),
    }
}

fn header_to_wire((name, value): (&HeaderName, &HeaderValue)) -> wire::Header {
    wire::Header { name: name.as_str().to_owned(), value: Bytes::copy_from_slice(value.as_bytes()) }
}

pub(crate) async fn call_from_wire(
    request: wire::CallFunctionRequest,
    registry: &dyn FunctionRegistry,
) -> Result<SyncCall> {
    let function = declared(registry, &request.namespace, &request.function, &request.function_uid).await?;
    let source = source_from_wire(request.source()).ok_or_else(|| malformed("source"))?;
    let size = request.payload.len() as u64;
    let body = match (request.payload_blob, request.payload_kept) {
        (Some(key), _) => Body::Blob(key.into()),
        (None, true) => Body::Inline(request.payload.clone()),
        (None, false) => Body::None,
    };
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for header in request.headers {
        let name = HeaderName::try_from(header.name).map_err(|_| malformed("headers"))?;
        headers.append(name, HeaderValue::from_maybe_shared(header.value).map_err(|_| malformed("headers"))?);
    }
    let idempotency = request.idempotency.map(key_from_wire).transpose()?;
    let replay_of = request.replay_of.map(|id| id.parse::<InvocationId>()).transpose();
    let wait = request.wait.ok_or_else(|| malformed("wait"))?;
    Ok(SyncCall {
        id: request.id.parse().map_err(|_| malformed("id"))?,
        function,
        version: VersionNumber(request.version),
        payload: Stored { body, size, content_type: request.payload_content_type.map(Into::into) },
        bytes: request.payload,
        caller: request.caller.into(),
        source,
        replay_of: replay_of.map_err(|_| malformed("replay_of"))?,
        trace: trace(&request.traceparent),
        headers,
        idempotency,
        wait: Duration::try_from(wait).map_err(|_| malformed("wait"))?,
    })
}

fn key_from_wire(key: wire::IdempotencyKey) -> Result<IdempotencyKey> {
    let expires = key.expire_time.as_ref().ok_or_else(|| malformed("expire_time"))?;
    Ok(IdempotencyKey {
        scope: key.scope.into(),
        payload_hash: key.payload_hash.as_ref().try_into().map_err(|_| malformed("payload_hash"))?,
        expires_at: timestamp_from_wire("expire_time", expires)?,
    })
}

fn trace(traceparent: &str) -> TraceContext {
    traceparent.parse().unwrap_or_else(|_| TraceContext::generate())
}

/// The function that the api meant: one that this process does not know yet is read once more.
async fn declared(
    registry: &dyn FunctionRegistry,
    namespace: &str,
    name: &str,
    uid: &str,
) -> Result<Arc<Function>> {
    let uid: FunctionUid = uid.parse().map_err(|_| malformed("function_uid"))?;
    if let Some(function) = registry.get_by_uid(uid) {
        return Ok(function);
    }
    let key = FunctionKey::new(
        namespace.parse().map_err(|_| malformed("namespace"))?,
        name.parse().map_err(|_| malformed("function"))?,
    );
    let function = registry.refresh(&key).await?.filter(|function| function.uid == uid);
    function.ok_or_else(|| Error::function_not_found(&key.name))
}

pub(crate) fn answer_to_wire(answer: &SyncAnswer) -> wire::CallFunctionResponse {
    let (invocation, finished, body) = match answer {
        SyncAnswer::Finished { invocation, body } => (invocation, true, body.clone()),
        SyncAnswer::Accepted(invocation) => (invocation, false, Bytes::new()),
    };
    wire::CallFunctionResponse {
        invocation: Some(invocation_to_wire(invocation)),
        epoch: invocation.lifecycle.epoch.0,
        finished,
        body,
    }
}

pub(crate) fn answer_from_wire(response: wire::CallFunctionResponse) -> Result<SyncAnswer> {
    let record = response.invocation.as_ref().ok_or_else(|| malformed("invocation"))?;
    let invocation = Box::new(invocation_from_record(record, response.epoch)?);
    Ok(if response.finished {
        SyncAnswer::Finished { invocation, body: response.body }
    } else {
        SyncAnswer::Accepted(invocation)
    })
}

/// A protobuf message as a header's value.
fn in_header(message: &impl Message) -> Result<HeaderValue> {
    HeaderValue::try_from(URL_SAFE_NO_PAD.encode(message.encode_to_vec()))
        .map_err(|error| Error::internal("write a header", error))
}

fn from_header<M: Message + Default>(value: &HeaderValue, what: &'static str) -> Result<M> {
    let bytes = URL_SAFE_NO_PAD.decode(value.as_bytes()).map_err(|_| malformed(what))?;
    M::decode(bytes.as_slice()).map_err(|_| malformed(what))
}

/// As which call a request to a function's URL is passed on.
#[derive(Debug, Clone)]
pub struct PassHead {
    pub id: InvocationId,
    pub function: FunctionKey,
    pub uid: FunctionUid,
    pub caller: Arc<str>,
    pub trace: TraceContext,
}

impl From<&ProxyCall> for PassHead {
    fn from(call: &ProxyCall) -> Self {
        Self {
            id: call.id,
            function: call.function.key.clone(),
            uid: call.function.uid,
            caller: Arc::clone(&call.caller.subject),
            trace: call.trace,
        }
    }
}

pub(crate) fn pass_to_header(head: &PassHead) -> Result<HeaderValue> {
    in_header(&wire::PassRequest {
        id: head.id.to_string(),
        namespace: head.function.namespace.to_string(),
        function: head.function.name.to_string(),
        function_uid: head.uid.to_string(),
        caller: head.caller.to_string(),
        traceparent: head.trace.to_string(),
    })
}

pub(crate) async fn pass_from_header(
    value: &HeaderValue,
    registry: &dyn FunctionRegistry,
) -> Result<ProxyCall> {
    let pass: wire::PassRequest = from_header(value, "the head of the call")?;
    Ok(ProxyCall {
        id: pass.id.parse().map_err(|_| malformed("id"))?,
        function: declared(registry, &pass.namespace, &pass.function, &pass.function_uid).await?,
        // What it may do was judged where the request came in.
        caller: Caller { subject: pass.caller.into(), grants: Vec::new() },
        trace: trace(&pass.traceparent),
    })
}

pub(crate) fn passed_to_header(response: &HttpResponse) -> Result<HeaderValue> {
    in_header(&wire::PassAnswer {
        start: start_to_wire(Some(response.start)).into(),
        start_time: Some(timestamp_to_wire(response.started_at)),
    })
}

/// Whether the code was started for it, and when.
pub(crate) fn passed_from_header(
    value: &HeaderValue,
) -> Result<(eventflow_domain::StartKind, eventflow_domain::Timestamp)> {
    let passed: wire::PassAnswer = from_header(value, "the head of the answer")?;
    let start = start_from_wire(passed.start()).ok_or_else(|| malformed("start"))?;
    let started = passed.start_time.as_ref().ok_or_else(|| malformed("start_time"))?;
    Ok((start, timestamp_from_wire("start_time", started)?))
}
