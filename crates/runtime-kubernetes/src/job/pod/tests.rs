use super::*;
use serde_json::{Value, json};

#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
fn pod(status: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).expect("a pod")
}

fn waits(reason: &str, message: &str) -> Value {
    json!({"phase": "Pending", "containerStatuses": [{
        "name": "function", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": reason, "message": message}}}]})
}

fn ended(code: i32, reason: &str) -> Value {
    json!({"phase": if code == 0 { "Succeeded" } else { "Failed" }, "containerStatuses": [{
        "name": "function", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": code, "reason": reason, "message": "out",
            "startedAt": "2026-11-28T10:00:00Z", "finishedAt": "2026-11-28T10:00:01Z"}}}]})
}

#[test]
fn a_new_pod_waits_and_says_nothing() {
    assert_eq!(phase(&pod(json!({}))), Phase::Waiting(None));
    assert_eq!(phase(&pod(waits("ContainerCreating", ""))), Phase::Waiting(None));
}

#[test]
fn a_pod_says_what_it_waits_for() {
    let image = phase(&pod(waits("ImagePullBackOff", "Back-off pulling image")));
    assert_eq!(image, Phase::Waiting(Some(Why::new("ImagePullBackOff", "Back-off pulling image"))));
    let node = phase(&pod(json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]})));
    assert_eq!(node, Phase::Waiting(Some(Why::new("Unschedulable", "0/1 nodes"))));
    let name = phase(&pod(waits("InvalidImageName", "couldn't parse")));
    assert!(matches!(name, Phase::Hopeless(_)), "that never heals: {name:?}");
}

#[test]
fn a_running_pod_says_since_when() {
    let status = json!({"phase": "Running", "containerStatuses": [{
        "name": "function", "image": "", "imageID": "", "ready": true, "restartCount": 0,
        "state": {"running": {"startedAt": "2026-11-28T10:00:00Z"}}}]});
    let Phase::Running { started_at: Some(at) } = phase(&pod(status)) else { panic!("runs") };
    assert_eq!(at.to_string(), "2026-11-28T10:00:00.000000Z");
}

#[test]
fn an_end_has_code_reason_and_message() {
    let Phase::Ended(exit) = phase(&pod(ended(3, "Error"))) else { panic!("ended") };
    assert_eq!((exit.code, exit.reason.as_str(), exit.message.as_str()), (3, "Error", "out"));
    assert!(exit.started_at.is_some() && !exit.deadline);
}

#[test]
fn an_eviction_is_no_failure_of_the_function() {
    let mut status = ended(137, "Error");
    status["reason"] = json!("Evicted");
    status["message"] = json!("The node was low on resource: memory");
    assert!(matches!(phase(&pod(status)), Phase::TakenAway(why) if why.reason == "Evicted"));
    let mut drained = ended(143, "Error");
    drained["conditions"] = json!([{"type": "DisruptionTarget", "status": "True",
        "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}]);
    assert!(matches!(phase(&pod(drained)), Phase::TakenAway(why) if why.reason == "EvictionByEvictionAPI"));
    let mut done = ended(0, "Completed");
    done["conditions"] =
        json!([{"type": "DisruptionTarget", "status": "True", "reason": "x", "message": ""}]);
    assert!(matches!(phase(&pod(done)), Phase::Ended(_)), "it was done before");
}

#[test]
fn the_jobs_deadline_is_a_timeout_only_of_what_has_started() {
    let never =
        json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active too long"});
    assert!(matches!(phase(&pod(never)), Phase::Hopeless(_)));
    let mut ran = ended(137, "Error");
    ran["reason"] = json!("DeadlineExceeded");
    assert!(matches!(phase(&pod(ran)), Phase::Ended(exit) if exit.deadline));
}

#[test]
fn a_payload_that_was_not_fetched_is_told() {
    let status = json!({"phase": "Failed", "initContainerStatuses": [{
        "name": "eventflow-fetch", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 1, "message": "410 Gone"}}}]});
    let why = Why::new("PayloadNotFetched", "410 Gone");
    assert_eq!(phase(&pod(status.clone())), Phase::Hopeless(why));
    assert_eq!(helper(&pod(status), FETCH), Some(Helper { code: 1, message: "410 Gone".to_owned() }));
}
