use super::timestamp;
use crate::FunctionStatus;
use eventflow_domain::spec::Scale;
use eventflow_domain::{Condition, ConditionStatus, Readiness};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;

/// What the status says of a function's readiness.
pub fn readiness(status: &FunctionStatus, scale: Scale) -> Readiness {
    let count = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
    Readiness {
        conditions: status.conditions.iter().map(status_condition).collect(),
        desired_copies: match scale {
            Scale::Fixed(copies) => copies,
            Scale::Auto { min, .. } => count(status.replicas).unwrap_or(min),
        },
        ready_copies: count(status.ready_replicas).unwrap_or(0),
        ..Readiness::default()
    }
}

/// A condition of the status.
pub fn status_condition(from: &meta::Condition) -> Condition {
    Condition {
        kind: from.type_.clone(),
        status: match from.status.as_str() {
            "True" => ConditionStatus::True,
            "False" => ConditionStatus::False,
            _ => ConditionStatus::Unknown,
        },
        reason: from.reason.clone(),
        message: from.message.clone(),
        observed_generation: from.observed_generation.unwrap_or_default(),
        since: timestamp(&from.last_transition_time),
    }
}
