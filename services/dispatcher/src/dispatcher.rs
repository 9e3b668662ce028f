//! The dispatcher as others hold it.

use crate::config::Config;
use crate::core::Core;
use crate::ports::Ports;
use crate::relay::{Relay, Wake};
use crate::{adapt, functions, proxy, scheduler, shares, sweeper, sync};
use async_trait::async_trait;
use eventflow_domain::Result;
use eventflow_domain::ids::WorkerId;
use eventflow_domain::ports::{HttpRequest, HttpResponse, Invoker, ProxyCall, SyncAnswer, SyncCall};
use eventflow_lifecycle::{Handle, OnExit};
use std::sync::Arc;
use std::time::Duration;

/// How long runs that were given back may take to settle, and records and logs to be written.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// What goes on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Calls that may run at once in this process now.
    pub slots: usize,
    /// Calls that run in this process.
    pub running: usize,
    /// Of those, the ones held by a lease.
    pub leased: usize,
    /// Sync calls that wait for a slot.
    pub waiting: usize,
}

/// Runs calls: those that wait on the bus, and those whose caller waits.
#[derive(Debug)]
pub struct Dispatcher {
    core: Arc<Core>,
    relay: Arc<Relay>,
}

impl Dispatcher {
    /// Nothing runs before [`Dispatcher::start`].
    pub fn new(ports: Ports, config: Config) -> Arc<Self> {
        let (store, bus) = (Arc::clone(&ports.store), Arc::clone(&ports.bus));
        let relay = Arc::new(Relay::new(store, bus, Arc::clone(&ports.clock)));
        let core = Arc::new(Core::new(ports, config, relay.handle()));
        Arc::new(Self { core, relay })
    }

    /// Starts its tasks; once. When the process drains, it shuts itself down within its grace.
    pub fn start(&self, tasks: &Handle) {
        if self.core.tasks.set(tasks.clone()).is_err() {
            return;
        }
        self.start_work(tasks);
        self.start_upkeep(tasks);
        let (core, draining, in_flight) = (Arc::clone(&self.core), tasks.draining(), tasks.in_flight());
        tasks.spawn("dispatcher shutdown", OnExit::Log, async move {
            draining.cancelled().await;
            shutdown(&core, core.config.grace).await;
            drop(in_flight);
        });
    }

    fn start_work(&self, tasks: &Handle) {
        let (core, relay) = (&self.core, Arc::clone(&self.relay));
        let stop = core.stop.clone();
        tasks.spawn("relay", OnExit::Shutdown, async move { relay.run(stop).await });
        tasks.spawn("scheduler", OnExit::Shutdown, scheduler::run(Arc::clone(core)));
        tasks.spawn("adapt", OnExit::Shutdown, adapt::run(Arc::clone(core)));
        let keeper = Arc::clone(core);
        tasks.spawn("leases", OnExit::Shutdown, async move {
            let (store, stop) = (&keeper.ports.store, keeper.stop.clone());
            keeper.leases.keep(store, &keeper.worker, keeper.config.lease, stop).await;
        });
        if let Some(store) = core.ports.slots.clone() {
            tasks.spawn("slots", OnExit::Shutdown, shares::keep(Arc::clone(core), store));
        }
        let hearer = Arc::clone(core);
        tasks.spawn("cancels", OnExit::Shutdown, async move {
            hearer.leases.hear(&hearer.ports.bus, hearer.stop.clone()).await;
        });
    }

    fn start_upkeep(&self, tasks: &Handle) {
        let core = &self.core;
        let recorder = Arc::clone(core);
        tasks.spawn("recorder", OnExit::Shutdown, async move {
            let (store, logs, stop) = (&recorder.ports.store, &recorder.logs, recorder.stop.clone());
            recorder.recorder.run(store, logs, stop).await;
        });
        let (logs, stop) = (Arc::clone(&core.logs), core.stop.clone());
        tasks.spawn("logs", OnExit::Shutdown, async move { logs.run(stop).await });
        tasks.spawn("functions", OnExit::Shutdown, functions::follow(Arc::clone(core)));
        tasks.spawn("lost leases", OnExit::Shutdown, sweeper::leases(Arc::clone(core)));
        tasks.spawn("queues", OnExit::Shutdown, sweeper::queues(Arc::clone(core)));
        tasks.spawn("retention", OnExit::Shutdown, sweeper::retention(Arc::clone(core)));
    }

    /// To be woken after every accept, so that the call is published at once.
    pub fn relay(&self) -> Wake {
        self.core.relay.clone()
    }

    /// Says that an outbox row was written.
    pub fn wake_relay(&self) {
        self.core.relay.wake();
    }

    /// The name under which this process holds leases.
    pub fn worker(&self) -> &WorkerId {
        &self.core.worker
    }

    pub fn status(&self) -> Status {
        let core = &self.core;
        Status {
            slots: core.slots.total(),
            running: core.slots.in_use(),
            leased: core.leases.len(),
            waiting: core.slots.waiting(),
        }
    }

    /// Takes no new work, waits for what runs up to `grace`, gives back the rest, and writes what is buffered.
    pub async fn shutdown(&self, grace: Duration) {
        shutdown(&self.core, grace).await;
    }
}

async fn shutdown(core: &Arc<Core>, grace: Duration) {
    core.draining.cancel();
    let in_time = tokio::time::timeout(grace, core.slots.all_free()).await.is_ok();
    // Runs that were taken over may have no slot.
    if !in_time || core.leases.len() > 0 {
        tracing::warn!(running = core.slots.in_use(), "calls still run, giving them back");
        core.leases.release_all();
        drop(tokio::time::timeout(LAST_WRITES, core.slots.all_free()).await);
    }
    drop(tokio::time::timeout(LAST_WRITES, core.logs.flush()).await);
    drop(tokio::time::timeout(LAST_WRITES, core.recorder.flushed()).await);
    core.stop.cancel();
    drop(tokio::time::timeout(LAST_WRITES, shares::leave(core)).await);
    for runtime in &core.ports.runtimes {
        runtime.shutdown().await;
    }
}

#[async_trait]
impl Invoker for Dispatcher {
    async fn call(&self, call: SyncCall) -> Result<SyncAnswer> {
        sync::call(&self.core, call).await
    }

    async fn proxy(&self, call: ProxyCall, request: HttpRequest) -> Result<HttpResponse> {
        proxy::proxy(&self.core, call, request).await
    }
}
