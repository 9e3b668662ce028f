//! Container functions of the local shape, on a real engine.

use eventflow_e2e::shape::only_local;
use eventflow_e2e::wait::until;
use eventflow_e2e::{Server, skipped};
use eventflow_testkit::servers::podman::Podman;
use serde_json::{Value, json};
use std::time::Duration;

/// An engine is slower than a process, and the machine may be busy.
const LONG: Duration = Duration::from_secs(60);

/// An engine of the test's own; `None` was said. `make test` installs Podman, but not every machine may run containers.
fn engine() -> Option<Podman> {
    if !only_local("containers of a cluster are pods") {
        return None;
    }
    Podman::start().map_err(|why| skipped(&why, false)).ok()
}

async fn server_over(podman: &Podman) -> Server {
    let socket = podman.socket();
    Server::options().set(&format!("container.socket={}", socket.display())).start().await
}

fn container(name: &str, script: &str, more: Value) -> Value {
    let mut function = json!({
        "name": name, "image": Podman::IMAGE, "command": ["sh", "-c", script], "resources": {"cpu": "1"},
    });
    let Value::Object(more) = more else { panic!("fields as an object, not {more}") };
    function.as_object_mut().unwrap().extend(more);
    function
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_takes_a_payload_and_gives_result_logs_exit_code_and_reason() {
    let Some(podman) = engine() else { return };
    let server = server_over(&podman).await;
    assert!(server.stderr().contains("container functions can run"), "{}", server.stderr());
    let rest = server.rest().await;
    let info = rest.get("/v1/server").await.json();
    assert!(info["runtimes"].as_array().unwrap().contains(&json!("CONTAINER")), "{info}");

    let script =
        "echo first line; echo to stderr >&2; tr a-z A-Z < $EVENTFLOW_PAYLOAD_FILE > $EVENTFLOW_RESULT_FILE";
    rest.apply(&container("upper", script, json!({}))).await;
    let answer = rest.request("POST", "/v1/functions/upper:invoke?wait=60s").body("hello").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "HELLO"), "{answer:?}");
    let id = answer.header("eventflow-invocation-id").to_owned();
    let record = rest.ended(&id).await;
    assert_eq!(record["state"], "SUCCEEDED", "{record:#}");
    let lines = async || {
        let logs = rest.get(&format!("/v1/invocations/{id}/logs")).await.text();
        (logs.contains("first line") && logs.contains("to stderr")).then_some(logs)
    };
    until("both streams in the logs", LONG, lines).await;

    rest.apply(&container("fails", "echo giving up >&2; exit 7", json!({}))).await;
    let record = ended(&rest, &rest.invoke_async("fails", "").await).await;
    assert_eq!(record["state"], "FAILED", "{record:#}");
    assert_eq!(record["attempts"][0]["exitCode"], 7, "{record:#}");
    assert!(record.to_string().contains("ExitCode"), "{record:#}");

    rest.apply(&container("slow", "echo up; sleep 1000", json!({"timeout": "1s"}))).await;
    let record = ended(&rest, &rest.invoke_async("slow", "").await).await;
    assert!(record.to_string().contains("Timeout"), "{record:#}");

    rest.apply(&container("cancelled", "echo up; sleep 1000", json!({"timeout": "10m"}))).await;
    let id = rest.invoke_async("cancelled", "").await;
    let runs = async || (rest.record(&id).await["state"] == "RUNNING").then_some(());
    until("it runs", LONG, runs).await;
    let answer = rest.post(&format!("/v1/invocations/{id}:cancel"), &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(ended(&rest, &id).await["state"], "CANCELLED");
    let empty = async || podman.containers().is_empty().then_some(());
    until("nothing is left in the engine", LONG, empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_serves_is_called_and_has_a_url() {
    let Some(podman) = engine() else { return };
    let server = server_over(&podman).await;
    let rest = server.rest().await;
    let serve = "exec httpd -f -p $PORT -h /www";
    rest.apply(&container("web", serve, json!({"port": 8080, "scaling": {"min": 0, "max": 1}}))).await;
    let answer = rest.request("POST", "/v1/functions/web:invoke?wait=60s").body("hello").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"), "{answer:?}");
    let answer = rest.request("POST", "/fn/default/web/").body("by its url").send().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "by its url"), "{answer:?}");
    let ports = podman.podman(["ps", "--format", "{{.Ports}}"]);
    assert!(ports.lines().count() == 1 && ports.starts_with("127.0.0.1:"), "{ports}");
    let answer = rest.delete("/v1/functions/web").await;
    assert!(answer.status < 300, "{answer:?}");
    let empty = async || podman.containers().is_empty().then_some(());
    until("the deleted function's copy is gone", LONG, empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_nothing_in_the_engine_to_its_next_start() {
    let Some(podman) = engine() else { return };
    let mut server = server_over(&podman).await;
    let rest = server.rest().await;
    let once = "if [ $EVENTFLOW_ATTEMPT = 1 ]; then sleep 1000; else echo second; fi";
    rest.apply(&container("once", once, json!({"timeout": "10m"}))).await;
    let serve = "exec httpd -f -p $PORT -h /www";
    rest.apply(&container("warm", serve, json!({"port": 8080, "replicas": 1}))).await;
    let id = rest.invoke_async("once", "").await;
    let both = async || (podman.containers().len() == 2).then_some(());
    until("a run and a warm copy", LONG, both).await;
    let before = podman.containers();
    server.kill().await;
    assert_eq!(podman.containers().len(), 2, "nobody is there to remove them");

    server.restart().await;
    let rest = server.rest().await;
    let record = ended(&rest, &id).await;
    assert_eq!(record["state"], "SUCCEEDED", "the lost attempt was made again: {record:#}");
    let gone = async || podman.containers().iter().all(|name| !before.contains(name)).then_some(());
    until("nothing of the killed server is left", LONG, gone).await;
    for name in ["once", "warm"] {
        rest.delete(&format!("/v1/functions/{name}")).await;
    }
    let empty = async || (podman.containers().is_empty() && podman.volumes().is_empty()).then_some(());
    until("nothing at all is left", LONG, empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_engine_a_container_function_is_refused_with_the_fix() {
    if !only_local("containers of a cluster are pods") {
        return;
    }
    let server = Server::options().set("container.socket=/nowhere/podman.sock").start().await;
    let said = server.stderr();
    assert!(said.contains("container functions cannot run"), "{said}");
    let rest = server.rest().await;
    let info = rest.get("/v1/server").await.json();
    assert!(!info["runtimes"].as_array().unwrap().contains(&json!("CONTAINER")), "{info}");
    let answer = rest.put("/v1/functions/upper", &container("upper", "true", json!({}))).await;
    assert_eq!((answer.status, answer.reason().as_str()), (400, "Invalid"), "{answer:?}");
    let text = answer.text();
    for part in
        ["/nowhere/podman.sock (not there)", "systemctl --user start podman.socket", "container.socket"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

async fn ended(rest: &eventflow_e2e::Rest, id: &str) -> Value {
    let ended = async || {
        let record = rest.record(id).await;
        let over = matches!(record["state"].as_str(), Some("SUCCEEDED" | "FAILED" | "CANCELLED"));
        over.then_some(record)
    };
    until("the end of a call", LONG, ended).await
}
