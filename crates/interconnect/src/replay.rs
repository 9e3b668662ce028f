//! A request's body that can be sent again, as long as all that was taken from it is kept.

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tonic::Status;
use tonic::body::Body;

/// Bytes that are kept of one body. What is kept was in memory anyway; the bound is on for how long.
const KEPT: usize = 256 << 10;

#[derive(Debug)]
struct Source {
    body: Body,
    /// All that was taken so far; `None` once that was too much, or could not be kept.
    kept: Option<Vec<Bytes>>,
    bytes: usize,
    ended: bool,
    /// Which attempt may read.
    current: u32,
}

/// One body for several attempts, one after the other.
#[derive(Debug)]
pub(crate) struct Replay(Arc<Mutex<Source>>);

impl Replay {
    pub(crate) fn new(body: Body) -> Self {
        let source = Source { body, kept: Some(Vec::new()), bytes: 0, ended: false, current: 0 };
        Self(Arc::new(Mutex::new(source)))
    }

    /// The body from its beginning; an earlier attempt reads no more. `None` where that cannot be had again.
    pub(crate) fn attempt(&self) -> Option<Attempt> {
        let mut source = self.0.lock();
        source.kept.as_ref()?;
        source.current += 1;
        Some(Attempt { source: Arc::clone(&self.0), number: source.current, sent: 0 })
    }
}

#[derive(Debug)]
pub(crate) struct Attempt {
    source: Arc<Mutex<Source>>,
    number: u32,
    /// Pieces of what is kept that this attempt has sent.
    sent: usize,
}

impl Source {
    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(kept) = &mut self.kept else { return };
        match frame.data_ref() {
            Some(piece) if self.bytes + piece.len() <= KEPT => {
                self.bytes += piece.len();
                kept.push(piece.clone());
            }
            _ => self.kept = None,
        }
    }
}

impl hyper::body::Body for Attempt {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut source = this.source.lock();
        if source.current != this.number {
            return Poll::Ready(Some(Err(Status::cancelled("the request is sent elsewhere"))));
        }
        if let Some(piece) = source.kept.as_ref().and_then(|kept| kept.get(this.sent)) {
            this.sent += 1;
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        if source.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut source.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                source.keep(frame);
                this.sent += 1;
            }
            Some(Err(_)) => source.kept = None,
            None => source.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let source = self.source.lock();
        source.current == self.number
            && source.kept.as_ref().is_none_or(|kept| kept.len() == self.sent)
            && (source.ended || source.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::{BodyExt as _, StreamBody};
    use hyper::body::Body as _;

    fn replay(pieces: Vec<&'static [u8]>) -> Replay {
        let frames = pieces.into_iter().map(|piece| Ok::<_, Status>(Frame::data(Bytes::from_static(piece))));
        Replay::new(Body::new(StreamBody::new(stream::iter(frames))))
    }

    async fn first(attempt: &mut Attempt) -> Bytes {
        attempt.frame().await.expect("a frame").expect("no fault").into_data().expect("data")
    }

    #[tokio::test]
    async fn a_second_attempt_sends_what_the_first_took_and_then_the_rest() {
        let replay = replay(vec![b"a", b"b", b"c"]);
        let mut one = replay.attempt().expect("an attempt");
        assert_eq!(first(&mut one).await, "a");
        assert_eq!(first(&mut one).await, "b");
        let two = replay.attempt().expect("another");
        assert!(one.frame().await.expect("a frame").is_err(), "the first one reads no more");
        assert_eq!(two.collect().await.expect("no fault").to_bytes(), "abc");
        let three = replay.attempt().expect("after the end, too");
        assert_eq!(three.collect().await.expect("no fault").to_bytes(), "abc");
    }

    #[tokio::test]
    async fn what_was_too_much_to_keep_is_not_sent_again() {
        static MUCH: [u8; KEPT] = [7; KEPT];
        let replay = replay(vec![&MUCH, b"x"]);
        let mut one = replay.attempt().expect("an attempt");
        assert_eq!(first(&mut one).await.len(), KEPT);
        assert!(replay.attempt().is_some(), "so much is kept");
        let mut two = replay.attempt().expect("another");
        assert_eq!((first(&mut two).await.len(), first(&mut two).await), (KEPT, Bytes::from_static(b"x")));
        assert!(replay.attempt().is_none(), "and no more");
    }

    #[tokio::test]
    async fn a_body_without_bytes_is_known_to_end_at_once() {
        let replay = Replay::new(Body::empty());
        let one = replay.attempt().expect("an attempt");
        assert!(one.is_end_stream());
        let two = replay.attempt().expect("another");
        assert!(!one.is_end_stream() && two.is_end_stream());
    }
}
