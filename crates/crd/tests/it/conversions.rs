use eventflow_crd::{
    Function, FunctionSpec, FunctionStatus, Report, by, declare, function, managed_by, names, revision, runs,
};
use eventflow_domain::spec::Scale;
use eventflow_domain::validate::Draft;
use eventflow_domain::{FunctionKey, FunctionUid, FunctionVersion, Manager, Timestamp, VersionNumber};
use pretty_assertions::assert_eq;
use serde_json::json;
use std::sync::Arc;

pub(crate) fn object(spec: &serde_json::Value) -> Function {
    serde_json::from_value(json!({
        "apiVersion": "eventflow.io/v1alpha1",
        "kind": "Function",
        "metadata": {
            "name": "resize", "namespace": "media", "generation": 3,
            "uid": "0a1b2c3d-0000-4000-8000-000000000001",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": spec,
    }))
    .expect("a Function")
}

/// Every field, none with its default.
pub(crate) fn everything() -> serde_json::Value {
    json!({
        "image": "registry.example/resize:1.4", "runtime": "container", "mode": "http",
        "command": ["/bin/resize"], "args": ["-v"], "env": {"ENV": "production"},
        "envFrom": [{"secretRef": {"name": "resize-keys"}}, {"configMapRef": {"name": "resize"}}],
        "port": 8080, "scaling": {"min": 1, "max": 30, "concurrency": 5, "cpu": 70},
        "resources": {"cpu": "250m", "memory": "256Mi"}, "timeout": "1m30s", "startDeadline": "3m",
        "retry": {"maxAttempts": 4, "backoff": {"initial": "2s", "max": "1m", "factor": 3.0, "jitter": 0.5}},
        "concurrency": 50, "queue": {"max": 7, "maxAge": "2h"}, "egress": ["api.example.com:443"],
        "url": "public", "record": "metadata", "result": "file", "podSecurity": "baseline",
        "probe": {"path": "/ready"}, "imagePullSecrets": ["registry"], "imagePullPolicy": "Always",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "labels": {"team": "media"}, "annotations": {"example.com/owner": "media"},
    })
}

#[test]
fn a_spec_survives_being_read_and_declared_again() {
    let declared: FunctionSpec = serde_json::from_value(everything()).expect("a spec");
    let spec = eventflow_crd::validate_spec(&declared).expect("valid");
    assert_eq!(declare(&spec), declared);
    let json = serde_json::to_value(&declared).expect("JSON");
    assert_eq!(json, everything(), "every field is in the test");
}

#[test]
fn what_is_not_declared_has_the_domains_defaults() {
    let declared: FunctionSpec = serde_json::from_value(json!({"image": "nginx:alpine"})).expect("a spec");
    let plain = Draft { image: "nginx:alpine".to_owned(), ..Draft::default() };
    assert_eq!(eventflow_crd::validate_spec(&declared).expect("valid"), plain.validate().expect("valid"));
    let scaling = json!({"image": "nginx:alpine", "port": 80, "scaling": {}});
    let declared: FunctionSpec = serde_json::from_value(scaling).expect("a spec");
    let spec = eventflow_crd::validate_spec(&declared).expect("valid");
    assert_eq!(spec.scale, Scale::Auto { min: 0, max: 20, concurrency: 10, cpu: None });
}

#[test]
fn a_function_is_seen_with_what_its_status_says() {
    let mut object = object(&everything());
    object.metadata.annotations = Some([(names::PAUSED.to_owned(), "true".to_owned())].into());
    object.status = Some(
        serde_json::from_value(json!({
            "observedGeneration": 3, "latestVersion": 7, "replicas": 2, "readyReplicas": 1,
            "conditions": [{"type": "Ready", "status": "True", "reason": "CopiesReady", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:05Z", "observedGeneration": 3}],
        }))
        .expect("a status"),
    );
    let seen = function(&object).expect("a function");
    assert_eq!(seen.key.to_string(), "media/resize");
    assert_eq!(
        (seen.version, seen.generation, seen.paused, seen.deleting),
        (VersionNumber(7), 3, true, false)
    );
    assert_eq!((seen.readiness.desired_copies, seen.readiness.ready_copies), (2, 1));
    assert!(seen.readiness.is_ready());
    assert_eq!(seen.created_at.to_string(), "2026-01-01T00:00:00.000000Z");
}

#[test]
fn a_version_survives_its_revision() {
    let declared: FunctionSpec = serde_json::from_value(everything()).expect("a spec");
    let uid = FunctionUid::generate();
    let version = FunctionVersion {
        key: FunctionKey::new("media".parse().expect("a name"), "resize".parse().expect("a name")),
        uid,
        number: VersionNumber(12),
        spec: Arc::new(eventflow_crd::validate_spec(&declared).expect("valid")),
        created_at: Timestamp::default(),
        created_by: "ada".to_owned(),
    };
    let kept = revision(&version);
    assert_eq!(kept.metadata.name.as_deref(), Some("fn-resize-12"));
    assert_eq!(eventflow_crd::version(&kept), Ok(version));
    assert!(runs(&kept, uid));
    assert!(!runs(&kept, FunctionUid::generate()), "another function of the same name");
}

#[test]
fn who_declared_is_the_named_caller_or_the_manager_of_the_spec() {
    let mut metadata = object(&json!({"image": "a"})).metadata;
    assert_eq!(by(&metadata), "unknown");
    assert_eq!(managed_by(&metadata), Manager::Api);
    metadata.managed_fields = serde_json::from_value(json!([
        {"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "flux", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "labeller", "time": "2026-01-03T00:00:00Z", "fieldsV1": {"f:metadata": {}}},
        {"manager": "eventflow-operator", "subresource": "status", "time": "2026-01-04T00:00:00Z",
            "fieldsV1": {"f:spec": {}}},
    ]))
    .expect("entries");
    assert_eq!(by(&metadata), "flux");
    assert_eq!(managed_by(&metadata), Manager::GitOps);
    metadata.annotations = Some([(names::APPLIED_BY.to_owned(), "ada".to_owned())].into());
    assert_eq!(by(&metadata), "ada");
}

#[test]
fn the_operators_status_leaves_the_dispatchers_report_out() {
    let status = FunctionStatus { latest_version: Some(1), ..FunctionStatus::default() };
    let json = serde_json::to_value(&status).expect("JSON");
    assert_eq!(json, json!({"latestVersion": 1}));
    let report = Report { version: 1, ready: true, reason: "Compiled".to_owned(), message: String::new() };
    let status = FunctionStatus { report: Some(report), ..FunctionStatus::default() };
    assert_eq!(serde_json::to_value(&status).expect("JSON")["report"]["reason"], "Compiled");
}
