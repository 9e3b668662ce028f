//! A record that cannot be written (row 28): 503 with a time to come back, and never a 202.

use super::{Scene, check, refusal};
use eventflow_e2e::disk::Disk;
use eventflow_e2e::shape::only_local;
use eventflow_e2e::support::echo;
use eventflow_e2e::wait::{SOON, settles, until};
use eventflow_e2e::{Answer, Server, skipped};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Another program that keeps the database to itself until this is dropped.
struct Lock(Child);

impl Lock {
    fn take(database: &Path) -> Self {
        let script = "import sqlite3, sys\n\
            c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            c.execute('BEGIN IMMEDIATE')\n\
            print('locked', flush=True)\n\
            sys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "locked");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn unavailable(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}: {answer:?}");
    let after: u32 = answer.header("retry-after").parse().unwrap_or_else(|_| panic!("{what}: {answer:?}"));
    assert!((1..=3600).contains(&after), "{what}: {answer:?}");
    assert!(
        !answer.text().to_lowercase().contains("sqlite"),
        "what it is kept in is nobody's affair: {answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_written_is_503_and_takes_calls_again_later() {
    if !only_local("it locks the file of the database") {
        return;
    }
    let scene = Scene::start().await;
    let rest = &scene.rest;
    let before = rest.get("/v1/invocations?pageSize=1000").await.json();
    let lock = Lock::take(&scene.server.data().join("eventflow.db"));
    let invoke = |query: &str| rest.request("POST", &format!("/v1/functions/a:invoke{query}")).body("x");
    let declaration = echo("b");
    let (accept, delayed, keyed, apply) = tokio::join!(
        invoke("").send(),
        invoke("?delay=1h").send(),
        invoke("?wait=5s").header("idempotency-key", "k").send(),
        rest.post("/v1/functions", &declaration),
    );
    for (what, answer) in [
        ("an accept", &accept),
        ("a delayed call", &delayed),
        ("a call under a key", &keyed),
        ("an apply", &apply),
    ] {
        unavailable(what, answer);
    }
    assert_eq!(rest.get("/healthz").await.status, 200, "the process lives");
    assert_eq!(rest.get("/v1/functions/a").await.status, 200, "what needs no write goes on");
    drop(lock);
    let again =
        until("a call again", SOON, async || Some(invoke("").send().await).filter(|a| a.status == 202)).await;
    let id = again.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(rest.ended(&id).await["state"], "SUCCEEDED");
    let after = rest.get("/v1/invocations?pageSize=1000").await.json();
    let ids = |list: &serde_json::Value| list["invocations"].as_array().unwrap().len();
    assert_eq!(ids(&after), ids(&before) + 1, "what was refused is not there: {after}");
    check("and no function", &rest.get("/v1/functions/b").await, refusal(404, "FunctionNotFound", &[]));
}

#[tokio::test]
async fn no_room_for_code_or_payloads_is_503_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(&folder.path().join("disk"), "32m") else {
        skipped("a small file system cannot be mounted without privileges", false);
        return;
    };
    let scene = Scene::of(Server::options().data(&disk.data()).start().await).await;
    let rest = &scene.rest;
    disk.fill(2 << 20);
    let large = vec![b'x'; 4 << 20];
    let work = async {
        let code = rest.request("POST", "/v1/artifacts").body(large.clone()).send().await;
        unavailable("an artifact", &code);
        for query in ["", "?delay=1h"] {
            let call = rest.request("POST", &format!("/v1/functions/a:invoke{query}"));
            let answer = call.body(large.clone()).send().await;
            unavailable("a large payload", &answer);
            assert_eq!(answer.reason(), "StorageFull", "{answer:?}");
        }
    };
    scene.unchanged(work).await;
    disk.free();
    let id = rest.invoke_async("a", large.clone()).await;
    let ended = settles(
        "its end",
        Duration::from_secs(30),
        async || rest.record(&id).await,
        |record| record["endTime"].is_string(),
    );
    assert_eq!(ended.await["state"], json!("SUCCEEDED"));
}
