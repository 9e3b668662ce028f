//! Input that should not exist: every row answers with one exact refusal and stores nothing.

mod calls;
mod code;
mod declarations;
mod grpc;
mod http;
mod quotas;
mod raw;
mod unavailable;

use eventflow_e2e::support::echo;
use eventflow_e2e::wait::{SOON, settles};
use eventflow_e2e::{Answer, Rest, Server};
use serde_json::{Value, json};

/// A server with one function `a`, and what it holds.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) rest: Rest,
}

/// What a refusal must say: its status, its reason, the fields it names, and words of its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    pub(crate) status: u16,
    pub(crate) reason: &'a str,
    pub(crate) fields: &'a [&'a str],
    pub(crate) says: &'a [&'a str],
}

/// A 400 that names these fields, given in the order of the alphabet.
pub(crate) fn invalid<'a>(fields: &'a [&'a str], says: &'a [&'a str]) -> Refusal<'a> {
    Refusal { status: 400, reason: "Invalid", fields, says }
}

/// A refusal that is of the request as a whole.
pub(crate) fn refusal<'a>(status: u16, reason: &'a str, says: &'a [&'a str]) -> Refusal<'a> {
    Refusal { status, reason, fields: &[], says }
}

impl<'a> Refusal<'a> {
    /// The same that names these fields.
    pub(crate) fn with(self, fields: &'a [&'a str]) -> Self {
        Self { fields, ..self }
    }
}

impl Scene {
    pub(crate) async fn start() -> Self {
        Self::of(Server::start().await).await
    }

    pub(crate) async fn of(server: Server) -> Self {
        let rest = server.rest().await;
        rest.apply(&echo("a")).await;
        Self { server, rest }
    }

    /// All that a refused request could have left behind.
    async fn stored(&self) -> Value {
        let mut functions = self.rest.get("/v1/functions").await.json();
        for function in functions["functions"].as_array_mut().expect("a list") {
            // A probe may look at readiness in between.
            function
                .as_object_mut()
                .expect("an object")
                .retain(|key, _| matches!(key.as_str(), "name" | "etag"));
        }
        let calls = self.rest.get("/v1/invocations?pageSize=1000").await.json();
        let calls: Vec<_> =
            calls["invocations"].as_array().expect("a list").iter().map(|c| c["id"].clone()).collect();
        json!({"functions": functions, "calls": calls})
    }

    /// Fails unless `work` leaves everything as it was and the server alive and silent about faults of its own.
    pub(crate) async fn unchanged<T>(&self, work: impl Future<Output = T>) -> T {
        let before = self.stored().await;
        let done = work.await;
        assert_eq!(self.stored().await, before, "something refused was stored");
        let fine = self.rest.invoke("a", "still here").await;
        assert_eq!((fine.status, fine.text().as_str()), (200, "still here"), "{fine:?}");
        // Records of sync calls are written in groups: this one shall not appear later.
        let id = fine.header("eventflow-invocation-id");
        settles(
            "the call's record",
            SOON,
            async || self.rest.get(&format!("/v1/invocations/{id}")).await.status,
            |s| *s == 200,
        )
        .await;
        let log = self.server.stderr();
        assert!(!log.contains("panicked"), "{log}");
        done
    }
}

/// Whether the answer is the refusal, and a problem document as every other.
pub(crate) fn check(what: &str, answer: &Answer, refusal: Refusal<'_>) {
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (refusal.status, refusal.reason),
        "{what}: {answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}: {answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], refusal.status, "{what}: {problem}");
    assert!(problem["requestId"].as_str().is_some_and(|id| !id.is_empty()), "{what}: {problem}");
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let mut fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap_or_default()).collect();
    fields.sort_unstable();
    assert_eq!(fields, refusal.fields, "{what}: {problem}");
    for says in refusal.says {
        let text = problem.to_string();
        assert!(
            text.contains(says) || problem["detail"].as_str().is_some_and(|d| d.contains(says)),
            "{what}, {says}: {text}"
        );
    }
    assert!(
        answer.body.len() < 4096,
        "{what}: an answer does not repeat what it refuses: {} bytes",
        answer.body.len()
    );
}
