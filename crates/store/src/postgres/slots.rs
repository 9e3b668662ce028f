//! Concurrency limits over all workers.

use super::PostgresStore;
use super::arrays::column;
use super::shared::cells::Cells;
use super::shared::fault::Outcome;
use super::shared::record::read_uid;
use super::shared::slots::{Holder, grant};
use super::tx::Tx;
use async_trait::async_trait;
use eventflow_domain::ports::{SlotStore, SlotWant};
use eventflow_domain::{FunctionUid, Result, Timestamp, WorkerId};
use std::collections::HashMap;
use std::time::Duration;

/// Apart from the locks of queues.
const SPACE: i64 = 0x736c_6f74;

/// One worker at a time decides about a function, also where it is the first.
const LOCK: &str = "SELECT pg_advisory_xact_lock(key) FROM unnest($1) AS key";
const HELD: &str =
    "SELECT function_uid, worker, wanted, granted FROM slots WHERE function_uid = ANY($1) AND until > $2";
const PUT: &str = "INSERT INTO slots (function_uid, worker, wanted, granted, until, used) \
    SELECT uid, $4, wanted, granted, $5, used FROM unnest($1, $2, $3, $6) AS u (uid, wanted, granted, used) \
    ON CONFLICT (function_uid, worker) DO UPDATE SET wanted = excluded.wanted, granted = excluded.granted, \
    until = excluded.until, used = excluded.used";
const USED: &str = "SELECT function_uid, sum(used) FROM slots \
    WHERE until > coalesce($1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) GROUP BY function_uid HAVING sum(used) > 0";
const ENDED: &str = "DELETE FROM slots WHERE function_uid = ANY($1) AND until <= $2";

#[async_trait]
impl SlotStore for PostgresStore {
    async fn lease_slots(
        &self,
        wants: Vec<SlotWant>,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<Vec<u32>> {
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        self.writer
            .write((wants, worker.clone(), lease), |tx, (wants, worker, lease)| {
                Box::pin(take(tx, wants, worker, *lease))
            })
            .await
    }

    async fn slots_used(&self) -> Result<Vec<(FunctionUid, u32)>> {
        let now = self.options.time.fixed().map(Timestamp::as_micros);
        self.read(&self.readers, move |conn| {
            Box::pin(async move {
                let rows = sqlx::query(USED).bind(now).fetch_all(conn).await?;
                rows.iter().map(|row| Ok((read_uid(row.bytes(0)?)?, row.number(1)?))).collect()
            })
        })
        .await
    }
}

async fn take(tx: &mut Tx, wants: &[SlotWant], worker: &WorkerId, lease: Duration) -> Outcome<Vec<u32>> {
    let mut keys = column(wants, |want| want.function.as_uuid().as_u64_pair().1 as i64 ^ SPACE);
    keys.sort_unstable();
    sqlx::query(LOCK).bind(keys).execute(&mut tx.conn).await?;
    let uids = column(wants, |want| want.function.as_uuid());
    let now = tx.now.as_micros();
    let mut held: HashMap<FunctionUid, Vec<Holder>> = HashMap::new();
    for row in sqlx::query(HELD).bind(&uids).bind(now).fetch_all(&mut tx.conn).await? {
        let holder =
            Holder { worker: row.text(1)?.to_owned(), wanted: row.number(2)?, granted: row.number(3)? };
        held.entry(read_uid(row.bytes(0)?)?).or_default().push(holder);
    }
    let of =
        |want: &SlotWant| grant(want, worker.as_str(), held.get(&want.function).map_or(&[], Vec::as_slice));
    let grants: Vec<u32> = wants.iter().map(of).collect();
    // The last wish counts, where a function is named twice.
    let rows: HashMap<_, _> =
        wants.iter().zip(&grants).map(|(want, grant)| (want.function, (want, *grant))).collect();
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort_unstable_by_key(|(want, _)| want.function);
    sqlx::query(PUT)
        .bind(column(&rows, |(want, _)| want.function.as_uuid()))
        .bind(column(&rows, |(want, _)| want.want as i32))
        .bind(column(&rows, |(_, grant)| *grant as i32))
        .bind(worker.as_str())
        .bind((tx.now + lease).as_micros())
        .bind(column(&rows, |(want, _)| want.running as i32))
        .execute(&mut tx.conn)
        .await?;
    sqlx::query(ENDED).bind(&uids).bind(now).execute(&mut tx.conn).await?;
    Ok(grants)
}
