//! One request to a function's own URL, which nobody sends a second time.

use super::{Clients, LONGEST};
use crate::checker::{Visit, Visited};
use crate::rest::Answer as Reply;
use crate::storm::functions::URL;
use tokio::time::timeout;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asking {
    pub name: String,
    /// What the function shall answer with.
    pub status: u16,
    /// `None`: a `GET`.
    pub body: Option<String>,
    /// The answer comes in pieces, and no length is told before.
    pub streamed: bool,
}

impl Clients {
    /// Asks for it. An error is what must not be answered.
    pub async fn visit(&self, asking: Asking) -> Result<Visit, String> {
        let Asking { name, status, body, streamed } = asking;
        let method = if body.is_some() { "POST" } else { "GET" };
        let pieces = if streamed { "&stream=1" } else { "" };
        let path = format!("/fn/default/{URL}/{name}?status={status}{pieces}");
        let body = body.unwrap_or_default();
        let from = self.begun.elapsed();
        let asked = self.rest().request(method, &path).body(body.clone()).try_send();
        let told = match timeout(self.patience.unwrap_or(LONGEST), asked).await {
            Ok(Ok(reply)) => read(&reply, &body)?,
            Ok(Err(_)) | Err(_) => Visited::Broken,
        };
        Ok(Visit { name, status, from, to: self.begun.elapsed(), told })
    }
}

fn read(reply: &Reply, sent: &str) -> Result<Visited, String> {
    let name = reply.header("x-visited").to_owned();
    if !name.is_empty() {
        let id = reply.header("eventflow-invocation-id").to_owned();
        let back = reply.body.strip_prefix(id.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
        let same = back.is_some_and(|back| back == sent.as_bytes());
        return Ok(Visited::Answered { id, status: reply.status, name, same });
    }
    match (reply.status, reply.reason().as_str()) {
        (429, _) => Ok(Visited::Refused),
        (502..=504, "FunctionFailed") => {
            let told = |key: &str| reply.json()["metadata"][key].as_str().unwrap_or_default().to_owned();
            Ok(Visited::Failed { id: told("invocationId"), reason: told("functionReason") })
        }
        (503 | 504, _) => Ok(Visited::Broken),
        _ => Err(format!("a request to a URL: {reply:?}")),
    }
}
