//! `POST …/functions/{name}:invoke`: the hot path, typed. The raw body is the payload; the answer is the function's
//! own.

mod answer;
mod query;

use crate::body::Bodies;
use crate::config::GatewayConfig;
use crate::context::Context;
use crate::deps::{Deps, InvokeAnswer, RawInvoke};
use crate::hop;
use crate::problem::Problem;
use crate::transcode::headers::{deadline, deadline_exceeded, idempotency_key};
use crate::transcode::request::content_type;
pub(crate) use answer::{ATTEMPT, INVOCATION_ID, VERSION};
use axum::body::Body;
use axum::response::Response;
use eventflow_domain::{FunctionName, Namespace};
use eventflow_proto::convert;
use http::{HeaderMap, Request, header};
use query::Query;

/// The RPC that the route is.
pub(crate) const RPC: &str = "/eventflow.v1.FunctionService/InvokeFunction";

/// Where a call goes, from the path.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) namespace: Namespace,
    pub(crate) name: FunctionName,
}

impl Target {
    /// Empty `namespace`: the default one.
    pub(crate) fn parse(namespace: &str, name: &str) -> Result<Self, Problem> {
        Ok(Self { namespace: convert::namespace(namespace)?, name: convert::function_name("name", name)? })
    }
}

pub(crate) async fn handle(
    deps: &Deps,
    config: &GatewayConfig,
    bodies: &Bodies,
    target: Target,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts);
    let query = Query::parse(parts.uri.query(), config)?;
    let key = idempotency_key(&parts.headers)?.map(str::to_owned);
    if let (Some(query), Some(header)) = (&query.idempotency_key, &key)
        && query != header
    {
        return Err(Problem::invalid("idempotencyKey", "differs from the header Idempotency-Key"));
    }
    let content_type = content_type(&parts.headers)?.map(str::to_owned);
    let given = deadline(&parts.headers)?;
    let timeout = given.unwrap_or_else(|| config.request_timeout + query.wait.unwrap_or_default());
    let held = bodies.read(&parts.headers, body, config.payload_limit).await?;
    let call = deps.invoke.invoke(RawInvoke {
        namespace: target.namespace,
        name: target.name,
        content_type,
        body: held.bytes.clone(),
        wait: query.wait,
        delay: query.delay,
        version: query.version,
        idempotency_key: key.or(query.idempotency_key),
        trace: context.trace,
        headers: forwarded(&parts.headers),
        authorization: parts.headers.get(header::AUTHORIZATION).cloned(),
    });
    let answer = tokio::time::timeout(timeout, call).await.map_err(|_| deadline_exceeded())??;
    drop(held);
    match answer {
        InvokeAnswer::Accepted { id, state, version, attempt } => {
            answer::accepted(id, state, version, attempt)
        }
        InvokeAnswer::Finished { invocation, body } if query.record => answer::record(&invocation, &body),
        InvokeAnswer::Finished { invocation, body } => answer::result(&invocation, body),
    }
}

/// Headers of the caller that a function in http mode may see.
fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut out = headers.clone();
    hop::strip(&mut out);
    let ours = [
        "host",
        "content-length",
        "content-type",
        "idempotency-key",
        "grpc-timeout",
        "authorization",
        "cookie",
    ];
    for name in ours {
        out.remove(name);
    }
    out
}
