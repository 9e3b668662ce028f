//! A sync call that goes on in a task of its own: accepted, under a lease, settled like any other.

use super::{Running, existing, lost_track, new_invocation, record};
use crate::attempt::Finish;
use crate::backoff::Backoff;
use crate::core::Core;
use crate::leases::Hold;
use crate::settle::{report, settle};
use eventflow_domain::error::Chain;
use eventflow_domain::invocation::Invocation;
use eventflow_domain::lifecycle::State;
use eventflow_domain::ports::{Accepted, Lease, Start, SyncAnswer};
use eventflow_domain::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Both wait: the caller for the end, the end for the caller.
const WAITING: u8 = 0;
/// The caller was told that it is accepted: retries as declared.
const DETACHED: u8 = 1;
/// The run has ended and the caller will be told.
const ENDING: u8 = 2;

/// How long a store may take to say that a call is accepted, once its wait is over.
const ACCEPT_WAIT: Duration = Duration::from_secs(5);

pub(super) struct Carried {
    core: Arc<Core>,
    running: Running,
    side: Arc<AtomicU8>,
    done: oneshot::Sender<Result<SyncAnswer>>,
    accepted: oneshot::Sender<()>,
}

/// The side of the one who waits.
pub(super) struct Caller {
    record: Box<Invocation>,
    side: Arc<AtomicU8>,
    done: oneshot::Receiver<Result<SyncAnswer>>,
    accepted: oneshot::Receiver<()>,
}

impl Caller {
    /// The answer, or `Accepted` at the deadline, which is not said before it is committed.
    pub(super) async fn wait(mut self, deadline: Instant) -> Result<SyncAnswer> {
        if let Ok(answer) = tokio::time::timeout_at(deadline, &mut self.done).await {
            return answer.unwrap_or_else(|_| Err(lost_track()));
        }
        let detached =
            self.side.compare_exchange(WAITING, DETACHED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        let committed = async {
            if detached && (&mut self.accepted).await.is_ok() {
                return Ok(SyncAnswer::Accepted(self.record));
            }
            self.done.await.unwrap_or_else(|_| Err(lost_track()))
        };
        tokio::time::timeout(ACCEPT_WAIT, committed).await.unwrap_or_else(|_| {
            Err(Error::unavailable("the call still runs, but the store cannot accept it"))
        })
    }
}

impl Carried {
    pub(super) fn new(core: &Arc<Core>, running: Running) -> (Self, Caller) {
        let side = Arc::new(AtomicU8::new(WAITING));
        let (done, done_here) = oneshot::channel();
        let (accepted, accepted_here) = oneshot::channel();
        let record = running.work.invocation.clone();
        let caller = Caller { record, side: Arc::clone(&side), done: done_here, accepted: accepted_here };
        (Self { core: Arc::clone(core), running, side, done, accepted }, caller)
    }

    /// With an Idempotency-Key: nothing runs before it is accepted.
    pub(super) async fn accept_first(self) {
        let new = new_invocation(&self.running.call, &self.core, self.start());
        match self.core.ports.store.accept(new).await {
            Ok(Accepted::New) => {
                let hold = self.hold();
                self.run_on(Some(hold)).await;
            }
            Ok(Accepted::Existing(known)) => {
                let Self { core, running, done, .. } = self;
                drop(running);
                drop(done.send(existing(&core, known).await));
            }
            Err(error) => drop(self.done.send(Err(error))),
        }
    }

    /// Runs already: gets its record meanwhile.
    pub(super) async fn accept_while_running(mut self) {
        let accepting = insist(Arc::clone(&self.core), self.new_started());
        tokio::pin!(accepting);
        tokio::select! {
            biased;
            finish = &mut self.running.run => self.ended_first(finish, accepting).await,
            accepted = &mut accepting => {
                let hold = accepted.then(|| self.hold());
                self.run_on(hold).await;
            }
        }
    }

    fn start(&self) -> Start {
        let started_at = self.running.work.invocation.started_at;
        let started_at = started_at.unwrap_or_else(|| self.core.ports.clock.now());
        Start::Running { worker: self.core.worker.clone(), lease: self.core.config.lease, started_at }
    }

    fn new_started(&self) -> eventflow_domain::ports::NewInvocation {
        new_invocation(&self.running.call, &self.core, self.start())
    }

    fn hold(&self) -> Hold {
        let invocation = &self.running.work.invocation;
        let lease = Lease { invocation: invocation.id, epoch: invocation.lifecycle.epoch };
        self.core.changed(invocation.id, &invocation.function, State::Running);
        self.core.leases.hold(lease, Arc::clone(&self.running.work.control))
    }

    /// Whether the caller still waits and will be told of the end.
    fn ending(side: &AtomicU8) -> bool {
        side.compare_exchange(WAITING, ENDING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Accepted (or, without a lease, refused by the store for good): runs to its end.
    async fn run_on(self, hold: Option<Hold>) {
        let Self { core, running, side, done, accepted } = self;
        let Running { run, work, slot, place, call: _call } = running;
        let committed = hold.is_some();
        if committed {
            let _ = accepted.send(());
        } else {
            drop(accepted);
        }
        let finish = run.await;
        if work.logs.close() && committed {
            work.logs.flush().await;
        }
        let once = Self::ending(&side);
        if !committed {
            let record = record::ended(&core, &work, &finish);
            report(&core, &work, &finish, &record);
            drop(done.send(Ok(finished(record.clone(), finish))));
            place.put(record);
            return;
        }
        let settled = settle(&core, &work, &finish, once).await;
        drop((hold, place));
        let answer = match settled {
            Some(record) if record.state().is_terminal() => Ok(finished(*record, finish)),
            // Given back by a dispatcher that stops: another one runs it.
            Some(record) => Ok(SyncAnswer::Accepted(record)),
            None => elsewhere(&core, &work.invocation).await,
        };
        let failed =
            matches!(&answer, Ok(SyncAnswer::Finished { invocation, .. }) if invocation.failure.is_some());
        let told = done.send(answer).is_ok() && once;
        if told && failed {
            told_of_failure(&core, &work.invocation).await;
        }
        drop(slot);
    }

    /// The run ended before its accept: the caller need not wait for the store.
    async fn ended_first(self, finish: Finish, accepting: impl Future<Output = bool>) {
        let Self { core, running, side, done, accepted } = self;
        let Running { work, slot, place, .. } = running;
        work.logs.close();
        let once = Self::ending(&side);
        let record = record::ended(&core, &work, &finish);
        let told = once && done.send(Ok(answer(&record, &finish))).is_ok();
        // It may be committed already without our knowing, so it must be ended as an accepted one.
        if accepting.await {
            let _ = accepted.send(());
            work.logs.flush().await;
            settle(&core, &work, &finish, once).await;
            if told && record.failure.is_some() {
                told_of_failure(&core, &work.invocation).await;
            }
        } else {
            report(&core, &work, &finish, &record);
            place.put(record);
        }
        drop(slot);
    }
}

fn finished(mut record: Invocation, finish: Finish) -> SyncAnswer {
    record.lifecycle.dead_letter = false;
    SyncAnswer::Finished { invocation: Box::new(record), body: finish.content.bytes }
}

fn answer(record: &Invocation, finish: &Finish) -> SyncAnswer {
    SyncAnswer::Finished { invocation: Box::new(record.clone()), body: finish.content.bytes.clone() }
}

/// Another worker decides by now.
async fn elsewhere(core: &Core, invocation: &Invocation) -> Result<SyncAnswer> {
    match core.ports.store.get(invocation.id).await? {
        Some(record) if record.state().is_terminal() => existing(core, Box::new(record)).await,
        Some(record) => Ok(SyncAnswer::Accepted(Box::new(record))),
        None => Err(Error::invocation_not_found(invocation.id)),
    }
}

/// A failure that its caller was told of is no dead letter.
async fn told_of_failure(core: &Core, invocation: &Invocation) {
    if let Err(error) = core.ports.store.clear_dead_letter(invocation.id).await {
        tracing::debug!(error = %Chain(&error), "a failed sync call stays a dead letter");
    }
}

/// Accepts until the store answers; `false` = it never will take it.
async fn insist(core: Arc<Core>, new: eventflow_domain::ports::NewInvocation) -> bool {
    let mut backoff = Backoff::of_a_port();
    loop {
        match core.ports.store.accept(new.clone()).await {
            Ok(_) => return true,
            // An earlier try was committed although its answer was lost.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return true,
            Err(error) if error.retryable() => {
                tracing::warn!(invocation_id = %new.id, error = %Chain(&error), "failed to accept a running call");
            }
            Err(error) => {
                tracing::error!(invocation_id = %new.id, error = %Chain(&error), "a running call was not accepted");
                return false;
            }
        }
        if core.stop.run_until_cancelled(backoff.wait()).await.is_none() {
            return false;
        }
    }
}
