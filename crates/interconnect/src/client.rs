//! The api's side: `Invoker` over other processes.

mod channels;
mod pass;

use crate::choice::Choice;
use crate::{ENVELOPE, PEER_HEADER, PassHead, wire};
use async_trait::async_trait;
use channels::Channels;
use eventflow_auth::PeerKey;
use eventflow_domain::error::{Chain, DRAINING};
use eventflow_domain::ports::{
    Clock, HttpRequest, HttpResponse, Invoker, Peer, Peers, ProxyCall, SyncAnswer, SyncCall,
};
use eventflow_domain::{Error, ErrorKind, Result};
use eventflow_proto::internal::dispatcher_service_client::DispatcherServiceClient;
use eventflow_proto::{internal, status};
use http::HeaderValue;
use pass::Passer;
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use tonic::metadata::MetadataValue;

/// Bounds of the client.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Bytes of a payload or a result.
    pub payload_limit: u64,
    /// For a connection to a replica.
    pub connect_timeout: Duration,
    /// A connection is asked whether it lives this often, and given up after as long without an answer.
    pub keep_alive: Duration,
    /// What a call may take beyond its wait: the way there and back, and the commit of an accept.
    pub slack: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            payload_limit: 64 << 20,
            connect_timeout: Duration::from_secs(2),
            keep_alive: Duration::from_secs(5),
            slack: Duration::from_secs(10),
        }
    }
}

/// Runs calls in other processes. Cheap to share.
#[derive(Debug)]
pub struct RemoteInvoker {
    choice: Choice,
    channels: Channels,
    passer: Passer,
    key: Arc<PeerKey>,
    config: ClientConfig,
}

impl RemoteInvoker {
    pub fn new(
        peers: Arc<dyn Peers>,
        key: Arc<PeerKey>,
        clock: Arc<dyn Clock>,
        config: ClientConfig,
    ) -> Self {
        Self {
            choice: Choice::new(peers, clock),
            channels: Channels::new(&config),
            passer: Passer::new(&config),
            key,
            config,
        }
    }

    fn token(&self) -> Result<HeaderValue> {
        HeaderValue::try_from(self.key.token()?.as_ref())
            .map_err(|error| Error::internal("write a header", error))
    }

    /// Passes a request on to a function's own URL, as the call that an api made of it.
    pub async fn pass(&self, head: &PassHead, request: HttpRequest) -> Result<HttpResponse> {
        let request = pass::Passing::new(head, request, self.token()?)?;
        let mut refused = None;
        for peer in self.choice.order(&head.function) {
            let Some(body) = request.attempt() else { break };
            let in_flight = self.choice.begin(&peer);
            match self.passer.pass(&peer, &request, body, in_flight).await {
                Ok(response) => return Ok(response),
                Err(pass::Failed::NeverBegan(error)) => {
                    tracing::debug!(%peer, error = %Chain(&error), "asking the next dispatcher");
                    self.choice.shun(&peer);
                    refused = Some(error);
                }
                Err(pass::Failed::Answered(error)) => return Err(error),
            }
        }
        // Where only the body stands in the way, what the one said that had it.
        Err(refused.filter(|error| error.reason() == DRAINING).unwrap_or_else(nobody))
    }

    async fn ask(
        &self,
        peer: &Peer,
        request: internal::CallFunctionRequest,
        wait: Duration,
    ) -> Result<internal::CallFunctionResponse, Status> {
        let limit = usize::try_from(self.config.payload_limit).unwrap_or(usize::MAX).saturating_add(ENVELOPE);
        let channel = self.channels.to(peer).map_err(|error| status::to_status(&error))?;
        let mut client = DispatcherServiceClient::new(channel)
            .max_decoding_message_size(limit)
            .max_encoding_message_size(limit);
        let mut request = tonic::Request::new(request);
        let token = self.token().map_err(|error| status::to_status(&error))?;
        let token: MetadataValue<_> = token
            .to_str()
            .ok()
            .and_then(|token| token.parse().ok())
            .ok_or_else(|| Status::internal("token"))?;
        request.metadata_mut().insert(PEER_HEADER, token);
        let limit = wait.saturating_add(self.config.slack);
        match tokio::time::timeout(limit, client.call_function(request)).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded("the dispatcher did not answer")),
        }
    }
}

/// Whether the call certainly did not run there.
fn never_began(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    let problem = status::Problem::from(status);
    problem.reason == DRAINING
}

/// What the caller is told where it is not known whether the call ran.
fn lost(peer: &Peer, status: &Status, call: &SyncCall) -> Error {
    tracing::warn!(%peer, invocation_id = %call.id, error = %Chain(status), "a dispatcher went away");
    let message = "the dispatcher that had the call went away; whether it ran is not known";
    Error::new(ErrorKind::Unavailable, "DispatcherLost", message)
        .with_metadata("invocationId", call.id)
        .with_retry_after(Duration::from_secs(1))
}

fn nobody() -> Error {
    Error::unavailable("no dispatcher can be reached")
}

#[async_trait]
impl Invoker for RemoteInvoker {
    async fn call(&self, call: SyncCall) -> Result<SyncAnswer> {
        let request = wire::call_to_wire(&call);
        for peer in self.choice.order(&call.function.key) {
            let _in_flight = self.choice.begin(&peer);
            match self.ask(&peer, request.clone(), call.wait).await {
                Ok(response) => return wire::answer_from_wire(response),
                Err(status) if never_began(&status) => {
                    tracing::debug!(%peer, error = %Chain(&status), "asking the next dispatcher");
                    self.choice.shun(&peer);
                }
                Err(status) => {
                    let ours = status::Problem::from(&status).metadata.contains_key(status::KIND);
                    return Err(if ours {
                        status::from_status(&status)
                    } else {
                        lost(&peer, &status, &call)
                    });
                }
            }
        }
        Err(nobody())
    }

    async fn proxy(&self, call: ProxyCall, request: HttpRequest) -> Result<HttpResponse> {
        self.pass(&PassHead::from(&call), request).await
    }
}
