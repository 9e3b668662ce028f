//! Which function's turn it is: deficit round robin over functions that have work, with a bound for each function
//! and one for the process. Pure: it knows no task, no time and no I/O.
//!
//! A function is *in the ring* when it has work, is not paused and is below its bound. Its turn lets it start up to
//! `quantum` calls; what a turn could not start because the process was full is kept for when slots come free.
//! Where all dispatchers share a function's bound, its part of that bounds it here.

mod share;

pub(crate) use share::Round;

use eventflow_domain::FunctionUid;
use share::Share;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// What a function may do and has.
#[derive(Debug)]
struct Lane<W> {
    limit: usize,
    share: Share,
    paused: bool,
    running: usize,
    /// Sync calls that wait for a slot, oldest first.
    waiting: VecDeque<W>,
    /// The bus has messages, as far as is known.
    queued: bool,
    /// Raised by each word of the bus, so that one that comes during a fetch is not forgotten.
    word: u64,
    fetching: bool,
    deficit: usize,
    in_ring: bool,
    /// Whose turn a single slot is, when both kinds wait.
    bus_first: bool,
}

impl<W> Lane<W> {
    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || (self.queued && !self.fetching)
    }

    /// How many may run at once here.
    fn bound(&self) -> usize {
        self.limit.min(self.share.bound())
    }

    fn may_start(&self) -> bool {
        !self.paused && self.running < self.bound() && self.has_work()
    }

    fn is_idle(&self) -> bool {
        let has_none = self.running == 0 && self.waiting.is_empty() && !self.queued && !self.fetching;
        has_none && self.share.is_empty()
    }

    /// Its calls are as many as they are now.
    fn saw(&mut self) {
        self.share.saw(self.running + self.waiting.len());
    }
}

/// What a function may start now; its slots are taken already.
#[derive(Debug)]
pub(crate) struct Turn<K, W> {
    pub(crate) function: K,
    /// One slot for each of these.
    pub(crate) waiting: Vec<W>,
    /// Slots for messages to fetch from the bus.
    pub(crate) fetch: usize,
}

#[derive(Debug)]
pub(crate) struct Ring<K, W> {
    lanes: HashMap<K, Lane<W>>,
    order: VecDeque<K>,
    used: usize,
    total: usize,
    /// Something could not start for want of a free slot.
    starved: bool,
    quantum: usize,
    batch: usize,
    /// A function came to lack slots that others may have.
    hurry: bool,
}

/// A waiter that may have given up.
pub(crate) trait Waiter {
    fn is_gone(&self) -> bool;
}

impl<K: Hash + Eq + Clone, W: Waiter> Ring<K, W> {
    pub(crate) fn new(slots: usize, quantum: usize, batch: usize) -> Self {
        let (quantum, batch) = (quantum.max(1), batch.max(1));
        let total = slots.max(1);
        let (lanes, order) = (HashMap::new(), VecDeque::new());
        Self { lanes, order, used: 0, total, starved: false, quantum, batch, hurry: false }
    }

    /// Slots that nobody holds.
    pub(crate) fn free(&self) -> usize {
        self.total.saturating_sub(self.used)
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// So many slots from now on. Those in use beyond that stay until they come back.
    pub(crate) fn resize(&mut self, total: usize) {
        self.total = total.max(1);
    }

    /// Whether something could not start for want of a free slot, since this was last asked.
    pub(crate) fn take_starved(&mut self) -> bool {
        std::mem::take(&mut self.starved)
    }

    pub(crate) fn knows(&self, key: &K) -> bool {
        self.lanes.contains_key(key)
    }

    /// Bound and pause of a function, as declared now; `shared` = under which id the bound is shared, if it is.
    pub(crate) fn declare(&mut self, key: &K, limit: usize, paused: bool, shared: Option<FunctionUid>) {
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| Lane {
            limit,
            share: Share::default(),
            paused,
            running: 0,
            waiting: VecDeque::new(),
            queued: false,
            word: 0,
            fetching: false,
            deficit: 0,
            in_ring: false,
            bus_first: false,
        });
        lane.share.declare(shared);
        if limit < lane.limit {
            lane.share.lowered();
        }
        (lane.limit, lane.paused) = (limit.max(1), paused);
        self.enter(key);
    }

    /// Takes a slot at once, unless somebody waits for one.
    pub(crate) fn try_take(&mut self, key: &K) -> bool {
        let Some(lane) = self.lanes.get_mut(key) else { return false };
        if self.used >= self.total {
            self.starved = true;
            return false;
        }
        if !self.order.is_empty() || lane.paused {
            return false;
        }
        // Also where it is refused: it may be asked for before the call comes again.
        lane.share.saw(lane.running + 1);
        let takes = lane.running < lane.bound();
        if takes {
            self.used += 1;
            lane.running += 1;
        } else {
            self.hurry |= lane.lacks(self.batch, self.total);
        }
        takes
    }

    /// A sync call waits.
    pub(crate) fn wait(&mut self, key: &K, waiter: W) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.waiting.push_back(waiter);
            lane.saw();
        }
        self.enter(key);
    }

    /// Forgets waiters that gave up.
    pub(crate) fn prune(&mut self, key: &K) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.waiting.retain(|waiter| !waiter.is_gone());
        }
        self.forget_idle(key);
    }

    /// The bus has messages for it.
    pub(crate) fn queued(&mut self, key: &K) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.queued = true;
            lane.word += 1;
        }
        self.enter(key);
    }

    /// A fetch begun at `word` has ended; `empty` = it found fewer messages than it asked for.
    pub(crate) fn fetched(&mut self, key: &K, word: u64, empty: bool) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.fetching = false;
            if empty && lane.word == word {
                lane.queued = false;
            }
        }
        self.enter(key);
        self.forget_idle(key);
    }

    pub(crate) fn word(&self, key: &K) -> u64 {
        self.lanes.get(key).map_or(0, |lane| lane.word)
    }

    /// Slots come free. Whether a turn may be due.
    pub(crate) fn give_back(&mut self, key: &K, slots: usize) -> bool {
        self.used = self.used.saturating_sub(slots);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.running = lane.running.saturating_sub(slots);
        }
        self.enter(key);
        self.forget_idle(key);
        !self.order.is_empty()
    }

    fn enter(&mut self, key: &K) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        self.hurry |= lane.lacks(self.batch, self.total);
        if !lane.in_ring && lane.may_start() {
            lane.in_ring = true;
            self.order.push_back(key.clone());
        }
    }

    fn forget_idle(&mut self, key: &K) {
        if self.lanes.get(key).is_some_and(|lane| lane.is_idle() && !lane.in_ring) {
            self.lanes.remove(key);
        }
    }

    /// The next turn; its slots are taken. `None` while no slot is free or nobody has work.
    pub(crate) fn turn(&mut self) -> Option<Turn<K, W>> {
        while self.free() > 0 {
            let alone = self.order.len() == 1;
            let key = self.order.front()?.clone();
            let share = if alone { self.batch } else { self.quantum };
            let free = self.free();
            let turn = self.lanes.get_mut(&key).and_then(|lane| lane.start(share, free));
            let Some((waiting, fetch)) = turn else {
                self.leave(&key);
                continue;
            };
            self.used += waiting.len() + fetch;
            let lane = self.lanes.get(&key);
            if lane.is_none_or(|lane| !lane.may_start()) {
                self.leave(&key);
            } else if lane.is_some_and(|lane| lane.deficit == 0) {
                self.order.rotate_left(1);
            }
            return Some(Turn { function: key, waiting, fetch });
        }
        self.starved |= !self.order.is_empty();
        None
    }

    fn leave(&mut self, key: &K) {
        self.order.pop_front();
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.in_ring = false;
            lane.deficit = 0;
        }
        self.forget_idle(key);
    }
}

impl<W: Waiter> Lane<W> {
    /// Takes its share of the free slots: waiting calls first, but of several slots one is for the bus.
    fn start(&mut self, share: usize, free: usize) -> Option<(Vec<W>, usize)> {
        while self.waiting.front().is_some_and(Waiter::is_gone) {
            self.waiting.pop_front();
        }
        if !self.may_start() {
            return None;
        }
        // What was left of a larger share, granted while nobody else had work, is not held against one who came.
        if self.deficit == 0 || self.deficit > share {
            self.deficit = share;
        }
        let slots = self.deficit.min(free).min(self.bound() - self.running);
        let fetchable = self.queued && !self.fetching;
        let reserved = usize::from(fetchable && (slots > 1 || self.bus_first));
        let sync = self.waiting.len().min(slots - reserved);
        let fetch = if fetchable { slots - sync } else { 0 };
        self.bus_first = fetch == 0;
        self.fetching |= fetch > 0;
        let waiting = self.waiting.drain(..sync).collect();
        self.running += sync + fetch;
        self.saw();
        self.deficit -= sync + fetch;
        Some((waiting, fetch))
    }
}

#[cfg(test)]
mod tests;
