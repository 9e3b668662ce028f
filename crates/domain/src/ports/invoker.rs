use crate::access::Caller;
use crate::error::Result;
use crate::function::Function;
use crate::ids::{InvocationId, VersionNumber};
use crate::invocation::{Content, Invocation, Source, Stored};
use crate::ports::{HttpRequest, HttpResponse, IdempotencyKey};
use crate::trace::TraceContext;
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// The bytes of a call: in memory, and where they lie if they were too large to stay there only.
#[derive(Debug, Clone)]
pub struct CallBody {
    pub content: Content,
    /// Already durable in the blob store under this key.
    pub stored: Option<Arc<str>>,
}

/// A call whose caller waits.
#[derive(Debug, Clone)]
pub struct SyncCall {
    pub id: InvocationId,
    pub function: Arc<Function>,
    pub version: VersionNumber,
    pub payload: Stored,
    /// The payload's bytes.
    pub bytes: Bytes,
    pub caller: Arc<str>,
    pub source: Source,
    pub replay_of: Option<InvocationId>,
    pub trace: TraceContext,
    /// Headers of the caller's request that go on to the function, in http mode.
    pub headers: http::HeaderMap,
    pub idempotency: Option<IdempotencyKey>,
    /// How long the caller waits.
    pub wait: Duration,
}

#[derive(Debug, Clone)]
pub enum SyncAnswer {
    /// The record, terminal; `result.body` holds the function's answer even where the record does not keep it.
    Finished { invocation: Box<Invocation>, body: Bytes },
    /// The wait ran out: committed as accepted work, still going on.
    Accepted(Box<Invocation>),
}

/// A request to a function's own URL.
#[derive(Debug)]
pub struct ProxyCall {
    pub id: InvocationId,
    pub function: Arc<Function>,
    pub caller: Caller,
    pub trace: TraceContext,
}

/// What the api asks of the dispatchers. In one process a call; in a cluster gRPC and HTTP.
#[async_trait]
pub trait Invoker: Debug + Send + Sync {
    /// Runs the call and waits. Errors are EventFlow's own (`Exhausted` where no slot came free within the wait
    /// and the queue is full, `KeyReused`, …); a failure of the function is a finished record.
    async fn call(&self, call: SyncCall) -> Result<SyncAnswer>;

    /// Passes a request on to the function, streaming both ways. Recorded when the answer has ended.
    async fn proxy(&self, call: ProxyCall, request: HttpRequest) -> Result<HttpResponse>;
}
