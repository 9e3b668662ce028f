//! One port for everything.

use crate::body::Bodies;
use crate::config::GatewayConfig;
use crate::context::RouteLabel;
use crate::deps::Deps;
use crate::invoke::Target;
use crate::layers::{cors, grpc, outer};
use crate::problem::Problem;
use crate::services::Services;
use crate::transcode::pattern::{Path, Pattern, decode};
use crate::transcode::{TableError, Transcoder};
use crate::{health, invoke, openapi, proxy};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use http::Method;
use prost_reflect::DescriptorPool;
use std::convert::Infallible;
use std::sync::Arc;
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, ServiceExt as _, service_fn};

/// Room in a message beside its payload.
const ENVELOPE: u64 = 1 << 20;

/// Builds the whole port over services of this process or of the apis: gRPC (h2c), grpc-web, REST, function URLs,
/// health, metrics, OpenAPI and, where `deps.fallback` is given, the UI.
///
/// Fails where the contract's annotations cannot be routed.
pub fn router(
    config: GatewayConfig,
    services: impl Into<Services>,
    deps: Deps,
) -> Result<Router, TableError> {
    let pool = DescriptorPool::decode(eventflow_proto::DESCRIPTOR_SET).map_err(TableError::Descriptors)?;
    router_for(config, services, deps, &pool)
}

/// As [`router`], for any annotated contract.
pub fn router_for(
    config: GatewayConfig,
    services: impl Into<Services>,
    deps: Deps,
    pool: &DescriptorPool,
) -> Result<Router, TableError> {
    let max_message = usize::try_from(config.payload_limit + ENVELOPE).unwrap_or(usize::MAX);
    let (upstream, rpc) = services.into().split(pool, max_message, &deps.draining);
    let config = Arc::new(config);
    let bodies = Bodies::new(&config);
    let transcoder = Transcoder::new(pool, upstream, bodies.clone(), Arc::clone(&config), &deps)?;
    let front = Front {
        invoke: [
            Pattern::parse("/v1/functions/{name}:invoke")?,
            Pattern::parse("/v1/namespaces/{namespace}/functions/{name}:invoke")?,
        ],
        document: openapi::document(pool, &transcoder.table).into(),
        transcoder: Arc::new(transcoder),
        config: Arc::clone(&config),
        bodies,
        deps: deps.clone(),
    };
    let methods = pool.services().flat_map(|service| {
        let path =
            |method: prost_reflect::MethodDescriptor| format!("/{}/{}", service.full_name(), method.name());
        service.methods().map(path).collect::<Vec<_>>()
    });
    let methods = grpc::Methods::new(methods);
    let rpc = rpc.layer(
        ServiceBuilder::new()
            .layer(middleware::from_fn(move |request, next| grpc::run(methods.clone(), request, next)))
            .layer(GrpcWebLayer::new()),
    );
    let front = Arc::new(front);
    let rest = Router::new().fallback_service(service_fn(move |request: Request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    }));
    let cors = cors::layer(Arc::clone(&config));
    let functions = {
        let deps = deps.clone();
        service_fn(move |request: Request| {
            let deps = deps.clone();
            async move { Ok::<_, Infallible>(function_url(&deps, request).await) }
        })
    };
    let outer = outer::Outer { config, metrics: deps.metrics, peers: deps.peers };
    // A function answers preflights itself: CORS of ours is not for its URL.
    Ok(rest
        .merge(rpc)
        .layer(cors)
        .route_service("/fn/{*rest}", functions)
        .layer(middleware::from_fn(move |request, next| outer::run(outer.clone(), request, next))))
}

async fn function_url(deps: &Deps, request: Request) -> Response {
    let answer = proxy::handle(deps, request).await;
    labelled(answer, "/fn/{namespace}/{name}")
}

fn labelled(answer: Result<Response, Problem>, label: &'static str) -> Response {
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(RouteLabel(label));
    response
}

/// Everything that is not gRPC and no function's URL.
#[derive(Debug)]
struct Front {
    invoke: [Pattern; 2],
    document: bytes::Bytes,
    transcoder: Arc<Transcoder>,
    config: Arc<GatewayConfig>,
    bodies: Bodies,
    deps: Deps,
}

impl Front {
    async fn answer(&self, request: http::Request<Body>) -> Response {
        if grpc::is_grpc(request.headers()) {
            return grpc::unknown(request.uri().path());
        }
        if *request.method() == Method::POST
            && let Some(target) = self.invoke_target(request.uri().path())
        {
            return labelled(self.invoke(target, request).await, "/v1/functions/{name}:invoke");
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/healthz" if reads => labelled(Ok(health::live()), "/healthz"),
            "/readyz" if reads => labelled(Ok(health::ready(&self.deps.health)), "/readyz"),
            "/metrics" if reads => {
                labelled(Ok(health::metrics(&self.deps.metrics, request.headers())), "/metrics")
            }
            "/openapi.json" if reads => labelled(Ok(openapi::respond(&self.document)), "/openapi.json"),
            path if is_ours(path) => Arc::clone(&self.transcoder).handle(request).await,
            _ => match self.deps.fallback.clone().filter(|_| reads) {
                Some(fallback) => fallback.oneshot(request).await.unwrap_or_else(|never| match never {}),
                None => Arc::clone(&self.transcoder).handle(request).await,
            },
        }
    }

    async fn invoke(
        &self,
        target: Result<Target, Problem>,
        request: http::Request<Body>,
    ) -> Result<Response, Problem> {
        self.deps.invoke.admit(invoke::RPC, request.headers())?;
        invoke::handle(&self.deps, &self.config, &self.bodies, target?, request).await
    }

    fn invoke_target(&self, path: &str) -> Option<Result<Target, Problem>> {
        if !path.ends_with(":invoke") {
            return None;
        }
        let split = Path::split(path)?;
        let values = self.invoke.iter().find_map(|pattern| pattern.matches(&split))?;
        let target = || match values.as_slice() {
            [name] => Target::parse("", &decode("name", name)?),
            [namespace, name] => Target::parse(&decode("namespace", namespace)?, &decode("name", name)?),
            _ => Err(Problem::not_found("there is no such route")),
        };
        Some(target())
    }
}

/// Paths that the UI never answers.
fn is_ours(path: &str) -> bool {
    matches!(path.split('/').nth(1), Some("v1" | "auth" | "fn"))
}
