use super::*;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use tracing_subscriber::layer::SubscriberExt as _;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `body` logs.
fn logged(style: Style, body: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let layer = LogLayer::new(style, "api", move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), body);
    let bytes = buffer.0.lock().clone();
    String::from_utf8(bytes).expect("text")
}

const NASTY: &str = "a\r\nb\u{1b}[31m\"\\\u{9b}\u{2028}\0end";

#[test]
fn a_json_line_is_flat_and_carries_the_trace() {
    let text = logged(Style::Json, || {
        let request = tracing::info_span!("rpc", trace_id = tracing::field::Empty, secret = "no");
        request.record("trace_id", "4bf9");
        let _entered = request.enter();
        let _attempt = tracing::info_span!("attempt", invocation_id = %"0197", function = "hello").entered();
        tracing::warn!(attempt = 2, cold = true, took = 0.5, function = "nearer", "done");
    });
    let mut line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let time = line.as_object_mut().and_then(|line| line.remove("time")).expect("a time");
    assert!(time.as_str().is_some_and(|time| time.ends_with('Z') && time.starts_with("20")), "{time}");
    let expected = serde_json::json!({
        "level": "WARN", "service": "api", "target": "eventflow_telemetry::log::tests", "message": "done",
        "attempt": 2, "cold": true, "took": 0.5, "function": "nearer", "invocation_id": "0197", "trace_id": "4bf9",
    });
    assert_eq!(line, expected);
}

#[test]
fn one_event_is_one_line_whatever_is_in_it() {
    let body = || {
        let _span = tracing::info_span!("rpc", function = NASTY).entered();
        tracing::info!(user = NASTY, debugged = ?NASTY, "{NASTY}");
    };
    for style in [Style::Json, Style::Text { colours: false }] {
        let text = logged(style, body);
        let line = text.strip_suffix('\n').expect("a newline at the end");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line:?}");
    }
    let line: serde_json::Value = serde_json::from_str(&logged(Style::Json, body)).expect("JSON");
    assert_eq!((line["user"].as_str(), line["function"].as_str()), (Some(NASTY), Some(NASTY)));
    assert_eq!(line["message"].as_str(), Some(NASTY));
}

#[test]
fn a_huge_value_is_cut() {
    let text = logged(Style::Json, || tracing::info!(body = "é".repeat(1 << 20), "big"));
    assert!(text.len() < 20_000, "{}", text.len());
}

#[test]
fn errors_are_logged_with_their_causes() {
    let error = eventflow_domain::Error::internal("open store", "disk full");
    let text = logged(Style::Text { colours: false }, || {
        tracing::error!(error = &error as &dyn std::error::Error, "stopped");
    });
    assert!(text.contains("stopped error=failed to open store: disk full"), "{text}");
}
