//! The data folder has no room left: nothing is accepted that is not written, and nothing else breaks.

use eventflow_e2e::disk::Disk;
use eventflow_e2e::shape::only_local;
use eventflow_e2e::storm::functions::{ECHO_WAT, ready, wasm};
use eventflow_e2e::wait::until;
use eventflow_e2e::{Rest, Server, skipped};
use std::time::Duration;

const PAYLOAD: usize = 100_000;

async fn accept(rest: &Rest, number: usize) -> Result<(String, String), u16> {
    let payload = format!("{number}-{}", "x".repeat(PAYLOAD));
    let call =
        rest.request("POST", "/v1/functions/echo:invoke").header("idempotency-key", &number.to_string());
    let answer = call.body(payload.clone()).send().await;
    match answer.status {
        202 => Ok((answer.json()["id"].as_str().expect("an id").to_owned(), payload)),
        429 | 503 => Err(answer.status),
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_calls_and_takes_them_again_when_there_is_room() {
    if !only_local("it fills the disk of the data folder") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::mount(&folder.path().join("disk"), "24m") else {
        skipped("a small file system cannot be mounted without privileges", false);
        return;
    };
    let mut server = Server::options().data(&disk.data()).start().await;
    let rest = server.rest().await;
    rest.apply(&wasm(&rest, "echo", ECHO_WAT).await).await;
    ready(&rest, "echo").await;
    disk.fill(1 << 20);

    let mut accepted = Vec::new();
    let mut number = 0;
    let refused = until("a refusal", Duration::from_secs(60), async || {
        number += 1;
        accept(&rest, number).await.map(|call| accepted.push(call)).err()
    })
    .await;
    println!("refused with {refused} after {} accepts", accepted.len());
    // It stays so, and what needs no room goes on.
    for again in 0..20 {
        if let Ok(call) = accept(&rest, 10_000 + again).await {
            accepted.push(call);
        }
    }
    assert_eq!(rest.get("/healthz").await.status, 200);
    assert_eq!(rest.get("/v1/functions/echo").await.status, 200);

    disk.free();
    // The one that was refused goes under the same key: it was not taken in secret.
    let call = until("room again", Duration::from_secs(30), async || accept(&rest, number).await.ok()).await;
    accepted.push(call);
    all_are_there(&rest, &accepted).await;
    server.kill().await;
    server.restart().await;
    all_are_there(&rest, &accepted).await;
    server.stop().await;
}

async fn all_are_there(rest: &Rest, accepted: &[(String, String)]) {
    for (id, payload) in accepted {
        let record = rest.ended(id).await;
        assert_eq!(record["state"], "SUCCEEDED", "{record}");
        let result = rest.get(&format!("/v1/invocations/{id}/result")).await;
        assert!(result.status == 200 && result.text() == *payload, "{id} has another result: {result:?}");
    }
}
