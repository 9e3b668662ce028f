//! What is reported of a function.

use eventflow_domain::{Readiness, Timestamp};
use eventflow_runtime_http::warm::condition;

/// Of a function in job mode: it is ready when its command can be found.
pub(crate) fn of_job(missing: Option<&str>, now: Timestamp) -> Readiness {
    let ready = match missing {
        None => condition(Readiness::READY, true, "CommandFound", "each call starts the command", now),
        Some(message) => condition(Readiness::READY, false, "CommandNotFound", message, now),
    };
    Readiness { conditions: vec![ready], ..Readiness::default() }
}
