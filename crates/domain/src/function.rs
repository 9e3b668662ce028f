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
}

impl Readiness {
    pub const READY: &'static str = "Ready";
    pub const DEGRADED: &'static str = "Degraded";

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
