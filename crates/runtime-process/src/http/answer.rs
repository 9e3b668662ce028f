//! The answer on its way back: as it comes, no longer than the timeout, holding its place until it is read.

use super::connections::Sender;
use super::lease::Lease;
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
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

pub(super) fn build(
    mut response: Response<Incoming>,
    sender: Sender,
    lease: Lease,
    started_at: Timestamp,
    deadline: Instant,
) -> HttpResponse {
    let start = lease.start;
    let status = response.status();
    let mut headers = std::mem::take(response.headers_mut());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let upgraded = Some(upgrade(hyper::upgrade::on(response), lease, deadline));
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
    let body = body(Answer { body: response.into_body(), sender, lease, deadline });
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

struct Answer {
    body: Incoming,
    sender: Sender,
    lease: Lease,
    deadline: Instant,
}

impl Answer {
    /// The answer is read: the connection is free, and so is the place.
    fn done(self) {
        self.lease.copy.connections.put_back(self.sender);
    }
}

fn body(answer: Answer) -> ByteStream {
    if answer.body.is_end_stream() {
        answer.done();
        return futures::stream::empty().boxed();
    }
    futures::stream::unfold(Some(answer), next).boxed()
}

async fn next(answer: Option<Answer>) -> Option<(io::Result<Bytes>, Option<Answer>)> {
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
                answer.lease.overran();
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

fn upgrade(upgrade: OnUpgrade, lease: Lease, deadline: Instant) -> Upgraded {
    Box::pin(async move {
        let connection = tokio::time::timeout_at(deadline, upgrade).await.map_err(|_| overran())?;
        let connection = TokioIo::new(connection.map_err(io::Error::other)?).compat();
        let sleep = Box::pin(tokio::time::sleep_until(deadline));
        Ok(Box::new(Bounded { connection, sleep, lease }) as Box<dyn Duplex>)
    })
}

/// An upgraded connection that ends at the timeout and holds its place until it is dropped.
struct Bounded {
    connection: Compat<TokioIo<hyper::upgrade::Upgraded>>,
    sleep: Pin<Box<Sleep>>,
    lease: Lease,
}

impl Bounded {
    fn in_time(
        &mut self,
        context: &mut Context<'_>,
    ) -> io::Result<Pin<&mut Compat<TokioIo<hyper::upgrade::Upgraded>>>> {
        if self.sleep.as_mut().poll(context).is_ready() {
            self.lease.overran();
            return Err(overran());
        }
        Ok(Pin::new(&mut self.connection))
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().in_time(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Bounded {
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
