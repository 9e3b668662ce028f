use bytes::Bytes;
use eventflow_lifecycle::CancellationToken;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;

/// A stream of a gRPC answer that ends cleanly when the process drains: its caller comes back to another replica.
pub(super) struct UntilDraining {
    body: tonic::body::Body,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: bool,
}

impl UntilDraining {
    pub(super) fn new(body: tonic::body::Body, draining: CancellationToken) -> Self {
        Self { body, drained: Box::pin(draining.cancelled_owned()), ended: false }
    }
}

impl Body for UntilDraining {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.drained.as_mut().poll(context).is_ready() {
            self.ended = true;
            let trailers = HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("0"),
            )]);
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}
