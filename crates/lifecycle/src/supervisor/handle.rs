//! What rooms hold of the supervisor.

use super::exit::Exit;
use super::task::{self, OnExit, Outcome};
use crate::health::Health;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use tokio::runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

#[derive(Debug)]
pub(super) struct Shared {
    runtime: runtime::Handle,
    pub(super) health: Health,
    /// The wish to shut down.
    pub(super) stop: CancellationToken,
    /// No new work.
    pub(super) draining: CancellationToken,
    /// The end of everything.
    pub(super) token: CancellationToken,
    /// What did not end by itself is dropped at its next await.
    pub(super) kill: CancellationToken,
    pub(super) in_flight: TaskTracker,
    pub(super) tasks: TaskTracker,
    running: Mutex<BTreeMap<&'static str, usize>>,
    failure: Mutex<Option<(&'static str, String)>>,
}

impl Shared {
    pub(super) fn new(runtime: runtime::Handle, health: Health) -> Self {
        Self {
            runtime,
            health,
            stop: CancellationToken::new(),
            draining: CancellationToken::new(),
            token: CancellationToken::new(),
            kill: CancellationToken::new(),
            in_flight: TaskTracker::new(),
            tasks: TaskTracker::new(),
            running: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// The first failure decides the exit code.
    pub(super) fn fail(&self, task: &'static str, error: String) {
        self.failure.lock().get_or_insert((task, error));
        self.stop.cancel();
    }

    pub(super) fn exit(&self) -> Exit {
        match self.failure.lock().clone() {
            Some((task, error)) => Exit::Failed { task, error },
            None => Exit::Clean,
        }
    }

    /// The names of the tasks that still run.
    pub(super) fn running(&self) -> Vec<&'static str> {
        self.running.lock().keys().copied().collect()
    }
}

/// Counts a task as running for as long as it lives.
struct Running {
    shared: Arc<Shared>,
    name: &'static str,
}

impl Running {
    fn new(shared: &Arc<Shared>, name: &'static str) -> Self {
        *shared.running.lock().entry(name).or_default() += 1;
        Self { shared: Arc::clone(shared), name }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.shared.running.lock();
        if let Some(count) = running.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                running.remove(self.name);
            }
        }
    }
}

/// Starts tasks, reports health and hears of the shutdown. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// Starts a task that lives as long as the process does. It should end soon after [`Handle::token`] is
    /// cancelled; else it is dropped when the join time is over. `on_exit` says what its early end means.
    pub fn spawn<F>(&self, name: &'static str, on_exit: OnExit, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let (shared, running) = (Arc::clone(&self.0), Running::new(&self.0, name));
        let supervised = async move {
            let _running = running;
            if let Some(error) = shared.kill.run_until_cancelled(task::outcome(task)).await {
                task::ended(&shared, name, on_exit, error);
            }
        };
        self.0.tasks.spawn_on(supervised, &self.0.runtime);
    }

    /// Starts a task that is started again whenever it ends, fails or panics, after a pause that doubles from
    /// 100 ms to 30 s. Each start gets the token that ends it.
    pub fn spawn_restarting<F>(
        &self,
        name: &'static str,
        mut start: impl FnMut(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        let (shared, token) = (Arc::clone(&self.0), self.token());
        self.spawn(name, OnExit::Log, task::restarting(shared, name, move || start(token.clone())));
    }

    /// Starts a short task that serves one request or one call; the shutdown waits for it, up to the grace. A
    /// panic is logged. How many there are is the caller's to bound.
    pub fn spawn_call<F>(&self, name: &'static str, call: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shared = Arc::clone(&self.0);
        let supervised = async move {
            if let Some(Some(error)) = shared.kill.run_until_cancelled(task::outcome(call)).await {
                tracing::error!(task = name, error, "call failed");
            }
        };
        self.0.in_flight.spawn_on(supervised, &self.0.runtime);
    }

    /// Counts something that runs elsewhere (a request in a server, the server itself) as in flight until the
    /// guard is dropped.
    pub fn in_flight(&self) -> InFlight {
        InFlight(self.0.in_flight.token())
    }

    /// How much is in flight now.
    pub fn in_flight_count(&self) -> usize {
        self.0.in_flight.len()
    }

    /// Cancelled when in-flight work has ended or the grace is over: end now.
    pub fn token(&self) -> CancellationToken {
        self.0.token.child_token()
    }

    /// Cancelled when the process stops taking new work: listeners stop accepting, open-ended streams end.
    pub fn draining(&self) -> CancellationToken {
        self.0.draining.child_token()
    }

    pub fn is_draining(&self) -> bool {
        self.0.draining.is_cancelled()
    }

    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Marks a check as ready; see [`Health::ready`].
    pub fn ready(&self, check: &'static str) {
        self.0.health.ready(check);
    }

    /// Marks a check as not ready; see [`Health::not_ready`].
    pub fn not_ready(&self, check: &'static str, reason: impl Into<Arc<str>>) {
        self.0.health.not_ready(check, reason);
    }

    /// Begins the shutdown, as a signal does.
    pub fn shutdown(&self, why: &str) {
        tracing::info!(why, "shutting down");
        self.0.stop.cancel();
    }

    /// Begins the shutdown with exit code 1.
    pub fn fail(&self, task: &'static str, error: impl Into<String>) {
        let error = error.into();
        tracing::error!(task, error, "shutting down");
        self.0.fail(task, error);
    }
}

/// Something in flight; see [`Handle::in_flight`].
#[derive(Debug, Clone)]
pub struct InFlight(#[expect(dead_code, reason = "held for its drop")] TaskTrackerToken);
