//! The port `InvocationStore`: each method hands its work to the writers, or reads.

use super::PostgresStore;
use super::shared::order::{self, Order};
use super::shared::transition::Wish;
use super::{accept, leases, list, outbox, retain, rows, stats, sweep};
use async_trait::async_trait;
use eventflow_domain::lifecycle::Policy;
use eventflow_domain::ports::{
    Accepted, Claim, ClaimRequest, DeadLetterGroup, Ended, EndedQuery, Expired, InvocationFilter,
    InvocationPage, InvocationStore, Lease, NewInvocation, OutboxRow, QueueStats, Renewal, Retention,
    RetentionReport, Settled, Settlement, Swept, WindowStats,
};
use eventflow_domain::{FunctionKey, FunctionUid, Invocation, InvocationId, Result, Timestamp, WorkerId};
use std::sync::Arc;
use std::time::Duration;

const BEAT: &str = "INSERT INTO heartbeat (id, at) VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) \
    ON CONFLICT (id) DO UPDATE SET at = excluded.at";

#[async_trait]
impl InvocationStore for PostgresStore {
    async fn accept(&self, new: NewInvocation) -> Result<Accepted> {
        self.writer.accept(new).await
    }

    async fn record(&self, invocations: Vec<Invocation>) -> Result<()> {
        self.writer.write(invocations, |tx, invocations| Box::pin(accept::record(tx, invocations))).await
    }

    async fn outbox_due(&self, limit: u32) -> Result<Vec<OutboxRow>> {
        self.writer.write(limit, |tx, &limit| Box::pin(outbox::due(tx, limit))).await
    }

    async fn outbox_next(&self) -> Result<Option<Timestamp>> {
        let holder = self.holder;
        self.read(&self.readers, move |conn| Box::pin(outbox::next(conn, holder))).await
    }

    async fn outbox_done(&self, seqs: Vec<i64>) -> Result<()> {
        self.writer.write(seqs, |tx, seqs| Box::pin(outbox::done(tx, seqs))).await
    }

    async fn republish(
        &self,
        function: Option<&FunctionKey>,
        published_before: Timestamp,
        limit: u32,
    ) -> Result<u64> {
        self.writer
            .write((function.cloned(), published_before, limit), |tx, (function, before, limit)| {
                Box::pin(outbox::republish(tx, function.as_ref(), *before, *limit))
            })
            .await
    }

    async fn published(&self, function: &FunctionKey, published_before: Timestamp) -> Result<u64> {
        let function = function.clone();
        self.read(&self.readers, move |conn| Box::pin(outbox::published(conn, function, published_before)))
            .await
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
        self.writer
            .write((leases, worker.clone(), lease), |tx, (leases, worker, lease)| {
                Box::pin(leases::renew(tx, leases, worker, *lease))
            })
            .await
    }

    async fn expired(&self, limit: u32) -> Result<Vec<Expired>> {
        let now = self.options.time.fixed();
        self.read(&self.readers, move |conn| Box::pin(sweep::expired(conn, now, limit))).await
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
        let asked = (alive.clone(), others_dead, policy, limit, spare.to_vec());
        self.writer
            .write(asked, |tx, (alive, others_dead, policy, limit, spare)| {
                Box::pin(sweep::lost(tx, alive, *others_dead, *policy, *limit, spare))
            })
            .await
    }

    async fn expire(&self, function: &FunctionKey, max_age: Duration, limit: u32) -> Result<Vec<Swept>> {
        self.writer
            .write((function.clone(), max_age, limit), |tx, (function, max_age, limit)| {
                Box::pin(sweep::expire(tx, function, *max_age, *limit))
            })
            .await
    }

    async fn cancel(&self, id: InvocationId) -> Result<Invocation> {
        let took = self.writer.take(vec![Order { id, wish: Wish::Cancel }]).await?;
        order::cancelled(order::only(took)?, id)
    }

    async fn cancel_function(&self, uid: FunctionUid, limit: u32) -> Result<Vec<Swept>> {
        self.writer
            .write((uid, limit), |tx, &(uid, limit)| Box::pin(sweep::cancel_function(tx, uid, limit)))
            .await
    }

    async fn get(&self, id: InvocationId) -> Result<Option<Invocation>> {
        self.read(&self.readers, move |conn| Box::pin(rows::get(conn, id))).await
    }

    async fn list(
        &self,
        filter: &InvocationFilter,
        after: Option<InvocationId>,
        limit: u32,
    ) -> Result<InvocationPage> {
        let filter = filter.clone();
        self.read(&self.readers, move |conn| {
            Box::pin(async move { list::list(conn, &filter, after, limit).await })
        })
        .await
    }

    async fn count(&self, filter: &InvocationFilter) -> Result<u64> {
        let filter = filter.clone();
        self.read(&self.readers, move |conn| Box::pin(async move { list::count(conn, &filter).await })).await
    }

    async fn clear_dead_letter(&self, id: InvocationId) -> Result<bool> {
        self.writer.write(id, |tx, &id| Box::pin(sweep::clear_dead_letter(tx, id))).await
    }

    async fn queue_stats(&self) -> Result<Vec<QueueStats>> {
        self.read(&self.readers, |conn| Box::pin(stats::queues(conn))).await
    }

    async fn window_stats(&self, function: &FunctionKey, since: Timestamp) -> Result<WindowStats> {
        let function = function.clone();
        self.read(&self.readers, move |conn| {
            Box::pin(async move { stats::window(conn, &function, since).await })
        })
        .await
    }

    async fn ended(&self, query: &EndedQuery) -> Result<Ended> {
        let query = query.clone();
        self.read(&self.readers, move |conn| Box::pin(async move { stats::ended(conn, &query).await })).await
    }

    async fn dead_letter_groups(
        &self,
        filter: &InvocationFilter,
        limit: u32,
    ) -> Result<Vec<DeadLetterGroup>> {
        let filter = filter.clone();
        self.read(&self.readers, move |conn| {
            Box::pin(async move { stats::dead_letter_groups(conn, &filter, limit).await })
        })
        .await
    }

    async fn retain(&self, retention: &Retention) -> Result<RetentionReport> {
        self.writer.write(retention.clone(), |tx, retention| Box::pin(retain::retain(tx, retention))).await
    }

    async fn blobs_in_use(&self, keys: Vec<Arc<str>>) -> Result<Vec<bool>> {
        self.read(&self.readers, move |conn| Box::pin(async move { retain::blobs_in_use(conn, &keys).await }))
            .await
    }

    async fn ping(&self) -> Result<()> {
        self.read(&self.health, |conn| {
            Box::pin(async move {
                sqlx::query(BEAT).execute(conn).await?;
                Ok(())
            })
        })
        .await
    }
}
