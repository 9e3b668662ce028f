//! The gRPC services behind the gateway: of this process, or those of the apis.

mod draining;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use draining::UntilDraining;
use eventflow_interconnect::Apis;
use eventflow_lifecycle::CancellationToken;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use tonic::service::Routes;
use tower::{ServiceExt as _, service_fn};

use crate::transcode::Upstream;

/// What every api serves beside the contract.
const BESIDE: [&str; 3] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// The services that RPCs go to.
#[derive(Debug, Clone)]
pub enum Services {
    /// Of this process.
    Local(Routes),
    /// Those of the apis; native gRPC is passed through.
    Remote(Apis),
}

impl From<Routes> for Services {
    fn from(routes: Routes) -> Self {
        Self::Local(routes)
    }
}

impl From<Apis> for Services {
    fn from(apis: Apis) -> Self {
        Self::Remote(apis)
    }
}

impl Services {
    /// For transcoded calls, and for native ones. Streams that are passed through end cleanly at `draining`, as those
    /// of this process do by themselves.
    pub(crate) fn split(
        self,
        pool: &DescriptorPool,
        max_message: usize,
        draining: &CancellationToken,
    ) -> (Upstream, Router) {
        match self {
            Self::Local(routes) => {
                let routes = routes.prepare();
                (Upstream::new(routes.clone(), max_message), routes.into_axum_router().reset_fallback())
            }
            Self::Remote(apis) => {
                (Upstream::new(apis.clone(), max_message), passed_through(&apis, pool, draining))
            }
        }
    }
}

fn passed_through(apis: &Apis, pool: &DescriptorPool, draining: &CancellationToken) -> Router {
    let streams: HashSet<String> = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter(MethodDescriptor::is_server_streaming)
        .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
        .collect();
    let streams = Arc::new(streams);
    let names = pool.services().map(|service| service.full_name().to_owned());
    names.chain(BESIDE.map(str::to_owned)).fold(Router::new(), |router, name| {
        let (apis, streams, draining) = (apis.clone(), Arc::clone(&streams), draining.clone());
        let pass = service_fn(move |request: Request| {
            let (apis, streams, draining) = (apis.clone(), Arc::clone(&streams), draining.clone());
            async move { Ok::<_, Infallible>(pass(apis, &streams, draining, request).await) }
        });
        router.route_service(&format!("/{name}/{{*method}}"), pass)
    })
}

async fn pass(
    apis: Apis,
    streams: &HashSet<String>,
    draining: CancellationToken,
    request: Request,
) -> Response {
    let is_stream = streams.contains(request.uri().path());
    let answer = apis.oneshot(request.map(tonic::body::Body::new)).await;
    let answer = answer.unwrap_or_else(|never| match never {});
    if is_stream {
        answer.map(|body| Body::new(UntilDraining::new(body, draining)))
    } else {
        answer.map(Body::new)
    }
}
