//! A runtime whose functions do what their payload says (`sleep 500`, `fail`, `retry-after 60`, `hang`), and that
//! notes when each was started.

use async_trait::async_trait;
use eventflow_domain::function::{FunctionVersion, Readiness};
use eventflow_domain::ports::{Call, Clock, HttpRequest, HttpResponse, LogSink, Ran, Run, Runtime};
use eventflow_domain::{
    Error, Failure, FunctionKey, FunctionUid, InvocationId, Output, Reason, Result, RuntimeKind, StartKind,
    VersionNumber,
};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
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
    /// Runs that need no dispatcher, and when each is over.
    pub(super) jobs: HashMap<(InvocationId, u32), Instant>,
    /// Those whose next drop ends nothing.
    left: HashSet<(InvocationId, u32)>,
    /// Nobody can see `jobs`.
    pub(super) away: bool,
    /// How often somebody has begun to look for one, and how long that takes.
    pub(super) looks: usize,
    pub(super) slow: Duration,
}

#[derive(Debug, Clone)]
pub(super) struct Noting {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// Runs go on without their dispatcher, as Jobs do.
    pub(super) outlives: bool,
}

/// Ends its job when it is dropped, unless that is another's by then.
struct Followed(Arc<Mutex<Seen>>, (InvocationId, u32));

impl Drop for Followed {
    fn drop(&mut self) {
        let mut seen = self.0.lock();
        if !seen.left.remove(&self.1) {
            seen.jobs.remove(&self.1);
        }
    }
}

impl Noting {
    /// Makes the job, or follows one that is there.
    async fn job(&self, call: &Call) -> Option<Failure> {
        let key = (call.invocation, call.attempt);
        let ends = {
            let mut seen = self.seen.lock();
            if !call.adopted {
                let script = std::str::from_utf8(&call.payload.bytes).expect("a script");
                let millis = script.strip_prefix("sleep ").and_then(|n| n.parse().ok()).expect("a sleep");
                seen.starts.push(Started { id: call.invocation, at: Instant::now() });
                seen.jobs.insert(key, Instant::now() + Duration::from_millis(millis));
            }
            seen.jobs.get(&key).copied()
        };
        let Some(ends) = ends else { return Some(Failure::new(Reason::Lost, "there is no job")) };
        let _followed = Followed(Arc::clone(&self.seen), key);
        tokio::time::sleep_until(ends).await;
        None
    }
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
        if self.outlives {
            let failure = self.job(&call).await;
            return Ran { start: StartKind::Cold, started_at, output: None, failure, exit_code: None };
        }
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

    fn may_outlive(&self) -> bool {
        self.outlives
    }

    fn outlives(&self, _: &FunctionVersion) -> bool {
        self.outlives
    }

    async fn is_there(&self, run: &Run) -> Result<bool> {
        let slow = {
            let mut seen = self.seen.lock();
            seen.looks += 1;
            seen.slow
        };
        tokio::time::sleep(slow).await;
        let seen = self.seen.lock();
        if seen.away {
            return Err(Error::unavailable("the cluster is away"));
        }
        Ok(seen.jobs.contains_key(&(run.invocation, run.attempt)))
    }

    fn leave(&self, invocation: InvocationId, attempt: u32) -> bool {
        let key = (invocation, attempt);
        let mut seen = self.seen.lock();
        let there = seen.jobs.contains_key(&key);
        if there {
            seen.left.insert(key);
        }
        there
    }

    async fn retire(&self, _: &FunctionKey, _: FunctionUid, _: Option<VersionNumber>) {}

    async fn shutdown(&self) {}
}
