//! From how a container ended to what the record says: pure.

use super::pod::{Exit, Why};
use crate::config::KubernetesConfig;
use eventflow_domain::invocation::Content;
use eventflow_domain::{Failure, Reason};
use std::time::Duration;

/// Why the run failed; `None` = it did not.
pub(crate) fn failure(exit: &Exit) -> Option<Failure> {
    if exit.deadline {
        return Some(Failure::new(Reason::Timeout, "ended by the deadline of its Job"));
    }
    eventflow_kubernetes::failure(&exit.reason, exit.code, exit.signal, &exit.message)
}

/// The cluster's own fault.
pub(crate) fn taken_away(why: &Why) -> Failure {
    Failure::new(Reason::Evicted, format!("the pod was taken away: {}", why.text()))
}

pub(crate) fn hopeless(why: &Why) -> Failure {
    Failure::new(Reason::StartFailed, format!("cannot start: {}", why.text()))
}

pub(crate) fn not_started(deadline: Duration, why: Option<&Why>) -> Failure {
    let within = eventflow_domain::quantity::format_duration(deadline);
    let why = why.map_or_else(|| "the cluster does not say why".to_owned(), Why::text);
    Failure::new(Reason::StartDeadline, format!("did not start within {within}: {why}"))
}

pub(crate) fn timed_out(timeout: Duration) -> Failure {
    let timeout = eventflow_domain::quantity::format_duration(timeout);
    Failure::new(Reason::Timeout, format!("ran longer than its timeout of {timeout} and was ended"))
}

/// The result that a container left as its termination message; `None` where it left none.
pub(crate) fn of_message(message: &str) -> Result<Option<Content>, Failure> {
    if message.is_empty() {
        return Ok(None);
    }
    // What is longer was cut by the kubelet.
    if message.len() >= KubernetesConfig::MAX_MESSAGE {
        return Err(Failure::new(
            Reason::ResultTooLarge,
            "a result file has less than 4 KiB of text; declare `result: file` for larger ones, or print the result",
        ));
    }
    if message.contains('\u{fffd}') {
        return Err(Failure::new(
            Reason::ResultTooLarge,
            "the result file is not UTF-8 text; declare `result: file` for bytes",
        ));
    }
    Ok(Some(Content::guessed(message.to_owned().into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
    fn reason(exit: Exit) -> Option<Reason> {
        failure(&exit).map(|failure| failure.reason)
    }

    fn exit(code: i32, reason: &str) -> Exit {
        Exit { code, reason: reason.to_owned(), ..Exit::default() }
    }

    #[test]
    fn each_end_has_its_reason() {
        assert_eq!(reason(exit(0, "Completed")), None);
        assert_eq!(reason(exit(3, "Error")), Some(Reason::ExitCode));
        assert_eq!(reason(exit(137, "OOMKilled")), Some(Reason::OutOfMemory));
        assert_eq!(reason(exit(0, "OOMKilled")), Some(Reason::OutOfMemory), "a child of the shell");
        assert_eq!(reason(exit(128, "StartError")), Some(Reason::StartFailed));
        assert_eq!(reason(Exit { deadline: true, ..exit(137, "Error") }), Some(Reason::Timeout));
        let killed = failure(&exit(139, "Error")).expect("failed");
        assert_eq!(killed.message, "exit code 139 (signal 11)");
    }

    #[test]
    fn a_termination_message_is_a_result_unless_it_was_cut_or_is_no_text() {
        assert_eq!(of_message("").expect("none"), None);
        let result = of_message("{\"a\":1}").expect("taken").expect("one");
        assert_eq!(result.content_type.as_deref(), Some("application/json"));
        assert!(of_message(&"x".repeat(4095)).expect("taken").is_some());
        assert_eq!(of_message(&"x".repeat(4096)).expect_err("cut").reason, Reason::ResultTooLarge);
        assert!(of_message("\u{fffd}").is_err());
    }
}
