//! What a runtime brings: how a copy is started, watched and ended.

use super::observer::Observer;
use super::state::State;
use crate::connections::Connections;
use crate::tasks::Tasks;
use async_trait::async_trait;
use eventflow_domain::FunctionVersion;
use eventflow_domain::invocation::Failure;
use eventflow_domain::ports::{Clock, LogSink};
use eventflow_domain::spec::Backoff;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The variables that a copy is started with: with others it is not the same function.
pub type Env = Arc<[(String, String)]>;

/// Bounds of warm copies.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Calls that may wait for a copy of one version; one more is refused.
    pub waiting_calls: usize,
    /// Between a crash of a copy and the next start.
    pub restart: Backoff,
    /// A copy without a call for this long is stopped, down to the function's minimum.
    pub idle_stop: Duration,
}

/// The copy that is wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    pub version: Arc<FunctionVersion>,
    pub env: Env,
    /// It has to serve by then.
    pub deadline: Instant,
}

/// Why a copy did not come up, and the word that its function's conditions say it with.
#[derive(Debug, Clone)]
pub struct NotStarted {
    pub failure: Failure,
    pub word: &'static str,
}

impl NotStarted {
    /// It was started and did not serve.
    pub const CRASHED: &'static str = "Crashed";
}

impl From<Failure> for NotStarted {
    fn from(failure: Failure) -> Self {
        Self { failure, word: Self::CRASHED }
    }
}

/// A copy that serves.
#[derive(Debug)]
pub struct Started {
    pub connections: Arc<Connections>,
    pub output: Arc<dyn Output>,
    pub held: Box<dyn Held>,
}

/// Starts copies.
#[async_trait]
pub trait Start: Debug + Send + Sync {
    /// One copy, once it takes connections and its probe answers. Nothing of it is left where it fails, or shortly
    /// after the future is dropped.
    async fn start(&self, wish: &Wish) -> Result<Started, NotStarted>;
}

/// A running copy in the hands of its task. Dropping it ends the copy.
#[async_trait]
pub trait Held: Debug + Send {
    /// Waits for the end that nobody asked for. May be dropped and called again.
    async fn ended(&mut self) -> Failure;

    /// Ends it, and waits until it has.
    async fn end(&mut self);

    /// It has ended: removes what is left of it.
    async fn farewell(self: Box<Self>);
}

/// What a copy prints.
#[async_trait]
pub trait Output: Debug + Send + Sync {
    /// Passes it on until it ends. May be dropped and called again.
    async fn follow(&self);

    /// From here on it is the call's, as long as the call is alone on the copy.
    fn attach(&self, call: u64, logs: Arc<dyn LogSink>);

    fn detach(&self, call: u64);

    /// What was said last while nobody in particular listened; empty where there was nothing.
    fn last_line(&self) -> String;
}

/// What all pools of a runtime share.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) settings: Settings,
    pub(super) start: Arc<dyn Start>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) tasks: Tasks,
    /// Numbers copies and calls.
    next: AtomicU64,
}

impl Base {
    pub(super) fn new(
        settings: Settings,
        start: Arc<dyn Start>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        tasks: Tasks,
    ) -> Self {
        Self { settings, start, clock, observer, tasks, next: AtomicU64::new(1) }
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

impl State {
    /// The copy to start next.
    pub(super) fn wish(&self) -> Wish {
        let version = Arc::clone(&self.version);
        let declared = || version.spec.env.iter().map(|(name, value)| (name.to_string(), value.clone()));
        Wish {
            env: self.env.clone().unwrap_or_else(|| declared().collect()),
            deadline: Instant::now() + version.spec.start_deadline,
            version,
        }
    }
}
