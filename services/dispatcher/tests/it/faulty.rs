//! A store that can be taken down: every call is `Unavailable` meanwhile, and nothing is written.

use async_trait::async_trait;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::lifecycle::Policy;
use eventflow_domain::logs::{FunctionLogLine, LogLine, LogPosition};
use eventflow_domain::ports::*;
use eventflow_domain::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Faulty {
    store: Arc<dyn Store>,
    down: AtomicBool,
}

impl Faulty {
    pub(crate) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, down: AtomicBool::new(false) })
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn up(&self) -> Result<&Arc<dyn Store>> {
        if self.down.load(Ordering::SeqCst) {
            Err(Error::unavailable("taken down by the test"))
        } else {
            Ok(&self.store)
        }
    }
}

#[async_trait]
impl FunctionStore for Faulty {
    async fn function_put(
        &self,
        row: FunctionRow,
        version: Option<FunctionVersion>,
        expected: i64,
    ) -> Result<()> {
        self.up()?.function_put(row, version, expected).await
    }
    async fn function_remove(&self, key: &FunctionKey, uid: FunctionUid) -> Result<bool> {
        self.up()?.function_remove(key, uid).await
    }
    async fn function_list(&self) -> Result<FunctionPage> {
        self.up()?.function_list().await
    }
    async fn function_last_version(&self, key: &FunctionKey) -> Result<VersionNumber> {
        self.up()?.function_last_version(key).await
    }
    async fn version_get(&self, uid: FunctionUid, number: VersionNumber) -> Result<Option<FunctionVersion>> {
        self.up()?.version_get(uid, number).await
    }
    async fn version_list(&self, uid: FunctionUid) -> Result<Vec<FunctionVersion>> {
        self.up()?.version_list(uid).await
    }
}

#[async_trait]
impl InvocationStore for Faulty {
    async fn accept(&self, new: NewInvocation) -> Result<Accepted> {
        self.up()?.accept(new).await
    }
    async fn record(&self, invocations: Vec<Invocation>) -> Result<()> {
        self.up()?.record(invocations).await
    }
    async fn outbox_due(&self, limit: u32) -> Result<Vec<OutboxRow>> {
        self.up()?.outbox_due(limit).await
    }
    async fn outbox_next(&self) -> Result<Option<Timestamp>> {
        self.up()?.outbox_next().await
    }
    async fn outbox_done(&self, seqs: Vec<i64>) -> Result<()> {
        self.up()?.outbox_done(seqs).await
    }
    async fn republish(
        &self,
        function: Option<&FunctionKey>,
        published_before: Timestamp,
        limit: u32,
    ) -> Result<u64> {
        self.up()?.republish(function, published_before, limit).await
    }
    async fn published(&self, function: &FunctionKey, published_before: Timestamp) -> Result<u64> {
        self.up()?.published(function, published_before).await
    }
    async fn claim(
        &self,
        requests: Vec<ClaimRequest>,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<Vec<Claim>> {
        self.up()?.claim(requests, worker, lease).await
    }
    async fn renew(&self, leases: Vec<Lease>, worker: &WorkerId, lease: Duration) -> Result<Vec<Renewal>> {
        self.up()?.renew(leases, worker, lease).await
    }
    async fn expired(&self, limit: u32) -> Result<Vec<Expired>> {
        self.up()?.expired(limit).await
    }

    async fn adopt(&self, lease: Lease, worker: &WorkerId, duration: Duration) -> Result<Claim> {
        self.up()?.adopt(lease, worker, duration).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled> {
        self.up()?.settle(settlement).await
    }
    async fn sweep(
        &self,
        alive: &WorkerId,
        others_dead: bool,
        policy: Policy,
        limit: u32,
        spare: &[InvocationId],
    ) -> Result<Vec<Swept>> {
        self.up()?.sweep(alive, others_dead, policy, limit, spare).await
    }
    async fn expire(&self, function: &FunctionKey, max_age: Duration, limit: u32) -> Result<Vec<Swept>> {
        self.up()?.expire(function, max_age, limit).await
    }
    async fn cancel(&self, id: InvocationId) -> Result<Invocation> {
        self.up()?.cancel(id).await
    }
    async fn cancel_function(&self, uid: FunctionUid, limit: u32) -> Result<Vec<Swept>> {
        self.up()?.cancel_function(uid, limit).await
    }
    async fn get(&self, id: InvocationId) -> Result<Option<Invocation>> {
        self.up()?.get(id).await
    }
    async fn list(
        &self,
        filter: &InvocationFilter,
        after: Option<InvocationId>,
        limit: u32,
    ) -> Result<InvocationPage> {
        self.up()?.list(filter, after, limit).await
    }
    async fn count(&self, filter: &InvocationFilter) -> Result<u64> {
        self.up()?.count(filter).await
    }
    async fn clear_dead_letter(&self, id: InvocationId) -> Result<bool> {
        self.up()?.clear_dead_letter(id).await
    }
    async fn queue_stats(&self) -> Result<Vec<QueueStats>> {
        self.up()?.queue_stats().await
    }
    async fn window_stats(&self, function: &FunctionKey, since: Timestamp) -> Result<WindowStats> {
        self.up()?.window_stats(function, since).await
    }
    async fn ended(&self, query: &EndedQuery) -> Result<Ended> {
        self.up()?.ended(query).await
    }
    async fn dead_letter_groups(
        &self,
        filter: &InvocationFilter,
        limit: u32,
    ) -> Result<Vec<DeadLetterGroup>> {
        self.up()?.dead_letter_groups(filter, limit).await
    }
    async fn retain(&self, retention: &Retention) -> Result<RetentionReport> {
        self.up()?.retain(retention).await
    }
    async fn blobs_in_use(&self, keys: Vec<Arc<str>>) -> Result<Vec<bool>> {
        self.up()?.blobs_in_use(keys).await
    }
    async fn ping(&self) -> Result<()> {
        self.up()?.ping().await
    }
}

#[async_trait]
impl LogStore for Faulty {
    async fn log_append(
        &self,
        invocation: InvocationId,
        function_uid: FunctionUid,
        function: &FunctionKey,
        lines: Vec<LogLine>,
    ) -> Result<()> {
        self.up()?.log_append(invocation, function_uid, function, lines).await
    }
    async fn log_read(
        &self,
        invocation: InvocationId,
        after: Option<LogPosition>,
        limit: u32,
    ) -> Result<Vec<LogLine>> {
        self.up()?.log_read(invocation, after, limit).await
    }
    async fn log_query(&self, query: &LogQuery) -> Result<Vec<FunctionLogLine>> {
        self.up()?.log_query(query).await
    }
}

#[async_trait]
impl ConfigStore for Faulty {
    async fn config_put(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
        data: ConfigData,
    ) -> Result<ConfigEntry> {
        self.up()?.config_put(kind, namespace, name, data).await
    }
    async fn config_get(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
    ) -> Result<Option<ConfigData>> {
        self.up()?.config_get(kind, namespace, name).await
    }
    async fn config_list(&self, kind: ConfigKind, namespace: &Namespace) -> Result<Vec<ConfigEntry>> {
        self.up()?.config_list(kind, namespace).await
    }
    async fn config_delete(
        &self,
        kind: ConfigKind,
        namespace: &Namespace,
        name: &ConfigName,
    ) -> Result<bool> {
        self.up()?.config_delete(kind, namespace, name).await
    }
}
