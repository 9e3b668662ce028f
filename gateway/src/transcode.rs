//! REST ↔ gRPC from the `google.api.http` annotations of the contract.
//!
//! ```text
//!   HTTP ──▶ table (method, path) ──▶ message (path + query + headers + body) ──▶ upstream: gRPC, in process
//!                                                                                 or over a channel
//!   HTTP ◀── JSON | raw bytes | NDJSON | SSE | WebSocket ◀────────────────────────┘
//! ```

pub(crate) mod call;
mod codec;
mod download;
pub(crate) mod headers;
mod json;
pub(crate) mod pattern;
pub(crate) mod query;
mod read;
pub(crate) mod request;
pub(crate) mod scalar;
mod socket;
mod stream;
pub(crate) mod table;
mod text;
mod upload;
mod upstream;
pub(crate) mod write;

use crate::body::Bodies;
use crate::config::GatewayConfig;
use crate::context::{Context, RouteLabel};
use crate::deps::{Deps, InvokeApi};
use crate::problem::{Problem, shown};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};
use prost_reflect::DescriptorPool;
use std::sync::Arc;
use table::{Binding, Found, Table};
use tokio_util::sync::CancellationToken;

pub use table::TableError;
pub use text::{read_json, write_json};
pub use upstream::Upstream;

/// Answers REST requests by calling RPCs.
#[derive(Debug)]
pub(crate) struct Transcoder {
    pub(crate) table: Table,
    upstream: Upstream,
    api: Arc<dyn InvokeApi>,
    bodies: Bodies,
    config: Arc<GatewayConfig>,
    draining: CancellationToken,
}

impl Transcoder {
    pub(crate) fn new(
        pool: &DescriptorPool,
        upstream: Upstream,
        bodies: Bodies,
        config: Arc<GatewayConfig>,
        deps: &Deps,
    ) -> Result<Self, TableError> {
        let (api, draining) = (Arc::clone(&deps.invoke), deps.draining.clone());
        Ok(Self { table: Table::new(pool)?, upstream, api, bodies, config, draining })
    }

    pub(crate) async fn handle(self: Arc<Self>, request: Request<Body>) -> Response {
        let path = request.uri().path().to_owned();
        let (binding, values) = match self.table.find(request.method(), &path) {
            Found::Route(binding, values) => (binding, values),
            Found::OtherMethod(allow) => return other_method(request.method(), allow).into_response(),
            Found::Nothing => return self.nothing(&path).into_response(),
        };
        let label = RouteLabel(binding.template);
        let result = self.dispatch(binding, &values, request).await;
        let mut response = result.unwrap_or_else(IntoResponse::into_response);
        response.extensions_mut().insert(label);
        response
    }

    async fn dispatch(
        &self,
        binding: &Binding,
        values: &[&str],
        request: Request<Body>,
    ) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        self.api.admit(binding.rpc.path.as_str(), &parts.headers)?;
        let context = Context::of(&parts);
        let rpc = &binding.rpc.descriptor;
        if rpc.is_client_streaming() {
            return self.upload(binding, values, &parts, body, &context).await;
        }
        if rpc.is_server_streaming() {
            return self.stream(binding, values, parts, body, context).await;
        }
        if let Some(what) = download::recorded(binding) {
            return self.download(what, binding, values, &parts, body).await;
        }
        self.unary(binding, values, &parts, body, &context).await
    }

    fn nothing(&self, path: &str) -> Problem {
        let detail = format!("there is no {:?}", shown(path));
        let Some((_, verb)) = path.rsplit('/').next().and_then(|last| last.rsplit_once(':')) else {
            return Problem::not_found(detail);
        };
        let verbs = self.table.bindings().iter().filter_map(|binding| binding.template.rsplit_once(':'));
        match eventflow_domain::suggest::nearest(&shown(verb), verbs.map(|(_, verb)| verb)) {
            Some(near) => Problem::not_found(format!("{detail}, did you mean \":{near}\"?")),
            None => Problem::not_found(detail),
        }
    }
}

fn other_method(method: &http::Method, allow: http::HeaderValue) -> Problem {
    let detail = format!("{} is not possible here", shown(method.as_str()));
    let mut problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", detail);
    problem.allow = Some(allow);
    problem
}
