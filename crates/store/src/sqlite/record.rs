//! A record as a row of SQLite.

use super::bodies::body_apart;
use super::codes;
use super::shared::record::{APART, BLOB, INLINE, NONE, trace_bytes};
pub(super) use super::shared::record::{
    Record, micros, read, read_attempt, read_id, read_key, read_trace, read_uid,
};
use eventflow_domain::{Body, Failure, FunctionUid, InvocationId, Timestamp};
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;
use std::fmt::Write as _;
use std::sync::Arc;

macro_rules! columns {
    ($payload:literal, $result:literal) => {
        $crate::shared::record::columns!("publishes", $payload, $result)
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
    args.add(record.invocation.start.map(codes::start))?;
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
