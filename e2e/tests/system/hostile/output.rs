use super::{neighbours_are_well, server};
use eventflow_e2e::shape::Shape;
use eventflow_e2e::storm::children::resident;
use eventflow_e2e::support::shell;
use eventflow_e2e::{Rest, Server};
use futures::future::{Either, join_all, select};
use serde_json::{Value, json};
use std::pin::pin;
use std::time::Duration;
use tokio::time::sleep;

/// What four calls that print 100 MiB each may add to the server: their results (1 MiB each), their logs (1 MiB each)
/// and what is on its way.
const ADDED: u64 = 64 << 20;
/// A dispatcher of a cluster also holds what waits for the database and for the broker, each within its own bound.
const ADDED_IN_A_CLUSTER: u64 = 160 << 20;
const LOGS: usize = 1 << 20;

/// The most that the server has while the future goes on.
async fn peak_while<T>(server: &Server, future: impl Future<Output = T>) -> (T, u64) {
    let mut peak = 0;
    let mut future = pin!(future);
    loop {
        peak = peak.max(resident(server));
        match select(future, pin!(sleep(Duration::from_millis(20)))).await {
            Either::Left((done, _)) => return (done, peak),
            Either::Right(((), going)) => future = going,
        }
    }
}

async fn lines(rest: &Rest, id: &str) -> Vec<Value> {
    let logs = rest.get(&format!("/v1/invocations/{id}/logs")).await;
    assert_eq!(logs.status, 200, "{logs:?}");
    logs.text()
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn text(line: &Value) -> &str {
    line["text"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_prints_100_mib_is_capped_and_the_server_stays_flat() {
    let (server, rest) = server(&[]).await;
    rest.apply(&shell(
        "chatty",
        "yes 'a line that says nothing at all, again and again' | head -c 104857600",
    ))
    .await;
    neighbours_are_well(&rest).await;
    let before = resident(&server);
    let calls = async {
        let ids = join_all((0..4).map(|number| rest.invoke_async("chatty", format!("{number}")))).await;
        neighbours_are_well(&rest).await;
        let records = join_all(ids.iter().map(|id| rest.ended(id))).await;
        (ids, records)
    };
    let ((ids, records), peak) = peak_while(&server, calls).await;
    println!("{before} bytes before, at most {peak} while 400 MiB were printed");
    let added = if Shape::wanted() == Shape::Local { ADDED } else { ADDED_IN_A_CLUSTER };
    assert!(peak < before + added, "{before} bytes before, {peak} at most");
    for (id, record) in ids.iter().zip(&records) {
        assert_eq!(
            (&record["state"], &record["logsTruncated"]),
            (&json!("SUCCEEDED"), &json!(true)),
            "{record}"
        );
        // The last 1 MiB of what was printed.
        assert_eq!(record["resultSize"], (1 << 20).to_string(), "{record}");
        let lines = lines(&rest, id).await;
        let marker = lines.last().expect("a marker");
        assert_eq!(marker["stream"], "SYSTEM", "{marker}");
        assert!(lines.iter().map(|line| text(line).len()).sum::<usize>() <= LOGS + 200);
        assert!(lines.len() > 1000, "only {} lines were kept", lines.len());
    }
    neighbours_are_well(&rest).await;
}

#[tokio::test]
async fn a_line_of_10_mib_and_binary_output_are_taken_as_they_come() {
    let (server, rest) = server(&[]).await;
    rest.apply(&shell("long-line", "head -c 10485760 /dev/zero | tr '\\0' a >&2; echo; echo done")).await;
    rest.apply(&shell("binary", r"printf '\000\377\376\033[31mred\r\n'; printf '\377\000' >&2")).await;
    let before = resident(&server);
    let (answer, peak) = peak_while(&server, rest.invoke("long-line", "x")).await;
    assert_eq!((answer.status, answer.text()), (200, "\ndone\n".to_owned()));
    assert!(peak < before + ADDED, "{before} bytes before, {peak} at most");
    let lines_of = async |answer: &eventflow_e2e::Answer| {
        let id = answer.header("eventflow-invocation-id").to_owned();
        // The record of a sync call follows its answer.
        rest.ended(&id).await;
        lines(&rest, &id).await
    };
    let kept = lines_of(&answer).await;
    assert!(kept.iter().all(|line| text(line).len() <= 16 << 10), "a line is longer than 16 KiB");
    assert!(kept.iter().any(|line| line["stream"] == "SYSTEM"), "no marker");

    let answer = rest.invoke("binary", "x").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"\0\xff\xfe\x1b[31mred\r\n"[..]));
    let kept = lines_of(&answer).await;
    assert!(kept.iter().any(|line| text(line).contains('\u{fffd}')), "{kept:?}");
    neighbours_are_well(&rest).await;
}
