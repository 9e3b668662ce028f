//! The span of a request lasts as long as its answer.

use crate::fake::{gateway, request};
use axum::body::Body;
use eventflow_telemetry::names::SPAN_HTTP;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::ServiceExt as _;
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Counts spans of requests that began and ended.
#[derive(Debug, Clone, Default)]
struct Spans {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        if attributes.metadata().name() == SPAN_HTTP {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if context.span(&id).is_some_and(|span| span.name() == SPAN_HTTP) {
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Spans {
    fn counts(&self) -> (usize, usize) {
        (self.begun.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_requests_span_ends_with_its_answer() {
    let spans = Spans::default();
    let _told = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.clone()));
    let gateway = gateway();
    let open = async |path: &str| {
        let call = request("GET", path).body(Body::empty()).unwrap();
        gateway.router.clone().oneshot(call).await.expect("infallible").into_body()
    };

    let whole = open("/v1/functions/hello").await;
    assert_eq!(spans.counts(), (1, 1), "an answer that is there at once");
    drop(whole);

    let mut stream = open("/v1/functions/hello/logs?follow=true").await;
    assert_eq!(spans.counts(), (2, 1), "a stream that has just begun");
    stream.frame().await.expect("a line").expect("whole");
    assert_eq!(spans.counts(), (2, 1), "one that goes on");
    drop(stream);
    assert_eq!(spans.counts(), (2, 2), "one that its caller left");

    let mut page = open("/fn/media/hello/x").await;
    assert_eq!(spans.counts(), (3, 2), "a function's answer on its way");
    while page.frame().await.is_some() {}
    assert_eq!(spans.counts(), (3, 3), "one that was read to its end");
}
