//! Large results go out as they are read: a slow reader costs the server a piece, not the whole.

use eventflow_e2e::storm::children::resident;
use eventflow_e2e::support::{echo, shell};
use eventflow_e2e::wait::within;
use eventflow_e2e::{Rest, Server};
use futures::future::join_all;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SIZE: u64 = 64 << 20;
const READERS: usize = 4;
/// What the server may have more while they read.
const FLAT: u64 = 40 << 20;

/// Reads a result with a pause now and then; returns its size.
async fn read_slowly(rest: &Rest, path: &str) -> u64 {
    let mut stream = rest.request("GET", path).stream().await;
    assert_eq!(stream.status, 200);
    assert_eq!(stream.headers["content-length"], SIZE.to_string().as_str());
    let (mut read, mut paused) = (0, 0);
    while let Some(piece) = stream.chunk().await {
        read += piece.len() as u64;
        if read - paused > SIZE / 32 {
            paused = read;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_large_results_do_not_cost_the_server_their_size() {
    let mut server = Server::start().await;
    let rest = server.rest().await;
    let script = format!("head -c {SIZE} /dev/zero > \"$EVENTFLOW_RESULT_FILE\"");
    rest.apply(&shell("large", &script)).await;
    rest.apply(&echo("small")).await;
    let id = rest.invoke_async("large", "").await;
    let record = rest.ended(&id).await;
    assert_eq!(
        (&record["state"], &record["resultSize"]),
        (&json!("SUCCEEDED"), &json!(SIZE.to_string())),
        "{record}"
    );
    // What making the result has cost is not of interest.
    server.stop().await;
    server.restart().await;
    let rest = server.rest().await;
    assert_eq!(rest.invoke("small", "x").await.text(), "x");

    let before = resident(&server);
    let seen = AtomicU64::new(before);
    let path = format!("/v1/invocations/{id}/result");
    let readers: Vec<_> =
        (0..READERS).map(|_| Rest::new(rest.base()).with_token(rest.token().unwrap())).collect();
    let reading = join_all(readers.iter().map(|rest| read_slowly(rest, &path)));
    let watching = async {
        let mut most = before;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            most = most.max(resident(&server));
            seen.store(most, Ordering::Relaxed);
        }
    };
    tokio::select! {
        read = within("four downloads", Duration::from_secs(60), reading) => assert_eq!(read, [SIZE; READERS]),
        () = watching => {}
    }
    let most = seen.load(Ordering::Relaxed);
    println!(
        "the server has {before} bytes before {READERS} downloads of {SIZE}, {most} at most while they go on"
    );
    assert!(most < before + FLAT, "{before} bytes before, {most} at most");
}

#[tokio::test]
async fn a_large_result_has_its_length_its_type_and_a_head() {
    let server = Server::start().await;
    let rest = server.rest().await;
    rest.apply(&shell("large", "yes | head -c 1000000 > \"$EVENTFLOW_RESULT_FILE\"")).await;
    let id = rest.invoke_async("large", "").await;
    rest.ended(&id).await;
    let path = format!("/v1/invocations/{id}/result");
    let whole = rest.get(&path).await;
    assert_eq!((whole.status, whole.body.len(), whole.header("content-length")), (200, 1_000_000, "1000000"));
    assert!(whole.body.starts_with(b"y\ny\n") && whole.body.ends_with(b"y\n"));
    assert_eq!(whole.header("content-security-policy"), "sandbox");
    let head = rest.request("HEAD", &path).send().await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, "1000000"));
    let anonymous = rest.without_token().get(&path).await;
    assert_eq!(anonymous.status, 401, "{anonymous:?}");
    let elsewhere = rest.get(&format!("/v1/namespaces/team/invocations/{id}/result")).await;
    assert_eq!((elsewhere.status, elsewhere.reason().as_str()), (404, "InvocationNotFound"), "{elsewhere:?}");
}
