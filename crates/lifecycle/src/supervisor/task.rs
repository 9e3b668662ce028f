//! One supervised task: what its end means.

use super::handle::Shared;
use futures::FutureExt as _;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What it means when a task ends although nobody asked it to: by returning, by an error, or by a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExit {
    /// The process cannot do its work without it: shut down, exit code 1.
    Shutdown,
    /// Errors and panics are logged; the process goes on.
    Log,
}

/// What a task may return: nothing, or a result.
pub trait Outcome: Send + 'static {
    fn error(self) -> Option<BoxError>;
}

impl Outcome for () {
    fn error(self) -> Option<BoxError> {
        None
    }
}

impl<E: Into<BoxError> + Send + 'static> Outcome for Result<(), E> {
    fn error(self) -> Option<BoxError> {
        self.err().map(Into::into)
    }
}

/// How a task ended, in words; `None` = it returned without an error.
pub(super) async fn outcome<F>(task: F) -> Option<String>
where
    F: Future + Send,
    F::Output: Outcome,
{
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(returned) => {
            returned.error().map(|error| eventflow_domain::error::Chain(error.as_ref()).to_string())
        }
        Err(panic) => Some(format!("panicked: {}", panic_text(panic.as_ref()))),
    }
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Carries out what the end of a task means.
pub(super) fn ended(shared: &Shared, name: &'static str, on_exit: OnExit, error: Option<String>) {
    let expected = shared.draining.is_cancelled() || shared.token.is_cancelled();
    match (on_exit, error) {
        (_, None) if expected => tracing::debug!(task = name, "task ended"),
        (OnExit::Log, None) => tracing::debug!(task = name, "task ended"),
        (OnExit::Log, Some(error)) => tracing::error!(task = name, error, "task failed"),
        (OnExit::Shutdown, error) => {
            let error = error.unwrap_or_else(|| "ended although nobody asked it to".to_owned());
            tracing::error!(task = name, error, "task failed, shutting down");
            shared.fail(name, error);
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A task that lived this long starts over with the first pause.
const HEALTHY: Duration = Duration::from_mins(1);

/// Starts a task again whenever it ends, after a pause that doubles from 100 ms to 30 s.
pub(super) async fn restarting<F>(
    shared: Arc<Shared>,
    name: &'static str,
    mut start: impl FnMut() -> F + Send,
) where
    F: Future + Send,
    F::Output: Outcome,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        // The start itself may panic too.
        let error = outcome(async { start().await }).await;
        if shared.draining.is_cancelled() || shared.token.is_cancelled() {
            return;
        }
        if began.elapsed() >= HEALTHY {
            pause = FIRST_PAUSE;
        }
        let error = error.unwrap_or_else(|| "ended although nobody asked it to".to_owned());
        tracing::error!(task = name, error, ?pause, "task failed, starting it again");
        if shared.draining.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}
