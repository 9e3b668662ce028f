//! Where nothing changes nothing is written.

use crate::support::{Room, Running};
use eventflow_testkit::servers::kubernetes::Mode;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use serde_json::json;
use std::time::Duration;

/// Longer than it takes to look at Secrets again; `make soak` has ten minutes.
fn idle() -> Duration {
    let asked = std::env::var_os("EVENTFLOW_IDLE_SECONDS");
    let seconds = asked.and_then(|text| text.to_str()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(65))
}

#[tokio::test]
async fn an_idle_operator_writes_nothing_but_its_lease_for_a_minute() {
    let room = Room::new(Mode::Api).await;
    let operator = Running::start(&room).await;
    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "keys"}, "stringData": {"A": "1"}}))
            .expect("a Secret");
    room.api::<Secret>().create(&PostParams::default(), &secret).await.expect("made");
    let env_from = json!([{"secretRef": {"name": "keys"}}]);
    let image = format!("artifact@sha256:{}", "ab".repeat(32));
    for (name, spec, wanted) in [
        ("job", json!({"image": "a"}), "Ready=True"),
        (
            "warm",
            json!({"image": "a", "replicas": 2, "resources": {"cpu": "1000m", "memory": "2000000"}}),
            "Ready=True",
        ),
        (
            "http",
            json!({"image": "a", "port": 80, "envFrom": env_from, "probe": {"path": "/"}}),
            "Ready=Starting",
        ),
        ("cpu", json!({"image": "a", "port": 80, "scaling": {"min": 1, "cpu": 50}}), "Ready=Starting"),
        (
            "zero",
            json!({"image": "a", "port": 80, "scaling": {}, "podSecurity": "restricted",
            "egress": ["10.0.0.1:1", "db.media.svc:5432"]}),
            "Ready=OnDemand",
        ),
        ("wasm", json!({"image": image, "runtime": "wasm"}), "Ready=AwaitingReport"),
    ] {
        room.declare(name, &spec).await.expect("taken");
        room.until(name, wanted).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    operator.audit.forget();
    tokio::time::sleep(idle()).await;
    assert_eq!(operator.audit.writes(), Vec::<String>::new());
    // A new leader looks at everything once, and finds that nothing is to be done.
    drop(operator);
    let again = Running::start(&room).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(again.operator.leadership.may_write(), "it leads by now");
    assert_eq!(again.audit.writes(), Vec::<String>::new());
}
