//! What is reported of a function in http mode.

use super::state::State;
use crate::readiness::condition;
use eventflow_domain::{Readiness, Timestamp};

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
                not_ready("CrashLoop", &format!("{trouble}; see its logs; it is started again after a pause"))
            },
            condition(Readiness::DEGRADED, true, "Crashed", trouble, now),
        ],
    };
    Readiness { conditions, desired_copies: desired, ready_copies: ready }
}
