//! Calls whose caller waits.
//!
//! ```text
//!   slot free ──▶ run ──▶ ended soon: answer at once, record in a group
//!       │          └────▶ goes on: accepted while it runs, under a lease ──▶ settle, answer
//!       │                                    └──▶ the wait runs out: Accepted, it goes on
//!       └─ none in time: accepted as queued work
//! ```
//! With an Idempotency-Key the accept comes before the run.

mod carried;
mod record;

pub(crate) use record::{Ran, end, running};

use crate::attempt::{Finish, Work, carry_out, load};
use crate::core::Core;
use crate::recorder::Place;
use crate::slots::Slot;
use carried::Carried;
use eventflow_domain::invocation::{Body, Invocation};
use eventflow_domain::ports::{Accepted, NewInvocation, Start, SyncAnswer, SyncCall};
use eventflow_domain::{Error, ErrorKind, Result};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A sync call that runs.
struct Running {
    run: BoxFuture<'static, Finish>,
    work: Arc<Work>,
    slot: Slot,
    place: Place,
    call: Arc<SyncCall>,
}

/// Where the caller may go away at any await: the run does not.
struct Attended<'a> {
    core: &'a Arc<Core>,
    running: Option<Running>,
}

impl Drop for Attended<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let (carried, _) = Carried::new(self.core, running);
            self.core.spawn("sync call", carried.accept_while_running());
        }
    }
}

pub(crate) async fn call(core: &Arc<Core>, mut call: SyncCall) -> Result<SyncAnswer> {
    core.check_open()?;
    call.wait = call.wait.min(core.config.limits.max_wait);
    let deadline = Instant::now() + call.wait;
    let Some(slot) = core.slots.acquire(&call.function.key, call.wait).await? else {
        return queue(core, &call).await;
    };
    let place = core.recorder.reserve(deadline).await?;
    let running = Running::new(core, call, slot, place);
    if running.call.idempotency.is_some() {
        let (carried, caller) = Carried::new(core, running);
        core.spawn("sync call", carried.accept_first());
        return caller.wait(deadline).await;
    }
    let mut attended = Attended { core, running: Some(running) };
    let soon = deadline.min(Instant::now() + core.config.record_start_after);
    let finish = attended.finish_until(soon).await;
    let Some(running) = attended.running.take() else { return Err(lost_track()) };
    if let Some(finish) = finish {
        return Ok(running.answer(core, finish));
    }
    let (carried, caller) = Carried::new(core, running);
    core.spawn("sync call", carried.accept_while_running());
    caller.wait(deadline).await
}

fn lost_track() -> Error {
    Error::new(ErrorKind::Internal, "Internal", "lost track of the call")
}

impl Attended<'_> {
    async fn finish_until(&mut self, soon: Instant) -> Option<Finish> {
        let run = &mut self.running.as_mut()?.run;
        tokio::time::timeout_at(soon, run).await.ok()
    }
}

impl Running {
    fn new(core: &Arc<Core>, mut call: SyncCall, slot: Slot, place: Place) -> Self {
        let invocation = Box::new(record::started(core, &call));
        let mut work = Work::new(core, invocation);
        work.bytes = Some(call.bytes.clone());
        work.headers = std::mem::take(&mut call.headers);
        let work = Arc::new(work);
        let run = carried_out(Arc::clone(core), Arc::clone(&work)).boxed();
        Self { run, work, slot, place, call: Arc::new(call) }
    }

    /// Answers at once; the record follows.
    fn answer(self, core: &Core, finish: Finish) -> SyncAnswer {
        self.work.logs.close();
        let record = record::ended(core, &self.work, &finish);
        crate::settle::report(core, &self.work, &finish, &record);
        let invocation = Box::new(record.clone());
        self.place.put(record);
        SyncAnswer::Finished { invocation, body: finish.content.bytes }
    }
}

async fn carried_out(core: Arc<Core>, work: Arc<Work>) -> Finish {
    let _in_flight = core.ports.metrics.function(&work.invocation.function).run();
    carry_out(&core, &work).await
}

/// No slot came free within the wait: accepted as work like any other.
async fn queue(core: &Core, call: &SyncCall) -> Result<SyncAnswer> {
    let new = new_invocation(call, core, Start::Queued { not_before: core.ports.clock.now() });
    let record = record::queued(&new);
    match core.ports.store.accept(new).await? {
        Accepted::Existing(known) => existing(core, known).await,
        Accepted::New => {
            core.relay.wake();
            core.changed(record.id, &record.function, record.state());
            Ok(SyncAnswer::Accepted(Box::new(record)))
        }
    }
}

fn new_invocation(call: &SyncCall, core: &Core, start: Start) -> NewInvocation {
    NewInvocation {
        id: call.id,
        function: call.function.key.clone(),
        function_uid: call.function.uid,
        version: call.version,
        source: call.source,
        caller: Arc::clone(&call.caller),
        replay_of: call.replay_of,
        trace: call.trace,
        payload: call.payload.clone(),
        created_at: created_at(call, core),
        idempotency: call.idempotency.clone(),
        start,
        queue_max: call.function.spec.queue.max,
    }
}

/// When the call came in: its id says so, unless it was made under another clock.
fn created_at(call: &SyncCall, core: &Core) -> eventflow_domain::Timestamp {
    call.id.created_at().min(core.ports.clock.now())
}

/// The same key came before.
async fn existing(core: &Core, record: Box<Invocation>) -> Result<SyncAnswer> {
    if !record.state().is_terminal() {
        let message = format!("invocation {} with this Idempotency-Key has not ended yet", record.id);
        return Err(Error::new(ErrorKind::VersionConflict, "IdempotencyKeyInFlight", message)
            .with_metadata("invocationId", record.id)
            .with_retry_after(Duration::from_secs(1)));
    }
    let body = match &record.result.body {
        Body::None => eventflow_domain::Bytes::new(),
        Body::Inline(bytes) => bytes.clone(),
        Body::Blob(key) => load(core, key).await?,
    };
    Ok(SyncAnswer::Finished { invocation: record, body })
}
