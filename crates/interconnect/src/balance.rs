//! A gateway's side: any request over HTTP/2 to one of the apis, the least busy of the best ones.

mod answer;
mod probe;
mod standing;

use crate::replay::{Attempt, Replay};
use crate::{AT_LEAST_HEADER, PEER_HEADER, REVISION_HEADER};
use answer::Held;
use eventflow_auth::PeerKey;
use eventflow_domain::error::{Chain, DRAINING};
use eventflow_domain::ports::{Clock, Peer, Peers};
use eventflow_domain::{Error, ErrorKind, Result};
use eventflow_proto::status;
use futures::future::BoxFuture;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
pub use standing::Answering;
use standing::{InFlight, Standings};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::Status;
use tonic::body::Body;

/// Bytes of one answer, and of all answers of one api, that may wait here for slow callers.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Headers that one connection has, or that a gateway judged already.
const LEFT_OUT: [HeaderName; 9] = [
    header::HOST,
    header::ORIGIN,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Bounds of the connections to the apis.
#[derive(Debug, Clone)]
pub struct BalanceConfig {
    /// For a connection to an api.
    pub connect_timeout: Duration,
    /// A connection is asked whether it lives this often, and given up after as long without an answer.
    pub keep_alive: Duration,
    /// Each api is asked this often whether it is there, and has as long to answer.
    pub probe_every: Duration,
}

impl Default for BalanceConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            keep_alive: Duration::from_secs(5),
            probe_every: Duration::from_secs(2),
        }
    }
}

/// The apis as one service: never an error, always a response; faults of ours are gRPC statuses. Cheap to clone.
///
/// A request goes to a second api only where the first certainly did not begin it: no connection, a connection that
/// was being closed, or a refusal that says that the api drains.
#[derive(Debug, Clone)]
pub struct Apis(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    standings: Standings,
    client: Client<HttpConnector, Attempt>,
    key: Arc<PeerKey>,
    config: BalanceConfig,
    /// The last change of the functions that any api told of: the others are asked to have seen it.
    revision: AtomicU64,
}

/// How a request ended at one api.
enum Tried {
    Answered(Box<Response<Incoming>>),
    /// It was not begun there; said how.
    NotBegun(Error),
    /// Whether it was carried out is not known.
    Lost(hyper_util::client::legacy::Error),
}

impl Apis {
    pub fn new(
        peers: Arc<dyn Peers>,
        key: Arc<PeerKey>,
        clock: Arc<dyn Clock>,
        config: BalanceConfig,
    ) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(config.connect_timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(config.keep_alive)
            .http2_keep_alive_timeout(config.keep_alive)
            .http2_keep_alive_while_idle(true)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .build(connector);
        Self(Arc::new(Inner {
            standings: Standings::new(peers, clock),
            client,
            key,
            config,
            revision: AtomicU64::new(0),
        }))
    }

    /// How many apis answer.
    pub fn answering(&self) -> Answering {
        self.0.standings.answering()
    }

    async fn send(self, request: Request<Body>) -> Response<Body> {
        match self.0.send(request).await {
            Ok(response) => response,
            Err(error) => status::to_status(&error).into_http(),
        }
    }
}

impl tower_service::Service<Request<Body>> for Apis {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let apis = self.clone();
        Box::pin(async move { Ok(apis.send(request).await) })
    }
}

impl Inner {
    async fn send(&self, request: Request<Body>) -> Result<Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let token = HeaderValue::try_from(self.key.token()?.as_ref())
            .map_err(|error| Error::internal("write a header", error))?;
        clean(&mut parts.headers, token);
        parts.headers.insert(AT_LEAST_HEADER, HeaderValue::from(self.revision.load(Ordering::Acquire)));
        let body = Replay::new(body);
        for peer in self.standings.order() {
            // What was taken from the caller and not kept cannot be sent again.
            let Some(attempt) = body.attempt() else { break };
            let in_flight = self.standings.begin(&peer);
            match self.ask(&peer, &parts, attempt).await? {
                Tried::Answered(response) => return Ok(held(*response, &peer, in_flight)),
                Tried::NotBegun(error) => {
                    tracing::debug!(%peer, error = %Chain(&error), "asking the next api");
                    self.standings.shun(&peer);
                }
                Tried::Lost(error) => {
                    tracing::warn!(%peer, error = %Chain(&error), path = parts.uri.path(), "an api went away");
                    return Err(lost());
                }
            }
        }
        Err(Error::unavailable("no api can be reached"))
    }

    fn heard(&self, headers: &HeaderMap) {
        let told = headers.get(REVISION_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        self.revision.fetch_max(told.unwrap_or(0), Ordering::AcqRel);
    }

    async fn ask(&self, peer: &Peer, parts: &Parts, body: Attempt) -> Result<Tried> {
        let request = to(peer, parts, body)?;
        Ok(match self.client.request(request).await {
            Ok(response) if drains(response.headers()) => {
                Tried::NotBegun(Error::draining("the api is shutting down"))
            }
            Ok(response) => {
                self.heard(response.headers());
                Tried::Answered(Box::new(response))
            }
            Err(error) if error.is_connect() || never_processed(&error) => {
                Tried::NotBegun(Error::unavailable("cannot be reached").with_cause(error))
            }
            Err(error) => Tried::Lost(error),
        })
    }
}

/// What the caller is told where it is not known what became of the request.
fn lost() -> Error {
    let message = "the api that had the request went away; whether it was carried out is not known";
    Error::new(ErrorKind::Unavailable, "ApiLost", message).with_retry_after(Duration::from_secs(1))
}

fn held(response: Response<Incoming>, peer: &Peer, in_flight: InFlight) -> Response<Body> {
    let grpc = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let peer = Arc::clone(peer);
    response.map(|body| Body::new(Held::new(body, grpc, peer, in_flight)))
}

/// Leaves out what is not the api's business, and says who asks.
fn clean(headers: &mut HeaderMap, token: HeaderValue) {
    for name in &LEFT_OUT {
        headers.remove(name);
    }
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(PEER_HEADER, token);
}

fn to(peer: &Peer, parts: &Parts, body: Attempt) -> Result<Request<Attempt>> {
    let address = Authority::try_from(&**peer)
        .map_err(|error| Error::internal(format!("address the api {peer:?}"), error))?;
    let path = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(address).path_and_query(path);
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = uri.build().map_err(|error| Error::internal("write a URI", error))?;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = parts.headers.clone();
    Ok(request)
}

/// A refusal, before anything was begun, by an api that stops.
fn drains(headers: &HeaderMap) -> bool {
    if headers.get("grpc-status").is_none_or(|code| code != "14") {
        return false;
    }
    Status::from_header_map(headers).is_some_and(|status| status::Problem::from(&status).reason == DRAINING)
}

/// The peer said that it never looked at the request (RFC 9113, 8.7).
fn never_processed(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(h2) = error.downcast_ref::<h2::Error>() {
            return h2.reason() == Some(h2::Reason::REFUSED_STREAM)
                || (h2.is_go_away() && h2.is_remote() && h2.reason() == Some(h2::Reason::NO_ERROR));
        }
        cause = error.source();
    }
    false
}
