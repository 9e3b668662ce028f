//! A request as the copy gets it.

use crate::connections::Body;
use eventflow_domain::Bytes;
use eventflow_domain::ports::{ByteStream, Call, HttpRequest};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, UPGRADE};
use http::{HeaderName, HeaderValue, Request, Version};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use std::io;
use std::net::SocketAddr;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The request as the copy at `address` gets it.
pub fn build(call: &Call, request: HttpRequest, address: SocketAddr) -> Request<Body> {
    let HttpRequest { method, uri, headers, body, upgrade } = request;
    let body = if headers.contains_key(CONTENT_LENGTH) { streamed(body) } else { measured(body) };
    let mut built = Request::new(body);
    *built.version_mut() = Version::HTTP_11;
    *built.method_mut() = method;
    *built.uri_mut() = uri;
    *built.headers_mut() = headers;
    let headers = built.headers_mut();
    if !headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::try_from(address.to_string())
    {
        headers.insert(HOST, host);
    }
    if !headers.contains_key(TRACEPARENT)
        && let Ok(trace) = HeaderValue::try_from(call.trace.to_string())
    {
        headers.insert(TRACEPARENT, trace);
    }
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.entry(UPGRADE).or_insert(HeaderValue::from_static("websocket"));
    } else {
        headers.remove(CONNECTION);
        headers.remove(UPGRADE);
    }
    built
}

/// The same request for another copy. A `Host` that the caller sent is left alone.
pub(crate) fn address(mut request: Request<Body>, before: SocketAddr, now: SocketAddr) -> Request<Body> {
    let ours = |value: &HeaderValue| value.as_bytes() == before.to_string().as_bytes();
    if request.headers().get(HOST).is_some_and(ours)
        && let Ok(host) = HeaderValue::try_from(now.to_string())
    {
        request.headers_mut().insert(HOST, host);
    }
    request
}

fn streamed(body: ByteStream) -> Body {
    StreamBody::new(body.map_ok(Frame::data)).boxed_unsync()
}

/// A body that is there whole already gets a length: many a small server does not know chunked requests.
fn measured(mut body: ByteStream) -> Body {
    let full = |bytes: Bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
    let first = match body.next().now_or_never() {
        None => return streamed(body),
        Some(None) => return full(Bytes::new()),
        Some(Some(first)) => first,
    };
    match (first, body.next().now_or_never()) {
        (Ok(first), Some(None)) => full(first),
        (first, second) => {
            let read: Vec<io::Result<Bytes>> = std::iter::once(first).chain(second.flatten()).collect();
            streamed(futures::stream::iter(read).chain(body).boxed())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Body as _;

    fn stream(pieces: &[&'static str]) -> ByteStream {
        let pieces: Vec<io::Result<Bytes>> =
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        futures::stream::iter(pieces).boxed()
    }

    #[test]
    fn a_body_that_is_there_has_a_length_and_none_is_lost_of_one_that_comes() {
        assert_eq!(measured(stream(&[])).size_hint().exact(), Some(0));
        assert_eq!(measured(stream(&["abc"])).size_hint().exact(), Some(3));
        let comes = measured(stream(&["a", "b", "c"]));
        assert_eq!(comes.size_hint().exact(), None);
        let whole = comes.collect().now_or_never().expect("is there").expect("no error").to_bytes();
        assert_eq!(whole, "abc");
        let later = measured(futures::stream::once(std::future::pending()).boxed());
        assert_eq!(later.size_hint().exact(), None);
    }
}
