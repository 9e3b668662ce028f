//! What a pool knows: its copies, the calls on them, and the calls that wait.

use super::copy::Copy;
use super::lease::Lease;
use super::start::{Env, NotStarted};
use eventflow_domain::invocation::{Failure, StartKind};
use eventflow_domain::{CopyExit, FunctionVersion, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(super) type Waiter = oneshot::Sender<Result<Lease, Failure>>;

pub(super) struct State {
    pub(super) version: Arc<FunctionVersion>,
    /// The version is the current one: its minimum of copies is kept warm.
    pub(super) kept: bool,
    pub(super) closed: bool,
    /// As calls bring it: with the values of secrets and configs.
    pub(super) env: Option<Env>,
    pub(super) slots: Vec<Slot>,
    pub(super) starting: u32,
    pub(super) waiters: VecDeque<Waiter>,
    /// Crashes and failed starts since a copy last ran well.
    pub(super) failures: u32,
    pub(super) last_failure: Option<Failure>,
    /// What its condition is called.
    pub(super) last_word: &'static str,
    /// Ends and failed starts that nobody asked for, over the life of the pool; the last of them.
    pub(super) restarts: u32,
    pub(super) last_exit: Option<CopyExit>,
    pub(super) not_before: Instant,
    pub(super) timer: bool,
}

pub(super) struct Slot {
    pub(super) copy: Arc<Copy>,
    pub(super) in_flight: u32,
    /// Takes no more calls; ends with its last.
    pub(super) draining: bool,
    pub(super) idle_since: Instant,
    /// Has just come up, for calls that waited for it.
    pub(super) fresh: bool,
    pub(super) started_at: Timestamp,
}

impl State {
    pub(super) fn new(version: Arc<FunctionVersion>) -> Self {
        Self {
            version,
            kept: false,
            closed: false,
            env: None,
            slots: Vec::new(),
            starting: 0,
            waiters: VecDeque::new(),
            failures: 0,
            last_failure: None,
            last_word: NotStarted::CRASHED,
            restarts: 0,
            last_exit: None,
            not_before: Instant::now(),
            timer: false,
        }
    }

    pub(super) fn min(&self) -> u32 {
        // Values from secrets come with calls, so such a function starts with its first one.
        let startable = self.env.is_some() || self.version.spec.env_from.is_empty();
        if self.kept && startable { self.version.spec.scale.min() } else { 0 }
    }

    pub(super) fn wanted(&self) -> u32 {
        let scale = self.version.spec.scale;
        let calls = self.waiters.len() as u32 + self.slots.iter().map(|slot| slot.in_flight).sum::<u32>();
        calls.div_ceil(scale.per_copy().max(1)).max(self.min()).min(scale.max())
    }

    pub(super) fn ready(&self) -> u32 {
        self.slots.iter().filter(|slot| !slot.draining).count() as u32
    }

    /// The copy with the fewest calls, the oldest among equals: the others become idle and stop.
    pub(super) fn pick(&mut self) -> Option<&mut Slot> {
        let most = self.version.spec.scale.per_copy().max(1);
        let free = self.slots.iter_mut().filter(|slot| !slot.draining && slot.in_flight < most);
        free.min_by_key(|slot| slot.in_flight)
    }

    pub(super) fn slot(&mut self, copy: &Copy) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.copy.id == copy.id)
    }

    /// Copies that were started with other values are not used any more.
    pub(super) fn adopt(&mut self, env: &Env) {
        if self.env.as_ref().is_some_and(|known| Arc::ptr_eq(known, env) || known == env) {
            return;
        }
        self.env = Some(Arc::clone(env));
        self.slots.iter_mut().filter(|slot| slot.copy.env != *env).for_each(Slot::drain);
    }
}

impl Slot {
    pub(super) fn new(copy: Arc<Copy>, started_at: Timestamp) -> Self {
        Self { copy, in_flight: 0, draining: false, idle_since: Instant::now(), fresh: true, started_at }
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
        if self.in_flight == 0 {
            self.copy.end.cancel();
        }
    }

    pub(super) fn grant(&mut self) -> (Arc<Copy>, StartKind) {
        self.in_flight += 1;
        (Arc::clone(&self.copy), if self.fresh { StartKind::Cold } else { StartKind::Warm })
    }
}
