//! What is told of a function where somebody looks at it. Pods and events are played: nothing runs here.

use super::{open, prepare, spawn};
use crate::kubernetes::numbering;
use eventflow_domain::ports::FunctionRegistry as _;
use eventflow_domain::spec::{Image, Mode};
use eventflow_domain::{CopyState, Function, FunctionSpec, RuntimeKind};
use eventflow_kubernetes::connect;
use eventflow_registry::KubernetesRegistry;
use eventflow_testkit::contract::registry::apply;
use eventflow_testkit::servers::kubernetes::{Kubernetes, Mode as Parts, Part};
use eventflow_testkit::{key, spec};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const POD: &str = "fn-f-7d9f6c8b54-x2x4z";

fn container() -> FunctionSpec {
    let image = Image::Oci("nginx:1".to_owned());
    FunctionSpec {
        runtime: RuntimeKind::Container,
        mode: Mode::Job,
        image: Some(image),
        command: Vec::new(),
        ..spec()
    }
}

async fn looked_at(registry: &Arc<KubernetesRegistry>) -> Arc<Function> {
    registry.details(registry.get(&key("f")).expect("the function")).await
}

/// The messages of the events that this test makes; the scheduler has its own.
fn told(function: &Function) -> Vec<&str> {
    let events = function.readiness.events.iter().filter(|event| event.reason == "BackOff");
    events.map(|event| event.message.as_str()).collect()
}

async fn until(registry: &Arc<KubernetesRegistry>, good: impl Fn(&Function) -> bool) -> Arc<Function> {
    let wait = async {
        loop {
            let found = looked_at(registry).await;
            if good(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("should be told soon")
}

#[expect(clippy::disallowed_methods, reason = "the API server takes the time of the machine")]
fn event(about: &str, message: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let now = eventflow_domain::Timestamp::from_millis(now.as_millis() as i64).rfc3339();
    json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": message, "namespace": "default"},
        "eventTime": now, "type": "Warning", "reason": "BackOff", "note": message, "action": "Wait",
        "reportingController": "test", "reportingInstance": "test",
        "regarding": {"kind": "Pod", "namespace": "default", "name": about}})
    .to_string()
}

#[tokio::test]
async fn copies_and_events_are_told_where_somebody_looks_and_stay_while_the_api_server_is_away() {
    let server = Kubernetes::start(Parts::Control).await;
    let client = connect(Some(&server.kubeconfig())).await.expect("a client");
    prepare(&server, &client).await;
    let (registry, _tasks) = open(&client, &Arc::default()).await;
    let _numbering = spawn(numbering::number(client.clone()));
    registry.apply(apply("f", container())).await.expect("applied");

    server.apply(&event(POD, "before-the-first-look")).await;
    let labels = json!({"function": "f", "eventflow.io/role": "warm"});
    let other = json!({"function": "f", "eventflow.io/role": "job"});
    for (name, labels) in [(POD, labels), ("fn-f-0123456789ab-1-x2x4z", other)] {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"automountServiceAccountToken": false, "containers": [{"name": "function", "image": "nginx:1"}]}});
        let taken = server.kubectl(&["create", "--validate=false", "-f", "-"], &pod.to_string()).await;
        assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    }
    let found = until(&registry, |found| told(found).len() == 1).await;
    let copies: Vec<_> = found.readiness.copies.iter().map(|copy| (copy.name.as_str(), copy.state)).collect();
    assert_eq!(copies, [(POD, CopyState::Starting)], "a Job's pod is no copy");
    assert_eq!(
        registry.get(&key("f")).expect("the function").readiness.copies,
        [],
        "nothing of it is kept there"
    );

    // What comes later is heard, and others' are not its.
    server.apply(&event("fn-other-7d9f6c8b54-x2x4z", "of-another")).await;
    server.apply(&event(POD, "later")).await;
    let found = until(&registry, |found| told(found).len() > 1).await;
    assert_eq!(told(&found), ["later", "before-the-first-look"]);
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}).to_string();
    let patch = ["patch", "pod", POD, "-n", "default", "--subresource=status", "--type=merge", "-p", &status];
    assert!(server.kubectl(&patch, "").await.status.success());
    let ready =
        until(&registry, |found| found.readiness.copies.iter().all(|copy| copy.state == CopyState::Ready));
    let ready = ready.await;

    server.keep_down(Part::ApiServer);
    // So long an answer stands: now the API server is asked.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let away = tokio::time::timeout(Duration::from_secs(4), looked_at(&registry)).await.expect("an answer");
    assert_eq!(away.readiness.copies, ready.readiness.copies);
    assert_eq!(told(&away), told(&ready));
    let again = tokio::time::timeout(Duration::from_millis(500), looked_at(&registry)).await;
    assert!(again.is_ok(), "nobody asks again at once");
}
