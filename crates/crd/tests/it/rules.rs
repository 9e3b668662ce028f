use crate::conversions::{everything, object};
use pretty_assertions::assert_eq;
use serde_json::json;

/// The fields that the object breaks.
fn broken(change: impl FnOnce(&mut serde_json::Value)) -> Vec<String> {
    let mut spec = everything();
    change(&mut spec);
    let refused = eventflow_crd::validate(&object(&spec)).err();
    refused.into_iter().flat_map(|refused| refused.0).map(|violation| violation.field).collect()
}

#[test]
fn every_broken_rule_is_named_with_its_path() {
    assert_eq!(broken(|_| {}), Vec::<String>::new());
    assert_eq!(broken(|spec| spec["replicas"] = json!(2)), ["spec.replicas"]);
    assert_eq!(broken(|spec| spec["image"] = json!(null)), ["spec.image"]);
    assert_eq!(broken(|spec| spec["timeout"] = json!("25h")), ["spec.timeout"]);
    assert_eq!(
        broken(|spec| spec["queue"]["maxAge"] = json!("30s")),
        ["spec.retry.backoff.max", "spec.queue.maxAge"]
    );
    assert_eq!(
        broken(|spec| spec["envFrom"][0]["secretRef"]["name"] = json!("other/keys")),
        ["spec.envFrom[0].secretRef.name"]
    );
}

#[test]
fn a_process_is_refused_in_a_cluster() {
    let refused = eventflow_crd::validate(&object(&json!({"runtime": "process", "command": ["cat"]})))
        .expect_err("refused");
    assert!(refused.to_string().starts_with("spec.runtime: process runs on one machine only"), "{refused}");
}

#[test]
fn labels_of_pods_cannot_be_those_that_eventflow_selects_by() {
    for key in ["function", "eventflow.io/role", "eventflow.io/version", "app.kubernetes.io/managed-by"] {
        assert_eq!(broken(|spec| spec["labels"] = json!({key: "x"})), [format!("spec.labels.{key}")]);
    }
    for (field, key) in [
        ("annotations", "eventflow.io/config-digest"),
        ("annotations", "container.apparmor.security.beta.kubernetes.io/function"),
        ("annotations", "seccomp.security.alpha.kubernetes.io/pod"),
        ("labels", "a b"),
        ("nodeSelector", "/x"),
    ] {
        assert_eq!(broken(|spec| spec[field] = json!({key: "x"})), [format!("spec.{field}.{key}")]);
    }
    assert_eq!(broken(|spec| spec["labels"] = json!({"team": "a b"})), ["spec.labels.team"]);
}

#[test]
fn a_name_that_is_too_long_is_told() {
    let mut object = object(&everything());
    object.metadata.name = Some("a".repeat(45));
    let refused = eventflow_crd::validate(&object).expect_err("refused");
    assert_eq!(refused.to_string(), "metadata.name: must have at most 44 characters, has 45");
}
