//! A record as a row.

use super::cells::Cells;
use super::codes;
use super::fault::{Fault, Outcome};
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::Lifecycle;
use eventflow_domain::ports::{Expired, Lease};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Attempt, Body, Bytes, Epoch, Failure, FunctionKey, FunctionUid, Invocation, InvocationId, Timestamp,
    VersionNumber, WorkerId,
};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const NONE: i16 = 0;
pub(crate) const INLINE: i16 = 1;
pub(crate) const BLOB: i16 = 2;
/// In a table of its own.
pub(crate) const APART: i16 = 3;

/// A record with what the store keeps beside it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub invocation: Invocation,
    pub worker: Option<Arc<str>>,
    pub lease_until: Option<Timestamp>,
    pub run: Option<Duration>,
    pub publishes: i64,
    /// Payload and result, where they lie apart and were not read yet.
    pub apart: [bool; 2],
}

/// The columns of a record, in the order of [`read`]; `$publishes`, `$payload` and `$result` as given.
macro_rules! columns {
    ($publishes:literal, $payload:literal, $result:literal) => {
        concat!(
            "id, namespace, name, function_uid, version, source, caller, replay_of, trace, state, epoch, attempts, ",
            "lost, not_before, cancel_requested, dead_letter, created_at, started_at, ended_at, reason, message, ",
            "retry_after, http_status, logs_truncated, worker, lease_until, start, run_micros, ",
            $publishes,
            ", payload_size, payload_type, result_size, result_type, ",
            $payload,
            ", ",
            $result
        )
    };
}
pub(crate) use columns;

impl Record {
    pub(crate) fn new(invocation: Invocation) -> Self {
        let apart = [false, false];
        Self { invocation, worker: None, lease_until: None, run: None, publishes: 0, apart }
    }

    pub(crate) fn set_result(&mut self, result: Stored) {
        let [_, apart] = &mut self.apart;
        // In memory whole; nothing to read back.
        *apart = false;
        self.invocation.result = result;
    }

    /// Whether the payload lies apart (and was not read).
    pub(crate) fn payload_apart(&self) -> bool {
        self.apart.first() == Some(&true)
    }

    pub(crate) fn drop_payload(&mut self) {
        let [apart, _] = &mut self.apart;
        *apart = false;
        self.invocation.payload.body = Body::None;
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

pub(crate) fn trace_bytes(trace: TraceContext) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(25);
    bytes.extend_from_slice(&trace.trace_id.to_be_bytes());
    bytes.extend_from_slice(&trace.span_id.to_be_bytes());
    bytes.push(u8::from(trace.sampled));
    bytes
}

pub(crate) fn read_trace(bytes: &[u8]) -> Outcome<TraceContext> {
    let read = || {
        let (trace, rest) = bytes.split_first_chunk::<16>()?;
        let (span, rest) = rest.split_first_chunk::<8>()?;
        Some(TraceContext {
            trace_id: u128::from_be_bytes(*trace),
            span_id: u64::from_be_bytes(*span),
            sampled: rest.first() == Some(&1),
        })
    };
    read().ok_or_else(|| Fault::corrupt("trace context", format!("{} bytes", bytes.len())))
}

pub(crate) fn read_id(bytes: &[u8]) -> Outcome<InvocationId> {
    Uuid::from_slice(bytes).map(InvocationId::from).map_err(|cause| Fault::corrupt("id", cause))
}

pub(crate) fn read_uid(bytes: &[u8]) -> Outcome<FunctionUid> {
    Uuid::from_slice(bytes).map(FunctionUid::from).map_err(|cause| Fault::corrupt("function uid", cause))
}

pub(crate) fn read_key(namespace: &str, name: &str) -> Outcome<FunctionKey> {
    let namespace = namespace.parse().map_err(|cause| Fault::corrupt("namespace", cause))?;
    Ok(FunctionKey::new(namespace, name.parse().map_err(|cause| Fault::corrupt("function name", cause))?))
}

/// Reads a row of [`columns`] (or with bodies left out).
pub(crate) fn read(row: &impl Cells) -> Outcome<Record> {
    let maybe_time = |column: usize| row.maybe_int(column).map(|time| time.map(Timestamp::from_micros));
    let (payload, payload_apart) = read_stored(row, 29, 33)?;
    let (result, result_apart) = read_stored(row, 31, 35)?;
    let invocation = Invocation {
        id: read_id(row.bytes(0)?)?,
        function: read_key(row.text(1)?, row.text(2)?)?,
        function_uid: read_uid(row.bytes(3)?)?,
        version: VersionNumber(row.number(4)?),
        lifecycle: read_lifecycle(row)?,
        source: codes::read_source(row.text(5)?)?,
        caller: row.text(6)?.into(),
        replay_of: row.maybe_bytes(7)?.map(read_id).transpose()?,
        trace: read_trace(row.bytes(8)?)?,
        payload,
        result,
        http_status: row.maybe_number(22)?,
        failure: read_failure(row, 19)?,
        created_at: Timestamp::from_micros(row.int(16)?),
        started_at: maybe_time(17)?,
        ended_at: maybe_time(18)?,
        attempts: Vec::new(),
        logs_truncated: row.flag(23)?,
        start: row.maybe_int(26)?.map(codes::read_start),
    };
    Ok(Record {
        invocation,
        worker: row.maybe_text(24)?.map(Arc::from),
        lease_until: maybe_time(25)?,
        run: row.maybe_int(27)?.map(duration),
        publishes: row.int(28)?,
        apart: [payload_apart, result_apart],
    })
}

fn read_lifecycle(row: &impl Cells) -> Outcome<Lifecycle> {
    Ok(Lifecycle {
        state: codes::read_state(row.int(9)?)?,
        epoch: Epoch(row.int(10)?),
        attempts: row.number(11)?,
        lost: row.number(12)?,
        not_before: Timestamp::from_micros(row.int(13)?),
        cancel_requested: row.flag(14)?,
        dead_letter: row.flag(15)?,
    })
}

/// Reason, message and retry-after, in three columns from `at`.
pub(crate) fn read_failure(row: &impl Cells, at: usize) -> Outcome<Option<Failure>> {
    let Some(reason) = row.maybe_text(at)? else {
        return Ok(None);
    };
    Ok(Some(Failure {
        reason: codes::read_reason(reason)?,
        message: row.text(at + 1)?.to_owned(),
        retry_after: row.maybe_int(at + 2)?.map(duration),
    }))
}

fn read_stored(row: &impl Cells, size: usize, kind: usize) -> Outcome<(Stored, bool)> {
    let mut apart = false;
    let body = match row.number::<i16>(kind)? {
        NONE => Body::None,
        INLINE => Body::Inline(Bytes::copy_from_slice(row.bytes(kind + 1)?)),
        BLOB => Body::Blob(row.text(kind + 1)?.into()),
        _ => {
            apart = true;
            Body::None
        }
    };
    let content_type = row.maybe_text(size + 1)?.map(Arc::from);
    Ok((Stored { body, size: row.int(size)? as u64, content_type }, apart))
}

/// Reads an attempt, in columns from `at`: number, epoch, version, worker, started_at, ended_at, start, outcome,
/// exit_code, reason, message, retry_after.
/// `id, epoch, namespace, name, function_uid, version, attempts`
pub(crate) fn read_expired(row: &impl Cells) -> Outcome<Expired> {
    Ok(Expired {
        lease: Lease { invocation: read_id(row.bytes(0)?)?, epoch: Epoch(row.int(1)?) },
        function: read_key(row.text(2)?, row.text(3)?)?,
        function_uid: read_uid(row.bytes(4)?)?,
        version: VersionNumber(row.number(5)?),
        attempt: row.number(6)?,
    })
}

pub(crate) fn read_attempt(row: &impl Cells, at: usize) -> Outcome<Attempt> {
    Ok(Attempt {
        number: row.number(at)?,
        epoch: Epoch(row.int(at + 1)?),
        version: VersionNumber(row.number(at + 2)?),
        worker: WorkerId(row.text(at + 3)?.into()),
        started_at: Timestamp::from_micros(row.int(at + 4)?),
        ended_at: row.maybe_int(at + 5)?.map(Timestamp::from_micros),
        start: row.maybe_int(at + 6)?.map(codes::read_start),
        outcome: row.maybe_int(at + 7)?.map(codes::read_state).transpose()?,
        exit_code: row.maybe_number(at + 8)?,
        failure: read_failure(row, at + 9)?,
    })
}
