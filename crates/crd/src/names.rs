//! The names by which rooms find each other in a cluster: labels, annotations, field managers, Leases. All of them
//! are fixed: what is written by one version of EventFlow is read by the next.

use eventflow_domain::{FunctionName, VersionNumber};

/// The namespaces that functions may live in carry this label with the value `true`.
pub const ENABLED: &str = "eventflow.io/enabled";

/// On everything that belongs to a function: its name.
pub const FUNCTION: &str = "function";
/// On pods and what makes them: [`WARM`] or [`JOB`].
pub const ROLE: &str = "eventflow.io/role";
/// A copy of a function's Deployment.
pub const WARM: &str = "warm";
/// The container of a pod that runs the function's code.
pub const CONTAINER: &str = "function";
/// A pod of one attempt.
pub const JOB: &str = "job";
/// The version that a pod runs.
pub const VERSION: &str = "eventflow.io/version";
/// On ControllerRevisions: the uid of the function.
pub const FUNCTION_UID: &str = "eventflow.io/function-uid";
/// Of everything that EventFlow makes for functions; the value is [`MANAGER`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const MANAGER: &str = "eventflow";

/// On a Function, `true`: calls are refused, waiting ones are held back.
pub const PAUSED: &str = "eventflow.io/paused";
/// On a Function: who declared it last, as the api knows callers. The next version is theirs.
pub const APPLIED_BY: &str = "eventflow.io/applied-by";
/// On a Function: the highest number that records name for an earlier function of this name. Numbering goes on from it.
pub const LAST_VERSION: &str = "eventflow.io/last-version";
/// On children of a Function: a digest of what the operator applied last.
pub const APPLIED: &str = "eventflow.io/applied";
/// On a ControllerRevision: who declared this version.
pub const CREATED_BY: &str = "eventflow.io/created-by";
/// On pod templates: a digest of the ConfigMaps and Secrets that the pod reads. A change rolls the pods.
pub const CONFIG_DIGEST: &str = "eventflow.io/config-digest";

/// Field managers: who wrote what.
pub const OPERATOR: &str = "eventflow-operator";
pub const API: &str = "eventflow-api";
pub const DISPATCHER: &str = "eventflow-dispatcher";

/// The Lease of the operator that writes.
pub const OPERATOR_LEASE: &str = "eventflow-operator";
/// The Lease of the dispatcher that scales.
pub const SCALER_LEASE: &str = "eventflow-scaler";

/// The name of a function's Deployment, Service, autoscaler and network policy.
pub fn child(name: &FunctionName) -> String {
    format!("fn-{name}")
}

/// The name of the ControllerRevision of a version.
pub fn revision(name: &FunctionName, number: VersionNumber) -> String {
    format!("fn-{name}-{number}")
}

/// Keys of labels and annotations that only EventFlow sets on pods.
pub fn is_reserved(key: &str) -> bool {
    let prefix = key.split_once('/').map(|(prefix, _)| prefix);
    key == FUNCTION
        || key == MANAGED_BY
        || prefix.is_some_and(|p| p == "eventflow.io" || p.ends_with(".eventflow.io"))
}
