//! The W3C trace context, in and out. Headers are read and written in [`http`] and [`grpc`] and nowhere else.

pub mod grpc;
pub mod http;

use crate::names::TRACE_ID;
use eventflow_domain::trace::TraceContext;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use std::borrow::Cow;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The name of the header.
pub const TRACEPARENT: &str = "traceparent";

/// Whether spans go anywhere. Process-wide, as the subscriber is.
static EXPORTING: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_exporting(on: bool) {
    EXPORTING.store(on, Ordering::Relaxed);
}

/// Makes `span` part of the trace that came in, or of a new one, and says what to hand on: the trace, with
/// `span` as the parent of what comes next. The span's empty field `trace_id` is filled in. Call it once, before
/// the span is entered. Without OTLP it costs two random numbers.
pub fn adopt(span: &Span, incoming: Option<TraceContext>) -> TraceContext {
    let context = if EXPORTING.load(Ordering::Relaxed) { exported(span, incoming) } else { None };
    let context =
        context.unwrap_or_else(|| incoming.map_or_else(TraceContext::generate, TraceContext::child));
    if !span.is_disabled() {
        span.record(TRACE_ID, tracing::field::display(format_args!("{:032x}", context.trace_id)));
    }
    context
}

/// Names an adopted span anew, where its name shows only later.
pub fn rename(span: &Span, name: impl Into<Cow<'static, str>>) {
    if EXPORTING.load(Ordering::Relaxed) {
        span.context().span().update_name(name);
    }
}

fn exported(span: &Span, incoming: Option<TraceContext>) -> Option<TraceContext> {
    if let Some(incoming) = incoming {
        let flags = if incoming.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let (trace, parent) = (TraceId::from(incoming.trace_id), SpanId::from(incoming.span_id));
        let remote = SpanContext::new(trace, parent, flags, true, TraceState::default());
        let parent = opentelemetry::Context::new().with_remote_span_context(remote);
        // Refused only where the span is disabled or was started: then it is in no trace or in another one.
        span.set_parent(parent).ok()?;
    }
    let context = span.context();
    let own = context.span().span_context().clone();
    own.is_valid().then(|| TraceContext {
        trace_id: u128::from_be_bytes(own.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(own.span_id().to_bytes()),
        sampled: own.is_sampled(),
    })
}

/// The length of a `traceparent`.
const LEN: usize = 55;

/// The header's value, without an allocation.
fn encode(context: TraceContext) -> [u8; LEN] {
    let mut text = [0; LEN];
    // A TraceContext always prints as 55 bytes.
    let _ = write!(text.as_mut_slice(), "{context}");
    text
}

/// Reads a header's value; what is no trace context counts as none, as the standard asks.
fn decode(text: &[u8]) -> Option<TraceContext> {
    // Later versions may append to it.
    std::str::from_utf8(text.get(..text.len().min(256))?).ok()?.trim().parse().ok()
}
