//! Everything that the API says of calls, read back.

use eventflow_e2e::Rest;
use eventflow_e2e::checker::{Attempt, Record};
use eventflow_e2e::wait::settles;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use std::time::Duration;

/// Reads at once.
const READERS: usize = 8;
const ALIVE: &str = "state=QUEUED&state=RUNNING&state=RETRYING";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or_default()).expect("a small number")
}

/// All calls that the filter holds, newest first, as the list shows them.
pub(crate) async fn list(rest: &Rest, filter: &str) -> Vec<Value> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let answer = rest.get(&format!("/v1/invocations?pageSize=1000&pageToken={token}&{filter}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut page = answer.json();
        if let Value::Array(calls) = page["invocations"].take() {
            all.extend(calls);
        }
        token = text(&page["nextPageToken"]);
        if token.is_empty() {
            return all;
        }
    }
}

/// Waits until nothing waits or runs any more.
pub(crate) async fn drained(rest: &Rest, bound: Duration) {
    let alive = async || rest.get(&format!("/v1/invocations?pageSize=5&{ALIVE}")).await.json();
    let none = |page: &Value| page["invocations"].as_array().is_some_and(Vec::is_empty);
    settles("every call ends", bound, alive, none).await;
}

/// Every record whole, with its payload, its result and its attempts.
pub(crate) async fn records(rest: &Rest) -> Vec<Record> {
    let ids = list(rest, "").await.into_iter().map(|call| text(&call["id"]));
    stream::iter(ids)
        .map(|id| async move { record(rest, &id).await })
        .buffer_unordered(READERS)
        .collect()
        .await
}

pub(crate) async fn record(rest: &Rest, id: &str) -> Record {
    let value = rest.record(id).await;
    let payload = rest.get(&format!("/v1/invocations/{id}/payload")).await;
    assert_eq!(payload.status, 200, "{payload:?}");
    let attempt = |attempt: &Value| Attempt {
        number: number(&attempt["number"]),
        state: text(&attempt["state"]),
        reason: text(&attempt["reason"]),
    };
    Record {
        id: text(&value["id"]),
        function: text(&value["function"]),
        state: text(&value["state"]),
        reason: text(&value["reason"]),
        attempt: number(&value["attempt"]),
        lost: number(&value["lost"]),
        dead_letter: value["deadLetter"] == true,
        end_time: text(&value["endTime"]),
        payload: payload.text(),
        result: value["resultText"].as_str().map(str::to_owned),
        attempts: value["attempts"].as_array().into_iter().flatten().map(attempt).collect(),
    }
}

/// What must never change again: state, reason, attempts and end of every call, by id.
pub(crate) async fn ends(rest: &Rest) -> Vec<String> {
    let mut ends: Vec<String> = list(rest, "").await.iter().map(end).collect();
    ends.sort();
    ends
}

fn end(call: &Value) -> String {
    let [id, state, reason, at] = ["id", "state", "reason", "endTime"].map(|key| text(&call[key]));
    format!("{id} {state} {reason} {at} {} {}", call["attempt"], call["lost"])
}
