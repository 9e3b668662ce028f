//! The whole operator: starts its tasks, and works off the queue while it leads.

use crate::client::{gated, heard};
use crate::events::Events;
use crate::index::{Index, Key};
use crate::lease::{Election, Leadership};
use crate::metrics::Result as Outcome;
use crate::progress::Progress;
use crate::queue::{Queue, Verdict};
use crate::reconcile::{Context, Error, References, reconcile};
use crate::watches::{self, Watches};
use crate::{Config, Metrics};
use eventflow_domain::error::Chain;
use eventflow_domain::ports::Clock;
use eventflow_lifecycle::{CancellationToken, Handle, OnExit};
use futures::FutureExt as _;
use kube::Client;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest that one reconcile may take: after that, something hangs.
const LONGEST: Duration = Duration::from_secs(60);

/// A running operator; cheap to clone.
#[derive(Debug, Clone)]
pub struct Operator {
    pub progress: Progress,
    pub leadership: Arc<Leadership>,
    pub index: Arc<Index>,
    pub queue: Arc<Queue>,
}

impl Operator {
    /// Starts watching, voting and working.
    pub fn start(
        client: &Client,
        config: Config,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
        handle: &Handle,
    ) -> Self {
        let (progress, leadership) = (Progress::default(), Leadership::new());
        let (index, queue) = (Index::new(), Queue::new());
        metrics.show(&queue);
        let writes = gated(client, &leadership);
        let (listed, _) = tokio::sync::watch::channel(false);
        let watches = Arc::new(Watches {
            client: heard(client, &progress),
            namespaces: config.namespaces.clone(),
            index: Arc::clone(&index),
            queue: Arc::clone(&queue),
            progress: progress.clone(),
            metrics: metrics.clone(),
            events: Events::new(writes.clone(), &config.identity),
            leadership: Arc::clone(&leadership),
            clock: Arc::clone(&clock),
            listed,
        });
        let context = Arc::new(Context {
            events: Events::new(writes.clone(), &config.identity),
            client: writes,
            index: Arc::clone(&index),
            references: References::default(),
            config: Arc::new(config),
            metrics: metrics.clone(),
            clock,
        });
        let election = Election::new(
            client.clone(),
            &context.config.namespace,
            context.config.identity.clone(),
            context.config.times.clone(),
            Arc::clone(&leadership),
        );
        let token = handle.token();
        handle.spawn("election", OnExit::Shutdown, election.run(handle.draining()));
        handle.spawn("watches", OnExit::Shutdown, watches::run(Arc::clone(&watches), token.clone()));
        handle.spawn("readiness", OnExit::Shutdown, readiness(watches, handle.clone()));
        let operator = Self { progress, leadership, index, queue };
        handle.spawn(
            "leader",
            OnExit::Shutdown,
            operator.clone().lead(context.metrics.clone(), token.clone()),
        );
        handle.spawn("workers", OnExit::Shutdown, operator.clone().work(context, token));
        operator
    }

    /// Who begins to lead looks at everything once: the leader before may have left work half done.
    async fn lead(self, metrics: Metrics, stop: CancellationToken) {
        let mut leads = self.leadership.follow();
        loop {
            let now = *leads.borrow_and_update();
            metrics.set_leads(now);
            if now {
                self.index.keys().iter().for_each(|key| self.queue.add(key));
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = leads.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn work(self, context: Arc<Context>, stop: CancellationToken) {
        let workers = (0..context.config.workers.max(1)).map(|_| self.worker(&context, &stop));
        futures::future::join_all(workers).await;
    }

    async fn worker(&self, context: &Context, stop: &CancellationToken) {
        let mut leads = self.leadership.follow();
        loop {
            let next = async {
                // Whoever does not lead takes nothing: it would only be refused by the gate.
                if leads.wait_for(|leads| *leads).await.is_err() {
                    return std::future::pending().await;
                }
                self.queue.next().await
            };
            let key = tokio::select! {
                () = stop.cancelled() => return,
                key = next => key,
            };
            let verdict = one(context, &key).await;
            self.queue.done(&key, verdict);
            if context.index.view(&key).is_none() && context.index.is_synced() {
                self.queue.forget(&key);
            }
        }
    }
}

/// One reconcile, whatever happens in it.
async fn one(context: &Context, key: &Key) -> Verdict {
    let start = Instant::now();
    context.metrics.started();
    let run = AssertUnwindSafe(reconcile(context, key)).catch_unwind();
    let (verdict, outcome) = match tokio::time::timeout(LONGEST, run).await {
        Ok(Ok(Ok(verdict))) => {
            let outcome =
                if verdict == Verdict::Done(None) { Outcome::Success } else { Outcome::RequeueAfter };
            (verdict, outcome)
        }
        // Whoever leads next looks at everything.
        Ok(Ok(Err(error))) if error.is_not_leading() => (Verdict::Failed, Outcome::RequeueAfter),
        Ok(Ok(Err(Error::Stale(what)))) => {
            tracing::debug!(function = %key, %what, "the view lags behind");
            (Verdict::Failed, Outcome::RequeueAfter)
        }
        Ok(Ok(Err(error))) => {
            tracing::warn!(function = %key, error = %Chain(&error), "failed to reconcile");
            (Verdict::Failed, Outcome::Error)
        }
        Ok(Err(_panic)) => {
            tracing::error!(function = %key, "a reconcile panicked");
            (Verdict::Failed, Outcome::Error)
        }
        Err(_) => {
            tracing::warn!(function = %key, "a reconcile took too long");
            (Verdict::Failed, Outcome::Error)
        }
    };
    context.metrics.ended(outcome, start.elapsed());
    verdict
}

/// Ready once the view of every namespace is whole.
async fn readiness(watches: Arc<Watches>, handle: Handle) {
    let check = handle.health().check("watches");
    let stop = handle.token();
    let mut listed = watches.listed.subscribe();
    loop {
        if *listed.borrow_and_update() && watches.index.is_synced() {
            check.ready();
        } else {
            check.not_ready("the view is not whole yet");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = listed.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}
