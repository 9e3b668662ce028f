//! What stands in the way of a child, and what to do about it.

use crate::reason;
use kube::core::Status;

/// Why a child is not as it must be. It is tried again, six times a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Others own fields that must be ours.
    Conflict { object: String, detail: String },
    /// An object of this name is not the function's.
    Taken { object: String },
    /// An object of an earlier function of this name is not collected yet. No trouble, only a wait.
    Leftover { object: String },
    /// The API server refuses it: quota, admission, rules.
    Denied { object: String, detail: String },
}

impl Problem {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => reason::CONFLICT,
            Self::Taken { .. } => reason::NAME_TAKEN,
            Self::Leftover { .. } => reason::LEFTOVER,
            Self::Denied { detail, .. } => denied(detail),
        }
    }

    /// `object` is `deployment/fn-resize`; commands name it in `namespace`.
    pub(crate) fn message(&self, namespace: &str) -> String {
        match self {
            Self::Conflict { object, detail } => format!(
                "{object}: {detail}: let that manager leave the field alone, or have the object made anew: \
                 `kubectl delete -n {namespace} {object}`"
            ),
            Self::Taken { object } => format!(
                "{object} exists and is not this function's: rename one of the two, or \
                 `kubectl delete -n {namespace} {object}`"
            ),
            Self::Leftover { object } => {
                format!(
                    "{object} of an earlier function of this name is being removed; it is made when that is gone"
                )
            }
            Self::Denied { object, detail } => {
                format!("{object} was refused: {detail}: `kubectl get resourcequota,events -n {namespace}`")
            }
        }
    }
}

/// What a refusal of the API server is about, by its words: it has no finer code.
pub(crate) fn denied(detail: &str) -> &'static str {
    if detail.contains("exceeded quota") {
        reason::QUOTA
    } else if detail.contains("violates PodSecurity") {
        reason::POD_SECURITY
    } else {
        reason::APPLY_DENIED
    }
}

/// Answered as an error of the server's own, and not passing by itself: server-side apply cannot take the object apart;
/// the cluster has no address left for a Service.
const LASTING: [&str; 2] = ["typed patch object", "range is full"];

/// What a failed write of a child means; `None` where it only has to be tried again.
pub(crate) fn of_status(object: &str, status: &Status) -> Option<Problem> {
    let object = object.to_owned();
    match status.code {
        409 if !causes(status).is_empty() => {
            Some(Problem::Conflict { object, detail: causes(status).join(", ") })
        }
        400 | 403 | 422 => Some(Problem::Denied { object, detail: short(&status.message) }),
        500 if LASTING.iter().any(|said| status.message.contains(said)) => {
            Some(Problem::Denied { object, detail: short(&status.message) })
        }
        _ => None,
    }
}

/// The fields that others own, with who does.
fn causes(status: &Status) -> Vec<String> {
    let all = status.details.iter().flat_map(|details| &details.causes);
    let conflicts = all.filter(|cause| cause.reason == "FieldManagerConflict");
    conflicts.map(|cause| format!("{} is kept by another ({})", cause.field, cause.message)).collect()
}

/// Whether the only field in conflict is the number of copies.
pub(crate) fn is_of_replicas(status: &Status) -> bool {
    let fields: Vec<_> =
        status.details.iter().flat_map(|details| &details.causes).map(|c| c.field.as_str()).collect();
    status.code == 409 && fields == [".spec.replicas"]
}

pub(crate) fn short(text: &str) -> String {
    text.chars().take(600).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, message: &str) -> Option<Problem> {
        of_status("service/fn-a", &Status::failure(message, "InternalError").with_code(code))
    }

    #[test]
    fn a_cluster_without_addresses_is_said_and_a_server_that_fails_is_tried_again() {
        let full = "failed to allocate a serviceIP for Service \"fn-a\": range is full";
        let problem = answer(500, full).expect("it is told");
        assert_eq!(problem.reason(), reason::APPLY_DENIED);
        assert!(problem.message("media").contains("range is full"), "{}", problem.message("media"));
        assert_eq!(answer(500, "etcdserver: request timed out"), None);
    }
}
