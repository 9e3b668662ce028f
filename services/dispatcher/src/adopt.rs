//! Runs that outlive their worker: a Job goes on while the dispatcher that made it is gone. Whoever sees the lease run
//! out takes such a run over, as the same attempt under a new epoch; only what is not there any more is lost.

use crate::attempt::{Work, runtime_of};
use crate::core::Core;
use crate::leased::run_leased;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{Claim, Expired, Run};
use eventflow_domain::{InvocationId, Result};
use futures::StreamExt as _;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Runs asked for at once.
const AT_ONCE: usize = 16;
/// How long the answer may take whether a run is there.
const ASK: Duration = Duration::from_secs(3);

/// What is known of a run whose lease ran out.
enum Known {
    /// Nothing of it is left, or it ended with its worker.
    Gone,
    There,
    /// Cannot be seen now.
    Unseen,
}

/// Takes over what still runs. Returns the runs that must not count as lost now.
///
/// Looking takes a while, and meanwhile another dispatcher may stop and hand its runs over: it looks again until
/// nothing is new, so that nothing counts as lost that was not looked at.
pub(crate) async fn adopt(core: &Arc<Core>, limit: u32) -> Result<Vec<InvocationId>> {
    if !core.ports.runtimes.iter().any(|runtime| runtime.may_outlive()) {
        return Ok(Vec::new());
    }
    let (mut looked, mut spare) = (HashSet::new(), Vec::new());
    loop {
        let mut expired = core.ports.store.expired(limit).await?;
        expired.retain(|run| looked.insert(run.lease.invocation));
        if expired.is_empty() {
            return Ok(spare);
        }
        spare.extend(look_at(core, expired).await?);
    }
}

async fn look_at(core: &Arc<Core>, expired: Vec<Expired>) -> Result<Vec<InvocationId>> {
    let mut asked = futures::stream::iter(expired)
        .map(|run| async {
            let known = look(core, &run).await;
            (run, known)
        })
        .buffer_unordered(AT_ONCE);
    let mut spare = Vec::new();
    while let Some((run, known)) = asked.next().await {
        match known {
            Known::Gone => {}
            Known::Unseen => spare.push(run.lease.invocation),
            Known::There => {
                spare.push(run.lease.invocation);
                take(core, &run).await?;
            }
        }
    }
    Ok(spare)
}

async fn look(core: &Core, run: &Expired) -> Known {
    let Ok(code) = core.codes.resolve(core, run.function_uid, run.version).await else { return Known::Gone };
    let Ok(runtime) = runtime_of(core, &code) else { return Known::Gone };
    if !runtime.outlives(&code.version) {
        return Known::Gone;
    }
    let (invocation, attempt) = (run.lease.invocation, run.attempt);
    let asked = Run { invocation, attempt, version: Arc::clone(&code.version) };
    match tokio::time::timeout(ASK, runtime.is_there(&asked)).await {
        Ok(Ok(true)) => Known::There,
        Ok(Ok(false)) => Known::Gone,
        Ok(Err(error)) => {
            tracing::warn!(invocation_id = %invocation, error = %Chain(&error), "cannot see whether a run goes on");
            Known::Unseen
        }
        Err(_) => Known::Unseen,
    }
}

async fn take(core: &Arc<Core>, run: &Expired) -> Result<()> {
    // It runs already, so it does not wait for a slot; but nobody takes over without end, or while it stops.
    if core.check_open().is_err() || core.leases.len() >= 2 * core.config.slots {
        return Ok(());
    }
    let claim = core.ports.store.adopt(run.lease, &core.worker, core.config.lease).await?;
    let Claim::Claimed(invocation) = claim else { return Ok(()) };
    tracing::info!(invocation_id = %invocation.id, attempt = run.attempt, "took over a run without a worker");
    core.ports.metrics.function(&invocation.function).adopted();
    let slot = core.slots.try_acquire(&invocation.function);
    let core_of_run = Arc::clone(core);
    core.spawn("adopted attempt", async move {
        let core = core_of_run;
        let in_flight = core.ports.metrics.function(&invocation.function).run();
        let mut work = Work::new(&core, invocation);
        work.adopted = true;
        run_leased(&core, work).await;
        drop((in_flight, slot));
    });
    Ok(())
}
