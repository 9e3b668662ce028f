//! Calls of the other mode: the dispatcher keeps them away, and a runtime that meets one all the same says so.

use eventflow_domain::invocation::{Failure, Reason, StartKind};
use eventflow_domain::ports::Ran;
use eventflow_domain::time::Timestamp;

/// The end of a run that was tried at `at`, of a function in http mode.
pub fn run(at: Timestamp) -> Ran {
    Ran {
        start: StartKind::Cold,
        started_at: at,
        output: None,
        failure: Some(Failure::new(Reason::Internal, "a function in http mode serves requests")),
        exit_code: None,
    }
}

/// The end of a request to a function in job mode.
pub fn request() -> Failure {
    Failure::new(Reason::Internal, "a function in job mode serves no requests")
}
