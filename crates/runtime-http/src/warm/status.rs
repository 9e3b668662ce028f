//! What is reported of a function in http mode.

use super::condition::condition;
use super::start::NotStarted;
use super::state::{Slot, State};
use eventflow_domain::{Condition, CopyState, Readiness, Timestamp, WarmCopy};

pub(super) fn readiness(state: &State, now: Timestamp) -> Readiness {
    let (desired, ready) = (state.wanted(), state.ready());
    let trouble = state.last_failure.as_ref().map(|failure| match state.failures {
        1 => failure.message.clone(),
        times => format!("{} ({times} times in a row)", failure.message),
    });
    let is_ready = |reason, message: &str| condition(Readiness::READY, true, reason, message, now);
    let not_ready = |reason, message: &str| condition(Readiness::READY, false, reason, message, now);
    let conditions = match trouble {
        None => vec![
            match (ready, desired) {
                (0, 0) => is_ready("OnDemand", "no copy runs; the next call starts one"),
                (0, _) => not_ready("Starting", "copies are starting"),
                _ => is_ready("CopiesReady", "copies answer on their port"),
            },
            condition(Readiness::DEGRADED, false, "Healthy", "no copy has crashed lately", now),
        ],
        Some(trouble) => vec![
            if ready > 0 {
                is_ready("CopiesReady", "copies answer on their port")
            } else {
                unwell(state.last_word, &trouble, now)
            },
            condition(Readiness::DEGRADED, true, state.last_word, trouble, now),
        ],
    };
    let copies = copies(state);
    Readiness { conditions, desired_copies: desired, ready_copies: ready, copies, ..Readiness::default() }
}

fn unwell(word: &str, trouble: &str, now: Timestamp) -> Condition {
    if word == NotStarted::CRASHED {
        let message = format!("{trouble}; see its logs; it is started again after a pause");
        return condition(Readiness::READY, false, "CrashLoop", message, now);
    }
    let message = format!("{trouble}; it is tried again after a pause");
    condition(Readiness::READY, false, word, message, now)
}

/// The copies that run, those that start, and the one that is waited for after a crash.
fn copies(state: &State) -> Vec<WarmCopy> {
    let idle = |name: String, state| WarmCopy { name, state, restarts: 0, started_at: None, last_exit: None };
    let running = |slot: &Slot| WarmCopy {
        started_at: Some(slot.started_at),
        ..idle(slot.copy.id.to_string(), if slot.draining { CopyState::Stopping } else { CopyState::Ready })
    };
    let mut copies: Vec<WarmCopy> = state.slots.iter().map(running).collect();
    copies.extend((1..=state.starting).map(|n| idle(format!("starting-{n}"), CopyState::Starting)));
    if state.failures > 0 && copies.is_empty() {
        copies.push(idle("crashed".to_owned(), CopyState::Failed));
    }
    copies.truncate(Readiness::MOST_COPIES);
    // Told with the copy that came in place of the one that ended.
    if let Some(exit) = &state.last_exit {
        let later = |copy: &&mut WarmCopy| copy.started_at.is_none_or(|at| at >= exit.at);
        let (found, restarts) = (copies.iter_mut().find(later), state.restarts);
        if let Some(copy) = found {
            (copy.restarts, copy.last_exit) = (restarts, Some(exit.clone()));
        }
    }
    copies
}
