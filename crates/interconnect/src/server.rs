//! The dispatcher's side: its `Invoker`, for those who hold the key.

mod pass;

use crate::{ENVELOPE, PEER_HEADER, wire};
use async_trait::async_trait;
use axum::Router;
use eventflow_auth::PeerKey;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{FunctionRegistry, Invoker, QueueStats};
use eventflow_domain::{Error, ErrorKind, Result, Timestamp};
use eventflow_proto::convert::duration_to_wire;
use eventflow_proto::internal::dispatcher_service_server::{DispatcherService, DispatcherServiceServer};
use eventflow_proto::{internal, status};
use http::HeaderMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tonic::{Request, Response, Status};

/// How much this process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLoad {
    pub slots: usize,
    pub running: usize,
    pub waiting: usize,
}

/// Says how much work there is.
#[async_trait]
pub trait LoadSource: Debug + Send + Sync {
    fn own(&self) -> OwnLoad;

    /// Over all dispatchers, and as of when.
    async fn queues(&self) -> Result<(Vec<QueueStats>, Timestamp)>;
}

/// What the server stands on.
#[derive(Debug, Clone)]
pub struct ServerParts {
    pub invoker: Arc<dyn Invoker>,
    pub registry: Arc<dyn FunctionRegistry>,
    pub load: Arc<dyn LoadSource>,
    pub key: Arc<PeerKey>,
    /// Bytes of a payload or a result.
    pub payload_limit: u64,
    /// Set when the process begins to drain: calls are then refused as never begun.
    pub draining: Arc<AtomicBool>,
}

impl ServerParts {
    fn admit(&self, headers: &HeaderMap) -> Result<()> {
        let token = headers.get(PEER_HEADER).and_then(|token| token.to_str().ok());
        self.key.verify(token.ok_or_else(eventflow_auth::unauthenticated)?)?;
        Ok(())
    }

    fn check_open(&self) -> Result<()> {
        if self.draining.load(Ordering::Acquire) {
            return Err(Error::draining("this dispatcher is shutting down"));
        }
        Ok(())
    }
}

/// gRPC and passed requests on one port (h2c and HTTP/1.1).
pub fn routes(parts: ServerParts) -> Router {
    let limit = usize::try_from(parts.payload_limit).unwrap_or(usize::MAX).saturating_add(ENVELOPE);
    let service = DispatcherServiceServer::new(Service(parts.clone()))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(limit);
    tonic::service::Routes::new(service).prepare().into_axum_router().merge(pass::router(parts))
}

fn to_status(error: &Error) -> Status {
    if matches!(error.kind(), ErrorKind::Internal) {
        tracing::warn!(error = %Chain(error), "an internal call failed");
    }
    status::to_status(error)
}

#[derive(Debug)]
struct Service(ServerParts);

#[tonic::async_trait]
impl DispatcherService for Service {
    async fn call_function(
        &self,
        request: Request<internal::CallFunctionRequest>,
    ) -> Result<Response<internal::CallFunctionResponse>, Status> {
        let answer = async {
            self.0.admit(request.metadata().as_ref())?;
            self.0.check_open()?;
            let call = wire::call_from_wire(request.into_inner(), &*self.0.registry).await?;
            self.0.invoker.call(call).await
        };
        let answer = answer.await.map_err(|error| to_status(&error))?;
        Ok(Response::new(wire::answer_to_wire(&answer)))
    }

    async fn get_load(
        &self,
        request: Request<internal::GetLoadRequest>,
    ) -> Result<Response<internal::GetLoadResponse>, Status> {
        self.0.admit(request.metadata().as_ref()).map_err(|error| to_status(&error))?;
        let (queues, now) = self.0.load.queues().await.map_err(|error| to_status(&error))?;
        let own = self.0.load.own();
        let number = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
        Ok(Response::new(internal::GetLoadResponse {
            slots: number(own.slots),
            running: number(own.running),
            waiting: number(own.waiting),
            functions: queues.iter().map(|queue| function_load(queue, now)).collect(),
        }))
    }
}

fn function_load(queue: &QueueStats, now: Timestamp) -> internal::FunctionLoad {
    let number = |of: u64| i64::try_from(of).unwrap_or(i64::MAX);
    internal::FunctionLoad {
        namespace: queue.function.namespace.to_string(),
        function: queue.function.name.to_string(),
        queued: number(queue.queued),
        retrying: number(queue.retrying),
        running: number(queue.running),
        oldest_age: queue.oldest_queued.map(|oldest| duration_to_wire(now.since(oldest))),
    }
}
