//! The store ports over the record in memory.

mod beside;
mod slots;

pub(crate) use slots::SlotTable;

use super::record::{Calls, Kept, With};
use async_trait::async_trait;
use eventflow_domain::lifecycle::{Event, Policy};
use eventflow_domain::ports::{
    Accepted, Claim, ClaimRequest, Clock, DeadLetterGroup, Ended, EndedQuery, Expired, InvocationFilter,
    InvocationPage, InvocationStore, Lease, NewInvocation, OutboxRow, QueueStats, Renewal, Retention,
    RetentionReport, Settled, Settlement, Swept, WindowStats,
};
use eventflow_domain::spec::RetryPolicy;
use eventflow_domain::{
    Error, FunctionKey, FunctionUid, Invocation, InvocationId, Result, State, Timestamp, WorkerId,
};
use eventflow_testkit::fakes::MemoryFunctions;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How the record is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Up,
    /// Every call fails at once.
    Down,
    /// Calls wait until it is up again: their process hangs, or the network swallows all.
    Hung,
}

#[derive(Debug)]
struct Record {
    clock: Arc<dyn Clock>,
    functions: MemoryFunctions,
    calls: Mutex<Calls>,
    renewals: Mutex<Vec<(Timestamp, WorkerId)>>,
    slots: Mutex<SlotTable>,
}

/// One line to the record.
#[derive(Debug)]
pub(super) struct MemoryStore {
    record: Arc<Record>,
    reach: watch::Sender<Reach>,
}

impl MemoryStore {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let record = Record {
            clock,
            functions: MemoryFunctions::default(),
            calls: Mutex::default(),
            renewals: Mutex::default(),
            slots: Mutex::default(),
        };
        Self { record: Arc::new(record), reach: watch::Sender::new(Reach::Up) }
    }

    /// Another line to the same record.
    pub(super) fn another_line(&self) -> Self {
        Self { record: Arc::clone(&self.record), reach: watch::Sender::new(Reach::Up) }
    }

    pub(super) fn reach(&self, reach: Reach) {
        self.reach.send_replace(reach);
    }

    pub(super) fn call(&self, id: InvocationId) -> Invocation {
        self.record.calls.lock().kept[&id].call.clone()
    }

    /// Its worker has handed it over.
    pub(super) fn end_lease(&self, id: InvocationId) {
        let now = self.now();
        if let Some(kept) = self.record.calls.lock().kept.get_mut(&id) {
            kept.lease.as_mut().expect("it is held").1 = now;
        }
    }

    pub(super) fn has_calls(&self) -> bool {
        !self.record.calls.lock().kept.is_empty()
    }

    /// When leases were renewed, and by whom.
    pub(super) fn renewals(&self) -> Vec<(Timestamp, WorkerId)> {
        self.record.renewals.lock().clone()
    }

    async fn calls(&self) -> Result<parking_lot::MutexGuard<'_, Calls>> {
        let mut reach = self.reach.subscribe();
        let now = *reach.wait_for(|reach| *reach != Reach::Hung).await.expect("the line is here");
        if now == Reach::Down {
            return Err(Error::unavailable("the record is away"));
        }
        Ok(self.record.calls.lock())
    }

    fn now(&self) -> Timestamp {
        self.record.clock.now()
    }

    /// The same step for many; what it came to.
    fn each(&self, calls: &mut Calls, ids: Vec<InvocationId>, event: &Event, policy: &Policy) -> Vec<Swept> {
        let mut swept = Vec::new();
        for id in ids {
            let event = match event {
                Event::LeaseLost { .. } => Event::LeaseLost { epoch: calls.kept[&id].call.lifecycle.epoch },
                event => event.clone(),
            };
            if let Some(Ok(state)) = calls.step(id, event, policy, self.now(), With::default()) {
                let function = calls.kept[&id].call.function.clone();
                swept.push(Swept { invocation: id, function, state });
            }
        }
        swept
    }
}

/// For events that no policy bears on.
fn no_policy() -> Policy {
    Policy { retry: RetryPolicy::default(), max_lost: 0 }
}

#[async_trait]
impl InvocationStore for MemoryStore {
    async fn accept(&self, new: NewInvocation) -> Result<Accepted> {
        self.calls().await?.insert(new);
        Ok(Accepted::New)
    }

    async fn record(&self, invocations: Vec<Invocation>) -> Result<()> {
        let mut calls = self.calls().await?;
        for call in invocations {
            calls.insert_ended(call);
        }
        Ok(())
    }

    async fn outbox_due(&self, limit: u32) -> Result<Vec<OutboxRow>> {
        let mut due = self.calls().await?.due(self.now());
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn outbox_next(&self) -> Result<Option<Timestamp>> {
        Ok(self.calls().await?.next_due())
    }

    async fn outbox_done(&self, seqs: Vec<i64>) -> Result<()> {
        self.calls().await?.published(&seqs, self.now());
        Ok(())
    }

    async fn published(&self, function: &FunctionKey, before: Timestamp) -> Result<u64> {
        let calls = self.calls().await?;
        let known = |kept: &&Kept| {
            kept.waits()
                && kept.is_published()
                && kept.published_at < before
                && kept.call.function == *function
        };
        Ok(calls.kept.values().filter(known).count() as u64)
    }

    async fn republish(&self, function: Option<&FunctionKey>, before: Timestamp, limit: u32) -> Result<u64> {
        let mut calls = self.calls().await?;
        let forgotten = |kept: &Kept| {
            kept.waits()
                && kept.is_published()
                && kept.published_at < before
                && function.is_none_or(|function| kept.call.function == *function)
        };
        let ids: Vec<_> =
            calls.kept.values().filter(|kept| forgotten(kept)).map(|kept| kept.call.id).collect();
        let ids = &ids[..ids.len().min(limit as usize)];
        for id in ids {
            calls.publish_again(*id);
        }
        Ok(ids.len() as u64)
    }

    async fn claim(
        &self,
        asked: Vec<ClaimRequest>,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<Vec<Claim>> {
        let mut calls = self.calls().await?;
        let now = self.now();
        let claims = asked.into_iter().map(|ClaimRequest { invocation, max_age }| {
            let old = |kept: &Kept| kept.waits() && now.since(kept.waits_since()) > max_age;
            let event =
                if calls.kept.get(&invocation).is_some_and(old) { Event::Expire } else { Event::Claim };
            let with = With { lease: Some((worker, now + lease)), end: None };
            match calls.step(invocation, event, &no_policy(), now, with) {
                None => Claim::Stale(None),
                Some(Err(refused)) => Claim::Stale(Some(refused)),
                Some(Ok(state)) => {
                    let call = Box::new(calls.kept[&invocation].call.clone());
                    if state == State::Running { Claim::Claimed(call) } else { Claim::Expired(call) }
                }
            }
        });
        Ok(claims.collect())
    }

    async fn renew(&self, leases: Vec<Lease>, worker: &WorkerId, lease: Duration) -> Result<Vec<Renewal>> {
        let mut calls = self.calls().await?;
        let until = self.now() + lease;
        self.record.renewals.lock().push((self.now(), worker.clone()));
        let renewals = leases.into_iter().map(|lease| match calls.kept.get_mut(&lease.invocation) {
            Some(Kept { call, lease: Some(held), .. })
                if call.lifecycle.epoch == lease.epoch && held.0 == *worker =>
            {
                held.1 = until;
                Renewal::Held { cancel_requested: call.lifecycle.cancel_requested }
            }
            _ => Renewal::Gone,
        });
        Ok(renewals.collect())
    }

    async fn expired(&self, limit: u32) -> Result<Vec<Expired>> {
        let calls = self.calls().await?;
        let now = self.now();
        let expired = |kept: &&Kept| kept.lease.as_ref().is_some_and(|(_, until)| *until <= now);
        let row = |kept: &Kept| Expired {
            lease: Lease { invocation: kept.call.id, epoch: kept.call.lifecycle.epoch },
            function: kept.call.function.clone(),
            function_uid: kept.call.function_uid,
            version: kept.call.version,
            attempt: kept.call.lifecycle.attempts,
        };
        Ok(calls.kept.values().filter(expired).map(row).take(limit as usize).collect())
    }

    async fn adopt(&self, lease: Lease, worker: &WorkerId, duration: Duration) -> Result<Claim> {
        let mut calls = self.calls().await?;
        let now = self.now();
        let id = lease.invocation;
        if calls.kept.get(&id).and_then(|kept| kept.lease.as_ref()).is_none_or(|(_, until)| *until > now) {
            return Ok(Claim::Stale(None));
        }
        let with = With { lease: Some((worker, now + duration)), end: None };
        Ok(match calls.step(id, Event::Adopt { epoch: lease.epoch }, &no_policy(), now, with) {
            None => Claim::Stale(None),
            Some(Err(refused)) => Claim::Stale(Some(refused)),
            Some(Ok(_)) => Claim::Claimed(Box::new(calls.kept[&id].call.clone())),
        })
    }

    async fn settle(&self, end: Settlement) -> Result<Settled> {
        let mut calls = self.calls().await?;
        let event = Event::Settle { epoch: end.epoch, verdict: end.verdict.clone(), jitter: end.jitter };
        let with = With { lease: None, end: Some(&end) };
        Ok(match calls.step(end.invocation, event, &end.policy, self.now(), with) {
            None => Settled::Unknown,
            Some(Err(refused)) => Settled::Refused(refused),
            Some(Ok(_)) => Settled::Done(Box::new(calls.kept[&end.invocation].call.clone())),
        })
    }

    async fn sweep(
        &self,
        alive: &WorkerId,
        others_dead: bool,
        policy: Policy,
        limit: u32,
        spare: &[InvocationId],
    ) -> Result<Vec<Swept>> {
        let mut calls = self.calls().await?;
        let now = self.now();
        let lost = |kept: &&Kept| {
            !spare.contains(&kept.call.id)
                && kept
                    .lease
                    .as_ref()
                    .is_some_and(|(worker, until)| *until <= now || (others_dead && worker != alive))
        };
        let ids = calls.kept.values().filter(lost).map(|kept| kept.call.id).take(limit as usize).collect();
        Ok(self.each(&mut calls, ids, &Event::LeaseLost { epoch: eventflow_domain::Epoch(0) }, &policy))
    }

    async fn expire(&self, function: &FunctionKey, max_age: Duration, limit: u32) -> Result<Vec<Swept>> {
        let mut calls = self.calls().await?;
        let now = self.now();
        let mut ids = calls.of(function, |kept| kept.waits() && now.since(kept.waits_since()) > max_age);
        ids.truncate(limit as usize);
        Ok(self.each(&mut calls, ids, &Event::Expire, &no_policy()))
    }

    async fn cancel(&self, id: InvocationId) -> Result<Invocation> {
        let mut calls = self.calls().await?;
        self.each(&mut calls, vec![id], &Event::Cancel, &no_policy());
        Ok(calls.kept[&id].call.clone())
    }

    async fn cancel_function(&self, uid: FunctionUid, limit: u32) -> Result<Vec<Swept>> {
        let mut calls = self.calls().await?;
        let alive = |kept: &&Kept| {
            kept.call.function_uid == uid
                && !kept.call.state().is_terminal()
                && !kept.call.lifecycle.cancel_requested
        };
        let ids = calls.kept.values().filter(alive).map(|kept| kept.call.id).take(limit as usize).collect();
        Ok(self.each(&mut calls, ids, &Event::FunctionDeleted, &no_policy()))
    }

    async fn get(&self, id: InvocationId) -> Result<Option<Invocation>> {
        Ok(self.calls().await?.kept.get(&id).map(|kept| kept.call.clone()))
    }

    async fn list(&self, _: &InvocationFilter, _: Option<InvocationId>, _: u32) -> Result<InvocationPage> {
        let calls = self.calls().await?;
        let invocations = calls.kept.values().map(|kept| kept.call.clone()).collect();
        Ok(InvocationPage { invocations, more: false })
    }

    async fn count(&self, _: &InvocationFilter) -> Result<u64> {
        Ok(self.calls().await?.kept.len() as u64)
    }

    async fn clear_dead_letter(&self, id: InvocationId) -> Result<bool> {
        let mut calls = self.calls().await?;
        let life = calls.kept.get_mut(&id).map(|kept| &mut kept.call.lifecycle);
        Ok(life.is_some_and(|life| std::mem::take(&mut life.dead_letter)))
    }

    async fn queue_stats(&self) -> Result<Vec<QueueStats>> {
        let calls = self.calls().await?;
        let mut stats = BTreeMap::new();
        for kept in calls.kept.values().filter(|kept| !kept.call.state().is_terminal()) {
            let function = &kept.call.function;
            let queue = stats.entry(function.clone()).or_insert_with(|| QueueStats {
                function: function.clone(),
                queued: 0,
                retrying: 0,
                running: 0,
                dead_letters: 0,
                oldest_queued: None,
            });
            *match kept.call.state() {
                State::Queued => &mut queue.queued,
                State::Retrying => &mut queue.retrying,
                _ => &mut queue.running,
            } += 1;
        }
        Ok(stats.into_values().collect())
    }

    async fn window_stats(&self, _: &FunctionKey, _: Timestamp) -> Result<WindowStats> {
        Ok(WindowStats::default())
    }

    async fn ended(&self, _: &EndedQuery) -> Result<Ended> {
        Ok(Ended::default())
    }

    async fn dead_letter_groups(&self, _: &InvocationFilter, _: u32) -> Result<Vec<DeadLetterGroup>> {
        Ok(Vec::new())
    }

    async fn retain(&self, _: &Retention) -> Result<RetentionReport> {
        Ok(RetentionReport::default())
    }

    async fn blobs_in_use(&self, keys: Vec<Arc<str>>) -> Result<Vec<bool>> {
        Ok(vec![true; keys.len()])
    }

    async fn ping(&self) -> Result<()> {
        self.calls().await.map(drop)
    }
}
