use super::*;
use eventflow_testkit::FunctionBuilder;
use serde_json::{Value, json};

/// Seconds after the year 2026 began.
fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + second * 1000)
}

fn time(second: i64) -> String {
    format!("2026-01-01T00:00:{second:02}Z")
}

fn function() -> Function {
    Function { created_at: at(0), ..Function::clone(&FunctionBuilder::new("f").build()) }
}

/// A pod made in second 1, with this state of its container and of itself.
fn pod(name: &str, container: Value, status: Value) -> Pod {
    let mut all = json!({"containerStatuses": [
        {"name": "sidecar", "ready": true, "restartCount": 9, "image": "", "imageID": ""},
        {"name": "function", "ready": false, "restartCount": 0, "image": "", "imageID": ""},
    ]});
    let merge = |into: &mut Value, from: Value| {
        into.as_object_mut().expect("an object").extend(from.as_object().cloned().unwrap_or_default());
    };
    merge(&mut all["containerStatuses"][1], container);
    merge(&mut all, status);
    let metadata = json!({"name": name, "creationTimestamp": time(1)});
    serde_json::from_value(json!({"metadata": metadata, "status": all})).expect("a pod")
}

fn only(container: Value, status: Value) -> WarmCopy {
    of(&[pod("fn-f-1", container, status)], &function()).remove(0)
}

fn ready(status: &str) -> Value {
    json!({"conditions": [{"type": "Ready", "status": status}]})
}

#[test]
fn a_copy_that_answers_is_ready_with_its_restarts_and_why_it_ended_before() {
    let container = json!({
        "restartCount": 2,
        "state": {"running": {"startedAt": time(30)}},
        "lastState": {"terminated": {"exitCode": 139, "reason": "Error", "message": "panicked\n",
            "startedAt": time(10), "finishedAt": time(20)}},
    });
    let exit = CopyExit {
        reason: "ExitCode".to_owned(),
        message: "exit code 139 (signal 11)\npanicked".to_owned(),
        exit_code: Some(139),
        at: at(20),
    };
    let expected = WarmCopy {
        name: "fn-f-1".to_owned(),
        state: CopyState::Ready,
        restarts: 2,
        started_at: Some(at(30)),
        last_exit: Some(exit),
    };
    assert_eq!(only(container, ready("True")), expected);
}

#[test]
fn a_copy_in_a_crash_loop_says_why_it_ended_and_not_that_it_waits() {
    for (terminated, reason, message) in [
        (
            json!({"exitCode": 42, "reason": "Error", "finishedAt": time(20)}),
            "ExitCode",
            "exit code 42; it is started again after a growing pause",
        ),
        (
            json!({"exitCode": 137, "reason": "OOMKilled", "finishedAt": time(20)}),
            "OutOfMemory",
            "used more memory than resources.memory and was ended; it is started again after a growing pause",
        ),
        (
            json!({"exitCode": 128, "reason": "StartError", "message": "no such file", "finishedAt": time(20)}),
            "StartFailed",
            "the container could not be started: no such file; it is started again after a growing pause",
        ),
        (
            json!({"exitCode": 0, "reason": "Completed", "finishedAt": time(20)}),
            "Completed",
            "ended by itself, which a warm copy never should; it is started again after a growing pause",
        ),
    ] {
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let code = terminated["exitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
        let found = only(
            json!({"restartCount": 3, "state": waiting, "lastState": {"terminated": terminated}}),
            ready("False"),
        );
        assert_eq!((found.state, found.restarts), (CopyState::Failed, 3), "{reason}");
        let exit = found.last_exit.expect("why");
        assert_eq!((exit.reason.as_str(), exit.message.as_str()), (reason, message));
        assert_eq!((exit.exit_code, exit.at), (code, at(20)), "{reason}");
    }
    let ended = json!({"state": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": time(20)}}});
    assert_eq!(only(ended, ready("False")).state, CopyState::Failed, "between its end and the pause");
}

#[test]
fn a_copy_that_cannot_start_says_what_keeps_it() {
    let conditions = json!({"conditions": [
        {"type": "ContainersReady", "status": "False", "lastTransitionTime": time(5)}]});
    let waiting = json!({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}});
    let found = only(waiting, conditions);
    assert_eq!((found.state, found.started_at), (CopyState::Failed, None));
    let exit = CopyExit {
        reason: "ImagePullBackOff".to_owned(),
        message: "no such image".to_owned(),
        exit_code: None,
        at: at(5),
    };
    assert_eq!(found.last_exit, Some(exit));

    let nowhere = json!({"containerStatuses": [], "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/1 nodes", "lastTransitionTime": time(6)}]});
    let found = only(json!({}), nowhere);
    assert_eq!(found.state, CopyState::Starting, "a node may come");
    let exit = found.last_exit.expect("why");
    assert_eq!((exit.reason.as_str(), exit.message.as_str(), exit.at), ("Unschedulable", "0/1 nodes", at(6)));

    let evicted =
        json!({"containerStatuses": [], "phase": "Failed", "reason": "Evicted", "message": "low on memory"});
    let found = only(json!({}), evicted);
    let exit = found.last_exit.expect("why");
    assert_eq!((found.state, exit.reason.as_str(), exit.at), (CopyState::Failed, "Evicted", at(1)));
}

#[test]
fn a_new_copy_starts_and_one_that_is_deleted_stops() {
    let creating = json!({"state": {"waiting": {"reason": "ContainerCreating"}}});
    let found = only(creating.clone(), ready("False"));
    assert_eq!((found.state, found.last_exit), (CopyState::Starting, None));
    let empty = Pod::default();
    assert_eq!(copy(&empty).state, CopyState::Starting, "the kubelet has not seen it");
    let mut going = pod("fn-f-1", creating, ready("True"));
    going.metadata.deletion_timestamp = going.metadata.creation_timestamp.clone();
    assert_eq!(of(&[going], &function())[0].state, CopyState::Stopping);
}

#[test]
fn copies_of_an_earlier_function_of_this_name_are_not_its() {
    let pods = [pod("fn-f-1", json!({}), json!({}))];
    assert_eq!(of(&pods, &Function { created_at: at(1), ..function() }).len(), 1);
    assert_eq!(of(&pods, &Function { created_at: at(2), ..function() }).len(), 0);
}

#[test]
fn of_too_many_copies_those_with_trouble_are_shown() {
    let many = (0..300).map(|number| {
        let waiting = json!({"state": {"waiting": {"reason": "ImagePullBackOff"}}});
        let container = if number % 10 == 9 { waiting } else { json!({}) };
        pod(&format!("fn-f-{number:03}"), container, ready("True"))
    });
    let mut many: Vec<Pod> = many.collect();
    for pod in many.iter_mut().skip(9).step_by(10) {
        pod.status.as_mut().expect("a status").conditions = None;
    }
    let shown = of(&many, &function());
    assert_eq!(shown.len(), Readiness::MOST_COPIES);
    assert_eq!(shown.iter().filter(|copy| copy.state == CopyState::Failed).count(), 30);
    assert!(shown.is_sorted_by(|a, b| a.name < b.name));
}
