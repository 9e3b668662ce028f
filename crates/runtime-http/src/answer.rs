//! The answer on its way back: as it comes, no longer than the timeout, holding its place until it is read.

use crate::connections::{Connections, Sender};
use eventflow_domain::invocation::StartKind;
use eventflow_domain::ports::{ByteStream, Duplex, HttpResponse, Upgraded};
use eventflow_domain::{Bytes, Timestamp};
use futures::{AsyncRead, AsyncWrite, StreamExt as _};
use http::header::{CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// A call's place on a copy: free again when it is dropped.
pub trait Place: Send + Unpin + 'static {
    /// The call overran its time and may go on in the copy all the same.
    fn overran(&self);
}

/// The head of an answer, and what holds the rest.
#[derive(Debug)]
pub struct Answered<P> {
    pub response: Response<Incoming>,
    pub sender: Sender,
    /// Where the connection goes back to.
    pub connections: Arc<Connections>,
    pub place: P,
    pub start: StartKind,
    pub started_at: Timestamp,
    /// The answer has to end by then.
    pub deadline: Instant,
}

impl<P: Place> Answered<P> {
    /// The answer as the dispatcher passes it on.
    pub fn passed_on(self) -> HttpResponse {
        build(self)
    }
}

fn build<P: Place>(answered: Answered<P>) -> HttpResponse {
    let Answered { mut response, sender, connections, place, start, started_at, deadline } = answered;
    let status = response.status();
    let mut headers = std::mem::take(response.headers_mut());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let upgraded = Some(upgrade(hyper::upgrade::on(response), place, deadline));
        return HttpResponse {
            start,
            started_at,
            status,
            headers,
            body: futures::stream::empty().boxed(),
            upgraded,
        };
    }
    strip_hop_by_hop(&mut headers);
    let body = body(Answer { body: response.into_body(), sender, connections, place, deadline });
    HttpResponse { start, started_at, status, headers, body, upgraded: None }
}

/// Headers that speak of one connection only (RFC 9110, 7.6.1).
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&[
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ]) {
        headers.remove(name);
    }
}

struct Answer<P> {
    body: Incoming,
    sender: Sender,
    connections: Arc<Connections>,
    place: P,
    deadline: Instant,
}

impl<P> Answer<P> {
    /// The answer is read: the connection is free, and so is the place.
    fn done(self) {
        self.connections.put_back(self.sender);
    }
}

fn body<P: Place>(answer: Answer<P>) -> ByteStream {
    if answer.body.is_end_stream() {
        answer.done();
        return futures::stream::empty().boxed();
    }
    futures::stream::unfold(Some(answer), next).boxed()
}

async fn next<P: Place>(answer: Option<Answer<P>>) -> Option<(io::Result<Bytes>, Option<Answer<P>>)> {
    let mut answer = answer?;
    loop {
        let frame = match tokio::time::timeout_at(answer.deadline, answer.body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => {
                answer.done();
                return None;
            }
            Ok(Some(Err(error))) => {
                return Some((Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)), None));
            }
            Err(_) => {
                answer.place.overran();
                return Some((Err(overran()), None));
            }
        };
        // Trailers are left out.
        if let Ok(data) = frame.into_data() {
            return Some((Ok(data), Some(answer)));
        }
    }
}

fn overran() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the function ran longer than its timeout")
}

fn upgrade<P: Place>(upgrade: OnUpgrade, place: P, deadline: Instant) -> Upgraded {
    Box::pin(async move {
        let connection = tokio::time::timeout_at(deadline, upgrade).await.map_err(|_| overran())?;
        let connection = TokioIo::new(connection.map_err(io::Error::other)?).compat();
        let sleep = Box::pin(tokio::time::sleep_until(deadline));
        Ok(Box::new(Bounded { connection, sleep, place }) as Box<dyn Duplex>)
    })
}

/// An upgraded connection that ends at the timeout and holds its place until it is dropped.
struct Bounded<P> {
    connection: Compat<TokioIo<hyper::upgrade::Upgraded>>,
    sleep: Pin<Box<Sleep>>,
    place: P,
}

impl<P: Place> Bounded<P> {
    fn in_time(
        &mut self,
        context: &mut Context<'_>,
    ) -> io::Result<Pin<&mut Compat<TokioIo<hyper::upgrade::Upgraded>>>> {
        if self.sleep.as_mut().poll(context).is_ready() {
            self.place.overran();
            return Err(overran());
        }
        Ok(Pin::new(&mut self.connection))
    }
}

impl<P: Place> AsyncRead for Bounded<P> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().in_time(context)?.poll_read(context, buffer)
    }
}

impl<P: Place> AsyncWrite for Bounded<P> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().in_time(context)?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().in_time(context)?.poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().in_time(context)?.poll_close(context)
    }
}
