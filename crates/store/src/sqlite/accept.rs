//! Accepting calls: many in a few statements, a bad one failing alone.

use super::attempts;
use super::bodies::{self, PAYLOAD, RESULT};
use super::fault::{Fault, Outcome, is_constraint};
use super::insert::MultiInsert;
use super::outbox::publish;
use super::record::{self, COLUMNS, Record, id_bytes};
use super::shared::new::{Answer, id_taken, is_same, key_reused, queue_full, row, waits};
use super::steps::load;
use super::writer::Tx;
use eventflow_domain::ports::{Accepted, IdempotencyKey, NewInvocation, Start};
use eventflow_domain::{Attempt, Error, InvocationId, Timestamp};
use sqlx::Row as _;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

static INVOCATIONS: LazyLock<MultiInsert> =
    LazyLock::new(|| MultiInsert::new("INSERT INTO invocations", COLUMNS, ""));

const KEY_GET: &str = "SELECT payload_hash, invocation, expires_at FROM idempotency WHERE scope = $1";
const KEY_PUT: &str = "INSERT INTO idempotency (scope, payload_hash, invocation, expires_at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (scope) DO UPDATE SET payload_hash = excluded.payload_hash, \
                       invocation = excluded.invocation, expires_at = excluded.expires_at";
const WAITING: &str = "SELECT count(*) FROM invocations \
                       WHERE namespace = $1 AND name = $2 AND state < 3 AND state IN (0, 2) AND function_uid = $3";

/// What is to be done with one call of the group.
enum Plan {
    /// The next of the rows to insert.
    Insert,
    /// The call of this id came before with the same key.
    Same(InvocationId),
    Refuse(Error),
}

/// Accepts all; one answer for each, in order. `Err` is the fault of the whole group.
pub(super) async fn all(tx: &mut Tx, news: Vec<NewInvocation>) -> Outcome<Vec<Answer>> {
    let (mut plans, mut rows, mut keys) = (Vec::with_capacity(news.len()), Vec::new(), Vec::new());
    let now = tx.now();
    let mut keyed: HashMap<Arc<str>, ([u8; 32], InvocationId)> = HashMap::new();
    for new in news {
        if let Some(plan) = plan(tx, &new, &keyed).await? {
            plans.push(plan);
            continue;
        }
        if let Some(key) = new.idempotency.clone() {
            keyed.insert(Arc::clone(&key.scope), (key.payload_hash, new.id));
            keys.push((rows.len(), key));
        }
        rows.push(row(new, now));
        plans.push(Plan::Insert);
    }
    let inserted = insert(tx, &rows).await?;
    for (at, key) in keys {
        if let Some(row) = rows.get(at).filter(|_| matches!(inserted.get(at), Some(Ok(Accepted::New)))) {
            put_key(tx, &key, row.invocation.id).await?;
        }
    }
    answers(tx, plans, inserted).await
}

async fn answers(tx: &mut Tx, plans: Vec<Plan>, inserted: Vec<Answer>) -> Outcome<Vec<Answer>> {
    let mut inserted = inserted.into_iter();
    let mut answers = Vec::with_capacity(plans.len());
    for plan in plans {
        answers.push(match plan {
            // Rows were planned in this order.
            Plan::Insert => inserted.next().unwrap_or(Ok(Accepted::New)),
            Plan::Refuse(error) => Err(error),
            Plan::Same(id) => existing(tx, id).await?.ok_or_else(|| Error::invocation_not_found(id)),
        });
    }
    Ok(answers)
}

/// What keeps this call from being inserted, if anything.
async fn plan(
    tx: &mut Tx,
    new: &NewInvocation,
    keyed: &HashMap<Arc<str>, ([u8; 32], InvocationId)>,
) -> Outcome<Option<Plan>> {
    if let Some(key) = &new.idempotency {
        let before = match keyed.get(&key.scope) {
            Some(&before) => Some(before),
            None => get_key(tx, key).await?,
        };
        if let Some((hash, id)) = before {
            let same = hash == key.payload_hash;
            return Ok(Some(if same { Plan::Same(id) } else { Plan::Refuse(key_reused(id)) }));
        }
    }
    if !matches!(new.start, Start::Queued { .. }) {
        return Ok(None);
    }
    let waiting = waiting(tx, new).await?;
    if waiting >= u64::from(new.queue_max) {
        return Ok(Some(Plan::Refuse(queue_full(new))));
    }
    tx.waiting.set(new.function_uid, waiting + 1);
    Ok(None)
}

async fn waiting(tx: &mut Tx, new: &NewInvocation) -> Outcome<u64> {
    if let Some(count) = tx.waiting.get(new.function_uid) {
        return Ok(count);
    }
    let count: i64 = sqlx::query_scalar(WAITING)
        .bind(new.function.namespace.as_str())
        .bind(new.function.name.as_str())
        .bind(record::uid_bytes(new.function_uid))
        .fetch_one(&mut tx.conn)
        .await?;
    let count = u64::try_from(count).unwrap_or(0);
    tx.waiting.set(new.function_uid, count);
    Ok(count)
}

/// The hash and call that this key stands for; expired = none.
async fn get_key(tx: &mut Tx, key: &IdempotencyKey) -> Outcome<Option<([u8; 32], InvocationId)>> {
    let now = tx.now();
    let row = sqlx::query(KEY_GET).bind(Arc::clone(&key.scope)).fetch_optional(&mut tx.conn).await?;
    let Some(row) = row.filter(|row| row.try_get::<i64, _>(2).is_ok_and(|expires| expires > now.as_micros()))
    else {
        return Ok(None);
    };
    let hash = row.try_get::<&[u8], _>(0)?;
    let hash = hash.try_into().map_err(|cause| Fault::corrupt("payload hash", cause))?;
    Ok(Some((hash, record::read_id(row.try_get(1)?)?)))
}

async fn put_key(tx: &mut Tx, key: &IdempotencyKey, id: InvocationId) -> Outcome<()> {
    sqlx::query(KEY_PUT)
        .bind(Arc::clone(&key.scope))
        .bind(key.payload_hash.to_vec())
        .bind(id_bytes(id))
        .bind(key.expires_at.as_micros())
        .execute(&mut tx.conn)
        .await?;
    Ok(())
}

async fn existing(tx: &mut Tx, id: InvocationId) -> Outcome<Option<Accepted>> {
    let Some(mut record) = load(tx, id).await? else {
        return Ok(None);
    };
    record.hydrate(&mut tx.conn).await?;
    record.invocation.attempts = attempts::of_call(&mut tx.conn, id).await?;
    Ok(Some(Accepted::Existing(Box::new(record.invocation))))
}

/// Inserts the rows with all that belongs to them. One answer for each: a row that breaks a rule fails alone.
pub(super) async fn insert(tx: &mut Tx, rows: &[Record]) -> Outcome<Vec<Answer>> {
    let mut answers = Vec::with_capacity(rows.len());
    for chunk in INVOCATIONS.chunks(rows) {
        match INVOCATIONS.run_chunk(&mut tx.conn, chunk, record::bind).await {
            Ok(()) => answers.extend(chunk.iter().map(|_| Ok(Accepted::New))),
            // The statement was undone as a whole: find the bad row.
            Err(Fault::Db(error)) if is_constraint(&error) => {
                tx.waiting.forget();
                for row in chunk {
                    answers.push(insert_one(tx, row).await?);
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    let new = rows.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Ok(Accepted::New)));
    let new: Vec<_> = new.map(|(row, _)| row).collect();
    belongings(tx, &new).await?;
    for row in new {
        tx.hot.keep(row);
    }
    Ok(answers)
}

async fn insert_one(tx: &mut Tx, row: &Record) -> Outcome<Answer> {
    match INVOCATIONS.run_chunk(&mut tx.conn, std::slice::from_ref(row), record::bind).await {
        Ok(()) => Ok(Ok(Accepted::New)),
        Err(Fault::Db(error)) if is_constraint(&error) => {
            let Some(before) = load(tx, row.invocation.id).await? else {
                return Ok(Err(Fault::Db(error).into()));
            };
            let (before, new) = (&before.invocation, &row.invocation);
            if is_same(before, new) {
                return Ok(existing(tx, new.id).await?.ok_or_else(|| Error::invocation_not_found(new.id)));
            }
            Ok(Err(id_taken(new.id)))
        }
        Err(fault) => Err(fault),
    }
}

/// Outbox rows, attempts and large bodies of rows just inserted.
async fn belongings(tx: &mut Tx, rows: &[&Record]) -> Outcome<()> {
    let due: Vec<(InvocationId, Timestamp)> = rows
        .iter()
        .filter(|row| waits(row.invocation.state()))
        .map(|row| (row.invocation.id, row.invocation.lifecycle.not_before))
        .collect();
    publish(tx, &due).await?;
    let attempts: Vec<(InvocationId, Attempt)> = rows
        .iter()
        .flat_map(|row| row.invocation.attempts.iter().map(|attempt| (row.invocation.id, attempt.clone())))
        .collect();
    attempts::insert(&mut tx.conn, &attempts).await?;
    let both = rows
        .iter()
        .map(|row| &row.invocation)
        .flat_map(|call| [(call.id, PAYLOAD, &call.payload.body), (call.id, RESULT, &call.result.body)]);
    bodies::put(tx, both).await
}
