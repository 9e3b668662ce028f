//! Captured lines as rows.

use super::cells::Cells;
use super::codes;
use super::fault::Outcome;
use super::record::read_id;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::{LineKey, LogQuery};
use eventflow_domain::{FunctionKey, InvocationId, Timestamp};
use std::collections::HashMap;
use uuid::Uuid;

/// Most lines of one query.
pub(crate) const MOST: u32 = 10_000;

/// Functions whose numbers are remembered; over it all are looked up anew.
pub(crate) const REMEMBERED: usize = 10_000;

pub(crate) const SOURCE_PUT: &str =
    "INSERT INTO log_sources (namespace, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
pub(crate) const SOURCE: &str = "SELECT id FROM log_sources WHERE namespace = $1 AND name = $2";
pub(crate) const OF_CALL: &str = "SELECT invocation, attempt, seq, time, stream, text FROM logs \
    WHERE invocation = $1 AND (attempt, seq) > ($2, $3) ORDER BY attempt, seq LIMIT $4";
pub(crate) const OF_FUNCTION: &str = "SELECT invocation, attempt, seq, time, stream, text FROM logs \
    WHERE source = (SELECT id FROM log_sources WHERE namespace = $1 AND name = $2) AND time >= $3 \
    AND time <= $5 AND (time, invocation, attempt, seq) < ($5, $6, $7, $8) \
    ORDER BY time DESC, invocation DESC, attempt DESC, seq DESC LIMIT $4";

/// The place before which lines are read: behind all where none is given.
pub(crate) fn before(query: &LogQuery) -> LineKey {
    let last = || LineKey {
        time: Timestamp::from_micros(i64::MAX),
        invocation: InvocationId::from(Uuid::max()),
        position: LogPosition { attempt: i32::MAX as u32, seq: i32::MAX as u32 },
    };
    query.before.unwrap_or_else(last)
}

/// Lines to append.
#[derive(Debug)]
pub(crate) struct Append {
    pub invocation: InvocationId,
    pub function: FunctionKey,
    pub lines: Vec<LogLine>,
}

/// Numbers of functions as sources of lines. They never change.
pub(crate) type LogSources = HashMap<FunctionKey, i64>;

/// Reads invocation, attempt, seq, time, stream, text.
pub(crate) fn read_line(row: &impl Cells) -> Outcome<LogLine> {
    Ok(LogLine {
        position: LogPosition { attempt: row.number(1)?, seq: row.number(2)? },
        time: Timestamp::from_micros(row.int(3)?),
        stream: codes::read_stream(row.int(4)?),
        text: row.text(5)?.into(),
    })
}

/// The same, of any call of a function.
pub(crate) fn read_function_line(row: &impl Cells) -> Outcome<FunctionLogLine> {
    let invocation = Some(read_id(row.bytes(0)?)?);
    Ok(FunctionLogLine { invocation, approximate: false, line: read_line(row)? })
}
