//! Tasks that cannot die unseen, and the way a process ends.

mod exit;
mod handle;
mod task;

pub use exit::Exit;
pub use handle::{Handle, InFlight};
pub use task::{OnExit, Outcome};

use crate::health::Health;
use crate::signals::Signals;
use handle::Shared;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long each phase of the shutdown may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutdownConfig {
    /// Between "not ready" and "stop accepting": time for balancers to notice. Default 0.
    pub delay: Duration,
    /// For in-flight work to end by itself. Default 30 s.
    pub grace: Duration,
    /// For tasks to end after they were cancelled; then they are dropped. Default 5 s.
    pub join: Duration,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { delay: Duration::ZERO, grace: Duration::from_secs(30), join: Duration::from_secs(5) }
    }
}

/// Owns every task of a process and carries out its shutdown.
#[derive(Debug)]
pub struct Supervisor {
    config: ShutdownConfig,
    handle: Handle,
}

impl Supervisor {
    /// Must be called inside a tokio runtime: its tasks run there.
    pub fn new(config: ShutdownConfig) -> Self {
        let shared = Shared::new(tokio::runtime::Handle::current(), Health::new());
        Self { config, handle: Handle::new(Arc::new(shared)) }
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub fn health(&self) -> &Health {
        self.handle.health()
    }

    /// See [`Handle::spawn`].
    pub fn spawn<F>(&self, name: &'static str, on_exit: OnExit, task: F)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        self.handle.spawn(name, on_exit, task);
    }

    /// Waits for the end (a signal, a fatal task or [`Handle::shutdown`]), shuts down in phases and says how it
    /// went. A second signal cuts it short: the answer is [`Exit::Forced`] at once.
    pub async fn run(self, mut signals: Signals) -> Exit {
        let shared = self.handle.shared();
        tokio::select! {
            signal = signals.next() => tracing::info!(signal = signal.as_str(), "shutting down"),
            () = shared.stop.cancelled() => {}
        }
        shared.health.set_draining();
        shared.stop.cancel();
        tokio::select! {
            // Polled first, so that a drain that never yields cannot win over the person's wish.
            biased;
            signal = signals.next() => {
                tracing::warn!(signal = signal.as_str(), "second signal, exiting at once");
                shared.token.cancel();
                shared.kill.cancel();
                Exit::Forced(signal)
            }
            () = self.wind_down() => shared.exit(),
        }
    }

    async fn wind_down(&self) {
        let shared = self.handle.shared();
        tokio::time::sleep(self.config.delay).await;
        shared.draining.cancel();
        shared.in_flight.close();
        if tokio::time::timeout(self.config.grace, shared.in_flight.wait()).await.is_err() {
            tracing::warn!(left = shared.in_flight.len(), grace = ?self.config.grace, "in-flight work cut off");
        }
        shared.token.cancel();
        shared.tasks.close();
        if tokio::time::timeout(self.config.join, shared.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = ?shared.running(), "tasks did not end, dropping them");
        }
        shared.kill.cancel();
    }
}

#[cfg(test)]
mod tests;
