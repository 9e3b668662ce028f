//! Concurrency limits over all workers.

use super::SqliteStore;
use super::fault::Outcome;
use super::record::uid_bytes;
use super::shared::cells::Cells;
use super::shared::slots::{Holder, grant};
use super::writer::Tx;
use async_trait::async_trait;
use eventflow_domain::ports::{SlotStore, SlotWant};
use eventflow_domain::{Result, WorkerId};
use std::sync::Arc;
use std::time::Duration;

const HELD: &str = "SELECT worker, wanted, granted FROM slots WHERE function_uid = $1 AND until > $2";
const PUT: &str = "INSERT INTO slots (function_uid, worker, wanted, granted, until) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (function_uid, worker) DO UPDATE SET wanted = $3, granted = $4, until = $5";
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
        .execute(&mut tx.conn)
        .await?;
    sqlx::query(ENDED).bind(uid).bind(now.as_micros()).execute(&mut tx.conn).await?;
    Ok(granted)
}
