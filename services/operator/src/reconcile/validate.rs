use crate::index::View;
use eventflow_crd::Function;
use eventflow_domain::spec::{PodSecurity, RuntimeKind};
use eventflow_domain::{FunctionKey, FunctionSpec, FunctionUid};
use eventflow_workload::{Installation, profile};
use std::sync::Arc;

/// A function that the rules take.
#[derive(Debug, Clone)]
pub struct Valid {
    pub key: FunctionKey,
    pub uid: FunctionUid,
    pub spec: Arc<FunctionSpec>,
    /// As it was declared.
    pub object: Arc<Function>,
}

/// Why a function is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The object or its rules: `InvalidSpec`.
    Invalid(String),
    /// Its pods may not be in this namespace: `PodSecurityForbidden`.
    Forbidden(String),
}

/// The domain's rules once more: an object may be older than them, or have come past the webhook.
pub(crate) fn validate(view: &View, installation: &Installation) -> Result<Valid, Refusal> {
    let object = view.declared.object.as_ref().map_err(|error| Refusal::Invalid(error.clone()))?;
    let (key, spec) =
        eventflow_crd::validate(object).map_err(|refused| Refusal::Invalid(refused.to_string()))?;
    let uid = eventflow_crd::uid(&object.metadata)
        .ok_or_else(|| Refusal::Invalid("metadata.uid: must be a UUID".to_owned()))?;
    let wanted = profile(&spec, installation);
    let above = spec.runtime == RuntimeKind::Container
        && view.ceiling == Some(PodSecurity::Restricted)
        && wanted == PodSecurity::Baseline;
    if above {
        return Err(Refusal::Forbidden(format!(
            "namespace {} enforces restricted, the function's pods are baseline: set spec.podSecurity: restricted, or \
             `kubectl label namespace {} pod-security.kubernetes.io/enforce=baseline --overwrite`",
            key.namespace, key.namespace
        )));
    }
    Ok(Valid { key, uid, spec: Arc::new(spec), object: Arc::new(object.clone()) })
}
