//! Requests to function URLs: HTTP/1.1 to the replica, streamed both ways.

use super::ClientConfig;
use crate::choice::InFlight;
use crate::replay::{Attempt, Replay};
use crate::{ANSWER_HEADER, CALL_HEADER, FN_PREFIX, PEER_HEADER, PassHead, wire};
use bytes::Bytes;
use eventflow_domain::error::DRAINING;
use eventflow_domain::ports::{Duplex, HttpRequest, HttpResponse, Peer, Upgraded};
use eventflow_domain::{Error, ErrorKind, Result};
use eventflow_proto::status;
use futures::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::time::Duration;
use tokio_util::compat::TokioAsyncReadCompatExt as _;
use tonic::Status;
use tonic::body::Body;

/// Idle connections kept to each replica.
const IDLE: usize = 64;
const IDLE_FOR: Duration = Duration::from_secs(60);

pub(super) enum Failed {
    /// The function has seen nothing of the request: another replica may be asked, if all of the body can be had again.
    NeverBegan(Error),
    Answered(Error),
}

/// A request that may be tried at several replicas, until one takes it.
pub(super) struct Passing {
    method: Method,
    path: PathAndQuery,
    headers: HeaderMap,
    body: Replay,
}

impl Passing {
    pub(super) fn new(head: &PassHead, request: HttpRequest, token: HeaderValue) -> Result<Self> {
        let HttpRequest { method, uri, mut headers, body, upgrade: _ } = request;
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = PathAndQuery::try_from(format!("{FN_PREFIX}{path}"))
            .map_err(|error| Error::internal("write a path", error))?;
        headers.insert(PEER_HEADER, token);
        headers.insert(CALL_HEADER, wire::pass_to_header(head)?);
        let body = Replay::new(Body::new(StreamBody::new(body.map_ok(Frame::data))));
        Ok(Self { method, path, headers, body })
    }

    /// The body from its beginning; `None` where too much of it went to another replica.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        self.body.attempt()
    }

    fn to(&self, peer: &Peer, body: Attempt) -> Result<Request<Attempt>> {
        let address = Authority::from_maybe_shared(Bytes::copy_from_slice(peer.as_bytes()))
            .map_err(|error| Error::internal(format!("address the dispatcher {peer:?}"), error))?;
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(address).path_and_query(self.path.clone());
        let uri = uri.build().map_err(|error| Error::internal("write a URI", error))?;
        let mut request = Request::new(body);
        (*request.method_mut(), *request.uri_mut()) = (self.method.clone(), uri);
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

#[derive(Debug)]
pub(super) struct Passer(Client<HttpConnector, Attempt>);

impl Passer {
    pub(super) fn new(config: &ClientConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(config.connect_timeout));
        connector.set_nodelay(true);
        let mut client = Client::builder(TokioExecutor::new());
        client
            .pool_max_idle_per_host(IDLE)
            .pool_idle_timeout(IDLE_FOR)
            .pool_timer(hyper_util::rt::TokioTimer::new())
            // A request that a stale connection did not take is not ours to repeat: the body may be gone.
            .retry_canceled_requests(false);
        Self(client.build(connector))
    }

    pub(super) async fn pass(
        &self,
        peer: &Peer,
        request: &Passing,
        body: Attempt,
        in_flight: InFlight,
    ) -> Result<HttpResponse, Failed> {
        let sent = request.to(peer, body).map_err(Failed::Answered)?;
        let response = match self.0.request(sent).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Err(Failed::NeverBegan(Error::unavailable("cannot be reached").with_cause(error)));
            }
            Err(error) => {
                let message = "the dispatcher that had the request went away; whether it ran is not known";
                let lost = Error::new(ErrorKind::Unavailable, "DispatcherLost", message).with_cause(error);
                return Err(Failed::Answered(lost.with_retry_after(Duration::from_secs(1))));
            }
        };
        read(response, in_flight)
    }
}

fn read(mut response: Response<Incoming>, in_flight: InFlight) -> Result<HttpResponse, Failed> {
    let mut headers = std::mem::take(response.headers_mut());
    let Some(head) = headers.remove(ANSWER_HEADER) else {
        return Err(refused(&headers));
    };
    let (start, started_at) = wire::passed_from_header(&head).map_err(Failed::Answered)?;
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let upgraded = upgrade(response, in_flight);
        let body = futures::stream::empty().boxed();
        return Ok(HttpResponse { start, started_at, status, headers, body, upgraded: Some(upgraded) });
    }
    let body = held(response.into_body().into_data_stream(), in_flight);
    Ok(HttpResponse { start, started_at, status, headers, body, upgraded: None })
}

/// The replica's own refusal, which it wrote as a gRPC status.
fn refused(headers: &HeaderMap) -> Failed {
    let Some(status) = Status::from_header_map(headers) else {
        let strange = Error::unavailable("a dispatcher answered what none of ours does");
        return Failed::Answered(strange);
    };
    let error = status::from_status(&status);
    if error.reason() == DRAINING { Failed::NeverBegan(error) } else { Failed::Answered(error) }
}

/// The call counts as this replica's load until its body was read.
fn held(
    body: impl Stream<Item = Result<Bytes, hyper::Error>> + Send + 'static,
    in_flight: InFlight,
) -> BoxStream<'static, io::Result<Bytes>> {
    body.map(move |piece| {
        let _held = &in_flight;
        piece.map_err(io::Error::other)
    })
    .boxed()
}

fn upgrade(response: Response<Incoming>, in_flight: InFlight) -> Upgraded {
    let pending = hyper::upgrade::on(response);
    Box::pin(async move {
        let _held = in_flight;
        let connection = TokioIo::new(pending.await.map_err(io::Error::other)?);
        Ok(Box::new(connection.compat()) as Box<dyn Duplex>)
    })
}
