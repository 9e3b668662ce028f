//! A record as a row.

use super::bodies::body_apart;
use super::codes;
use super::fault::{Fault, Outcome};
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::Lifecycle;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Body, Bytes, Epoch, Failure, FunctionKey, FunctionUid, Invocation, InvocationId, StartKind, Timestamp,
    VersionNumber,
};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Row as _};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const NONE: i64 = 0;
const INLINE: i64 = 1;
const BLOB: i64 = 2;
const APART: i64 = 3;

/// A record with what the store keeps beside it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub invocation: Invocation,
    pub worker: Option<Arc<str>>,
    pub lease_until: Option<Timestamp>,
    pub start: Option<StartKind>,
    pub run: Option<Duration>,
    pub publishes: i64,
    /// Payload and result, where they lie in `bodies` and were not read yet.
    pub apart: [bool; 2],
}

macro_rules! columns {
    ($payload:literal, $result:literal) => {
        concat!(
            "id, namespace, name, function_uid, version, source, caller, replay_of, trace, state, epoch, attempts, ",
            "lost, not_before, cancel_requested, dead_letter, created_at, started_at, ended_at, reason, message, ",
            "retry_after, http_status, logs_truncated, worker, lease_until, start, run_micros, publishes, ",
            "payload_size, payload_type, result_size, result_type, ",
            $payload,
            ", ",
            $result
        )
    };
}
pub(super) use columns;

/// All columns of a record, in the order of [`bind`] and [`read`].
pub(super) const COLUMNS: &str = columns!("payload_kind, payload", "result_kind, result");

pub(super) const GET: &str = concat!(
    "SELECT ",
    columns!("payload_kind, payload", "result_kind, result"),
    " FROM invocations WHERE id = $1"
);

pub(super) const GET_MANY: &str = concat!(
    "SELECT ",
    columns!("payload_kind, payload", "result_kind, result"),
    " FROM invocations WHERE id IN (SELECT unhex(value) FROM json_each($1))"
);

impl Record {
    pub(super) fn new(invocation: Invocation) -> Self {
        let apart = [false, false];
        Self { invocation, worker: None, lease_until: None, start: None, run: None, publishes: 0, apart }
    }

    pub(super) fn set_result(&mut self, result: Stored) {
        let [_, apart] = &mut self.apart;
        // In memory whole; nothing to read back.
        *apart = false;
        self.invocation.result = result;
    }

    /// Whether the payload lies in `bodies` (and was not read).
    pub(super) fn payload_apart(&self) -> bool {
        self.apart.first() == Some(&true)
    }

    pub(super) fn drop_payload(&mut self) {
        let [apart, _] = &mut self.apart;
        *apart = false;
        self.invocation.payload.body = Body::None;
    }
}

pub(super) fn id_bytes(id: InvocationId) -> Vec<u8> {
    id.as_uuid().as_bytes().to_vec()
}

/// Any number of ids as one parameter: `IN (SELECT unhex(value) FROM json_each($1))`.
pub(super) fn hex_ids(ids: impl IntoIterator<Item = InvocationId>) -> String {
    let mut json = String::from("[");
    for id in ids {
        let comma = if json.len() > 1 { "," } else { "" };
        let _ = write!(json, "{comma}\"{}\"", id.as_uuid().simple());
    }
    json.push(']');
    json
}

pub(super) fn uid_bytes(uid: FunctionUid) -> Vec<u8> {
    uid.as_uuid().as_bytes().to_vec()
}

type Bound = Result<(), sqlx::error::BoxDynError>;

/// Binds all of [`COLUMNS`].
pub(super) fn bind(args: &mut SqliteArguments, record: &Record) -> Bound {
    let call = &record.invocation;
    args.reserve(37, 0);
    args.add(id_bytes(call.id))?;
    args.add(call.function.namespace.as_str())?;
    args.add(call.function.name.as_str())?;
    args.add(uid_bytes(call.function_uid))?;
    args.add(call.version.0)?;
    args.add(call.source.as_str())?;
    args.add(Arc::clone(&call.caller))?;
    args.add(call.replay_of.map(id_bytes))?;
    args.add(trace_bytes(call.trace))?;
    let life = &call.lifecycle;
    args.add(codes::state(life.state))?;
    args.add(life.epoch.0)?;
    args.add(life.attempts)?;
    args.add(life.lost)?;
    args.add(life.not_before.as_micros())?;
    args.add(life.cancel_requested)?;
    args.add(life.dead_letter)?;
    args.add(call.created_at.as_micros())?;
    args.add(call.started_at.map(Timestamp::as_micros))?;
    args.add(call.ended_at.map(Timestamp::as_micros))?;
    bind_failure(args, call.failure.as_ref())?;
    args.add(call.http_status)?;
    args.add(call.logs_truncated)?;
    args.add(record.worker.clone())?;
    args.add(record.lease_until.map(Timestamp::as_micros))?;
    args.add(record.start.map(codes::start))?;
    args.add(record.run.map(micros))?;
    args.add(record.publishes)?;
    for stored in [&call.payload, &call.result] {
        args.add(stored.size as i64)?;
        args.add(stored.content_type.clone())?;
    }
    bind_body(args, &call.payload.body)?;
    bind_body(args, &call.result.body)
}

pub(super) fn bind_failure(args: &mut SqliteArguments, failure: Option<&Failure>) -> Bound {
    args.add(failure.map(|failure| failure.reason.as_str()))?;
    args.add(failure.map(|failure| failure.message.as_str()))?;
    args.add(failure.and_then(|failure| failure.retry_after).map(micros))
}

/// Binds kind and bytes or key of a body as it lies in the row.
pub(super) fn bind_body(args: &mut SqliteArguments, body: &Body) -> Bound {
    match body {
        Body::None => {
            args.add(NONE)?;
            args.add(None::<Vec<u8>>)
        }
        large if body_apart(large).is_some() => {
            args.add(APART)?;
            args.add(None::<Vec<u8>>)
        }
        Body::Inline(bytes) => {
            args.add(INLINE)?;
            args.add(bytes.to_vec())
        }
        Body::Blob(key) => {
            args.add(BLOB)?;
            args.add(Arc::clone(key))
        }
    }
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(super) fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn trace_bytes(trace: TraceContext) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(25);
    bytes.extend_from_slice(&trace.trace_id.to_be_bytes());
    bytes.extend_from_slice(&trace.span_id.to_be_bytes());
    bytes.push(u8::from(trace.sampled));
    bytes
}

pub(super) fn read_trace(bytes: &[u8]) -> Outcome<TraceContext> {
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

pub(super) fn read_id(bytes: &[u8]) -> Outcome<InvocationId> {
    Uuid::from_slice(bytes).map(InvocationId::from).map_err(|cause| Fault::corrupt("id", cause))
}

pub(super) fn read_uid(bytes: &[u8]) -> Outcome<FunctionUid> {
    Uuid::from_slice(bytes).map(FunctionUid::from).map_err(|cause| Fault::corrupt("function uid", cause))
}

pub(super) fn read_key(namespace: &str, name: &str) -> Outcome<FunctionKey> {
    let namespace = namespace.parse().map_err(|cause| Fault::corrupt("namespace", cause))?;
    Ok(FunctionKey::new(namespace, name.parse().map_err(|cause| Fault::corrupt("function name", cause))?))
}

/// Reads a row of [`COLUMNS`] (or with bodies left out).
pub(super) fn read(row: &SqliteRow) -> Outcome<Record> {
    let time = |column: usize| row.try_get::<i64, _>(column).map(Timestamp::from_micros);
    let maybe_time =
        |column: usize| row.try_get::<Option<i64>, _>(column).map(|t| t.map(Timestamp::from_micros));
    let (payload, payload_apart) = read_stored(row, 29, 33)?;
    let (result, result_apart) = read_stored(row, 31, 35)?;
    let invocation = Invocation {
        id: read_id(row.try_get(0)?)?,
        function: read_key(row.try_get(1)?, row.try_get(2)?)?,
        function_uid: read_uid(row.try_get(3)?)?,
        version: VersionNumber(row.try_get(4)?),
        lifecycle: read_lifecycle(row)?,
        source: codes::read_source(row.try_get(5)?)?,
        caller: row.try_get::<&str, _>(6)?.into(),
        replay_of: row.try_get::<Option<&[u8]>, _>(7)?.map(read_id).transpose()?,
        trace: read_trace(row.try_get(8)?)?,
        payload,
        result,
        http_status: row.try_get(22)?,
        failure: read_failure(row, 19)?,
        created_at: time(16)?,
        started_at: maybe_time(17)?,
        ended_at: maybe_time(18)?,
        attempts: Vec::new(),
        logs_truncated: row.try_get(23)?,
    };
    Ok(Record {
        invocation,
        worker: row.try_get::<Option<&str>, _>(24)?.map(Arc::from),
        lease_until: maybe_time(25)?,
        start: row.try_get::<Option<i64>, _>(26)?.map(codes::read_start),
        run: row.try_get::<Option<i64>, _>(27)?.map(duration),
        publishes: row.try_get(28)?,
        apart: [payload_apart, result_apart],
    })
}

fn read_lifecycle(row: &SqliteRow) -> Outcome<Lifecycle> {
    Ok(Lifecycle {
        state: codes::read_state(row.try_get(9)?)?,
        epoch: Epoch(row.try_get(10)?),
        attempts: row.try_get(11)?,
        lost: row.try_get(12)?,
        not_before: Timestamp::from_micros(row.try_get(13)?),
        cancel_requested: row.try_get(14)?,
        dead_letter: row.try_get(15)?,
    })
}

/// Reason, message and retry-after, in three columns from `at`.
pub(super) fn read_failure(row: &SqliteRow, at: usize) -> Outcome<Option<Failure>> {
    let Some(reason) = row.try_get::<Option<&str>, _>(at)? else {
        return Ok(None);
    };
    Ok(Some(Failure {
        reason: codes::read_reason(reason)?,
        message: row.try_get(at + 1)?,
        retry_after: row.try_get::<Option<i64>, _>(at + 2)?.map(duration),
    }))
}

fn read_stored(row: &SqliteRow, size: usize, kind: usize) -> Outcome<(Stored, bool)> {
    let mut apart = false;
    let body = match row.try_get::<i64, _>(kind)? {
        NONE => Body::None,
        INLINE => Body::Inline(Bytes::from(row.try_get_unchecked::<Vec<u8>, _>(kind + 1)?)),
        BLOB => Body::Blob(row.try_get_unchecked::<&str, _>(kind + 1)?.into()),
        _ => {
            apart = true;
            Body::None
        }
    };
    let content_type = row.try_get::<Option<&str>, _>(size + 1)?.map(Arc::from);
    Ok((Stored { body, size: row.try_get::<i64, _>(size)? as u64, content_type }, apart))
}
