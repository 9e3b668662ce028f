//! The port `InvocationStore`: each method hands its work to the writer, or reads.

use super::SqliteStore;
use super::accept;
use super::attempts;
use super::fault::{Fault, Outcome};
use super::record::{self, GET, hex_ids, id_bytes, read_id};
use super::shared::new::{RECORDED_LEASE, recorded};
use super::shared::order::{self, Order};
use super::transition::Wish;
use super::writer::Tx;
use super::{claim, list, outbox, retain, stats, sweep};
use async_trait::async_trait;
use eventflow_domain::lifecycle::Policy;
use eventflow_domain::ports::{
    Accepted, Claim, ClaimRequest, DeadLetterGroup, Ended, EndedQuery, Expired, InvocationFilter,
    InvocationPage, InvocationStore, Lease, NewInvocation, OutboxRow, QueueStats, Renewal, Retention,
    RetentionReport, Settled, Settlement, Swept, WindowStats,
};
use eventflow_domain::{FunctionKey, FunctionUid, Invocation, InvocationId, Result, Timestamp, WorkerId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const THERE: &str = "SELECT id FROM invocations WHERE id IN (SELECT unhex(value) FROM json_each($1))";
const BEAT: &str = "INSERT INTO heartbeat (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = $1";

#[async_trait]
impl InvocationStore for SqliteStore {
    async fn accept(&self, new: NewInvocation) -> Result<Accepted> {
        self.writer.accept(new).await
    }

    async fn record(&self, invocations: Vec<Invocation>) -> Result<()> {
        self.writer.write(move |tx| Box::pin(record_all(tx, invocations))).await
    }

    async fn outbox_due(&self, limit: u32) -> Result<Vec<OutboxRow>> {
        let query = sqlx::query(outbox::DUE).bind(self.clock.now().as_micros()).bind(limit);
        let rows = query.fetch_all(&self.readers).await.map_err(Fault::from)?;
        Ok(rows.iter().map(outbox::read_due).collect::<Outcome<_>>()?)
    }

    async fn outbox_next(&self) -> Result<Option<Timestamp>> {
        let query = sqlx::query_scalar::<_, Option<i64>>(outbox::NEXT);
        Ok(query.fetch_one(&self.readers).await.map_err(Fault::from)?.map(Timestamp::from_micros))
    }

    async fn outbox_done(&self, seqs: Vec<i64>) -> Result<()> {
        self.writer.write(move |tx| Box::pin(outbox::done(tx, seqs))).await
    }

    async fn republish(
        &self,
        function: Option<&FunctionKey>,
        published_before: Timestamp,
        limit: u32,
    ) -> Result<u64> {
        let function = function.cloned();
        self.writer
            .write(move |tx| {
                Box::pin(
                    async move { outbox::republish(tx, function.as_ref(), published_before, limit).await },
                )
            })
            .await
    }

    async fn published(&self, function: &FunctionKey, published_before: Timestamp) -> Result<u64> {
        let query = sqlx::query_scalar::<_, i64>(outbox::PUBLISHED).bind(published_before.as_micros());
        let query = query.bind(function.namespace.as_str()).bind(function.name.as_str());
        let count = query.fetch_one(&self.readers).await.map_err(Fault::from)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn claim(
        &self,
        requests: Vec<ClaimRequest>,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<Vec<Claim>> {
        let took = self.writer.take(order::claims(requests, worker, lease)).await?;
        Ok(took.into_iter().map(order::claimed).collect())
    }

    async fn renew(&self, leases: Vec<Lease>, worker: &WorkerId, lease: Duration) -> Result<Vec<Renewal>> {
        let worker = worker.clone();
        self.writer
            .write(move |tx| Box::pin(async move { claim::renew(tx, leases, &worker, lease).await }))
            .await
    }

    async fn expired(&self, limit: u32) -> Result<Vec<Expired>> {
        Ok(sweep::expired(&self.readers, self.clock.now(), limit).await?)
    }

    async fn adopt(&self, lease: Lease, worker: &WorkerId, duration: Duration) -> Result<Claim> {
        let took = self.writer.take(vec![order::adoption(lease, worker, duration)]).await?;
        Ok(order::claimed(order::only(took)))
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled> {
        let order = Order { id: settlement.invocation, wish: Wish::Settle(Box::new(settlement)) };
        Ok(order::settled(order::only(self.writer.take(vec![order]).await?)?))
    }

    async fn sweep(
        &self,
        alive: &WorkerId,
        others_dead: bool,
        policy: Policy,
        limit: u32,
        spare: &[InvocationId],
    ) -> Result<Vec<Swept>> {
        let (alive, spare) = (alive.clone(), spare.to_vec());
        self.writer
            .write(move |tx| {
                Box::pin(async move { sweep::lost(tx, &alive, others_dead, policy, limit, spare).await })
            })
            .await
    }

    async fn expire(&self, function: &FunctionKey, max_age: Duration, limit: u32) -> Result<Vec<Swept>> {
        let function = function.clone();
        self.writer
            .write(move |tx| Box::pin(async move { sweep::expire(tx, &function, max_age, limit).await }))
            .await
    }

    async fn cancel(&self, id: InvocationId) -> Result<Invocation> {
        let took = self.writer.take(vec![Order { id, wish: Wish::Cancel }]).await?;
        order::cancelled(order::only(took)?, id)
    }

    async fn cancel_function(&self, uid: FunctionUid, limit: u32) -> Result<Vec<Swept>> {
        self.writer.write(move |tx| Box::pin(sweep::cancel_function(tx, uid, limit))).await
    }

    async fn get(&self, id: InvocationId) -> Result<Option<Invocation>> {
        // One snapshot for the record and its attempts.
        let mut snapshot = self.readers.begin().await.map_err(Fault::from)?;
        Ok(get(&mut snapshot, id).await?)
    }

    async fn list(
        &self,
        filter: &InvocationFilter,
        after: Option<InvocationId>,
        limit: u32,
    ) -> Result<InvocationPage> {
        let mut conn = self.readers.acquire().await.map_err(Fault::from)?;
        Ok(list::list(&mut conn, filter, after, limit).await?)
    }

    async fn count(&self, filter: &InvocationFilter) -> Result<u64> {
        Ok(list::count(&self.readers, filter).await?)
    }

    async fn clear_dead_letter(&self, id: InvocationId) -> Result<bool> {
        self.writer.write(move |tx| Box::pin(sweep::clear_dead_letter(tx, id))).await
    }

    async fn queue_stats(&self) -> Result<Vec<QueueStats>> {
        Ok(stats::queues(&self.readers).await?)
    }

    async fn window_stats(&self, function: &FunctionKey, since: Timestamp) -> Result<WindowStats> {
        Ok(stats::window(&self.readers, function, since).await?)
    }

    async fn ended(&self, query: &EndedQuery) -> Result<Ended> {
        Ok(stats::ended(&self.readers, query).await?)
    }

    async fn dead_letter_groups(
        &self,
        filter: &InvocationFilter,
        limit: u32,
    ) -> Result<Vec<DeadLetterGroup>> {
        Ok(stats::dead_letter_groups(&self.readers, filter, limit).await?)
    }

    async fn retain(&self, retention: &Retention) -> Result<RetentionReport> {
        retain::retain(self, retention).await
    }

    async fn blobs_in_use(&self, keys: Vec<Arc<str>>) -> Result<Vec<bool>> {
        Ok(retain::blobs_in_use(&self.readers, keys).await?)
    }

    async fn ping(&self) -> Result<()> {
        self.writer
            .write(|tx| {
                Box::pin(async move {
                    let now = tx.now().as_micros();
                    sqlx::query(BEAT).bind(now).execute(&mut tx.conn).await?;
                    Ok(())
                })
            })
            .await
    }
}

async fn get(conn: &mut SqliteConnection, id: InvocationId) -> Outcome<Option<Invocation>> {
    let row = sqlx::query(GET).bind(id_bytes(id)).fetch_optional(&mut *conn).await?;
    let Some(mut record) = row.as_ref().map(record::read).transpose()? else {
        return Ok(None);
    };
    record.hydrate(conn).await?;
    record.invocation.attempts = attempts::of_call(conn, id).await?;
    Ok(Some(record.invocation))
}

async fn record_all(tx: &mut Tx, invocations: Vec<Invocation>) -> Outcome<()> {
    let until = tx.now() + RECORDED_LEASE;
    let ids = hex_ids(invocations.iter().map(|invocation| invocation.id));
    let there = sqlx::query(THERE).bind(ids).fetch_all(&mut tx.conn).await?;
    let there: HashSet<_> = there.iter().map(|row| read_id(row.try_get(0)?)).collect::<Outcome<_>>()?;
    let new = invocations.into_iter().filter(|invocation| !there.contains(&invocation.id));
    let rows: Vec<_> = new.map(|invocation| recorded(invocation, until)).collect();
    for row in &rows {
        tx.waiting.moved(row.invocation.function_uid, None, row.invocation.state());
    }
    for answer in accept::insert(tx, &rows).await? {
        answer?;
    }
    Ok(())
}
