//! A declared function and its versions, as the registry holds them.

use crate::ids::{FunctionUid, VersionNumber};
use crate::names::{FunctionName, Namespace};
use crate::spec::FunctionSpec;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What names a function to people: namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionKey {
    pub namespace: Namespace,
    pub name: FunctionName,
}

impl FunctionKey {
    pub fn new(namespace: Namespace, name: FunctionName) -> Self {
        Self { namespace, name }
    }
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A function as it stands now.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    pub key: FunctionKey,
    pub uid: FunctionUid,
    /// Raised by every change of what is declared; with `uid` it makes the etag.
    pub generation: i64,
    /// The version that new calls run.
    pub version: VersionNumber,
    pub spec: Arc<FunctionSpec>,
    pub paused: bool,
    pub deleting: bool,
    pub readiness: Readiness,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub managed_by: Manager,
}

/// Who writes a function's declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manager {
    /// This API: its clients, the CLI and the UI.
    #[default]
    Api,
    /// Somebody by hand, with `kubectl` or the like.
    Kubectl,
    /// A tool that applies what a repository holds, again and again: what is changed elsewhere it changes back.
    GitOps,
}

impl Manager {
    /// By the name under which Kubernetes knows who wrote an object's spec. Names of our own programs begin with
    /// `eventflow`; an unknown name is somebody's hand.
    pub fn of_field_manager(name: &str) -> Self {
        const TOOLS: [&str; 8] =
            ["argocd", "flux", "kustomize-controller", "helm", "pulumi", "terraform", "fleet", "config-sync"];
        let name = name.to_ascii_lowercase();
        if name.starts_with("eventflow") {
            Self::Api
        } else if TOOLS.iter().any(|tool| name.starts_with(tool)) {
            Self::GitOps
        } else {
            Self::Kubectl
        }
    }
}

impl Function {
    pub fn etag(&self) -> String {
        format!("{}-{}", self.uid, self.generation)
    }
}

/// An immutable version: what ran is known as long as a record names it.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionVersion {
    pub key: FunctionKey,
    pub uid: FunctionUid,
    pub number: VersionNumber,
    pub spec: Arc<FunctionSpec>,
    pub created_at: Timestamp,
    pub created_by: String,
}

/// What the runtime last said of a function. `Pending` until the first word.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Readiness {
    pub conditions: Vec<Condition>,
    pub desired_copies: u32,
    pub ready_copies: u32,
    /// The copies one by one, at most [`Readiness::MOST_COPIES`].
    #[serde(default)]
    pub copies: Vec<WarmCopy>,
    /// What Kubernetes told lately, newest first, at most [`Readiness::MOST_EVENTS`].
    #[serde(default)]
    pub events: Vec<FunctionEvent>,
}

/// A warm copy: a process, or a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmCopy {
    /// Names it within the function.
    pub name: String,
    pub state: CopyState,
    /// How often it was started again after an end that nobody asked for.
    pub restarts: u32,
    pub started_at: Option<Timestamp>,
    pub last_exit: Option<CopyExit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyState {
    Starting,
    Ready,
    /// Ended, and waits to be started again; or cannot start.
    Failed,
    Stopping,
}

/// An end of a warm copy that nobody asked for, or a start that does not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyExit {
    /// One CamelCase word: a [`crate::Reason`], or a word of Kubernetes.
    pub reason: String,
    pub message: String,
    pub exit_code: Option<i32>,
    pub at: Timestamp,
}

/// An event of Kubernetes about an object of the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionEvent {
    pub warning: bool,
    pub reason: String,
    pub message: String,
    /// `Pod/fn-resize-7d…`.
    pub object: String,
    pub count: u32,
    pub at: Timestamp,
}

impl Readiness {
    pub const READY: &'static str = "Ready";
    pub const DEGRADED: &'static str = "Degraded";
    pub const MOST_COPIES: usize = 100;
    pub const MOST_EVENTS: usize = 50;

    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    pub fn is_ready(&self) -> bool {
        self.condition(Self::READY).is_some_and(|ready| ready.status == ConditionStatus::True)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// A condition as Kubernetes knows it: type, status, a CamelCase reason, and a message that names the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub kind: String,
    pub status: ConditionStatus,
    pub reason: String,
    pub message: String,
    pub observed_generation: i64,
    pub since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_known_by_the_name_it_writes_under() {
        for (name, manager) in [
            ("eventflow-api", Manager::Api),
            ("kubectl-client-side-apply", Manager::Kubectl),
            ("kubectl-edit", Manager::Kubectl),
            ("somebody", Manager::Kubectl),
            ("argocd-controller", Manager::GitOps),
            ("Helm", Manager::GitOps),
            ("kustomize-controller", Manager::GitOps),
        ] {
            assert_eq!(Manager::of_field_manager(name), manager, "{name}");
        }
    }

    #[test]
    fn readiness_kept_before_there_were_copies_is_read() {
        let kept = r#"{"conditions": [], "desired_copies": 2, "ready_copies": 1}"#;
        let read: Readiness = serde_json::from_str(kept).expect("readiness");
        assert_eq!((read.desired_copies, read.copies.len(), read.events.len()), (2, 0, 0));
    }
}
