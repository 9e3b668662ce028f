//! Captured output of a call: lines with a place in the order of the call.

use crate::ids::InvocationId;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
    /// Said by EventFlow, not by the function: `logs were cut at 1 MiB`.
    System,
}

impl Stream {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::System => "system",
        }
    }
}

/// The place of a line within its invocation; `after=attempt:seq` resumes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct LogPosition {
    pub attempt: u32,
    /// From 1, without gaps within an attempt.
    pub seq: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be attempt:seq, such as 1:42")]
pub struct LogPositionError;

impl FromStr for LogPosition {
    type Err = LogPositionError;
    fn from_str(text: &str) -> Result<Self, LogPositionError> {
        let (attempt, seq) = text.split_once(':').ok_or(LogPositionError)?;
        let number = |text: &str| text.parse().map_err(|_| LogPositionError);
        Ok(Self { attempt: number(attempt)?, seq: number(seq)? })
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.attempt, self.seq)
    }
}

/// One captured line, without its line end. Bytes that are not UTF-8 were replaced (U+FFFD).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub position: LogPosition,
    pub stream: Stream,
    pub time: Timestamp,
    pub text: Arc<str>,
}

/// A line and whose it is; `invocation` is absent where it cannot be told (a warm copy between calls).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionLogLine {
    pub invocation: Option<InvocationId>,
    /// Attributed by its time window only.
    pub approximate: bool,
    pub line: LogLine,
}

/// Longest line kept; a longer one goes on in the next.
pub const MAX_LINE: usize = 16 << 10;

/// Cuts a byte stream into lines. One for each stream of each attempt.
#[derive(Debug, Default)]
pub struct LineFramer {
    partial: Vec<u8>,
}

impl LineFramer {
    /// Feeds bytes; `emit` gets each complete line, without its line end.
    pub fn push(&mut self, mut bytes: &[u8], mut emit: impl FnMut(&str)) {
        while let Some(end) = bytes.iter().position(|&b| b == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.extend(line, &mut emit);
            self.flush(&mut emit, true);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.extend(bytes, &mut emit);
    }

    /// The end of the stream: emits what has no line end.
    pub fn finish(&mut self, mut emit: impl FnMut(&str)) {
        self.flush(&mut emit, false);
    }

    fn extend(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(&str)) {
        while self.partial.len() + bytes.len() > MAX_LINE {
            let (head, tail) = bytes.split_at(MAX_LINE - self.partial.len());
            self.partial.extend_from_slice(head);
            self.flush(emit, false);
            bytes = tail;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn flush(&mut self, emit: &mut impl FnMut(&str), ended: bool) {
        if ended && self.partial.last() == Some(&b'\r') {
            self.partial.pop();
        }
        if ended || !self.partial.is_empty() {
            emit(&String::from_utf8_lossy(&self.partial));
        }
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let (mut framer, mut lines) = (LineFramer::default(), Vec::new());
        for chunk in chunks {
            framer.push(chunk, |line| lines.push(line.to_owned()));
        }
        framer.finish(|line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn lines_do_not_depend_on_how_bytes_arrive() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n", b"\n", b"d"]), ["a", "bc", "", "d"]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn a_line_without_end_is_cut_into_bounded_pieces() {
        let pieces = lines(&[&vec![b'x'; 3 * MAX_LINE + 1]]);
        assert_eq!(pieces.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE, MAX_LINE, MAX_LINE, 1]);
    }

    proptest! {
        #[test]
        fn no_byte_is_lost(text in "[a-z\n]{0,200}", cut in 0usize..200) {
            let cut = cut.min(text.len());
            let joined = lines(&[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]).join("\n");
            prop_assert_eq!(joined, text.strip_suffix('\n').unwrap_or(&text));
        }
    }

    #[test]
    fn positions_sort_and_survive_their_text() {
        let position: LogPosition = "2:17".parse().expect("a position");
        assert_eq!(position.to_string(), "2:17");
        assert!(LogPosition { attempt: 1, seq: 99 } < position);
        assert!("2".parse::<LogPosition>().is_err() && "a:b".parse::<LogPosition>().is_err());
    }
}
