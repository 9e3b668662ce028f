//! The custom resource `functions.eventflow.io`, and the only conversions between it and the domain.
//!
//! ```text
//!   kubectl, api ──▶ Function ──validate──▶ (FunctionKey, domain::FunctionSpec)
//!                       │  ▲ declare            │
//!            status ◀───┘  └────────────────────┘        ControllerRevision ◀──▶ domain::FunctionVersion
//! ```
//!
//! The schema with its CEL rules is generated from [`FunctionSpec`] into `deploy/kustomize/base/crd/` by
//! `cargo xtask codegen`. It says early what the domain's own rules say too: a CEL rule never refuses what
//! [`validate`] takes. No client, no cluster: this crate only knows shapes.

mod convert;
pub mod names;
mod rules;
mod spec;
mod status;
mod validate;

pub use convert::{
    RevisionError, by, declare, draft, function, key, managed_by, readiness, revision, runs,
    status_condition, uid, version,
};
pub use spec::{
    Backoff, EnvFromSource, Function, FunctionSpec, Mode, NameRef, PodSecurity, Probe, PullPolicy, Queue,
    Record, Resources, ResultChannel, Retry, Runtime, Scaling, Toleration, Url,
};
pub use status::{FunctionStatus, Report};
pub use validate::{Refused, validate, validate_spec};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// The definition, as it is installed.
pub fn definition() -> CustomResourceDefinition {
    Function::crd()
}

/// [`definition`] as YAML.
pub fn definition_yaml() -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&definition())
}
