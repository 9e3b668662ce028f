//! From what the engine says to what the record says: pure.

use crate::engine::told;
use bollard::errors::Error;
use bollard::models::ContainerState;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_domain::quantity::{Memory, format_duration};
use eventflow_runtime_http::warm::NotStarted;
use std::time::Duration;

/// Words of conditions, the same as in a cluster where there is one.
pub(crate) const ENGINE_UNAVAILABLE: &str = "EngineUnavailable";
pub(crate) const IMAGE_PULL_FAILED: &str = "ImagePullFailed";
pub(crate) const IMAGE_NEEDS_ROOT: &str = "ImageNeedsRoot";
pub(crate) const CONTAINER_FAILED: &str = "ContainerFailed";

/// The exit code of what SIGKILL ended.
pub(crate) const SIGKILLED: i32 = 137;

/// Why the run failed; `None` = it did not.
pub(crate) fn failure(state: &ContainerState, memory: Memory) -> Option<Failure> {
    let code = exit_code(state);
    if state.oom_killed == Some(true) {
        let text = format!("used more memory than resources.memory allows ({memory}) and was ended");
        return Some(Failure::new(Reason::OutOfMemory, text));
    }
    match code {
        Some(0) => None,
        // Nobody within a container can kill its first process, we have not, and a removal is told apart: what is left
        // is the kernel, which engines over cgroup v1 do not always notice.
        Some(SIGKILLED) => {
            let text = format!(
                "ended by SIGKILL, most likely for more memory than resources.memory allows ({memory})"
            );
            Some(Failure::new(Reason::OutOfMemory, text))
        }
        Some(code) => Some(Failure::new(Reason::ExitCode, format!("exit code {code}{}", by_signal(code)))),
        None => Some(Failure::new(Reason::Internal, "the engine does not say how the container ended")),
    }
}

pub(crate) fn exit_code(state: &ContainerState) -> Option<i32> {
    state.exit_code.and_then(|code| i32::try_from(code).ok())
}

/// A shell and the engine give 128 + the signal.
fn by_signal(code: i32) -> String {
    if (129..=159).contains(&code) { format!(" (signal {})", code - 128) } else { String::new() }
}

pub(crate) fn timed_out(timeout: Duration) -> Failure {
    let timeout = format_duration(timeout);
    Failure::new(Reason::Timeout, format!("ran longer than its timeout of {timeout} and was ended"))
}

/// It did not start in time; `at` says what it was at.
pub(crate) fn not_started(deadline: Duration, at: &str) -> Failure {
    let within = format_duration(deadline);
    Failure::new(Reason::StartDeadline, format!("did not start within {within}: {at}"))
}

/// Somebody removed it under us.
pub(crate) fn taken_away() -> Failure {
    Failure::new(Reason::Evicted, "somebody removed the container while it ran")
}

/// The engine went away and did not come back.
pub(crate) fn lost(why: &str) -> Failure {
    Failure::new(Reason::Lost, format!("the container engine went away while the call ran: {why}"))
}

/// The engine refused to make or to start the container.
pub(crate) fn refused(error: &Error) -> NotStarted {
    let text = told(error);
    if crate::engine::is_away(error) {
        let failure =
            Failure::new(Reason::RuntimeUnavailable, format!("the container engine went away: {text}"));
        return NotStarted { failure, word: ENGINE_UNAVAILABLE };
    }
    let failure = Failure::new(Reason::StartFailed, format!("the container could not be started: {text}"));
    NotStarted { failure, word: CONTAINER_FAILED }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(code: i64, oom: bool) -> Option<Failure> {
        let state =
            ContainerState { exit_code: Some(code), oom_killed: Some(oom), ..ContainerState::default() };
        failure(&state, Memory(64 << 20))
    }

    #[test]
    fn each_end_has_its_reason() {
        let reason = |code, oom| ended(code, oom).map(|failure| failure.reason);
        assert_eq!(reason(0, false), None);
        assert_eq!(reason(3, false), Some(Reason::ExitCode));
        assert_eq!(reason(137, true), Some(Reason::OutOfMemory));
        let unsaid = ended(137, false).expect("failed");
        assert!(unsaid.reason == Reason::OutOfMemory && unsaid.message.contains("most likely"), "{unsaid:?}");
        assert_eq!(reason(0, true), Some(Reason::OutOfMemory), "a child of the shell");
        assert_eq!(ended(139, false).expect("failed").message, "exit code 139 (signal 11)");
        assert!(ended(137, true).expect("failed").message.contains("64Mi"));
    }

    #[test]
    fn a_refusal_is_told_from_an_engine_that_is_gone() {
        let server = |message: &str| Error::DockerResponseServerError {
            status_code: 500,
            message: message.to_owned(),
        };
        let refusal = refused(&server("exec: \"nope\": executable file not found in $PATH"));
        assert_eq!((refusal.failure.reason, refusal.word), (Reason::StartFailed, CONTAINER_FAILED));
        assert!(refusal.failure.message.contains("executable file not found"));
        assert_eq!(refused(&Error::RequestTimeoutError).word, ENGINE_UNAVAILABLE);
    }
}
