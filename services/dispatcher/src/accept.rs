//! Accepts a call in the process that runs it: where a slot is free and nothing waits, it is committed as running
//! under this worker's lease, and needs neither outbox nor bus nor a claim of its own. Else it is queued.

use crate::attempt::{Work, carry_out};
use crate::core::Core;
use crate::relay;
use crate::settle::settle;
use crate::slots::Slot;
use crate::sync;
use eventflow_domain::lifecycle::State;
use eventflow_domain::ports::{Accepted, Lease, NewInvocation, Start};
use eventflow_domain::{Error, Invocation, Result};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Durable when it returns, with the state that was committed.
pub(crate) async fn accept(core: &Arc<Core>, new: NewInvocation) -> Result<(Accepted, State)> {
    let Some(slot) = free_slot(core, &new) else { return queue(core, new).await };
    let (told, answer) = oneshot::channel();
    // In a task of its own: a caller that goes away does not leave a call that is committed as running and is not.
    core.spawn("accepted call", start(Arc::clone(core), new, slot, told));
    answer.await.unwrap_or_else(|_| Err(Error::unavailable("the call was cut off while it was accepted")))
}

fn free_slot(core: &Arc<Core>, new: &NewInvocation) -> Option<Slot> {
    let now = core.ports.clock.now();
    let at_once = matches!(new.start, Start::Queued { not_before } if not_before <= now);
    let slot = || core.slots.try_acquire_quiet(&new.function);
    (at_once && core.check_open().is_ok()).then(slot).flatten()
}

async fn queue(core: &Core, new: NewInvocation) -> Result<(Accepted, State)> {
    let (id, function) = (new.id, new.function.clone());
    // The relay looks by itself: a call that starts later must not cost it a look.
    let soon = core.ports.clock.now() + relay::POLL;
    let hurry = matches!(new.start, Start::Queued { not_before } if not_before < soon);
    let accepted = core.ports.store.accept(new).await?;
    if matches!(accepted, Accepted::New) {
        if hurry {
            core.relay.wake();
        }
        core.changed(id, &function, State::Queued);
    }
    Ok((accepted, State::Queued))
}

type Told = oneshot::Sender<Result<(Accepted, State)>>;

async fn start(core: Arc<Core>, mut new: NewInvocation, slot: Slot, told: Told) {
    let started_at = core.ports.clock.now();
    new.start = Start::Running { worker: core.worker.clone(), lease: core.config.lease, started_at };
    let invocation = Box::new(sync::running(&new, started_at));
    let accepted = core.ports.store.accept(new).await;
    let fresh = matches!(accepted, Ok(Accepted::New));
    drop(told.send(accepted.map(|accepted| (accepted, State::Running))));
    if fresh {
        run(&core, invocation).await;
    }
    drop(slot);
}

async fn run(core: &Core, invocation: Box<Invocation>) {
    core.changed(invocation.id, &invocation.function, invocation.state());
    let in_flight = core.ports.metrics.function(&invocation.function).run();
    run_leased(core, Work::new(core, invocation)).await;
    drop(in_flight);
}

/// One attempt that is committed as ours, from its start to its settle.
pub(crate) async fn run_leased(core: &Core, work: Work) {
    let lease = Lease { invocation: work.invocation.id, epoch: work.invocation.lifecycle.epoch };
    let hold = core.leases.hold(lease, Arc::clone(&work.control));
    let finish = carry_out(core, &work).await;
    if work.logs.close() {
        // The lines are readable when the record says the attempt ended. If not, the writer tries again.
        work.logs.flush().await;
    }
    settle(core, &work, &finish, false).await;
    drop(hold);
}
