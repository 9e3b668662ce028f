//! The copies of one version: which call gets which copy, how many there are, and when the next may start.

use super::copy::Copy;
use super::lease::Lease;
use super::life;
use super::start::{Base, Env, NotStarted};
use super::state::{Slot, State};
use super::status;
use eventflow_domain::invocation::{Failure, Reason, StartKind};
use eventflow_domain::ports::RuntimeReport;
use eventflow_domain::quantity::format_duration;
use eventflow_domain::{CopyExit, FunctionVersion, Readiness};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// How long `prepare` waits for the first copies before it says that they are starting.
const PREPARE: Duration = Duration::from_secs(10);

pub(super) struct Pool {
    pub(super) base: Arc<Base>,
    pub(super) state: Mutex<State>,
    changed: Notify,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Pool")
            .field("function", &state.version.key)
            .field("version", &state.version.number)
            .field("copies", &state.slots.len())
            .finish_non_exhaustive()
    }
}

/// Why a call got no copy.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The pool was closed; a new one of the same version may take the call.
    Closed,
    Failed(Failure),
}

impl Pool {
    pub(super) fn new(base: Arc<Base>, version: &Arc<FunctionVersion>) -> Self {
        Self { base, state: Mutex::new(State::new(Arc::clone(version))), changed: Notify::new() }
    }

    pub(super) fn in_use(&self) -> bool {
        let state = self.state.lock();
        state.kept || state.starting > 0 || !state.slots.is_empty() || !state.waiters.is_empty()
    }

    /// Keeps the minimum warm from here on, and waits a while for it.
    pub(super) async fn prepare(self: &Arc<Self>, version: &Arc<FunctionVersion>) -> Readiness {
        {
            let mut state = self.state.lock();
            state.version = Arc::clone(version);
            state.kept = true;
            self.balance(&mut state);
        }
        let settled = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                {
                    let state = self.state.lock();
                    if state.ready() >= state.min() || state.failures > 0 || state.closed {
                        return;
                    }
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(PREPARE, settled).await;
        status::readiness(&self.state.lock(), self.base.clock.now())
    }

    /// A place on a copy that runs, or on one that is started for it.
    pub(super) async fn acquire(self: &Arc<Self>, env: &Env, patience: Duration) -> Result<Lease, Refusal> {
        let waiting = {
            let mut state = self.state.lock();
            if state.closed {
                return Err(Refusal::Closed);
            }
            state.adopt(env);
            if let Some(slot) = state.pick() {
                let (copy, start) = slot.grant();
                drop(state);
                return Ok(self.lease(copy, start));
            }
            state.waiters.retain(|waiter| !waiter.is_closed());
            if state.waiters.len() >= self.base.settings.waiting_calls {
                let mut failure = Failure::new(Reason::TooManyRequests, "too many calls wait for a copy");
                failure.retry_after = Some(Duration::from_secs(1));
                return Err(Refusal::Failed(failure));
            }
            let (waiter, waiting) = oneshot::channel();
            state.waiters.push_back(waiter);
            self.balance(&mut state);
            waiting
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(Ok(granted)) => granted.map_err(Refusal::Failed),
            Ok(Err(_)) => Err(Refusal::Closed),
            Err(_) => Err(Refusal::Failed(self.never_started(patience))),
        }
    }

    fn never_started(&self, patience: Duration) -> Failure {
        let why = match &self.state.lock().last_failure {
            Some(failure) => format!("; the last start: {}", failure.message),
            None => String::new(),
        };
        let patience = format_duration(patience);
        Failure::new(Reason::StartDeadline, format!("no copy could take the call within {patience}{why}"))
    }

    fn lease(self: &Arc<Self>, copy: Arc<Copy>, start: StartKind) -> Lease {
        Lease::new(Arc::clone(self), copy, start, self.base.next_number())
    }

    /// Gives free places to the calls that wait, first come first served.
    fn serve_waiting(self: &Arc<Self>) {
        loop {
            let (waiter, copy, start) = {
                let mut state = self.state.lock();
                while state.waiters.front().is_some_and(oneshot::Sender::is_closed) {
                    state.waiters.pop_front();
                }
                if state.waiters.is_empty() {
                    return;
                }
                let Some((copy, start)) = state.pick().map(Slot::grant) else { return };
                let Some(waiter) = state.waiters.pop_front() else { return };
                (waiter, copy, start)
            };
            // One who went away meanwhile drops the lease, which frees the place.
            drop(waiter.send(Ok(self.lease(copy, start))));
        }
    }

    /// A call has ended and its place is free.
    pub(super) fn release(self: &Arc<Self>, copy: &Copy) {
        if let Some(slot) = self.state.lock().slot(copy) {
            slot.in_flight -= 1;
            slot.idle_since = Instant::now();
            if slot.draining && slot.in_flight == 0 {
                slot.copy.end.cancel();
            }
        }
        self.serve_waiting();
    }

    /// Starts the copies that are missing, now or when the backoff is over.
    fn balance(self: &Arc<Self>, state: &mut State) {
        let missing = state.wanted().saturating_sub(state.ready() + state.starting);
        if state.closed || missing == 0 {
            return;
        }
        if Instant::now() < state.not_before {
            if !state.timer {
                state.timer = true;
                self.wake_at(state.not_before);
            }
            return;
        }
        // After a failure one copy must show that it is over.
        let count = if state.failures > 0 { 1u32.saturating_sub(state.starting) } else { missing };
        state.starting += count;
        for _ in 0..count {
            self.base.tasks.spawn(life::live(Arc::clone(self)));
        }
    }

    fn wake_at(self: &Arc<Self>, time: Instant) {
        let pool = Arc::clone(self);
        self.base.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep_until(time) => {
                    let mut state = pool.state.lock();
                    state.timer = false;
                    pool.balance(&mut state);
                }
                () = pool.base.tasks.closing().cancelled() => {}
            }
        });
    }

    /// A copy is up.
    pub(super) fn came_up(self: &Arc<Self>, copy: &Arc<Copy>) {
        {
            let mut state = self.state.lock();
            state.starting -= 1;
            // Started with values that have changed meanwhile, or for a version that has been retired.
            let outdated = state.closed || state.env.as_ref().is_some_and(|env| *env != copy.env);
            let mut slot = Slot::new(Arc::clone(copy), self.base.clock.now());
            if outdated {
                slot.drain();
            }
            state.slots.push(slot);
        }
        self.serve_waiting();
        if let Some(slot) = self.state.lock().slot(copy) {
            slot.fresh = false;
        }
        self.settled();
    }

    pub(super) fn start_failed(self: &Arc<Self>, refused: &NotStarted) {
        let NotStarted { failure, word } = refused;
        let hopeless = {
            let mut state = self.state.lock();
            state.starting -= 1;
            let alone = state.ready() + state.starting == 0;
            let hopeless = if alone { std::mem::take(&mut state.waiters) } else { VecDeque::new() };
            self.count_failure(&mut state, failure.clone(), word);
            hopeless
        };
        for waiter in hopeless {
            drop(waiter.send(Err(failure.clone())));
        }
        self.settled();
    }

    /// A copy has ended: on our word, or by itself.
    pub(super) fn went_down(self: &Arc<Self>, copy: &Copy, crash: Option<Failure>) {
        {
            let mut state = self.state.lock();
            state.slots.retain(|slot| slot.copy.id != copy.id);
            if let Some(crash) = crash {
                self.count_failure(&mut state, crash, NotStarted::CRASHED);
            }
        }
        self.settled();
    }

    /// A copy has run long enough to be trusted.
    pub(super) fn runs_well(self: &Arc<Self>) {
        let recovered = {
            let mut state = self.state.lock();
            state.last_failure = None;
            std::mem::take(&mut state.failures) > 0
        };
        if recovered {
            self.settled();
        }
    }

    fn count_failure(&self, state: &mut State, failure: Failure, word: &'static str) {
        state.failures = state.failures.saturating_add(1);
        let unit = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
        state.not_before = Instant::now() + self.base.settings.restart.wait(state.failures, unit);
        state.restarts = state.restarts.saturating_add(1);
        state.last_exit = Some(CopyExit {
            reason: failure.reason.to_string(),
            message: failure.message.clone(),
            exit_code: None,
            at: self.base.clock.now(),
        });
        state.last_failure = Some(failure);
        state.last_word = word;
    }

    /// After each change of the copies: starts what is missing, and says how it stands.
    fn settled(self: &Arc<Self>) {
        let report = {
            let mut state = self.state.lock();
            self.balance(&mut state);
            RuntimeReport {
                uid: state.version.uid,
                version: state.version.number,
                readiness: status::readiness(&state, self.base.clock.now()),
            }
        };
        self.base.observer.report(report);
        self.changed.notify_waiters();
    }

    /// Whether the copy is to stop because nobody needs it; else when to ask again.
    pub(super) fn idle_stop(&self, copy: &Copy) -> Result<(), Instant> {
        let idle = self.base.settings.idle_stop;
        let mut state = self.state.lock();
        let spare = state.ready() > state.min();
        let now = Instant::now();
        let Some(slot) = state.slot(copy) else { return Ok(()) };
        let due = slot.idle_since + idle;
        if slot.in_flight > 0 || slot.draining || (due <= now && !spare) {
            return Err(now + idle);
        }
        if now < due {
            return Err(due);
        }
        slot.draining = true;
        Ok(())
    }

    /// Takes no more calls; copies end with their last.
    pub(super) fn close(&self) {
        let waiters = {
            let mut state = self.state.lock();
            state.closed = true;
            state.kept = false;
            state.slots.iter_mut().for_each(Slot::drain);
            std::mem::take(&mut state.waiters)
        };
        drop(waiters);
        self.changed.notify_waiters();
    }
}
