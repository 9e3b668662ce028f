//! From a version of a function to the objects that run it in a cluster. Pure: no client, no clock, no choice left to
//! whoever applies them, so that two rooms that build from the same version build the same pod.
//!
//! ```text
//!   Subject (key, uid, version, spec) + Installation
//!        ├─▶ pod_template(Role::Warm) ─▶ deployment ─▶ autoscaler   service   network_policy
//!        └─▶ pod_template(Role::Job)  ─▶ a Job of one attempt (made by runtime-kubernetes)
//! ```

mod autoscaler;
mod deployment;
mod egress;
mod env;
mod labels;
mod network;
mod pod;
mod quantity;
mod security;
mod service;

pub use autoscaler::autoscaler;
pub use deployment::{Copies, copies, deployment, has_copies};
pub use labels::{labels, owner, pod_labels, selector, selector_text};
pub use network::{network_policies, policy_name};
pub use pod::{pod_template, port};
pub use quantity::quantities;
pub use security::{container_security, pod_security, profile};
pub use service::service;

use eventflow_domain::spec::PodSecurity;
use eventflow_domain::{FunctionKey, FunctionSpec, FunctionUid, VersionNumber};

/// The version that is built for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key: &'a FunctionKey,
    pub uid: FunctionUid,
    pub version: VersionNumber,
    pub spec: &'a FunctionSpec,
}

/// What an installation decides for all its functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Where EventFlow's own pods are.
    pub namespace: String,
    /// Of functions that say nothing of it.
    pub pod_security: PodSecurity,
    /// The port of the dispatchers that Job pods fetch their payload from.
    pub fetch_port: u16,
}

impl Default for Installation {
    fn default() -> Self {
        Self { namespace: "eventflow".to_owned(), pod_security: PodSecurity::Restricted, fetch_port: 8080 }
    }
}

/// What a pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A copy of the function's Deployment.
    Warm,
    /// One attempt.
    Job,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warm => eventflow_crd::names::WARM,
            Self::Job => eventflow_crd::names::JOB,
        }
    }
}

#[cfg(test)]
mod tests;
