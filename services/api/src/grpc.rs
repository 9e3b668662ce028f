//! The gRPC services: extract, convert, call the app, convert.

mod artifacts;
mod auth;
mod configs;
mod functions;
pub(crate) mod guard;
mod invocations;
mod system;

use crate::App;
use eventflow_auth::Authenticator;
use eventflow_domain::access::Caller;
use eventflow_domain::error::Chain;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Error, ErrorKind, Result};
use eventflow_proto::v1::artifact_service_server::ArtifactServiceServer;
use eventflow_proto::v1::auth_service_server::AuthServiceServer;
use eventflow_proto::v1::config_service_server::ConfigServiceServer;
use eventflow_proto::v1::function_service_server::FunctionServiceServer;
use eventflow_proto::v1::invocation_service_server::InvocationServiceServer;
use eventflow_proto::v1::system_service_server::SystemServiceServer;
use eventflow_proto::{DESCRIPTOR_SET, status};
use eventflow_telemetry::propagation;
use std::sync::Arc;
use tonic::service::Routes;
use tonic::{Request, Status};

pub use guard::permission_violations;

/// Room in a message beside its payload.
const MESSAGE_OVERHEAD: usize = 1 << 20;

/// All services, health and reflection, behind authentication. `health` comes from `tonic_health`.
pub fn routes<H>(app: &Arc<App>, authenticator: &Arc<Authenticator>, health: H) -> Result<Routes>
where
    H: tower_service::Service<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = std::convert::Infallible,
        > + tonic::server::NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    H::Future: Send + 'static,
{
    let max = usize::try_from(app.limits().payload).unwrap_or(usize::MAX).saturating_add(MESSAGE_OVERHEAD);
    let service = Grpc { app: Arc::clone(app), authenticator: Arc::clone(authenticator) };
    macro_rules! server {
        ($server:ident) => {
            $server::new(service.clone()).max_decoding_message_size(max).max_encoding_message_size(max)
        };
    }
    let mut routes = Routes::builder();
    routes
        .add_service(server!(FunctionServiceServer))
        .add_service(server!(InvocationServiceServer))
        .add_service(server!(ArtifactServiceServer))
        .add_service(server!(AuthServiceServer))
        .add_service(server!(ConfigServiceServer))
        .add_service(server!(SystemServiceServer))
        .add_service(health)
        .add_service(reflection().build_v1().map_err(|error| Error::internal("start reflection", error))?)
        .add_service(
            reflection().build_v1alpha().map_err(|error| Error::internal("start reflection", error))?,
        );
    Ok(guard::guarded(routes.routes(), Arc::clone(authenticator)))
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// Implements every service.
#[derive(Debug, Clone)]
struct Grpc {
    app: Arc<App>,
    authenticator: Arc<Authenticator>,
}

/// Who calls, as the guard found. Absent only if a service is mounted without the guard: refuse.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| {
        to_status(Error::new(ErrorKind::Unauthenticated, "Unauthenticated", "authentication required"))
    })
}

/// The caller's trace, or a new one.
fn trace<T>(request: &Request<T>) -> TraceContext {
    propagation::grpc::extract(request.metadata()).unwrap_or_else(TraceContext::generate)
}

/// The public part goes to the caller, the whole chain of a fault of ours to the log.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn to_status(error: Error) -> Status {
    if matches!(error.kind(), ErrorKind::Internal | ErrorKind::Unavailable) {
        tracing::warn!(error = %Chain(&error), reason = error.reason(), "request failed");
    }
    status::to_status(&error)
}
