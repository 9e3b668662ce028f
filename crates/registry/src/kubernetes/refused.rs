//! What the API server refuses, field by field, as our own rules say it.

use eventflow_domain::{Error, Violation};

/// The rules that a written object broke; `None` where the answer is another one.
pub(super) fn violations(error: &kube::Error) -> Option<Error> {
    let kube::Error::Api(status) = error else { return None };
    if status.code != 422 {
        return None;
    }
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    let violations: Vec<_> =
        causes.iter().map(|cause| Violation::new(field(&cause.field), cause.message.clone())).collect();
    Some(if violations.is_empty() {
        Error::invalid("function", status.message.clone())
    } else {
        Error::violations(violations)
    })
}

/// Of our own checks, whose fields are those of the object.
pub(super) fn ours(refused: eventflow_crd::Refused) -> Error {
    let named = |violation: Violation| Violation::new(field(&violation.field), violation.description);
    Error::violations(refused.0.into_iter().map(named).collect())
}

fn field(of_object: &str) -> String {
    of_object
        .strip_prefix("spec.")
        .or_else(|| of_object.strip_prefix("metadata."))
        .unwrap_or(of_object)
        .to_owned()
}
