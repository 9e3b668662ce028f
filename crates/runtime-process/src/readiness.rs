//! What is reported of a function.

use eventflow_domain::{Condition, ConditionStatus, Readiness, Timestamp};

pub(crate) fn condition(
    kind: &str,
    ok: bool,
    reason: &str,
    message: impl Into<String>,
    now: Timestamp,
) -> Condition {
    Condition {
        kind: kind.to_owned(),
        status: if ok { ConditionStatus::True } else { ConditionStatus::False },
        reason: reason.to_owned(),
        message: message.into(),
        // The registry knows the generation; a runtime knows versions.
        observed_generation: 0,
        since: now,
    }
}

/// Of a function in job mode: it is ready when its command can be found.
pub(crate) fn of_job(missing: Option<&str>, now: Timestamp) -> Readiness {
    let ready = match missing {
        None => condition(Readiness::READY, true, "CommandFound", "each call starts the command", now),
        Some(message) => condition(Readiness::READY, false, "CommandNotFound", message, now),
    };
    Readiness { conditions: vec![ready], ..Readiness::default() }
}
