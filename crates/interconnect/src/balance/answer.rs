//! An api's answer on its way to the caller.

use super::lost;
use super::standing::InFlight;
use bytes::Bytes;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::Peer;
use eventflow_proto::status;
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::Status;

/// Counts as the api's load until it was read. Where it breaks off, a gRPC caller is told so in the trailers: a
/// stream that is only reset says nothing that one could act on.
pub(super) struct Held {
    body: Incoming,
    grpc: bool,
    ended: bool,
    peer: Peer,
    _in_flight: InFlight,
}

impl Held {
    pub(super) fn new(body: Incoming, grpc: bool, peer: Peer, in_flight: InFlight) -> Self {
        Self { body, grpc, ended: false, peer, _in_flight: in_flight }
    }
}

impl Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(match frame {
            Some(Err(error)) => {
                tracing::warn!(peer = %self.peer, error = %Chain(&error), "an api went away in its answer");
                self.ended = true;
                Some(broken(self.grpc))
            }
            frame => frame.map(|frame| frame.map_err(|error| Status::from_error(Box::new(error)))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn broken(grpc: bool) -> Result<Frame<Bytes>, Status> {
    let status = status::to_status(&lost());
    let mut trailers = HeaderMap::new();
    match grpc.then(|| status.add_header(&mut trailers)) {
        Some(Ok(())) => Ok(Frame::trailers(trailers)),
        _ => Err(status),
    }
}
