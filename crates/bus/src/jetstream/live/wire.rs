//! How live news look on their way: what is in the subject is not said again, a digit names the version, lines are
//! arrays.

use crate::jetstream::names::{LiveKind, Names};
use bytes::Bytes;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition, Stream};
use eventflow_domain::ports::Live;
use eventflow_domain::{FunctionKey, InvocationId, State, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const VERSION: u8 = b'1';

/// Invocation, attempt, seq, stream, time, whether it is attributed by time only, text.
#[derive(Serialize, Deserialize)]
struct Line(Option<InvocationId>, u32, u32, Stream, Timestamp, bool, Arc<str>);

impl From<&FunctionLogLine> for Line {
    fn from(of: &FunctionLogLine) -> Self {
        let LogLine { position, stream, time, text } = &of.line;
        Self(of.invocation, position.attempt, position.seq, *stream, *time, of.approximate, Arc::clone(text))
    }
}

impl From<Line> for FunctionLogLine {
    fn from(Line(invocation, attempt, seq, stream, time, approximate, text): Line) -> Self {
        let line = LogLine { position: LogPosition { attempt, seq }, stream, time, text };
        Self { invocation, approximate, line }
    }
}

/// The messages of one piece of news: lines of several calls go as a whole, and to each call its own.
pub(super) fn encode(names: &Names, live: Live) -> Vec<(String, Bytes)> {
    match live {
        Live::CancelRequested { invocation } => vec![(names.cancels(), text(&invocation.to_string()))],
        Live::Changed { invocation, function, state } => {
            vec![(names.live(LiveKind::Changed, &function, Some(invocation)), text(state.as_str()))]
        }
        Live::LogLines { function, lines } => encode_lines(names, &function, &lines),
    }
}

fn encode_lines(names: &Names, function: &FunctionKey, lines: &[FunctionLogLine]) -> Vec<(String, Bytes)> {
    let runs: Vec<&[FunctionLogLine]> =
        lines.chunk_by(|one, next| one.invocation == next.invocation).collect();
    let of = |run: &[FunctionLogLine]| run.first().and_then(|line| line.invocation);
    if let [only] = runs.as_slice() {
        return vec![(names.live(LiveKind::Lines, function, of(only)), array(only))];
    }
    let whole = (names.live(LiveKind::Lines, function, None), array(lines));
    let parts = runs.iter().filter(|run| of(run).is_some());
    let parts = parts.map(|run| (names.live(LiveKind::Part, function, of(run)), array(run)));
    std::iter::once(whole).chain(parts).collect()
}

fn text(text: &str) -> Bytes {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(text.as_bytes());
    bytes.into()
}

fn array(lines: &[FunctionLogLine]) -> Bytes {
    let lines: Vec<Line> = lines.iter().map(Line::from).collect();
    let mut bytes = vec![VERSION];
    // Numbers and text can always be written.
    let _written = serde_json::to_writer(&mut bytes, &lines);
    bytes.into()
}

/// `None` for what is none of ours, or of a later version.
pub(super) fn decode(names: &Names, subject: &str, payload: &[u8]) -> Option<(Option<LiveKind>, Live)> {
    let (&VERSION, body) = payload.split_first()? else { return None };
    if subject == names.cancels() {
        let invocation = std::str::from_utf8(body).ok()?.parse().ok()?;
        return Some((None, Live::CancelRequested { invocation }));
    }
    let (kind, function, invocation) = names.live_parts(subject)?;
    let live = match kind {
        LiveKind::Changed => {
            let state = State::parse(std::str::from_utf8(body).ok()?)?;
            Live::Changed { invocation: invocation?, function, state }
        }
        LiveKind::Lines | LiveKind::Part => {
            let lines: Vec<Line> = serde_json::from_slice(body).ok()?;
            Live::LogLines { function, lines: lines.into_iter().map(FunctionLogLine::from).collect() }
        }
    };
    Some((Some(kind), live))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jetstream::Config;
    use eventflow_testkit::key;

    fn line(invocation: Option<InvocationId>, text: &str) -> FunctionLogLine {
        let position = LogPosition { attempt: 2, seq: 3 };
        let time = Timestamp::from_micros(1_767_225_600_123_456);
        let line = LogLine { position, stream: Stream::Stderr, time, text: text.into() };
        FunctionLogLine { invocation, approximate: true, line }
    }

    #[test]
    fn lines_survive_their_way_and_go_once_where_one_call_printed_them() {
        let names = Names::new(&Config::default());
        let (function, id, other) = (key("f"), InvocationId::generate(), InvocationId::generate());
        let sent = vec![line(Some(id), "a\u{0}\n\u{2028}"), line(Some(id), "")];
        let messages = encode(&names, Live::LogLines { function: function.clone(), lines: sent.clone() });
        let [(subject, payload)] = messages.as_slice() else { panic!("one message: {messages:?}") };
        let Some((Some(LiveKind::Lines), Live::LogLines { lines, .. })) = decode(&names, subject, payload)
        else {
            panic!("lines: {subject}")
        };
        assert_eq!(lines, sent);
        let mixed = vec![line(Some(id), "a"), line(None, "b"), line(Some(other), "c")];
        let messages = encode(&names, Live::LogLines { function, lines: mixed });
        assert_eq!(messages.len(), 3, "the whole and two parts");
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        let names = Names::new(&Config::default());
        let subject = names.cancels();
        for payload in [&b""[..], b"2x", b"1x", b"\xff"] {
            assert!(decode(&names, &subject, payload).is_none(), "{payload:?}");
        }
        assert!(decode(&names, "eventflow.live.lines.default.f.-", b"1{}").is_none());
        assert!(decode(&names, "elsewhere", b"1[]").is_none());
    }
}
