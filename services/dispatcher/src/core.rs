//! What the parts of the dispatcher share.

use crate::attempt::Codes;
use crate::budget::Budget;
use crate::config::Config;
use crate::leases::Leases;
use crate::logs::LogWriter;
use crate::ports::Ports;
use crate::recorder::Recorder;
use crate::relay::Wake;
use crate::slots::Slots;
use eventflow_domain::function::FunctionKey;
use eventflow_domain::ids::{FunctionUid, InvocationId, WorkerId};
use eventflow_domain::lifecycle::{Policy, State};
use eventflow_domain::ports::{Live, Swept};
use eventflow_domain::spec::{RecordPolicy, RetryPolicy};
use eventflow_domain::{Error, ErrorKind, Result};
use eventflow_lifecycle::Handle;
use parking_lot::Mutex;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What waits, over all functions.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<(u64, Duration)>);

impl Queues {
    /// Calls, and how long the oldest one has waited.
    pub(crate) fn saw(&self, backlog: u64, oldest: Duration) {
        *self.0.lock() = (backlog, oldest);
    }

    pub(crate) fn seen(&self) -> (u64, Duration) {
        *self.0.lock()
    }
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) ports: Ports,
    pub(crate) config: Config,
    pub(crate) worker: WorkerId,
    pub(crate) slots: Arc<Slots>,
    pub(crate) leases: Leases,
    pub(crate) recorder: Recorder,
    pub(crate) logs: Arc<LogWriter>,
    pub(crate) codes: Codes,
    pub(crate) budget: Budget,
    pub(crate) relay: Wake,
    /// How much waits, over all dispatchers, when it was last looked at.
    pub(crate) queues: Queues,
    /// Where tasks are started; empty until the start.
    pub(crate) tasks: OnceLock<Handle>,
    /// No new work.
    pub(crate) draining: CancellationToken,
    /// The end of the loops.
    pub(crate) stop: CancellationToken,
}

impl Core {
    pub(crate) fn new(ports: Ports, config: Config, relay: Wake) -> Self {
        Self {
            worker: WorkerId::generate("dispatcher"),
            slots: Slots::new(&config, Arc::clone(&ports.registry), ports.slots.is_some()),
            leases: Leases::default(),
            recorder: Recorder::new(config.record_buffer, config.record_flush),
            logs: LogWriter::new(&ports, &config),
            codes: Codes::default(),
            budget: Budget::new(config.limits.buffered),
            relay,
            queues: Queues::default(),
            tasks: OnceLock::new(),
            draining: CancellationToken::new(),
            stop: CancellationToken::new(),
            ports,
            config,
        }
    }

    /// Starts the task of one call; their number is bounded by the slots.
    pub(crate) fn spawn(&self, name: &'static str, call: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.tasks.get() {
            tasks.spawn_call(name, call);
        }
    }

    /// `Unavailable` before the start and while shutting down.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.tasks.get().is_none() || self.draining.is_cancelled() {
            return Err(Error::new(ErrorKind::Unavailable, "Draining", "this dispatcher takes no new calls")
                .with_retry_after(Duration::from_secs(1)));
        }
        Ok(())
    }

    /// How the end of a run is judged: by what the function says now, `once` = without retries.
    pub(crate) fn policy(&self, uid: FunctionUid, once: bool) -> Policy {
        let function = if once { None } else { self.ports.registry.get_by_uid(uid) };
        let retry = function.map_or_else(RetryPolicy::default, |function| function.spec.retry);
        Policy { retry, max_lost: self.config.limits.max_lost }
    }

    pub(crate) fn record_policy(&self, uid: FunctionUid) -> RecordPolicy {
        self.ports.registry.get_by_uid(uid).map_or(RecordPolicy::Full, |function| function.spec.record)
    }

    pub(crate) fn changed(&self, invocation: InvocationId, function: &FunctionKey, state: State) {
        self.ports.bus.announce(Live::Changed { invocation, function: function.clone(), state });
    }

    /// Records that ended or were queued again without a run of ours.
    pub(crate) fn tell_swept(&self, swept: &[Swept]) {
        for record in swept {
            self.changed(record.invocation, &record.function, record.state);
            self.ports.metrics.function(&record.function).ended(record.state);
        }
    }
}
