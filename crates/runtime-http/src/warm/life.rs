//! The life of one copy: its start, its watch, its end.

use super::copy::Copy;
use super::pool::Pool;
use super::start::{Held, Started};
use eventflow_domain::invocation::Failure;
use std::sync::Arc;
use std::time::Duration;

/// A copy that has run for so long has not failed at its start.
const STABLE: Duration = Duration::from_secs(10);

/// Starts a copy and sees to it until it is gone.
pub(super) async fn live(pool: Arc<Pool>) {
    let wish = pool.state.lock().wish();
    let Started { connections, output, mut held } = match pool.base.start.start(&wish).await {
        Ok(started) => started,
        Err(refused) => return pool.start_failed(&refused),
    };
    let copy = Arc::new(Copy::new(pool.base.next_number(), wish.env, connections, output));
    pool.came_up(&copy);
    let crash = {
        let followed = copy.output.follow();
        let watched = watch(&pool, &copy, held.as_mut());
        tokio::pin!(followed, watched);
        let mut open = true;
        loop {
            tokio::select! {
                crash = &mut watched => break crash,
                () = &mut followed, if open => open = false,
            }
        }
    };
    let crash = crash.map(|failure| explain(failure, &copy.output.last_line()));
    copy.is_gone(crash.clone());
    // First, since a farewell takes time: the copy takes no calls any more, and another may be started.
    pool.went_down(&copy, crash);
    held.farewell().await;
}

/// Until the copy is gone. `Some` where nobody asked it to go.
async fn watch(pool: &Arc<Pool>, copy: &Copy, held: &mut dyn Held) -> Option<Failure> {
    let idle = tokio::time::sleep(pool.base.settings.idle_stop);
    let stable = tokio::time::sleep(STABLE);
    tokio::pin!(idle, stable);
    let mut proven = false;
    loop {
        tokio::select! {
            failure = held.ended() => return Some(failure),
            () = copy.end.cancelled() => break,
            () = pool.base.tasks.closing().cancelled() => break,
            () = &mut idle => match pool.idle_stop(copy) {
                Ok(()) => break,
                Err(again) => idle.as_mut().reset(again),
            },
            () = &mut stable, if !proven => {
                proven = true;
                pool.runs_well();
            }
        }
    }
    held.end().await;
    None
}

/// A failure with what the copy said last.
pub(super) fn explain(mut failure: Failure, last_line: &str) -> Failure {
    if !last_line.is_empty() {
        failure.message = format!("{}; its last words: {last_line}", failure.message);
    }
    failure
}
