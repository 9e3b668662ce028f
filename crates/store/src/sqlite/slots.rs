//! Concurrency limits over all workers.

use super::SqliteStore;
use super::fault::{Fault, Outcome};
use super::record::uid_bytes;
use super::shared::cells::Cells;
use super::shared::record::read_uid;
use super::shared::slots::{Holder, grant};
use super::writer::Tx;
use async_trait::async_trait;
use eventflow_domain::ports::{SlotStore, SlotWant};
use eventflow_domain::{FunctionUid, Result, WorkerId};
use sqlx::sqlite::SqliteRow;
use std::sync::Arc;
use std::time::Duration;

const HELD: &str = "SELECT worker, wanted, granted FROM slots WHERE function_uid = $1 AND until > $2";
const PUT: &str = "INSERT INTO slots (function_uid, worker, wanted, granted, until, used) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (function_uid, worker) DO UPDATE SET wanted = $3, granted = $4, until = $5, used = $6";
const USED: &str =
    "SELECT function_uid, sum(used) FROM slots WHERE until > $1 GROUP BY function_uid HAVING sum(used) > 0";
const ENDED: &str = "DELETE FROM slots WHERE function_uid = $1 AND until <= $2";

#[async_trait]
impl SlotStore for SqliteStore {
    async fn lease_slots(
        &self,
        wants: Vec<SlotWant>,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<Vec<u32>> {
        let worker = worker.clone();
        self.writer
            .write(move |tx| {
                Box::pin(async move {
                    let mut grants = Vec::with_capacity(wants.len());
                    for want in &wants {
                        grants.push(take(tx, want, &worker, lease).await?);
                    }
                    Ok(grants)
                })
            })
            .await
    }

    async fn slots_used(&self) -> Result<Vec<(FunctionUid, u32)>> {
        let query = sqlx::query(USED).bind(self.clock.now().as_micros());
        let rows = query.fetch_all(&self.readers).await.map_err(Fault::from)?;
        let used = |row: &SqliteRow| Ok((read_uid(row.bytes(0)?)?, row.number(1)?));
        Ok(rows.iter().map(used).collect::<Outcome<_>>()?)
    }
}

async fn take(tx: &mut Tx, want: &SlotWant, worker: &WorkerId, lease: Duration) -> Outcome<u32> {
    let (now, uid) = (tx.now(), uid_bytes(want.function));
    let query = sqlx::query(HELD).bind(uid.clone()).bind(now.as_micros());
    let mut held = Vec::new();
    for row in query.fetch_all(&mut tx.conn).await? {
        held.push(Holder {
            worker: row.text(0)?.to_owned(),
            wanted: row.number(1)?,
            granted: row.number(2)?,
        });
    }
    let granted = grant(want, worker.as_str(), &held);
    sqlx::query(PUT)
        .bind(uid.clone())
        .bind(Arc::clone(&worker.0))
        .bind(want.want)
        .bind(granted)
        .bind((now + lease).as_micros())
        .bind(want.running)
        .execute(&mut tx.conn)
        .await?;
    sqlx::query(ENDED).bind(uid).bind(now.as_micros()).execute(&mut tx.conn).await?;
    Ok(granted)
}
