use super::{CountingSink, FLOOD_LINES, Program, Suite, call, output};
use eventflow_domain::Reason;
use eventflow_domain::limits::Limits;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::LogSink;
use pretty_assertions::assert_eq;
use std::sync::Arc;

/// Bytes in, the same bytes out: nothing, text, and every byte value over more than a pipe holds.
pub async fn a_job_gives_back_its_payload(suite: &Suite) {
    let version = suite.prepared(Program::Echo).await;
    let binary: Vec<u8> = (0..=255u8).cycle().take(256 << 10).collect();
    for payload in [Vec::new(), b"hello".to_vec(), binary] {
        let (ran, _) = suite.run(call(&version, payload.clone())).await;
        assert_eq!(ran.exit_code.unwrap_or(0), 0);
        assert!(output(ran).bytes == payload, "the payload of {} bytes should come back", payload.len());
    }
}

pub async fn what_is_printed_is_captured_by_stream(suite: &Suite) {
    let version = suite.prepared(Program::PrintBoth).await;
    let (ran, logs) = suite.run(call(&version, "")).await;
    assert_eq!(output(ran).bytes, "to stdout\n");
    assert_eq!(logs.lines(Stream::Stdout), ["to stdout"]);
    assert_eq!(logs.lines(Stream::Stderr), ["to stderr"]);
}

pub async fn a_non_zero_exit_is_a_failure_with_its_code(suite: &Suite) {
    let version = suite.prepared(Program::ExitSeven).await;
    let (ran, logs) = suite.run(call(&version, "")).await;
    let failure = ran.failure.expect("a failure");
    assert_eq!((failure.reason, ran.exit_code), (Reason::ExitCode, Some(7)));
    assert!(failure.message.contains('7'), "{}", failure.message);
    assert_eq!(logs.lines(Stream::Stderr), ["giving up"]);
}

/// What the call brings and EventFlow's own variables; nothing of the host.
pub async fn only_the_given_environment_is_seen(suite: &Suite) {
    let version = suite.prepared(Program::PrintEnv).await;
    let mut call = call(&version, "");
    call.attempt = 3;
    call.env = Arc::new([("GREETING".to_owned(), "good day".to_owned())]);
    let expected = [
        "GREETING=good day".to_owned(),
        format!("EVENTFLOW_INVOCATION_ID={}", call.invocation),
        format!("EVENTFLOW_FUNCTION={}", version.key.name),
        format!("EVENTFLOW_VERSION={}", version.number),
        "EVENTFLOW_ATTEMPT=3".to_owned(),
        format!("TRACEPARENT={}", call.trace),
    ];
    let (ran, _) = suite.run(call).await;
    let text = String::from_utf8(output(ran).bytes.to_vec()).expect("should be UTF-8");
    for line in &expected {
        assert!(text.lines().any(|seen| seen == line), "{line} should be among\n{text}");
    }
    // Cargo sets this one for every test process.
    assert!(!text.contains("CARGO_"), "the host's environment is seen:\n{text}");
}

pub async fn a_run_leaves_nothing_for_the_next(suite: &Suite) {
    let version = suite.prepared(Program::Canary).await;
    for _ in 0..8 {
        let (ran, _) = suite.run(call(&version, "")).await;
        assert_eq!(String::from_utf8_lossy(&output(ran).bytes).trim_end(), "fresh");
    }
}

/// The logs see all of it, in small pieces; the result is its end.
pub async fn printing_a_lot_stays_bounded(suite: &Suite) {
    let version = suite.prepared(Program::Flood).await;
    let sink = Arc::new(CountingSink::default());
    let ran = suite.runtime.run(call(&version, ""), Arc::clone(&sink) as Arc<dyn LogSink>).await;
    let bytes = output(ran).bytes;
    assert_eq!(bytes.len() as u64, Limits::default().stdout_result);
    assert!(bytes.ends_with(b"\nend\n"), "the result should be the end of what was printed");
    assert_eq!(sink.bytes(), (FLOOD_LINES * 64 + 4) as u64);
    assert!(sink.largest() <= 1 << 20, "a piece of {} bytes came at once", sink.largest());
}
