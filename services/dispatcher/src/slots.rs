//! Who may run now: the ring, shared by the scheduler and the sync calls.

use crate::adapt::Adapt;
use crate::ring::{Ring, Waiter};
use eventflow_domain::function::FunctionKey;
use eventflow_domain::ports::FunctionRegistry;
use eventflow_domain::{Error, ErrorKind, Function, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

#[derive(Debug)]
pub(crate) struct Waiting(oneshot::Sender<Slot>);

impl Waiter for Waiting {
    fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}

/// The right to run one call of a function; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    function: FunctionKey,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.give_back(&self.function, 1);
    }
}

/// Slots taken for messages that are still to be fetched.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) function: FunctionKey,
    pub(crate) slots: Vec<Slot>,
    /// There is no more to fetch, as far as the fetch could tell.
    pub(crate) empty: bool,
    word: u64,
    home: Arc<Slots>,
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.home.touch(|ring| ring.fetched(&self.function, self.word, self.empty));
        self.home.due.notify_one();
    }
}

#[derive(Debug)]
pub(crate) struct Slots {
    ring: Mutex<Ring<FunctionKey, Waiting>>,
    /// Sync calls in the ring.
    waiting: AtomicUsize,
    max_waiting: usize,
    default_concurrency: u32,
    /// Whether all dispatchers share the bounds of functions.
    shared: bool,
    registry: Arc<dyn FunctionRegistry>,
    /// A turn may be due.
    due: Notify,
    /// A function lacks slots that others may have.
    lacks: Notify,
    /// The last slot came back.
    idle: Notify,
}

impl Slots {
    /// `shared`: slots are to be granted first, as [`crate::shares`] does.
    pub(crate) fn new(
        config: &crate::Config,
        registry: Arc<dyn FunctionRegistry>,
        shared: bool,
    ) -> Arc<Self> {
        // The bound itself is found by [`crate::adapt`].
        let total = Adapt::new(config.min_slots, config.slots).bound();
        Arc::new(Self {
            ring: Mutex::new(Ring::new(total, config.quantum, config.claim_batch)),
            waiting: AtomicUsize::new(0),
            max_waiting: config.max_waiting,
            default_concurrency: config.default_concurrency,
            shared,
            registry,
            due: Notify::new(),
            lacks: Notify::new(),
            idle: Notify::new(),
        })
    }

    pub(crate) fn in_use(&self) -> usize {
        self.ring.lock().used()
    }

    /// So many calls may run at once from now on.
    pub(crate) fn resize(&self, total: usize) {
        self.touch(|ring| ring.resize(total));
        self.due.notify_one();
    }

    /// How many calls may run at once now.
    pub(crate) fn total(&self) -> usize {
        self.ring.lock().total()
    }

    /// Whether work waited for a free slot since this was last asked.
    pub(crate) fn was_starved(&self) -> bool {
        self.ring.lock().take_starved()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Declares a function, or one that is not known: a deleted one may end what it has.
    fn declare(&self, ring: &mut Ring<FunctionKey, Waiting>, key: &FunctionKey, function: Option<&Function>) {
        let limit =
            function.and_then(|function| function.spec.concurrency).unwrap_or(self.default_concurrency);
        let paused = function.is_some_and(|function| function.paused && !function.deleting);
        let shared = function.filter(|_| self.shared).map(|function| function.uid);
        ring.declare(key, limit as usize, paused, shared);
    }

    /// Every change of the ring: who lacks slots then is heard.
    pub(crate) fn touch<T>(&self, change: impl FnOnce(&mut Ring<FunctionKey, Waiting>) -> T) -> T {
        let (changed, lacks) = {
            let mut ring = self.ring.lock();
            (change(&mut ring), ring.take_hurry())
        };
        if lacks {
            self.lacks.notify_one();
        }
        changed
    }

    /// Runs `change` on the ring, which knows the function then.
    fn with<T>(&self, key: &FunctionKey, change: impl FnOnce(&mut Ring<FunctionKey, Waiting>) -> T) -> T {
        self.touch(|ring| {
            if !ring.knows(key) {
                self.declare(ring, key, self.registry.get(key).as_deref());
            }
            change(ring)
        })
    }

    /// A function changed: its bound, its pause.
    pub(crate) fn changed(&self, function: &Function) {
        let known = self.touch(|ring| {
            let known = ring.knows(&function.key);
            if known {
                self.declare(ring, &function.key, Some(function));
            }
            known
        });
        if known {
            self.due.notify_one();
        }
    }

    /// A function lacks slots that others may have.
    pub(crate) async fn lacks(&self) {
        self.lacks.notified().await;
    }

    /// Turns may be due that were not before.
    pub(crate) fn granted(&self) {
        self.due.notify_one();
    }

    /// The bus has messages of this function.
    pub(crate) fn queued(&self, key: &FunctionKey) {
        self.with(key, |ring| ring.queued(key));
        self.due.notify_one();
    }

    /// A slot, if one is free and nobody waits for it.
    pub(crate) fn try_acquire(self: &Arc<Self>, key: &FunctionKey) -> Option<Slot> {
        self.with(key, |ring| ring.try_take(key))
            .then(|| Slot { slots: Arc::clone(self), function: key.clone() })
    }

    /// Waits for a slot in the function's turn, at most `wait`; `None` = the wait ran out.
    pub(crate) async fn acquire(self: &Arc<Self>, key: &FunctionKey, wait: Duration) -> Result<Option<Slot>> {
        if let Some(slot) = self.try_acquire(key) {
            return Ok(Some(slot));
        }
        if wait.is_zero() {
            return Ok(None);
        }
        let _place = Place::take(self, key)?;
        let (sender, granted) = oneshot::channel();
        self.with(key, |ring| ring.wait(key, Waiting(sender)));
        self.due.notify_one();
        Ok(tokio::time::timeout(wait, granted).await.ok().and_then(std::result::Result::ok))
    }

    fn give_back(&self, key: &FunctionKey, slots: usize) {
        let (due, idle) = self.touch(|ring| (ring.give_back(key, slots), ring.used() == 0));
        if due {
            self.due.notify_one();
        }
        if idle {
            self.idle.notify_waiters();
        }
    }

    /// A turn may be due.
    pub(crate) async fn due(&self) {
        self.due.notified().await;
    }

    /// Gives the free slots to those whose turn it is; messages to fetch are for the caller.
    pub(crate) fn grant(self: &Arc<Self>) -> Option<Pull> {
        loop {
            let (turn, word) = {
                let mut ring = self.ring.lock();
                let turn = ring.turn()?;
                let word = ring.word(&turn.function);
                (turn, word)
            };
            let function = turn.function;
            let slot = || Slot { slots: Arc::clone(self), function: function.clone() };
            for Waiting(sender) in turn.waiting {
                // Whoever gave up meanwhile gives the slot back by its drop.
                drop(sender.send(slot()));
            }
            if turn.fetch > 0 {
                let slots = std::iter::repeat_with(slot).take(turn.fetch).collect();
                return Some(Pull { function, slots, empty: false, word, home: Arc::clone(self) });
            }
        }
    }

    /// Waits until nobody holds a slot.
    pub(crate) async fn all_free(&self) {
        loop {
            let idle = self.idle.notified();
            if self.in_use() == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// A place among the waiting sync calls.
struct Place<'a> {
    slots: &'a Slots,
    key: &'a FunctionKey,
}

impl<'a> Place<'a> {
    fn take(slots: &'a Slots, key: &'a FunctionKey) -> Result<Self> {
        if slots.waiting.fetch_add(1, Ordering::Relaxed) >= slots.max_waiting {
            slots.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::new(
                ErrorKind::Exhausted,
                "TooManyWaiting",
                "too many calls wait for a free slot",
            )
            .with_metadata("limit", slots.max_waiting)
            .with_retry_after(Duration::from_secs(1)));
        }
        Ok(Self { slots, key })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = self.slots.waiting.fetch_sub(1, Ordering::Relaxed);
        // Those that gave up are skipped at their turn; a paused function has no turn, so its queue is cleared
        // now and then.
        if left == 1 || left.is_multiple_of(64) {
            self.slots.touch(|ring| ring.prune(self.key));
        }
    }
}
