use crate::error::Result;
use crate::function::{FunctionKey, FunctionVersion, Readiness};
use crate::ids::{FunctionUid, InvocationId, VersionNumber};
use crate::invocation::{Content, Failure, Output, StartKind};
use crate::logs::Stream;
use crate::ports::ByteStream;
use crate::spec::RuntimeKind;
use crate::time::Timestamp;
use crate::trace::TraceContext;
use async_trait::async_trait;
use futures_core::future::BoxFuture;
use futures_io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// One attempt to carry out.
#[derive(Debug, Clone)]
pub struct Call {
    pub invocation: InvocationId,
    /// From 1.
    pub attempt: u32,
    pub version: Arc<FunctionVersion>,
    /// Declared and from secrets and configs, resolved; EventFlow's own variables are added by the runtime.
    pub env: Arc<[(String, String)]>,
    pub payload: Content,
    pub trace: TraceContext,
    /// Of the run, counted by the runtime from the start of user code.
    pub timeout: Duration,
    /// For everything before the start of user code.
    pub start_deadline: Duration,
    /// Another worker started this attempt: it is to be followed, never started again. Where nothing of it is there,
    /// it failed as [`crate::invocation::Reason::Lost`].
    pub adopted: bool,
}

/// What names one start of user code.
#[derive(Debug, Clone)]
pub struct Run {
    pub invocation: InvocationId,
    pub attempt: u32,
    pub version: Arc<FunctionVersion>,
}

/// Takes what user code prints. Never blocks, bounds what it keeps.
pub trait LogSink: Send + Sync {
    /// Raw bytes as they arrived; the sink cuts them into lines.
    fn write(&self, stream: Stream, bytes: &[u8]);
}

/// How a run ended. `output` may be there beside a failure: an HTTP answer of status 500 has a body.
#[derive(Debug, Clone)]
pub struct Ran {
    pub start: StartKind,
    /// When user code started; the time of the try where it never did.
    pub started_at: Timestamp,
    pub output: Option<Output>,
    pub failure: Option<Failure>,
    pub exit_code: Option<i32>,
}

/// A byte stream in both directions, after an upgrade.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The upgraded connection, once the response has been sent on.
pub type Upgraded = BoxFuture<'static, std::io::Result<Box<dyn Duplex>>>;

/// A request to a function in http mode. Hop-by-hop headers are gone; `uri` is path and query as the function
/// shall see them.
pub struct HttpRequest {
    pub method: http::Method,
    pub uri: http::Uri,
    pub headers: http::HeaderMap,
    pub body: ByteStream,
    /// An upgrade (WebSocket) is asked for; its headers are in `headers`.
    pub upgrade: bool,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

/// The function's answer, while its body still streams. Dropping it ends the call.
pub struct HttpResponse {
    pub start: StartKind,
    pub started_at: Timestamp,
    pub status: http::StatusCode,
    pub headers: http::HeaderMap,
    /// Ends with an error where the function broke off, was ended at its timeout, or trapped.
    pub body: ByteStream,
    /// Present with status 101.
    pub upgraded: Option<Upgraded>,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What a runtime says of a function on its own account: a copy came up, crashed, stopped.
#[derive(Debug, Clone)]
pub struct RuntimeReport {
    pub uid: FunctionUid,
    pub version: VersionNumber,
    pub readiness: Readiness,
}

/// Runs user code.
///
/// Dropping the future of `run` or `serve`, or an [`HttpResponse`], ends the call: everything it started is gone
/// within 5 seconds. A runtime keeps no state of one call for the next (warm processes are the function's own
/// choice).
#[async_trait]
pub trait Runtime: Debug + Send + Sync {
    fn kind(&self) -> RuntimeKind;

    /// Why it can run nothing now, and what to do about it; `None` where it can. A runtime that needs another program
    /// on the machine may be so for a while.
    fn unavailable(&self) -> Option<String> {
        None
    }

    /// Checks what only the runtime can know about a spec, before it is stored: `Invalid` with the field.
    /// `artifact` is the code, where the image names an artifact.
    async fn check(&self, version: &FunctionVersion) -> Result<()>;

    /// Makes a version ready to run (compiles it, starts its warm copies up to `scale.min`). Returns what is to be
    /// reported; never fails for the function's own fault, which is a condition. May be called again at any time.
    async fn prepare(&self, version: &Arc<FunctionVersion>) -> Readiness;

    /// One run to completion, in job mode.
    async fn run(&self, call: Call, logs: Arc<dyn LogSink>) -> Ran;

    /// One request, in http mode. `call.payload` is empty: the body is in the request. `Err` where no answer came:
    /// the code could not be started, broke off, or timed out.
    async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
        logs: Arc<dyn LogSink>,
    ) -> std::result::Result<HttpResponse, Failure>;

    /// Whether there may be runs that [`Runtime::outlives`] speaks of.
    fn may_outlive(&self) -> bool {
        false
    }

    /// Whether runs of this version outlive the process that started them, so that another may adopt them.
    fn outlives(&self, _version: &FunctionVersion) -> bool {
        false
    }

    /// Whether anything of a run that [`Runtime::outlives`] is still there: running, or ended with its result at hand.
    async fn is_there(&self, _run: &Run) -> Result<bool> {
        Ok(false)
    }

    /// The run is another worker's from now on: dropping its future ends nothing. Whether that is so; if not, nothing
    /// is changed.
    fn leave(&self, _invocation: InvocationId, _attempt: u32) -> bool {
        false
    }

    /// Whether it resolves `envFrom` itself: [`Call::env`] then has the declared variables only.
    fn resolves_env(&self) -> bool {
        false
    }

    /// Ends warm copies and forgets compiled code of a function, but for the version to keep. Calls that run end
    /// by themselves.
    async fn retire(&self, function: &FunctionKey, uid: FunctionUid, keep: Option<VersionNumber>);

    /// Ends all warm copies; called once no call runs any more.
    async fn shutdown(&self);
}
