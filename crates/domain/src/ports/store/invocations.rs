use crate::error::Result;
use crate::function::FunctionKey;
use crate::ids::{Epoch, FunctionUid, InvocationId, VersionNumber, WorkerId};
use crate::invocation::{Invocation, Reason, Source, StartKind, Stored};
use crate::lifecycle::{Policy, Refused, State, Verdict};
use crate::names::{FunctionName, Namespace};
use crate::ports::Message;
use crate::time::Timestamp;
use crate::trace::TraceContext;
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// An Idempotency-Key in its scope (namespace + function + caller), with the hash of what it was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Namespace, function, caller and key, joined so that no two can be confused.
    pub scope: Arc<str>,
    /// SHA-256 over content type and body.
    pub payload_hash: [u8; 32],
    pub expires_at: Timestamp,
}

/// How an accepted call begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Waits for a worker: an outbox row is written with it, due at `not_before`.
    Queued { not_before: Timestamp },
    /// Runs already (or is about to) in this worker, under its lease: no outbox row.
    Running { worker: WorkerId, lease: Duration, started_at: Timestamp },
}

/// A call to accept.
#[derive(Debug, Clone)]
pub struct NewInvocation {
    pub id: InvocationId,
    pub function: FunctionKey,
    pub function_uid: FunctionUid,
    pub version: VersionNumber,
    pub source: Source,
    pub caller: Arc<str>,
    pub replay_of: Option<InvocationId>,
    pub trace: TraceContext,
    pub payload: Stored,
    pub created_at: Timestamp,
    pub idempotency: Option<IdempotencyKey>,
    pub start: Start,
    /// Calls of this function (uid) that may be QUEUED or RETRYING; one more is refused. Only for `Start::Queued`.
    pub queue_max: u32,
}

/// What became of an accept.
#[derive(Debug, Clone)]
pub enum Accepted {
    New,
    /// The same key with the same payload came before: that call's record.
    Existing(Box<Invocation>),
}

/// An outbox row that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub seq: i64,
    pub message: Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimRequest {
    pub invocation: InvocationId,
    /// Bounds by the function's policy; a record older than this is expired instead of claimed.
    pub max_age: Duration,
}

/// What became of a claim.
#[derive(Debug, Clone)]
pub enum Claim {
    /// Ours: state RUNNING, epoch and attempt raised. `attempts` of the record may be empty.
    Claimed(Box<Invocation>),
    /// Ended as FAILED Expired instead.
    Expired(Box<Invocation>),
    /// Not to be run: terminal, running elsewhere, or unknown (`None`).
    Stale(Option<Refused>),
}

/// A claim that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub invocation: InvocationId,
    pub epoch: Epoch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Held {
        cancel_requested: bool,
    },
    /// No longer ours: end the run, its result will be refused.
    Gone,
}

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub invocation: InvocationId,
    pub epoch: Epoch,
    pub verdict: Verdict,
    pub policy: Policy,
    /// A random number in thousandths, for the retry's jitter.
    pub jitter: u16,
    pub start: Option<StartKind>,
    /// When user code started.
    pub started_at: Timestamp,
    pub exit_code: Option<i32>,
    pub result: Stored,
    pub http_status: Option<u16>,
    /// Forget the payload once terminal (`record: metadata`); `result` is then `Stored` without body.
    pub drop_payload: bool,
    pub logs_truncated: bool,
}

/// What became of a settlement.
#[derive(Debug, Clone)]
pub enum Settled {
    /// The record as it is now: terminal, or waiting for its next attempt.
    Done(Box<Invocation>),
    /// Another epoch decides, or it is terminal already. Nothing was changed.
    Refused(Refused),
    /// There is no such record (any more).
    Unknown,
}

/// A record whose worker was lost.
#[derive(Debug, Clone)]
pub struct Swept {
    pub invocation: InvocationId,
    pub function: FunctionKey,
    pub state: State,
}

/// A run whose worker's lease ran out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    pub lease: Lease,
    pub function: FunctionKey,
    pub function_uid: FunctionUid,
    pub version: VersionNumber,
    pub attempt: u32,
}

/// Which records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InvocationFilter {
    pub namespace: Option<Namespace>,
    pub function: Option<FunctionName>,
    pub states: Vec<State>,
    pub version: Option<VersionNumber>,
    pub caller: Option<String>,
    pub source: Option<Source>,
    pub reason: Option<Reason>,
    pub dead_letter: Option<bool>,
    pub replay_of: Option<InvocationId>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    pub start: Option<StartKind>,
    /// These only; all where it is empty.
    pub ids: Vec<InvocationId>,
}

impl InvocationFilter {
    /// Whether a list by this filter would have the record in it.
    pub fn holds(&self, call: &Invocation) -> bool {
        let all = [
            self.namespace.as_ref().is_none_or(|namespace| *namespace == call.function.namespace),
            self.function.as_ref().is_none_or(|function| *function == call.function.name),
            self.states.is_empty() || self.states.contains(&call.state()),
            self.version.is_none_or(|version| version == call.version),
            self.caller.as_deref().is_none_or(|caller| *caller == *call.caller),
            self.source.is_none_or(|source| source == call.source),
            self.reason.is_none_or(|reason| call.failure.as_ref().is_some_and(|f| f.reason == reason)),
            self.dead_letter.is_none_or(|dead| dead == call.lifecycle.dead_letter),
            self.replay_of.is_none_or(|original| call.replay_of == Some(original)),
            self.created_after.is_none_or(|after| call.created_at >= after),
            self.created_before.is_none_or(|before| call.created_at < before),
            self.start.is_none_or(|start| call.start == Some(start)),
            self.ids.is_empty() || self.ids.contains(&call.id),
        ];
        all.into_iter().all(|holds| holds)
    }
}

/// Newest first, by id. `attempts` of listed records are empty and bodies are [`crate::Body::None`].
#[derive(Debug, Clone, Default)]
pub struct InvocationPage {
    pub invocations: Vec<Invocation>,
    /// There are more behind the last of these.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStats {
    pub function: FunctionKey,
    pub queued: u64,
    pub retrying: u64,
    pub running: u64,
    pub dead_letters: u64,
    pub oldest_queued: Option<Timestamp>,
}

/// Ended calls of a function within a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WindowStats {
    pub calls: u64,
    pub failed: u64,
    /// Of the run, start to end.
    pub p50: Option<Duration>,
    pub p99: Option<Duration>,
    pub last_call: Option<Timestamp>,
}

/// Which ended calls of a function to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedQuery {
    pub function: FunctionKey,
    /// That ended at or after.
    pub since: Timestamp,
    /// The steps of time they are counted in, which begin at multiples of it since the epoch; not zero.
    pub step: Duration,
    /// Only the newest so many are looked at.
    pub limit: u32,
}

/// Ended calls that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCell {
    /// Where their step begins.
    pub at: Timestamp,
    pub state: State,
    pub start: Option<StartKind>,
    /// How long the last attempt ran, rounded to two digits.
    pub run: Option<Duration>,
    pub count: u64,
    /// When the last of them ended.
    pub last: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// In no order.
    pub cells: Vec<EndedCell>,
    /// The limit was reached: what ended before this was not looked at.
    pub from: Option<Timestamp>,
}

/// Dead letters of one function with one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterGroup {
    pub function: FunctionKey,
    pub reason: Reason,
    pub count: u64,
    /// When the first and the last of them ended.
    pub oldest: Timestamp,
    pub newest: Timestamp,
    /// The newest by id, and why it failed.
    pub sample: InvocationId,
    pub message: String,
}

/// What is kept of ended calls. Live calls and keys not expired are never touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    pub max_age: Duration,
    /// Ended calls kept per function.
    pub max_count: u64,
    /// Rows removed in one transaction.
    pub batch: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetentionReport {
    pub removed: u64,
    /// There is more to remove: call again.
    pub more: bool,
}

/// Invocations, attempts, idempotency keys and the outbox.
///
/// Times of leases and dues are the store's own clock. Every transition is decided by
/// [`crate::lifecycle::step`] and fenced by the epoch that was read.
#[async_trait]
pub trait InvocationStore: Debug + Send + Sync {
    /// Accepts a call: durable when it returns. A bad one fails alone even where many share one commit.
    /// Errors: `KeyReused` (same key, other payload), `Exhausted` with reason `QueueFull`, `Unavailable`.
    async fn accept(&self, new: NewInvocation) -> Result<Accepted>;

    /// Records sync calls that were run without an accept: whole records, most of them ended. An id already there
    /// is left as it is.
    async fn record(&self, invocations: Vec<Invocation>) -> Result<()>;

    /// Outbox rows due now, oldest first. Where processes share the store, a row is one process's for some seconds: its
    /// own ones first; those that another did not publish in time are handed to whoever asks next.
    async fn outbox_due(&self, limit: u32) -> Result<Vec<OutboxRow>>;

    /// When the next outbox row becomes due, if there is one.
    async fn outbox_next(&self) -> Result<Option<Timestamp>>;

    /// They are published: removes the rows.
    async fn outbox_done(&self, seqs: Vec<i64>) -> Result<()>;

    /// Writes outbox rows for records that wait, have none, and were last published before `published_before`:
    /// those a wiped or restarted bus no longer knows. Returns how many, at most `limit`.
    async fn republish(
        &self,
        function: Option<&FunctionKey>,
        published_before: Timestamp,
        limit: u32,
    ) -> Result<u64>;

    /// Records of a function that wait, have no outbox row, and were last published before `published_before`: the bus
    /// must have at least as many messages.
    async fn published(&self, function: &FunctionKey, published_before: Timestamp) -> Result<u64>;

    /// Claims calls for a worker; one answer for each request, in order.
    async fn claim(
        &self,
        requests: Vec<ClaimRequest>,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<Vec<Claim>>;

    /// Renews leases; one answer for each, in order. A lease of no time is given up: another worker may adopt the run
    /// at once.
    async fn renew(&self, leases: Vec<Lease>, worker: &WorkerId, lease: Duration) -> Result<Vec<Renewal>>;

    /// Ends a run: its attempt, and the record or its requeue with a new outbox row.
    async fn settle(&self, settlement: Settlement) -> Result<Settled>;

    /// RUNNING records whose lease ran out, the longest ago first. Changes nothing.
    async fn expired(&self, limit: u32) -> Result<Vec<Expired>>;

    /// Takes over a run whose worker is gone and which goes on all the same: epoch raised, same attempt. `lease` says
    /// the epoch that was read. `Stale` where another was first, or where the lease runs (again).
    async fn adopt(&self, lease: Lease, worker: &WorkerId, duration: Duration) -> Result<Claim>;

    /// Takes RUNNING records whose lease ran out, but for `spare` (of any worker but `alive`, at once, where `others_dead`: the
    /// local shape, where no other process can be alive). Each is queued again or failed, as
    /// [`crate::lifecycle::Event::LeaseLost`] says.
    async fn sweep(
        &self,
        alive: &WorkerId,
        others_dead: bool,
        policy: Policy,
        limit: u32,
        spare: &[InvocationId],
    ) -> Result<Vec<Swept>>;

    /// Ends waiting records older than `max_age` as FAILED Expired. Returns them.
    async fn expire(&self, function: &FunctionKey, max_age: Duration, limit: u32) -> Result<Vec<Swept>>;

    /// Stores the wish to cancel: waiting records end at once. `Ok` is the record as it is then. Errors:
    /// `NotFound`, `WrongState` where it is terminal.
    async fn cancel(&self, id: InvocationId) -> Result<Invocation>;

    /// The function is gone: ends waiting records of this uid, marks running ones. Returns all it touched.
    async fn cancel_function(&self, uid: FunctionUid, limit: u32) -> Result<Vec<Swept>>;

    /// The record whole.
    async fn get(&self, id: InvocationId) -> Result<Option<Invocation>>;

    /// Records behind `after` (an id of an earlier page), at most `limit`.
    async fn list(
        &self,
        filter: &InvocationFilter,
        after: Option<InvocationId>,
        limit: u32,
    ) -> Result<InvocationPage>;

    async fn count(&self, filter: &InvocationFilter) -> Result<u64>;

    /// Clears the dead-letter flag (redriven or discarded). Whether it was set.
    async fn clear_dead_letter(&self, id: InvocationId) -> Result<bool>;

    /// Of every function with live or dead-lettered records, in all namespaces.
    async fn queue_stats(&self) -> Result<Vec<QueueStats>>;

    /// Over at most the last 1,000 ended calls.
    async fn window_stats(&self, function: &FunctionKey, since: Timestamp) -> Result<WindowStats>;

    /// Counts of ended calls, in steps of time.
    async fn ended(&self, query: &EndedQuery) -> Result<Ended>;

    /// Dead letters that the filter holds, by function and reason: the largest groups, at most `limit`.
    async fn dead_letter_groups(&self, filter: &InvocationFilter, limit: u32)
    -> Result<Vec<DeadLetterGroup>>;

    /// Removes ended records, their attempts, logs, and versions that nothing names any more.
    async fn retain(&self, retention: &Retention) -> Result<RetentionReport>;

    /// Which of these blobs are still named by a record or by a function's version.
    async fn blobs_in_use(&self, keys: Vec<Arc<str>>) -> Result<Vec<bool>>;

    /// Whether the store takes writes now; for readiness.
    async fn ping(&self) -> Result<()>;
}
