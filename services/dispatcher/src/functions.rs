//! Follows the declared functions: prepares their code, hears of pauses and bounds, cleans up after a delete.

use crate::backoff::Backoff;
use crate::core::Core;
use eventflow_domain::error::Chain;
use eventflow_domain::function::{Condition, ConditionStatus, Function, Readiness};
use eventflow_domain::ids::{FunctionUid, VersionNumber};
use eventflow_domain::lifecycle::State;
use eventflow_domain::ports::{Live, RegistryEvent};
use eventflow_domain::spec::RuntimeKind;
use eventflow_domain::{ErrorKind, Result};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Calls ended in one transaction when their function is deleted.
const BATCH: u32 = 500;

type Job = BoxFuture<'static, ()>;

/// What was last prepared, and what is to be done.
struct Follower {
    core: Arc<Core>,
    /// What was prepared, or is being prepared: generation and version. In a cluster the number of a version comes after
    /// the declaration that it is of.
    seen: HashMap<FunctionUid, (Arc<Function>, (i64, VersionNumber))>,
    /// To be prepared; each at most once.
    waiting: VecDeque<Arc<Function>>,
    running: FuturesUnordered<Job>,
}

/// Follows the registry until the dispatcher stops.
pub(crate) async fn follow(core: Arc<Core>) {
    let mut follower = Follower {
        core: Arc::clone(&core),
        seen: HashMap::new(),
        waiting: VecDeque::new(),
        running: FuturesUnordered::new(),
    };
    let mut events = core.ports.registry.watch();
    follower.resync();
    loop {
        follower.start();
        tokio::select! {
            () = core.stop.cancelled() => return,
            Some(()) = follower.running.next() => {}
            event = events.next() => match event {
                Some(RegistryEvent::Changed(function)) => follower.changed(&function),
                Some(RegistryEvent::Deleted(function)) => follower.deleted(function),
                Some(RegistryEvent::Resync) => follower.resync(),
                None => {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    events = core.ports.registry.watch();
                    follower.resync();
                }
            },
        }
    }
}

impl Follower {
    fn start(&mut self) {
        while self.running.len() < self.core.config.prepare_at_once.max(1)
            && let Some(function) = self.waiting.pop_front()
        {
            self.running.push(prepare(Arc::clone(&self.core), function).boxed());
        }
    }

    fn changed(&mut self, function: &Arc<Function>) {
        self.core.slots.changed(function);
        let now = (function.generation, function.version);
        let seen = self.seen.insert(function.uid, (Arc::clone(function), now));
        let changed = seen.is_none_or(|(_, before)| before != now);
        // Code without a number runs nowhere yet; the number is a change too.
        let is_code = function.version > VersionNumber(0);
        if changed && is_code && !self.waiting.iter().any(|waiting| waiting.uid == function.uid) {
            self.waiting.push_back(Arc::clone(function));
        }
        self.core.ports.metrics.set_active_functions(self.seen.len());
    }

    /// Not bounded with the preparations: a delete waits for nothing.
    fn deleted(&mut self, function: Arc<Function>) {
        self.seen.remove(&function.uid);
        self.core.ports.metrics.set_active_functions(self.seen.len());
        self.running.push(clean_up(Arc::clone(&self.core), function).boxed());
    }

    /// Events were missed: compares all.
    fn resync(&mut self) {
        let now = self.core.ports.registry.list(None);
        let gone = |uid: &FunctionUid| !now.iter().any(|function| function.uid == *uid);
        let gone: Vec<_> =
            self.seen.iter().filter(|(uid, _)| gone(uid)).map(|(_, (f, _))| Arc::clone(f)).collect();
        for function in gone {
            self.deleted(function);
        }
        for function in &now {
            self.changed(function);
        }
    }
}

/// Makes the current version ready, says what came of it, and lets older ones go.
async fn prepare(core: Arc<Core>, function: Arc<Function>) {
    // Overtaken by a newer change while it waited.
    let Some(function) = core.ports.registry.get_by_uid(function.uid) else { return };
    let code = core.codes.current(&function);
    let kind = function.spec.runtime;
    let readiness = match core.ports.runtime(kind) {
        Some(runtime) => {
            let readiness = runtime.prepare(&code.version).await;
            runtime.retire(&function.key, function.uid, Some(function.version)).await;
            readiness
        }
        None => unavailable(&core, &function, kind),
    };
    let mut backoff = Backoff::of_a_port();
    while let Err(error) = core.ports.registry.report(function.uid, function.version, readiness.clone()).await
    {
        tracing::warn!(function = %function.key, error = %Chain(&error), "failed to report a function's readiness");
        if error.kind() != ErrorKind::Unavailable {
            return;
        }
        backoff.wait().await;
        // Whoever prepares what is there now reports on it.
        let now = core.ports.registry.get_by_uid(function.uid);
        if now.is_none_or(|now| (now.generation, now.version) != (function.generation, function.version)) {
            return;
        }
    }
}

fn unavailable(core: &Core, function: &Function, kind: RuntimeKind) -> Readiness {
    let condition = Condition {
        kind: Readiness::READY.to_owned(),
        status: ConditionStatus::False,
        reason: "RuntimeUnavailable".to_owned(),
        message: format!("this installation runs no {kind} functions"),
        observed_generation: function.generation,
        since: core.ports.clock.now(),
    };
    Readiness { conditions: vec![condition], ..Readiness::default() }
}

/// Ends what a deleted function left behind; tried until it is done.
async fn clean_up(core: Arc<Core>, function: Arc<Function>) {
    let mut backoff = Backoff::of_a_port();
    while let Err(error) = cancel_calls(&core, function.uid).await {
        tracing::warn!(function = %function.key, error = %Chain(&error), "failed to end a deleted function's calls");
        backoff.wait().await;
    }
    // A function of the same name made anew has messages of its own; what a purge takes of them comes again
    // with the next repair.
    if core.ports.registry.get(&function.key).is_none() {
        if let Err(error) = core.ports.bus.purge(&function.key).await {
            tracing::warn!(function = %function.key, error = %Chain(&error), "failed to purge a deleted function");
        }
        core.ports.metrics.forget_function(&function.key);
    }
    if let Some(runtime) = core.ports.runtime(function.spec.runtime) {
        runtime.retire(&function.key, function.uid, None).await;
    }
    core.codes.forget(function.uid);
}

/// Ends all waiting calls of a function that is gone, and has the running ones ended.
pub(crate) async fn cancel_calls(core: &Core, uid: FunctionUid) -> Result<()> {
    loop {
        let touched = core.ports.store.cancel_function(uid, BATCH).await?;
        for record in touched.iter().filter(|record| record.state == State::Running) {
            if !core.leases.cancel(record.invocation) {
                // It runs in another dispatcher, which may hear of the delete later.
                core.ports.bus.announce(Live::CancelRequested { invocation: record.invocation });
            }
        }
        let ended: Vec<_> = touched.iter().filter(|record| record.state.is_terminal()).cloned().collect();
        core.tell_swept(&ended);
        if touched.is_empty() {
            return Ok(());
        }
    }
}
