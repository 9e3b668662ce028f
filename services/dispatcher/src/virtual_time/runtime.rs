//! A runtime whose functions do what their payload says (`sleep 500`, `fail`, `retry-after 60`, `hang`), and that
//! notes when each was started.

use async_trait::async_trait;
use eventflow_domain::function::{FunctionVersion, Readiness};
use eventflow_domain::ports::{Call, Clock, HttpRequest, HttpResponse, LogSink, Ran, Runtime};
use eventflow_domain::{
    Failure, FunctionKey, FunctionUid, InvocationId, Output, Reason, Result, RuntimeKind, StartKind,
    VersionNumber,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One start of user code.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) id: InvocationId,
    pub(super) at: Instant,
}

/// Shared by all dispatchers of a test.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) starts: Vec<Started>,
    pub(super) running: usize,
    /// The most that ran at once.
    pub(super) most: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Noting {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seen: Arc<Mutex<Seen>>,
}

/// Counts a run for as long as it lives.
struct Counted(Arc<Mutex<Seen>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

async fn play(script: &str) -> Option<Failure> {
    let (verb, rest) = script.split_once(' ').unwrap_or((script, ""));
    let number = || rest.parse().expect("a number");
    match verb {
        "sleep" => tokio::time::sleep(Duration::from_millis(number())).await,
        "hang" => std::future::pending().await,
        "fail" => return Some(Failure::new(Reason::ExitCode, "exit code 1")),
        "retry-after" => {
            let retry_after = Some(Duration::from_secs(number()));
            return Some(Failure { retry_after, ..Failure::new(Reason::TooManyRequests, "busy") });
        }
        _ => {}
    }
    None
}

#[async_trait]
impl Runtime for Noting {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }

    async fn check(&self, _: &FunctionVersion) -> Result<()> {
        Ok(())
    }

    async fn prepare(&self, _: &Arc<FunctionVersion>) -> Readiness {
        Readiness::default()
    }

    async fn run(&self, call: Call, _: Arc<dyn LogSink>) -> Ran {
        let (at, started_at) = (Instant::now(), self.clock.now());
        let _counted = {
            let mut seen = self.seen.lock();
            seen.starts.push(Started { id: call.invocation, at });
            seen.running += 1;
            seen.most = seen.most.max(seen.running);
            Counted(Arc::clone(&self.seen))
        };
        let failure = play(std::str::from_utf8(&call.payload.bytes).expect("a script")).await;
        let output = failure.is_none().then(|| Output { content: call.payload, status: None });
        Ran { start: StartKind::Cold, started_at, output, failure, exit_code: None }
    }

    async fn serve(
        &self,
        _: Call,
        _: HttpRequest,
        _: Arc<dyn LogSink>,
    ) -> std::result::Result<HttpResponse, Failure> {
        Err(Failure::new(Reason::Internal, "has no http mode"))
    }

    async fn retire(&self, _: &FunctionKey, _: FunctionUid, _: Option<VersionNumber>) {}

    async fn shutdown(&self) {}
}
