//! Bus → claim → run, in the order of the ring.

use crate::attempt::Work;
use crate::backoff::Backoff;
use crate::core::Core;
use crate::functions;
use crate::leased::run_leased;
use crate::slots::{Pull, Slot};
use eventflow_domain::error::Chain;
use eventflow_domain::function::FunctionKey;
use eventflow_domain::lifecycle::Refused;
use eventflow_domain::ports::{Claim, ClaimRequest, Delivery};
use eventflow_domain::spec::QueuePolicy;
use eventflow_domain::{Invocation, Result};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;

/// How long a message waits that could not be claimed now.
const NOT_NOW: Duration = Duration::from_secs(1);
/// How long a message waits whose function this dispatcher does not know (yet).
const UNKNOWN: Duration = Duration::from_secs(5);

/// Grants turns and pulls work until the dispatcher drains.
pub(crate) async fn run(core: Arc<Core>) {
    let mut active = core.ports.bus.active();
    let mut pulls = FuturesUnordered::new();
    loop {
        while let Some(pull) = core.slots.grant() {
            pulls.push(pull_some(&core, pull));
        }
        tokio::select! {
            // Pulls in flight end below: what they claimed is run.
            () = core.draining.cancelled() => break,
            () = core.slots.due() => {}
            Some(()) = pulls.next() => {}
            function = active.next() => match function {
                Some(function) => core.slots.queued(&function),
                None => active = again(&core).await,
            },
        }
    }
    while pulls.next().await.is_some() {}
    // Calls that wait for a slot get theirs as long as they wait.
    while core.stop.run_until_cancelled(core.slots.due()).await.is_some() {
        while let Some(mut pull) = core.slots.grant() {
            pull.empty = true;
        }
    }
}

/// The bus ended its word: listens anew.
async fn again(core: &Core) -> futures::stream::BoxStream<'static, FunctionKey> {
    tokio::time::sleep(NOT_NOW).await;
    core.ports.bus.active()
}

async fn pull_some(core: &Arc<Core>, mut pull: Pull) {
    let wanted = pull.slots.len();
    match core.ports.bus.fetch(&pull.function, wanted).await {
        Ok(deliveries) => {
            pull.empty = deliveries.len() < wanted;
            // Slots for messages that are not there are free before the claim.
            pull.slots.truncate(deliveries.len());
            let deliveries = known(core, deliveries).await;
            if let Err(error) = claim(core, &mut pull.slots, deliveries).await {
                tracing::warn!(function = %pull.function, error = %Chain(&error), "failed to claim calls");
            }
        }
        Err(error) => {
            tracing::warn!(function = %pull.function, error = %Chain(&error), "failed to fetch messages");
            tokio::time::sleep(NOT_NOW).await;
        }
    }
}

/// Sorts out messages of functions that are gone.
async fn known(core: &Arc<Core>, deliveries: Vec<Delivery>) -> Vec<Delivery> {
    let mut known = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let uid = delivery.message.function_uid;
        if core.ports.registry.get_by_uid(uid).is_some() {
            known.push(delivery);
        } else if core.config.sole {
            // Nobody else could know it: it was deleted while its calls waited.
            if functions::cancel_calls(core, uid).await.is_ok() {
                ack(core, vec![delivery]).await;
            } else {
                nak(core, delivery, UNKNOWN).await;
            }
        } else {
            nak(core, delivery, UNKNOWN).await;
        }
    }
    known
}

/// Claims all in one transaction and starts what is ours.
async fn claim(core: &Arc<Core>, slots: &mut Vec<Slot>, deliveries: Vec<Delivery>) -> Result<()> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let requests = deliveries.iter().map(|delivery| request(core, delivery)).collect();
    let claims = match core.ports.store.claim(requests, &core.worker, core.config.lease).await {
        Ok(claims) => claims,
        Err(error) => {
            for delivery in deliveries {
                nak(core, delivery, NOT_NOW).await;
            }
            return Err(error);
        }
    };
    let mut done = Vec::new();
    for (delivery, claim) in deliveries.into_iter().zip(claims) {
        match claim {
            Claim::Claimed(invocation) => {
                if let Some(slot) = slots.pop() {
                    let core_of_run = Arc::clone(core);
                    core.spawn("attempt", run_claimed(core_of_run, delivery, invocation, slot));
                }
            }
            Claim::Expired(record) => {
                core.changed(record.id, &record.function, record.state());
                core.ports.metrics.function(&record.function).ended(record.state());
                done.push(delivery);
            }
            Claim::Stale(Some(Refused::TooEarly(due))) => {
                let wait = due.since(core.ports.clock.now()).max(Duration::from_millis(1));
                nak(core, delivery, wait).await;
            }
            Claim::Stale(_) => done.push(delivery),
        }
    }
    ack(core, done).await;
    Ok(())
}

fn request(core: &Core, delivery: &Delivery) -> ClaimRequest {
    let function = core.ports.registry.get_by_uid(delivery.message.function_uid);
    let max_age =
        function.map_or_else(|| QueuePolicy::default().max_age, |function| function.spec.queue.max_age);
    ClaimRequest { invocation: delivery.message.invocation, max_age }
}

/// One claimed attempt; its message is acked once it is settled.
async fn run_claimed(core: Arc<Core>, delivery: Delivery, invocation: Box<Invocation>, slot: Slot) {
    core.changed(invocation.id, &invocation.function, invocation.state());
    let in_flight = core.ports.metrics.function(&invocation.function).run();
    let work = Work::delivered(&core, invocation, delivery.message.trace);
    run_leased(&core, work).await;
    ack(&core, vec![delivery]).await;
    drop((in_flight, slot));
}

/// An ack that fails is no harm: the message comes again and is stale.
async fn ack(core: &Core, deliveries: Vec<Delivery>) {
    if deliveries.is_empty() {
        return;
    }
    let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
    for _ in 0..3 {
        match core.ports.bus.ack(deliveries.clone()).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(error = %Chain(&error), "failed to ack"),
        }
        backoff.wait().await;
    }
}

async fn nak(core: &Core, delivery: Delivery, delay: Duration) {
    if let Err(error) = core.ports.bus.nak(delivery, delay).await {
        tracing::debug!(error = %Chain(&error), "failed to give a message back");
    }
}
