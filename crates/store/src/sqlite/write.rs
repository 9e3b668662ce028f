//! Writes many steps: a few statements for all of them.

use super::attempts;
use super::bodies::{self, RESULT};
use super::codes;
use super::fault::{Fault, Outcome};
use super::outbox::publish;
use super::record::{bind_body, bind_failure, hex_ids, id_bytes, micros};
use super::repeat::Repeated;
use super::shared::order::{Step, overtaken};
use super::transition::Closed;
use super::writer::Tx;
use eventflow_domain::{InvocationId, Timestamp};
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;
use std::sync::LazyLock;

macro_rules! update {
    ($more:literal) => {
        concat!(
            "UPDATE invocations SET state = ?, epoch = ?, attempts = ?, lost = ?, not_before = ?, ",
            "cancel_requested = ?, dead_letter = ?, started_at = ?, ended_at = ?, reason = ?, message = ?, ",
            "retry_after = ?, http_status = ?, logs_truncated = ?, worker = ?, lease_until = ?, start = ?, ",
            "run_micros = ?, publishes = iif(?, 0, publishes)",
            $more,
            " WHERE id = ? AND epoch = ?"
        )
    };
}

static UPDATE: LazyLock<Repeated> = LazyLock::new(|| Repeated::new(update!("")));

/// The same, with what an end brings.
static UPDATE_END: LazyLock<Repeated> = LazyLock::new(|| {
    Repeated::new(update!(
        ", result_size = ?, result_type = ?, result_kind = ?, result = ?, \
         payload_kind = iif(?, 0, payload_kind), payload = iif(?, NULL, payload)"
    ))
});

static CLOSE_ATTEMPT: LazyLock<Repeated> = LazyLock::new(|| {
    Repeated::new(
        "UPDATE attempts SET started_at = coalesce(?, started_at), ended_at = ?, start = ?, outcome = ?, \
         exit_code = ?, reason = ?, message = ?, retry_after = ? \
         WHERE invocation = ? AND number = ? AND ended_at IS NULL",
    )
});

const UNPUBLISH: &str = "DELETE FROM outbox WHERE invocation IN (SELECT unhex(value) FROM json_each($1))";
const DROP_PAYLOADS: &str =
    "DELETE FROM bodies WHERE part = 0 AND invocation IN (SELECT unhex(value) FROM json_each($1))";

type Bound = Result<(), sqlx::error::BoxDynError>;

/// Writes all. Whether every attempt that ended was there and open. A record that another has changed since it was
/// read makes all fail.
pub(super) async fn all(tx: &mut Tx, steps: &[Step]) -> Outcome<bool> {
    rows(tx, steps).await?;
    let opened: Vec<_> = steps
        .iter()
        .filter_map(|step| Some((step.record.invocation.id, step.change.open.clone()?)))
        .collect();
    attempts::insert(&mut tx.conn, &opened).await?;
    let closed: Vec<_> = steps
        .iter()
        .filter_map(|step| Some((step.record.invocation.id, step.change.close.as_ref()?)))
        .collect();
    let found =
        CLOSE_ATTEMPT.run(&mut tx.conn, &closed, |args, (id, end)| bind_closed(args, *id, end)).await?;
    let due: Vec<_> =
        steps.iter().filter_map(|step| Some((step.record.invocation.id, step.change.publish?))).collect();
    publish(tx, &due).await?;
    delete(tx, UNPUBLISH, steps, |step| step.change.unpublish).await?;
    delete(tx, DROP_PAYLOADS, steps, |step| step.change.drop_body).await?;
    let results = steps.iter().filter(|step| step.change.end.is_some()).map(|step| &step.record.invocation);
    bodies::put(tx, results.map(|call| (call.id, RESULT, &call.result.body))).await?;
    for step in steps {
        let call = &step.record.invocation;
        tx.waiting.moved(call.function_uid, Some(step.change.from), call.state());
    }
    Ok(found == closed.len() as u64)
}

async fn rows(tx: &mut Tx, steps: &[Step]) -> Outcome<()> {
    let (ends, others): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.change.end.is_some());
    let mut changed = UPDATE.run(&mut tx.conn, &others, |args, step| bind_row(args, step)).await?;
    changed += UPDATE_END.run(&mut tx.conn, &ends, |args, step| bind_row(args, step)).await?;
    if changed == steps.len() as u64 {
        return Ok(());
    }
    Err(Fault::Refused(overtaken()))
}

fn bind_row(args: &mut SqliteArguments, step: &Step) -> Bound {
    let (record, call) = (&step.record, &step.record.invocation);
    let life = &call.lifecycle;
    args.add(codes::state(life.state))?;
    args.add(life.epoch.0)?;
    args.add(life.attempts)?;
    args.add(life.lost)?;
    args.add(life.not_before.as_micros())?;
    args.add(life.cancel_requested)?;
    args.add(life.dead_letter)?;
    args.add(call.started_at.map(Timestamp::as_micros))?;
    args.add(call.ended_at.map(Timestamp::as_micros))?;
    bind_failure(args, call.failure.as_ref())?;
    args.add(call.http_status)?;
    args.add(call.logs_truncated)?;
    args.add(record.worker.clone())?;
    args.add(record.lease_until.map(Timestamp::as_micros))?;
    args.add(record.invocation.start.map(codes::start))?;
    args.add(record.run.map(micros))?;
    args.add(step.change.open.is_some())?;
    if let Some(drop_payload) = step.change.end {
        args.add(call.result.size as i64)?;
        args.add(call.result.content_type.clone())?;
        bind_body(args, &call.result.body)?;
        args.add(drop_payload)?;
        args.add(drop_payload)?;
    }
    args.add(id_bytes(call.id))?;
    args.add(step.change.read_epoch.0)
}

fn bind_closed(args: &mut SqliteArguments, id: InvocationId, end: &Closed) -> Bound {
    let attempt = &end.attempt;
    args.add(end.started_at.map(Timestamp::as_micros))?;
    args.add(attempt.ended_at.map(Timestamp::as_micros))?;
    args.add(attempt.start.map(codes::start))?;
    args.add(attempt.outcome.map(codes::state))?;
    args.add(attempt.exit_code)?;
    bind_failure(args, attempt.failure.as_ref())?;
    args.add(id_bytes(id))?;
    args.add(attempt.number)
}

async fn delete(
    tx: &mut Tx,
    sql: &'static str,
    steps: &[Step],
    concerns: impl Fn(&Step) -> bool + Send,
) -> Outcome<()> {
    let ids: Vec<_> =
        steps.iter().filter(|step| concerns(step)).map(|step| step.record.invocation.id).collect();
    if !ids.is_empty() {
        sqlx::query(sql).bind(hex_ids(ids)).execute(&mut tx.conn).await?;
    }
    Ok(())
}
