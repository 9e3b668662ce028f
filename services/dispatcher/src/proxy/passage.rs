//! One request on its way through: whatever ends it, it is recorded once and its slot comes free.

use crate::attempt::{Finish, Work, body_failure};
use crate::core::Core;
use crate::recorder::Place;
use crate::settle::report;
use crate::slots::Slot;
use crate::sync::{Ran, end};
use eventflow_domain::invocation::{Body, Content, Stored};
use eventflow_domain::lifecycle::Verdict;
use eventflow_domain::ports::{ByteStream, Duplex, HttpResponse, Upgraded};
use eventflow_domain::{Bytes, Failure, StartKind, Timestamp};
use eventflow_telemetry::metrics::InFlight;
use futures::Stream;
use futures::io::{AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What is known of the call so far. Dropped before its end, the caller went away.
pub(super) struct Passage(Option<Open>);

struct Open {
    core: Arc<Core>,
    work: Work,
    began: Duration,
    started_at: Timestamp,
    start: Option<StartKind>,
    status: Option<u16>,
    content_type: Option<Arc<str>>,
    /// What the status means.
    failure: Option<Failure>,
    bytes: u64,
    /// All there is to come, where it is known.
    expected: Option<u64>,
    place: Place,
    _in_flight: InFlight,
    _slot: Slot,
}

impl Drop for Passage {
    fn drop(&mut self) {
        if self.0.as_ref().is_some_and(Open::is_whole) {
            self.complete();
        } else {
            self.ended(Verdict::Cancelled);
        }
    }
}

impl Passage {
    pub(super) fn new(core: &Arc<Core>, work: Work, slot: Slot, place: Place) -> Self {
        let clock = &core.ports.clock;
        let (began, started_at) = (clock.monotonic(), clock.now());
        let core = Arc::clone(core);
        let in_flight = core.ports.metrics.function(&work.invocation.function).run();
        let (start, status, content_type, failure) = (None, None, None, None);
        Self(Some(Open {
            core,
            work,
            began,
            started_at,
            start,
            status,
            content_type,
            failure,
            bytes: 0,
            expected: None,
            place,
            _in_flight: in_flight,
            _slot: slot,
        }))
    }

    #[expect(clippy::expect_used, reason = "ended() is the last use of a passage")]
    pub(super) fn work(&self) -> &Work {
        &self.0.as_ref().expect("should be open until it has ended").work
    }

    pub(super) fn answered(
        &mut self,
        response: &HttpResponse,
        content_type: Option<Arc<str>>,
        failure: Option<Failure>,
        expected: Option<u64>,
    ) {
        if let Some(open) = &mut self.0 {
            open.start = Some(response.start);
            open.started_at = response.started_at;
            open.status = Some(response.status.as_u16());
            (open.content_type, open.failure, open.expected) = (content_type, failure, expected);
        }
    }

    /// Its end, once.
    pub(super) fn ended(&mut self, verdict: Verdict) {
        if let Some(open) = self.0.take() {
            open.end(verdict);
        }
    }

    fn passed(&mut self, bytes: usize) {
        if let Some(open) = &mut self.0 {
            open.bytes += bytes as u64;
            if open.bytes > 0 && open.is_whole() {
                self.complete();
            }
        }
    }

    /// The stream came to its end: the status decides.
    fn complete(&mut self) {
        let failure = self.0.as_mut().and_then(|open| open.failure.take());
        self.ended(failure.map_or(Verdict::Succeeded, Verdict::Failed));
    }

    pub(super) fn body(self, body: ByteStream) -> impl Stream<Item = io::Result<Bytes>> + Send {
        PassingBody { passage: self, body }
    }

    /// The connection after an upgrade; the call lasts as long as it does.
    pub(super) async fn upgraded(self, upgraded: Upgraded) -> io::Result<Box<dyn Duplex>> {
        let mut passage = self;
        match upgraded.await {
            Ok(duplex) => Ok(Box::new(PassingDuplex { passage, duplex })),
            Err(error) => {
                passage.ended(Verdict::Failed(body_failure(&error)));
                Err(error)
            }
        }
    }
}

impl Open {
    fn is_whole(&self) -> bool {
        self.expected.is_some_and(|expected| self.bytes >= expected)
    }

    fn end(self, verdict: Verdict) {
        let Self { core, work, .. } = self;
        work.logs.close();
        let result = Stored { body: Body::None, size: self.bytes, content_type: self.content_type };
        let ran = Ran {
            verdict: verdict.clone(),
            start: self.start,
            started_at: self.started_at,
            exit_code: None,
            status: self.status,
            result: result.clone(),
            logs_truncated: work.logs.truncated(),
        };
        let finish = Finish {
            verdict: Some(verdict),
            start: self.start,
            started_at: self.started_at,
            exit_code: None,
            status: self.status,
            content: Content::default(),
            result,
            took: core.ports.clock.monotonic().saturating_sub(self.began),
        };
        let record = end(&core, work.invocation.as_ref().clone(), ran);
        report(&core, &work, &finish, &record);
        self.place.put(record);
    }
}

struct PassingBody {
    passage: Passage,
    body: ByteStream,
}

impl Stream for PassingBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.body.as_mut().poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => self.passage.passed(chunk.len()),
            Poll::Ready(Some(Err(error))) => {
                let failure = body_failure(error);
                self.passage.ended(Verdict::Failed(failure));
            }
            Poll::Ready(None) => self.passage.complete(),
            Poll::Pending => {}
        }
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.body.size_hint()
    }
}

struct PassingDuplex {
    passage: Passage,
    duplex: Box<dyn Duplex>,
}

impl Drop for PassingDuplex {
    fn drop(&mut self) {
        // Either side may close: that is how an upgraded connection ends.
        self.passage.complete();
    }
}

impl AsyncRead for PassingDuplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.duplex).poll_read(context, buffer);
        if let Poll::Ready(Ok(bytes)) = read {
            self.passage.passed(bytes);
        }
        read
    }
}

impl AsyncWrite for PassingDuplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.duplex).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.duplex).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.duplex).poll_close(context)
    }
}
