use crate::{Role, Subject};
use eventflow_crd::names;
use eventflow_domain::{FunctionKey, FunctionName, FunctionUid};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use std::collections::BTreeMap;

/// On every object that is made for a function.
pub fn labels(name: &FunctionName) -> BTreeMap<String, String> {
    [(names::FUNCTION, name.as_str()), (names::MANAGED_BY, names::MANAGER)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// On pods. The function's own labels come first: it cannot take ours away.
pub fn pod_labels(subject: &Subject<'_>, role: Role) -> BTreeMap<String, String> {
    let mut all = subject.spec.pod.labels.clone();
    all.extend(labels(&subject.key.name));
    all.insert(names::ROLE.to_owned(), role.as_str().to_owned());
    all.insert(names::VERSION.to_owned(), subject.version.to_string());
    all
}

fn matching(name: &FunctionName, role: Role) -> BTreeMap<String, String> {
    [(names::FUNCTION, name.as_str()), (names::ROLE, role.as_str())]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Selects the pods of one role, of all versions.
pub fn selector(name: &FunctionName, role: Role) -> LabelSelector {
    LabelSelector { match_labels: Some(matching(name, role)), ..LabelSelector::default() }
}

/// [`selector`] as text: `eventflow.io/role=warm,function=resize`.
pub fn selector_text(name: &FunctionName, role: Role) -> String {
    let pairs = matching(name, role).into_iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// The Function as owner: what it owns goes with it.
pub fn owner(key: &FunctionKey, uid: FunctionUid) -> OwnerReference {
    OwnerReference {
        api_version: "eventflow.io/v1alpha1".to_owned(),
        kind: "Function".to_owned(),
        name: key.name.to_string(),
        uid: uid.to_string(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

pub(crate) fn metadata(subject: &Subject<'_>, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(subject.key.namespace.to_string()),
        labels: Some(labels(&subject.key.name)),
        owner_references: Some(vec![owner(subject.key, subject.uid)]),
        ..ObjectMeta::default()
    }
}
