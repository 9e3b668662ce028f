//! Everything that the API says of calls, read back.

use crate::Rest;
use crate::checker::{Attempt, Record};
use crate::wait::settles;
use eventflow_proto::prost_types::Timestamp;
use futures::{StreamExt as _, stream};
use serde_json::Value;
use std::time::Duration;

/// Reads at once.
const READERS: usize = 8;
const ALIVE: &str = "state=QUEUED&state=RUNNING&state=RETRYING";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// 64 bits are text in proto3 JSON.
fn number(value: &Value) -> u32 {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    u32::try_from(number.unwrap_or_default()).expect("a small number")
}

/// A time since 1970; zero where there is none.
fn moment(value: &Value) -> Duration {
    let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()).unwrap_or_default();
    Duration::new(time.seconds.unsigned_abs(), time.nanos.unsigned_abs())
}

/// All calls that the filter holds, newest first, as the list shows them.
pub async fn list(rest: &Rest, filter: &str) -> Vec<Value> {
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

async fn alive(rest: &Rest) -> Value {
    rest.get(&format!("/v1/invocations?pageSize=5&{ALIVE}")).await.json()
}

fn none(page: &Value) -> bool {
    page["invocations"].as_array().is_some_and(Vec::is_empty)
}

/// Waits until nothing waits or runs any more.
pub async fn drained(rest: &Rest, bound: Duration) {
    settles("every call ends", bound, async || alive(rest).await, none).await;
}

/// The same, and whether it came so far.
pub async fn drains(rest: &Rest, bound: Duration) -> bool {
    let drained = async {
        while !none(&alive(rest).await) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(bound, drained).await.is_ok()
}

/// Every record whole, with its payload, its result and its attempts.
pub async fn records(rest: &Rest) -> Vec<Record> {
    let ids = list(rest, "").await.into_iter().map(|call| text(&call["id"]));
    stream::iter(ids)
        .map(|id| async move { record(rest, &id).await })
        .buffer_unordered(READERS)
        .collect()
        .await
}

pub async fn record(rest: &Rest, id: &str) -> Record {
    let value = rest.record(id).await;
    let payload = body(rest, id, "payload").await;
    let attempt = |attempt: &Value| Attempt {
        number: number(&attempt["number"]),
        state: text(&attempt["state"]),
        reason: text(&attempt["reason"]),
        from: moment(&attempt["startTime"]),
        to: moment(&attempt["endTime"]),
    };
    let result = match value["resultText"].as_str() {
        Some(result) => Some(result.to_owned()),
        None if number(&value["resultSize"]) == 0 => None,
        None => Some(body(rest, id, "result").await),
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
        http_status: number(&value["httpStatus"]),
        payload,
        result,
        attempts: value["attempts"].as_array().into_iter().flatten().map(attempt).collect(),
    }
}

/// A payload or a result; where it cannot be read, why, which is neither.
async fn body(rest: &Rest, id: &str, which: &str) -> String {
    match rest.request("GET", &format!("/v1/invocations/{id}/{which}")).try_send().await {
        Ok(answer) if answer.status == 200 => answer.text(),
        Ok(answer) => format!("not readable: {answer:?}"),
        Err(error) => format!("not readable: {error}"),
    }
}

/// What must never change again: state, reason, attempts and end of every call, by id.
pub async fn ends(rest: &Rest) -> Vec<String> {
    let mut ends: Vec<String> = list(rest, "").await.iter().map(end).collect();
    ends.sort();
    ends
}

fn end(call: &Value) -> String {
    let [id, state, reason, at] = ["id", "state", "reason", "endTime"].map(|key| text(&call[key]));
    format!("{id} {state} {reason} {at} {} {}", call["attempt"], call["lost"])
}
