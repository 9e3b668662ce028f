//! The claims this worker holds: renewed together, and the way a cancel reaches a run.

use crate::backoff::Backoff;
use crate::control::{Control, Cut};
use eventflow_domain::error::Chain;
use eventflow_domain::ids::{InvocationId, WorkerId};
use eventflow_domain::ports::{Bus, Lease, Live, Renewal, Store, Topic};
use futures::StreamExt as _;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Leases renewed in one transaction.
const BATCH: usize = 1000;

type Held = Mutex<HashMap<InvocationId, (Lease, Arc<Control>)>>;

#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Arc<Held>,
}

/// A lease that is renewed until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    lease: Lease,
    held: Arc<Held>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        // The same call may have been claimed again meanwhile, at a higher epoch.
        if held.get(&self.lease.invocation).is_some_and(|(lease, _)| *lease == self.lease) {
            held.remove(&self.lease.invocation);
        }
    }
}

impl Leases {
    pub(crate) fn hold(&self, lease: Lease, control: Arc<Control>) -> Hold {
        self.held.lock().insert(lease.invocation, (lease, control));
        Hold { lease, held: Arc::clone(&self.held) }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.lock().len()
    }

    /// A cancel is wished of a call. Whether it runs here.
    pub(crate) fn cancel(&self, id: InvocationId) -> bool {
        let held = self.held.lock();
        let run = held.get(&id);
        if let Some((_, control)) = run {
            control.cut(Cut::Cancelled);
        }
        run.is_some()
    }

    /// Every run is to be given back.
    pub(crate) fn release_all(&self) {
        for (_, control) in self.held.lock().values() {
            control.cut(Cut::Released);
        }
    }

    /// Renews every third of `lease`, until `stop`.
    pub(crate) async fn keep(
        &self,
        store: &Arc<dyn Store>,
        worker: &WorkerId,
        lease: Duration,
        stop: CancellationToken,
    ) {
        let mut backoff = Backoff::new(Duration::from_millis(100), lease / 10);
        let mut pause = lease / 3;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = match self.renew(store, worker, lease).await {
                Ok(()) => {
                    backoff.reset();
                    lease / 3
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "failed to renew leases, trying again");
                    backoff.pause()
                }
            };
        }
    }

    /// Renews all that are held; says to each run whether it may go on.
    pub(crate) async fn renew(
        &self,
        store: &Arc<dyn Store>,
        worker: &WorkerId,
        lease: Duration,
    ) -> eventflow_domain::Result<()> {
        let held: Vec<(Lease, Arc<Control>)> = self.held.lock().values().cloned().collect();
        for batch in held.chunks(BATCH) {
            let leases = batch.iter().map(|(lease, _)| *lease).collect();
            let renewals = store.renew(leases, worker, lease).await?;
            for ((_, control), renewal) in batch.iter().zip(renewals) {
                match renewal {
                    Renewal::Held { cancel_requested: false } => {}
                    Renewal::Held { cancel_requested: true } => control.cut(Cut::Cancelled),
                    Renewal::Gone => control.cut(Cut::Gone),
                }
            }
        }
        Ok(())
    }

    /// Hears cancel wishes at once, until `stop`. What is missed here comes with the next renewal.
    pub(crate) async fn hear(&self, bus: &Arc<dyn Bus>, stop: CancellationToken) {
        let mut wishes = bus.listen(Topic::Cancels);
        while let Some(Some(wish)) = stop.run_until_cancelled(wishes.next()).await {
            if let Live::CancelRequested { invocation } = wish {
                self.cancel(invocation);
            }
        }
    }
}
