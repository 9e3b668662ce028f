//! A function that is deleted and declared anew under the same name.

use crate::calls::{IMAGE, ended, invoke};
use crate::node::{self, POD, kubectl, object};
use crate::stack::Stack;
use eventflow_e2e::{Rest, wait};
use serde_json::{Value, json};

const NAMESPACE: &str = "anew";

async fn apply(spec: &Value) {
    let resource = json!({"apiVersion": "eventflow.io/v1alpha1", "kind": "Function", "metadata": {"name": "same"}, "spec": spec});
    node::apply(NAMESPACE, &resource.to_string()).await;
}

/// Until this version of the declared function is in force; its uid.
async fn in_force(api: &Rest, version: i64) -> String {
    let declared = object(NAMESPACE, "fn", "same").await.expect("the function")["metadata"]["uid"].clone();
    let read = async || api.get(&format!("/v1/namespaces/{NAMESPACE}/functions/same")).await.json();
    let current =
        |found: &Value| found["uid"] == declared && found["version"] == version && found["state"] == "READY";
    let found = wait::settles("it is in force", POD, read, current).await;
    found["uid"].as_str().expect("a uid").to_owned()
}

/// By kubectl alone: nobody asks the record, so versions are numbered from 1 again. What a record names is told apart by
/// the function's uid.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_made_anew_by_kubectl_is_another_and_takes_nothing_of_the_former() {
    if !node::here() {
        return;
    }
    Stack::get().await;
    node::namespace(NAMESPACE).await;
    let api = Stack::get().await.api().await;
    let failing = json!({"image": IMAGE, "command": ["fail"], "retry": {"maxAttempts": 1}});
    apply(&failing).await;
    let former = in_force(&api, 1).await;
    let mut other = failing.clone();
    other["args"] = json!(["second"]);
    apply(&other).await;
    assert_eq!(in_force(&api, 2).await, former);
    let dead = invoke(&api, NAMESPACE, "same", "dead letter").await;
    let dead_record = ended(&api, NAMESPACE, &dead).await;
    assert_eq!(
        (&dead_record["state"], &dead_record["deadLetter"], &dead_record["version"]),
        (&json!("FAILED"), &json!(true), &json!(2)),
        "{dead_record:#}"
    );
    let path = format!("/v1/namespaces/{NAMESPACE}/functions/same:invoke?delay=1h");
    let waiting = api.request("POST", &path).header("content-type", "text/plain").body("waits").send().await;
    assert_eq!(waiting.status, 202, "{waiting:?}");
    let waiting = waiting.json()["id"].as_str().expect("an id").to_owned();

    kubectl(&["delete", "fn", "same", "-n", NAMESPACE, "--timeout=60s"]).await;
    // The collector takes its versions; while they are there, their names are taken and numbers go on above them.
    node::gone(NAMESPACE, "controllerrevisions", "function=same").await;
    apply(&json!({"image": IMAGE, "command": ["upper"]})).await;
    let new = in_force(&api, 1).await;
    assert_ne!(new, former);

    // What waited for the former is not run by the new one.
    let record = ended(&api, NAMESPACE, &waiting).await;
    assert_eq!(
        (&record["state"], &record["reason"], &record["functionUid"], &record["attempts"]),
        (&json!("CANCELLED"), &json!("FunctionDeleted"), &json!(former), &json!([])),
        "{record:#}"
    );
    // What ran keeps its function and version, and these are not the new one's.
    let read = async |id: &str| api.get(&format!("/v1/namespaces/{NAMESPACE}/invocations/{id}")).await.json();
    assert_eq!(read(&dead).await, dead_record);
    let versions = api.get(&format!("/v1/namespaces/{NAMESPACE}/functions/same/versions")).await.json();
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(1), "{versions:#}");
    let path = format!("/v1/namespaces/{NAMESPACE}/functions/same:invoke?version=2");
    let refused = api.request("POST", &path).body("x").send().await;
    assert_eq!((refused.status, refused.reason().as_str()), (404, "VersionNotFound"), "{refused:?}");

    // A dead letter is given to the new one only where a person says so, as a call of its own.
    let count = async |state: &str| {
        let path = format!("/v1/namespaces/{NAMESPACE}/invocations?function=same&state={state}");
        api.get(&path).await.json()["invocations"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((count("FAILED").await, count("SUCCEEDED").await), (1, 0));
    let path = format!("/v1/namespaces/{NAMESPACE}/invocations:redrive");
    let redriven = api.post(&path, &json!({"id": dead})).await;
    assert!(redriven.status < 300, "{redriven:?}");
    let id = redriven.json()["ids"][0].as_str().expect("an id").to_owned();
    let record = ended(&api, NAMESPACE, &id).await;
    assert_eq!(
        (&record["state"], &record["functionUid"], &record["version"], &record["replayOf"]),
        (&json!("SUCCEEDED"), &json!(new), &json!(1), &json!(dead)),
        "{record:#}"
    );
    let former_record = read(&dead).await;
    assert_eq!(
        (&former_record["state"], &former_record["functionUid"], &former_record["version"]),
        (&json!("FAILED"), &json!(former), &json!(2))
    );
}
