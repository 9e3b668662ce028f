//! One step of a record's life: load, ask the state machine, write back with its effects.

use super::attempts;
use super::bodies::{PAYLOAD, RESULT, put_body};
use super::codes;
use super::fault::{Fault, Outcome};
use super::outbox::publish;
use super::record::{self, GET, Record, bind_body, bind_failure, id_bytes, micros};
use super::writer::Tx;
use eventflow_domain::invocation::Stored;
use eventflow_domain::lifecycle::{Effect, Event, Policy, Refused, step};
use eventflow_domain::{
    Attempt, Epoch, Error, ErrorKind, Failure, InvocationId, StartKind, State, Timestamp, WorkerId,
};
use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

/// The fence: only who read the epoch that still stands may write.
const UPDATE: &str = "UPDATE invocations SET state = $3, epoch = $4, attempts = $5, lost = $6, not_before = $7, \
    cancel_requested = $8, dead_letter = $9, started_at = $10, ended_at = $11, reason = $12, message = $13, \
    retry_after = $14, http_status = $15, logs_truncated = $16, worker = $17, lease_until = $18, start = $19, \
    run_micros = $20, publishes = $21 WHERE id = $1 AND epoch = $2";

/// The same, with what an end brings.
const UPDATE_END: &str = "UPDATE invocations SET state = $3, epoch = $4, attempts = $5, lost = $6, not_before = $7, \
    cancel_requested = $8, dead_letter = $9, started_at = $10, ended_at = $11, reason = $12, message = $13, \
    retry_after = $14, http_status = $15, logs_truncated = $16, worker = $17, lease_until = $18, start = $19, \
    run_micros = $20, publishes = $21, result_size = $22, result_type = $23, result_kind = $24, result = $25, \
    payload_kind = iif($26, 0, payload_kind), payload = iif($26, NULL, payload) WHERE id = $1 AND epoch = $2";

const DROP_BODY: &str = "DELETE FROM bodies WHERE invocation = $1 AND part = $2";

const CLOSE_ATTEMPT: &str = "UPDATE attempts SET started_at = coalesce($3, started_at), ended_at = $4, start = $5, \
    outcome = $6, exit_code = $7, reason = $8, message = $9, retry_after = $10 \
    WHERE invocation = $1 AND number = $2 AND ended_at IS NULL \
    RETURNING invocation, number, epoch, version, worker, started_at, ended_at, start, outcome, exit_code, reason, \
    message, retry_after";

const UNPUBLISH: &str = "DELETE FROM outbox WHERE invocation = $1";

/// What is known of the run that ended, beside the verdict.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended {
    /// Kept only where the record is terminal now.
    pub result: Option<Stored>,
    pub drop_payload: bool,
    pub started_at: Option<Timestamp>,
    pub start: Option<StartKind>,
    pub exit_code: Option<i32>,
}

/// The record as it lies in the row, without attempts and without bodies kept apart.
pub(super) async fn load(tx: &mut Tx, id: InvocationId) -> Outcome<Option<Record>> {
    let row = sqlx::query(GET).bind(id_bytes(id)).fetch_optional(&mut tx.conn).await?;
    row.as_ref().map(record::read).transpose()
}

/// Takes one step. `record` is changed and written only where the state machine allows the event.
pub(super) async fn advance(
    tx: &mut Tx,
    record: &mut Record,
    event: Event,
    policy: &Policy,
    claimer: Option<(&WorkerId, Timestamp)>,
    mut ended: Ended,
) -> Outcome<Result<(), Refused>> {
    let now = tx.now();
    let before = record.invocation.lifecycle;
    let (after, effects) = match step(before, event, policy, now) {
        Ok(stepped) => stepped,
        Err(refused) => return Ok(Err(refused)),
    };
    record.invocation.lifecycle = after;
    if after.state != State::Running {
        record.worker = None;
        record.lease_until = None;
    }
    for effect in effects {
        carry_out(tx, record, effect, claimer, &ended, now).await?;
    }
    let result = ended.result.take().filter(|_| after.state.is_terminal());
    if let Some(result) = result {
        record.set_result(result);
        end_bodies(tx, record, ended.drop_payload).await?;
        write_back(tx, record, before.epoch, Some(ended.drop_payload)).await?;
    } else {
        write_back(tx, record, before.epoch, None).await?;
    }
    tx.waiting.moved(record.invocation.function_uid, Some(before.state), after.state);
    Ok(Ok(()))
}

async fn carry_out(
    tx: &mut Tx,
    record: &mut Record,
    effect: Effect,
    claimer: Option<(&WorkerId, Timestamp)>,
    ended: &Ended,
    now: Timestamp,
) -> Outcome<()> {
    let call = &mut record.invocation;
    match effect {
        Effect::OpenAttempt { number, epoch } => {
            let Some((worker, until)) = claimer else {
                return Err(Error::new(ErrorKind::Internal, "Internal", "an attempt needs a worker").into());
            };
            record.worker = Some(worker.0.clone());
            record.lease_until = Some(until);
            record.publishes = 0;
            call.started_at = call.started_at.or(Some(now));
            let attempt = opened(number, epoch, call.version, worker.clone(), now);
            attempts::insert(&mut tx.conn, &[(call.id, attempt)]).await
        }
        Effect::CloseAttempt { outcome, failure } => {
            let number = call.lifecycle.attempts;
            if number == 1 && ended.started_at.is_some() {
                call.started_at = ended.started_at;
            }
            record.start = ended.start.or(record.start);
            record.run = ended.started_at.map(|started| now.since(started));
            let closed = close_attempt(tx, call.id, number, outcome, failure.as_ref(), ended, now).await?;
            call.attempts = closed.into_iter().collect();
            Ok(())
        }
        Effect::Publish { at } => publish(tx, &[(call.id, at)]).await,
        Effect::Unpublish => {
            sqlx::query(UNPUBLISH).bind(id_bytes(call.id)).execute(&mut tx.conn).await?;
            Ok(())
        }
        Effect::Finish { failure } => {
            call.ended_at = Some(now);
            call.failure = failure;
            Ok(())
        }
        // Whoever asked for this tells the owner over the bus; the wish itself is in the row.
        Effect::TellOwner => Ok(()),
    }
}

fn opened(
    number: u32,
    epoch: Epoch,
    version: eventflow_domain::VersionNumber,
    worker: WorkerId,
    started_at: Timestamp,
) -> Attempt {
    Attempt {
        number,
        epoch,
        version,
        worker,
        started_at,
        ended_at: None,
        start: None,
        outcome: None,
        exit_code: None,
        failure: None,
    }
}

async fn close_attempt(
    tx: &mut Tx,
    id: InvocationId,
    number: u32,
    outcome: State,
    failure: Option<&Failure>,
    ended: &Ended,
    now: Timestamp,
) -> Outcome<Option<Attempt>> {
    let mut args = SqliteArguments::default();
    let mut bind = || {
        args.add(id_bytes(id))?;
        args.add(number)?;
        args.add(ended.started_at.map(Timestamp::as_micros))?;
        args.add(now.as_micros())?;
        args.add(ended.start.map(codes::start))?;
        args.add(codes::state(outcome))?;
        args.add(ended.exit_code)?;
        bind_failure(&mut args, failure)
    };
    bind().map_err(sqlx::Error::Encode)?;
    let row = sqlx::query_with(CLOSE_ATTEMPT, args).fetch_optional(&mut tx.conn).await?;
    row.as_ref().map(attempts::read).transpose()
}

/// Large bodies of a record that has ended.
async fn end_bodies(tx: &mut Tx, record: &mut Record, drop_payload: bool) -> Outcome<()> {
    let id = record.invocation.id;
    put_body(tx, id, RESULT, &record.invocation.result.body).await?;
    if drop_payload {
        if record.payload_apart() {
            sqlx::query(DROP_BODY).bind(id_bytes(id)).bind(PAYLOAD).execute(&mut tx.conn).await?;
        }
        record.drop_payload();
    }
    Ok(())
}

/// `end`: with the result too, and whether the payload is dropped.
async fn write_back(tx: &mut Tx, record: &Record, read_epoch: Epoch, end: Option<bool>) -> Outcome<()> {
    let call = &record.invocation;
    let life = &call.lifecycle;
    let mut args = SqliteArguments::default();
    let mut bind = || {
        args.add(id_bytes(call.id))?;
        args.add(read_epoch.0)?;
        args.add(codes::state(life.state))?;
        args.add(life.epoch.0)?;
        args.add(life.attempts)?;
        args.add(life.lost)?;
        args.add(life.not_before.as_micros())?;
        args.add(life.cancel_requested)?;
        args.add(life.dead_letter)?;
        args.add(call.started_at.map(Timestamp::as_micros))?;
        args.add(call.ended_at.map(Timestamp::as_micros))?;
        bind_failure(&mut args, call.failure.as_ref())?;
        args.add(call.http_status)?;
        args.add(call.logs_truncated)?;
        args.add(record.worker.clone())?;
        args.add(record.lease_until.map(Timestamp::as_micros))?;
        args.add(record.start.map(codes::start))?;
        args.add(record.run.map(micros))?;
        args.add(record.publishes)?;
        let Some(drop_payload) = end else {
            return Ok(());
        };
        args.add(call.result.size as i64)?;
        args.add(call.result.content_type.clone())?;
        bind_body(&mut args, &call.result.body)?;
        args.add(drop_payload)
    };
    bind().map_err(sqlx::Error::Encode)?;
    let done =
        sqlx::query_with(if end.is_some() { UPDATE_END } else { UPDATE }, args).execute(&mut tx.conn).await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    Err(Fault::Refused(Error::new(ErrorKind::VersionConflict, "VersionConflict", "another writer was first")))
}
