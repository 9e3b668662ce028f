use eventflow_domain::{Condition, ConditionStatus, Timestamp};

/// A condition as a runtime tells it.
pub fn condition(
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
