//! Calls that go on while harm is done.

use eventflow_e2e::{Rest, wait};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// For a call to be taken, retries with its key included.
const TAKEN: Duration = Duration::from_secs(60);
/// For a call to end: a dispatcher's lease of 30 s must run out before another takes its work.
const ENDED: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(400);
/// One call of so many becomes a Job.
const JOBS: usize = 10;

/// A call that was taken.
#[derive(Debug, Clone)]
struct Taken {
    function: &'static str,
    payload: String,
    key: String,
}

#[derive(Debug)]
pub(crate) struct Load {
    api: Rest,
    namespace: &'static str,
    taken: Mutex<BTreeMap<String, Taken>>,
    stop: AtomicBool,
}

impl Load {
    pub(crate) fn new(api: Rest, namespace: &'static str) -> Self {
        Self { api, namespace, taken: Mutex::default(), stop: AtomicBool::new(false) }
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Calls until it is told to stop.
    pub(crate) async fn run(&self) {
        for number in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let function = if number % JOBS == 0 { "upper" } else { "mirror" };
            self.call(function, &format!("call {number}")).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Calls with a key, and again with the same one until the call is taken.
    pub(crate) async fn call(&self, function: &'static str, payload: &str) -> String {
        let call = Taken { function, payload: payload.to_owned(), key: format!("{function}/{payload}") };
        let id = wait::until("a call is taken", TAKEN, async || self.attempt(&call).await).await;
        let before = self.taken.lock().expect("whole").insert(id.clone(), call);
        assert!(before.is_none(), "{id} is the answer to two keys");
        id
    }

    async fn attempt(&self, call: &Taken) -> Option<String> {
        let Self { api, namespace, .. } = self;
        let path = format!("/v1/namespaces/{namespace}/functions/{}:invoke", call.function);
        let request = api.request("POST", &path).header("content-type", "text/plain");
        let request = request.header("idempotency-key", &call.key).body(call.payload.clone());
        let answer = tokio::time::timeout(Duration::from_secs(10), request.try_send()).await;
        match answer {
            Ok(Ok(answer)) if answer.status == 202 => answer.json()["id"].as_str().map(str::to_owned),
            Ok(Ok(answer)) => {
                assert!([429, 502, 503, 504].contains(&answer.status), "refused: {answer:?}");
                tokio::time::sleep(PAUSE).await;
                None
            }
            // Killed in the middle of it.
            _ => None,
        }
    }

    /// A new call of each kind goes from end to end; for how long that took.
    pub(crate) async fn heals(&self, after: &str) -> Duration {
        let since = Instant::now();
        for function in ["mirror", "upper"] {
            let id = self.call(function, &format!("after {after}")).await;
            self.ends(&id).await;
        }
        since.elapsed()
    }

    pub(crate) async fn ends(&self, id: &str) {
        let record = self.ended(id).await;
        assert_eq!(record["state"], "SUCCEEDED", "{record:#}");
    }

    async fn ended(&self, id: &str) -> Value {
        let Self { api, namespace, .. } = self;
        let path = format!("/v1/namespaces/{namespace}/invocations/{id}");
        let read = async || match api.request("GET", &path).try_send().await {
            Ok(answer) if answer.status == 200 => answer.json(),
            _ => Value::Null,
        };
        let over = |record: &Value| {
            ["SUCCEEDED", "FAILED", "CANCELLED"].contains(&record["state"].as_str().unwrap_or_default())
        };
        wait::settles("a call ends", ENDED, read, over).await
    }

    /// Every call that was taken has one record that succeeded with its result, there is no other record, and its key
    /// still names it. How many there are, and how many attempts of theirs were lost.
    pub(crate) async fn check(&self) -> (usize, i64) {
        let taken = self.taken.lock().expect("whole").clone();
        let mut lost = 0;
        for (id, call) in &taken {
            let record = self.ended(id).await;
            assert_eq!(record["state"], "SUCCEEDED", "{call:?} {record:#}");
            let path = format!("/v1/namespaces/{}/invocations/{id}/result", self.namespace);
            let expected =
                if call.function == "upper" { call.payload.to_uppercase() } else { call.payload.clone() };
            assert_eq!(self.api.get(&path).await.text(), expected, "{call:?}");
            assert_eq!(self.attempt(call).await.as_ref(), Some(id), "one key is one call");
            lost += record["lost"].as_i64().unwrap_or(0);
        }
        let listed = self.records().await;
        assert_eq!(listed, taken.keys().cloned().collect(), "records are of calls that were taken");
        (taken.len(), lost)
    }

    async fn records(&self) -> HashSet<String> {
        let mut found = HashSet::new();
        let mut page = String::new();
        loop {
            let path =
                format!("/v1/namespaces/{}/invocations?pageSize=1000&pageToken={page}", self.namespace);
            let answer = self.api.get(&path).await.json();
            for one in answer["invocations"].as_array().into_iter().flatten() {
                assert!(
                    found.insert(one["id"].as_str().expect("an id").to_owned()),
                    "{one:#} is listed twice"
                );
            }
            page = answer["nextPageToken"].as_str().unwrap_or_default().to_owned();
            if page.is_empty() {
                return found;
            }
        }
    }
}
