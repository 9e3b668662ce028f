//! One try of one call, over REST or gRPC, told apart: answered, refused for now, or nobody knows.

mod visits;

use crate::checker::Answer;
use crate::rest::Answer as Reply;
use crate::{Grpc, Rest};
use eventflow_proto::api::HttpBody;
use eventflow_proto::prost_types::Duration as WireDuration;
use eventflow_proto::v1::{
    InvocationState, InvokeFunctionRequest, InvokeFunctionResponse, ReplayInvocationRequest,
};
use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};
pub use visits::Asking;

/// No answer takes longer, however busy the machine.
const LONGEST: Duration = Duration::from_secs(30);

/// Bytes of a payload that are a key of their own.
const KEY: usize = 100;

/// How the caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Async,
    Sync(Duration),
    Delayed(Duration),
}

#[derive(Debug, Clone)]
pub struct Try {
    pub function: &'static str,
    pub payload: String,
    pub way: Way,
    /// With the payload, or its beginning, as its Idempotency-Key.
    pub keyed: bool,
}

impl Try {
    fn key(&self) -> &str {
        self.payload.get(..KEY).unwrap_or(&self.payload)
    }
}

#[derive(Debug)]
pub enum Told {
    Answer(Answer),
    /// Refused, and not accepted: the same may be sent again.
    Later,
    /// The connection broke: nobody knows.
    Broken,
    /// What must not be answered.
    Surprise(String),
}

/// Clients of one or several replicas of the api, used in turn.
#[derive(Debug, Clone)]
pub struct Clients {
    rest: Vec<Rest>,
    grpc: Vec<Grpc>,
    turn: Arc<AtomicUsize>,
    /// Who waits longer goes away and knows nothing; absent: silence is a fault.
    patience: Option<Duration>,
    /// Zero of the storm's clock.
    pub begun: Instant,
}

impl Clients {
    pub fn new(rest: Vec<Rest>, grpc: Vec<Grpc>) -> Self {
        Self { rest, grpc, turn: Arc::default(), patience: None, begun: Instant::now() }
    }

    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    fn next<'c, T>(&self, all: &'c [T]) -> &'c T {
        &all[self.turn.fetch_add(1, Ordering::Relaxed) % all.len()]
    }

    /// The next replica's client.
    pub fn rest(&self) -> &Rest {
        self.next(&self.rest)
    }

    /// The next replica's client.
    pub fn grpc(&self) -> &Grpc {
        self.next(&self.grpc)
    }

    pub async fn send(&self, call: &Try, by_grpc: bool) -> Told {
        let told = async { if by_grpc { self.by_grpc(call).await } else { self.by_rest(call).await } };
        if let Some(patience) = self.patience {
            return timeout(patience, told).await.unwrap_or(Told::Broken);
        }
        let silence = || Told::Surprise(format!("no answer to {call:?} within {LONGEST:?}"));
        timeout(LONGEST, told).await.unwrap_or_else(|_| silence())
    }

    async fn by_rest(&self, call: &Try) -> Told {
        let query = match call.way {
            Way::Async => String::new(),
            Way::Sync(wait) => format!("?wait={}ms", wait.as_millis()),
            Way::Delayed(delay) => format!("?delay={}ms", delay.as_millis()),
        };
        let request = self.rest().request("POST", &format!("/v1/functions/{}:invoke{query}", call.function));
        let mut request = request.header("content-type", "text/plain").body(call.payload.clone());
        if call.keyed {
            request = request.header("idempotency-key", call.key());
        }
        match request.try_send().await {
            Ok(reply) => self.read(&reply),
            Err(_) => Told::Broken,
        }
    }

    fn read(&self, reply: &Reply) -> Told {
        let id = reply.header("eventflow-invocation-id").to_owned();
        match (reply.status, reply.reason().as_str()) {
            (200, _) => Told::Answer(Answer::Finished { id, result: reply.text(), at: self.begun.elapsed() }),
            (202, _) => Told::Answer(Answer::Accepted { id }),
            (429, _) | (409, "IdempotencyKeyInFlight") => Told::Later,
            // Draining, or the store did not answer: as good as broken.
            (503, _) => Told::Broken,
            // Lost once too often: the one failure that a storm explains.
            (502, "FunctionFailed") if reply.json()["metadata"]["functionReason"] == "Lost" => {
                let id = reply.json()["metadata"]["invocationId"].as_str().unwrap_or_default().to_owned();
                Told::Answer(Answer::Failed { id, reason: "Lost".to_owned() })
            }
            _ => Told::Surprise(format!("{reply:?}")),
        }
    }

    async fn by_grpc(&self, call: &Try) -> Told {
        let wire = |duration: Duration| WireDuration::try_from(duration).expect("a short time");
        let (wait, delay) = match call.way {
            Way::Async => (None, None),
            Way::Sync(wait) => (Some(wire(wait)), None),
            Way::Delayed(delay) => (None, Some(wire(delay))),
        };
        let payload = HttpBody {
            content_type: "text/plain".to_owned(),
            data: call.payload.clone().into(),
            ..HttpBody::default()
        };
        let request = InvokeFunctionRequest {
            name: call.function.to_owned(),
            payload: Some(payload),
            wait,
            delay,
            idempotency_key: if call.keyed { call.key().to_owned() } else { String::new() },
            ..InvokeFunctionRequest::default()
        };
        match self.grpc().functions().invoke_function(request).await {
            Ok(response) => self.answer(response.into_inner()),
            Err(status) => refusal(&status),
        }
    }

    /// Repeats a call that has ended with another payload. Later = it has not ended.
    pub async fn replay(&self, id: &str, payload: &str) -> Told {
        let body = HttpBody {
            content_type: "text/plain".to_owned(),
            data: payload.to_owned().into(),
            ..HttpBody::default()
        };
        let request = ReplayInvocationRequest {
            id: id.to_owned(),
            payload: Some(body),
            ..ReplayInvocationRequest::default()
        };
        let asked = async {
            match self.grpc().invocations().replay_invocation(request).await {
                Ok(response) => {
                    let id = response.into_inner().invocation.unwrap_or_default().id;
                    Told::Answer(Answer::Accepted { id })
                }
                Err(status) if status.code() == Code::FailedPrecondition => Told::Later,
                Err(status) => refusal(&status),
            }
        };
        timeout(self.patience.unwrap_or(LONGEST), asked).await.unwrap_or(Told::Broken)
    }

    /// Asks for the end of a call. An answer says how it stands; later = it has ended before.
    pub async fn cancel(&self, id: &str) -> Told {
        let asked = self.rest().request("POST", &format!("/v1/invocations/{id}:cancel")).try_send();
        let Ok(Ok(reply)) = timeout(self.patience.unwrap_or(LONGEST), asked).await else {
            return Told::Broken;
        };
        match reply.status {
            200 if reply.json()["state"] == "CANCELLED" => {
                Told::Answer(Answer::Cancelled { id: id.to_owned() })
            }
            200 => Told::Answer(Answer::Accepted { id: id.to_owned() }),
            409 => Told::Later,
            429 | 503 => Told::Broken,
            _ => Told::Surprise(format!("{reply:?}")),
        }
    }

    fn answer(&self, response: InvokeFunctionResponse) -> Told {
        let state = response.state();
        match (response.result, state) {
            (Some(result), InvocationState::Succeeded) => Told::Answer(Answer::Finished {
                id: response.id,
                result: String::from_utf8_lossy(&result.data).into_owned(),
                at: self.begun.elapsed(),
            }),
            _ if response.invocation.as_ref().is_some_and(|record| record.reason == "Lost") => {
                Told::Answer(Answer::Failed { id: response.id, reason: "Lost".to_owned() })
            }
            (None, _) => Told::Answer(Answer::Accepted { id: response.id }),
            (Some(_), state) => {
                Told::Surprise(format!("{} ended as {state:?}: {:?}", response.id, response.invocation))
            }
        }
    }
}

fn refusal(status: &Status) -> Told {
    match status.code() {
        Code::Aborted | Code::ResourceExhausted => Told::Later,
        Code::Unavailable => Told::Broken,
        _ if status.source().is_some() => Told::Broken,
        _ => Told::Surprise(format!("{status:?}")),
    }
}
