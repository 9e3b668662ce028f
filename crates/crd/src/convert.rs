//! Conversions between the custom resource and the domain. They are nowhere else.

mod declare;
mod draft;
mod found;
mod revision;

pub use declare::declare;
pub use draft::draft;
pub use found::{readiness, status_condition};
pub use revision::{RevisionError, revision, runs, version};

use crate::{Function, Refused, names, validate_spec};
use eventflow_domain::{
    FunctionKey, FunctionUid, Manager, Timestamp, VersionNumber, Violation, function as domain,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use std::sync::Arc;

/// What names the object to people. The violations are of `metadata.name` and `metadata.namespace`.
pub fn key(metadata: &ObjectMeta) -> Result<FunctionKey, Vec<Violation>> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = text(&metadata.name).parse().map_err(|e| Violation::new("metadata.name", format!("{e}")));
    let namespace =
        text(&metadata.namespace).parse().map_err(|e| Violation::new("metadata.namespace", format!("{e}")));
    match (namespace, name) {
        (Ok(namespace), Ok(name)) => Ok(FunctionKey::new(namespace, name)),
        (namespace, name) => Err([namespace.err(), name.err()].into_iter().flatten().collect()),
    }
}

/// The object's identity; `None` for one that no API server has stored yet.
pub fn uid(metadata: &ObjectMeta) -> Option<FunctionUid> {
    metadata.uid.as_deref()?.parse().ok()
}

/// Who declared what the object says now: the caller that the api names, else the field manager of the spec.
pub fn by(metadata: &ObjectMeta) -> String {
    if let Some(caller) = metadata.annotations.as_ref().and_then(|all| all.get(names::APPLIED_BY)) {
        return caller.clone();
    }
    spec_writer(metadata).unwrap_or_else(|| "unknown".to_owned())
}

/// The field manager that wrote the spec last.
fn spec_writer(metadata: &ObjectMeta) -> Option<String> {
    let entries = metadata.managed_fields.iter().flatten();
    let of_spec = entries.filter(|entry| {
        entry.subresource.as_deref().unwrap_or_default().is_empty()
            && entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:spec").is_some())
    });
    let newest = of_spec.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    newest.and_then(|entry| entry.manager.clone())
}

/// Whose tools the declaration is written with.
pub fn managed_by(metadata: &ObjectMeta) -> Manager {
    spec_writer(metadata).map_or(Manager::Api, |name| Manager::of_field_manager(&name))
}

/// A Function as rooms that know no Kubernetes see it. One without a recorded version has version 0; one that the
/// rules refuse is an error, with what to say to whoever calls it.
pub fn function(object: &Function) -> Result<domain::Function, Refused> {
    let metadata = &object.metadata;
    let key = key(metadata).map_err(Refused)?;
    let spec = Arc::new(validate_spec(&object.spec)?);
    let uid = uid(metadata).ok_or_else(|| {
        Refused(vec![Violation::new("metadata.uid", "must be a UUID set by the API server")])
    })?;
    let status = object.status.clone().unwrap_or_default();
    let created_at = metadata.creation_timestamp.as_ref().map(timestamp).unwrap_or_default();
    Ok(domain::Function {
        key,
        uid,
        generation: metadata.generation.unwrap_or_default(),
        version: VersionNumber(status.latest_version.unwrap_or_default()),
        paused: is_paused(metadata),
        deleting: metadata.deletion_timestamp.is_some(),
        readiness: readiness(&status, spec.scale),
        spec,
        created_at,
        updated_at: changed_at(metadata).unwrap_or(created_at),
        managed_by: managed_by(metadata),
    })
}

pub(crate) fn is_paused(metadata: &ObjectMeta) -> bool {
    metadata.annotations.as_ref().and_then(|all| all.get(names::PAUSED)).is_some_and(|value| value == "true")
}

/// When anything but the status was last written.
fn changed_at(metadata: &ObjectMeta) -> Option<Timestamp> {
    let entries = metadata.managed_fields.iter().flatten();
    let of_users = entries.filter(|entry| entry.subresource.as_deref().unwrap_or_default() != "status");
    of_users.filter_map(|entry| entry.time.as_ref()).map(timestamp).max()
}

pub(crate) fn timestamp(time: &Time) -> Timestamp {
    Timestamp::from_micros(time.0.as_microsecond())
}
