//! Versions as ControllerRevisions: `fn-<name>-<number>`, with the spec as data.

use super::timestamp;
use crate::{FunctionSpec, Refused, declare, names, validate_spec};
use eventflow_domain::{FunctionKey, FunctionUid, FunctionVersion, VersionNumber};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::Resource as _;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Why a ControllerRevision is no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionError {
    /// A label, the name or the data is missing; the field.
    Lacks(&'static str),
    /// The data is no spec.
    Spec(String),
    /// The spec breaks today's rules.
    Rules(Refused),
}

impl fmt::Display for RevisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacks(field) => write!(f, "it lacks {field}"),
            Self::Spec(error) => write!(f, "its data is no spec: {error}"),
            Self::Rules(refused) => write!(f, "its spec is refused: {refused}"),
        }
    }
}

impl std::error::Error for RevisionError {}

#[derive(Serialize, Deserialize)]
struct Data {
    spec: FunctionSpec,
}

/// The object that keeps a version. `created_at` is the API server's to set.
pub fn revision(version: &FunctionVersion) -> ControllerRevision {
    let FunctionVersion { key, uid, number, .. } = version;
    let data = Data { spec: declare(&version.spec) };
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(names::revision(&key.name, *number)),
            namespace: Some(key.namespace.to_string()),
            labels: Some(
                [
                    (names::FUNCTION, key.name.to_string()),
                    (names::FUNCTION_UID, uid.to_string()),
                    (names::MANAGED_BY, names::MANAGER.to_owned()),
                ]
                .map(|(label, value)| (label.to_owned(), value))
                .into(),
            ),
            annotations: Some([(names::CREATED_BY.to_owned(), version.created_by.clone())].into()),
            owner_references: Some(vec![owner(key, *uid)]),
            ..ObjectMeta::default()
        },
        revision: number.0.into(),
        // The type has nothing that JSON cannot say.
        data: serde_json::to_value(data).ok().map(RawExtension),
    }
}

/// The Function as owner: what it owns goes with it.
pub(crate) fn owner(key: &FunctionKey, uid: FunctionUid) -> OwnerReference {
    OwnerReference {
        api_version: crate::Function::api_version(&()).into_owned(),
        kind: crate::Function::kind(&()).into_owned(),
        name: key.name.to_string(),
        uid: uid.to_string(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The version that an object keeps.
pub fn version(object: &ControllerRevision) -> Result<FunctionVersion, RevisionError> {
    let metadata = &object.metadata;
    let label = |name: &'static str| metadata.labels.as_ref().and_then(|all| all.get(name)).cloned();
    let name = label(names::FUNCTION)
        .and_then(|name| name.parse().ok())
        .ok_or(RevisionError::Lacks("the label function"))?;
    let namespace = metadata.namespace.clone().unwrap_or_default();
    let namespace = namespace.parse().map_err(|_| RevisionError::Lacks("a namespace"))?;
    let uid = label(names::FUNCTION_UID)
        .and_then(|uid| uid.parse().ok())
        .ok_or(RevisionError::Lacks("the function's uid"))?;
    let number = i32::try_from(object.revision).map_err(|_| RevisionError::Lacks("a number"))?;
    let data = object.data.as_ref().ok_or(RevisionError::Lacks("data"))?;
    let Data { spec } = Data::deserialize(&data.0).map_err(|error| RevisionError::Spec(error.to_string()))?;
    Ok(FunctionVersion {
        key: FunctionKey::new(namespace, name),
        uid,
        number: VersionNumber(number),
        spec: Arc::new(validate_spec(&spec).map_err(RevisionError::Rules)?),
        created_at: metadata.creation_timestamp.as_ref().map(timestamp).unwrap_or_default(),
        created_by: metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(names::CREATED_BY))
            .cloned()
            .unwrap_or_default(),
    })
}

/// Whether an object is of this function, by label and owner: a leftover of an earlier one of the name is not.
pub fn runs(object: &ControllerRevision, uid: FunctionUid) -> bool {
    let text = uid.to_string();
    let label = object.metadata.labels.as_ref().and_then(|all| all.get(names::FUNCTION_UID));
    label == Some(&text) && object.metadata.owner_references.iter().flatten().any(|owner| owner.uid == text)
}
