//! What stands between the operator and the API server: the gate that lets only the leader write, and the ear that
//! hears whether watches are alive.

use crate::lease::Leadership;
use crate::progress::{Beat, Progress};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::Client;
use kube::client::Body;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A write of somebody who does not lead (any more). Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the leader: nothing was written")]
pub struct NotLeading;

/// `client`, but writes are sent only while `leadership` says that they may be.
pub fn gated(client: &Client, leadership: &Arc<Leadership>) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Gate { inner: client.clone(), leadership: Arc::clone(leadership) }, namespace)
}

/// `client`, but each watch tells `progress` whenever anything arrives on it.
pub fn heard(client: &Client, progress: &Progress) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Ear { inner: client.clone(), progress: progress.clone() }, namespace)
}

/// Whether an error is of the gate.
pub(crate) fn is_not_leading(error: &kube::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotLeading>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[derive(Clone)]
struct Gate {
    inner: Client,
    leadership: Arc<Leadership>,
}

impl Service<Request<Body>> for Gate {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { inner, leadership } = self.clone();
        Box::pin(async move {
            if request.method() != Method::GET && !leadership.may_write() {
                return Err(NotLeading.into());
            }
            inner.send(request).await.map_err(Into::into)
        })
    }
}

#[derive(Clone)]
struct Ear {
    inner: Client,
    progress: Progress,
}

impl Service<Request<Body>> for Ear {
    type Response = Response<Heard>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let beat =
            (request.method() == Method::GET).then(|| self.progress.beat(request.uri().path())).flatten();
        let inner = self.inner.clone();
        Box::pin(async move {
            let (head, body) = inner.send(request).await.map_err(BoxError::from)?.into_parts();
            // An error that the server answers is no progress.
            let beat = beat.filter(|_| head.status.is_success());
            if let Some(beat) = &beat {
                beat.now();
            }
            Ok(Response::from_parts(head, Heard { inner: body, beat }))
        })
    }
}

/// A body that tells when a part of it has arrived: events and bookmarks, which come every minute.
struct Heard {
    inner: Body,
    beat: Option<Beat>,
}

impl HttpBody for Heard {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(_))), Some(beat)) = (&polled, &self.beat) {
            beat.now();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
