#![expect(clippy::needless_pass_by_value, clippy::unnecessary_wraps, reason = "builders read better so")]

use super::*;
use eventflow_domain::validate::Draft;
use serde_json::json;

fn findings(draft: &Draft) -> Findings {
    Findings {
        key: Key::new("media", "resize"),
        generation: Some(2),
        paused: false,
        status: FunctionStatus::default(),
        refusal: None,
        spec: Some(Arc::new(draft.validate().expect("valid"))),
        version: Some(VersionNumber(3)),
        deployment: None,
        pods: Vec::new(),
        missing: Vec::new(),
        problem: None,
    }
}

fn job() -> Draft {
    Draft { image: "a".to_owned(), ..Draft::default() }
}

fn http() -> Draft {
    Draft { port: Some(8080), ..job() }
}

fn deployment(replicas: i32, status: serde_json::Value) -> Option<Arc<Deployment>> {
    let object = json!({"metadata": {"generation": 1},
        "spec": {"replicas": replicas, "selector": {}, "template": {}}, "status": status});
    Some(Arc::new(serde_json::from_value(object).expect("a Deployment")))
}

fn pod(container: serde_json::Value) -> Vec<Arc<Pod>> {
    let object = json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [container]}});
    vec![Arc::new(serde_json::from_value(object).expect("a Pod"))]
}

fn waiting(reason: &str, message: &str) -> serde_json::Value {
    json!({"name": "function", "image": "nginx", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": reason, "message": message}}})
}

/// Status and reason of Ready, Progressing and Degraded.
fn said(findings: &Findings) -> [String; 3] {
    conditions(findings).map(|found| format!("{} {}", found.status.as_str(), found.reason))
}

#[test]
fn a_job_is_ready_once_its_version_is_recorded_whatever_its_copies_do() {
    let mut found = findings(&job());
    assert_eq!(said(&found), ["True VersionRecorded", "False Complete", "False Healthy"]);
    found.deployment = deployment(1, json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}));
    found.pods = pod(waiting("ImagePullBackOff", "Back-off"));
    assert_eq!(said(&found), ["True VersionRecorded", "True RollingOut", "True ImagePullFailed"]);
}

#[test]
fn an_http_function_is_ready_with_a_copy_or_when_the_next_call_starts_one() {
    let mut found = findings(&http());
    assert_eq!(said(&found)[0], "False Starting");
    found.deployment = deployment(0, json!({"observedGeneration": 1}));
    assert_eq!(said(&found), ["True OnDemand", "False Complete", "False Healthy"]);
    let all = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
        "readyReplicas": 2});
    found.deployment = deployment(2, all);
    assert_eq!(said(&found), ["True CopiesReady", "False Complete", "False Healthy"]);
}

#[test]
fn what_keeps_pods_from_starting_is_named_with_what_to_do() {
    let mut found = findings(&http());
    found.deployment = deployment(1, json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}));
    for (reason, message, wanted, todo) in [
        ("ErrImagePull", "x", "ImagePullFailed", "spec.imagePullSecrets"),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root",
            "ImageNeedsRoot",
            "podSecurity: baseline",
        ),
        ("CreateContainerConfigError", "secret \"x\" not found", "ContainerConfig", "kubectl describe"),
        ("CrashLoopBackOff", "back-off", "CrashLoop", "kubectl logs"),
        ("RunContainerError", "exec: no such file", "ContainerFailed", "kubectl describe"),
    ] {
        found.pods = pod(waiting(reason, message));
        assert_eq!(
            said(&found),
            [format!("False {wanted}"), "True RollingOut".to_owned(), format!("True {wanted}")]
        );
        assert!(conditions(&found)[2].message.contains(todo), "{reason}");
    }
    found.pods = pod(waiting("ContainerCreating", ""));
    assert_eq!(said(&found)[2], "False Healthy", "a start is no trouble");
    let unscheduled = json!({"metadata": {"name": "p"}, "status": {"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}});
    found.pods = vec![Arc::new(serde_json::from_value(unscheduled).expect("a Pod"))];
    assert_eq!(said(&found)[2], "True Unschedulable");
}

#[test]
fn memory_that_ran_out_is_told_from_a_crash() {
    let mut found = findings(&http());
    let mut status = waiting("CrashLoopBackOff", "back-off");
    status["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    found.pods = pod(status);
    assert_eq!(said(&found)[2], "True OutOfMemory");
}

#[test]
fn pods_that_are_refused_say_by_what() {
    let mut found = findings(&http());
    for (message, wanted) in [
        ("pods \"x\" is forbidden: exceeded quota: q, requested: cpu=1", "QuotaExceeded"),
        ("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"", "PodSecurityForbidden"),
        ("webhook says no", "ApplyDenied"),
    ] {
        let conditions = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]);
        found.deployment = deployment(1, json!({"observedGeneration": 1, "conditions": conditions}));
        assert_eq!(said(&found)[2], format!("True {wanted}"));
    }
}

#[test]
fn a_refusal_a_pause_and_a_missing_secret_come_before_everything_else() {
    let mut found = findings(&http());
    found.missing = vec![EnvFrom::SecretRef("keys".parse().expect("a name"))];
    assert_eq!(said(&found)[0], "False SecretNotFound");
    assert!(conditions(&found)[0].message.contains("kubectl create secret generic -n media keys"));
    found.paused = true;
    assert_eq!(said(&found)[0], "False Paused");
    found.refusal = Some(Refusal::Invalid("spec.port: must be from 1 to 65535, is 0".to_owned()));
    assert_eq!(said(&found)[..2], ["False InvalidSpec", "False InvalidSpec"]);
    assert!(conditions(&found)[0].message.contains("kubectl apply"));
}

#[test]
fn wasm_is_ready_by_what_dispatchers_report_of_this_version() {
    let wasm = Draft {
        runtime: Some(RuntimeKind::Wasm),
        image: format!("artifact@sha256:{}", "ab".repeat(32)),
        ..Draft::default()
    };
    let mut found = findings(&wasm);
    assert_eq!(said(&found)[0], "Unknown AwaitingReport");
    let report = |version, ready, reason: &str| eventflow_crd::Report {
        version,
        ready,
        reason: reason.to_owned(),
        message: "m".to_owned(),
    };
    found.status.report = Some(report(2, true, "Compiled"));
    assert_eq!(said(&found)[0], "Unknown AwaitingReport", "a report of an earlier version");
    found.status.report = Some(report(3, true, "Compiled"));
    assert_eq!(said(&found)[0], "True Compiled");
    found.status.report = Some(report(3, false, "InvalidCode"));
    assert_eq!(said(&found)[0], "False InvalidCode");
}

#[test]
fn what_others_stand_in_the_way_of_is_degraded() {
    let mut found = findings(&http());
    let object = "deployment/fn-resize".to_owned();
    found.problem =
        Some(Problem::Conflict { object: object.clone(), detail: ".spec.x is kept by another".to_owned() });
    assert_eq!(said(&found)[2], "True Conflict");
    assert!(conditions(&found)[2].message.contains("kubectl delete -n media deployment/fn-resize"));
    found.problem = Some(Problem::Leftover { object });
    assert_eq!(said(&found)[1..], ["True Leftover", "False Healthy"]);
}
