//! What waits to be reconciled: each object once, at its time, never twice at the same time.

use crate::index::Key;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What came of a reconcile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do until something changes, or until this has passed.
    Done(Option<Duration>),
    /// Not before this has passed, whatever changes meanwhile.
    Hold(Duration),
    /// Tried again after a wait that grows with every failure in a row.
    Failed,
}

/// The first wait after a failure, and the longest.
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);
/// Reconciles of one object that may follow each other at once, and the time in which one of them comes back: an object
/// that others change without end costs six reconciles a minute.
const BURST: u32 = 30;
const REFILL: Duration = Duration::from_secs(10);
/// Reconciles that a new generation has at least.
const FRESH: u32 = 4;

#[derive(Debug, Default)]
struct Entry {
    /// When it is due; `None` = it does not wait.
    due: Option<Instant>,
    running: bool,
    /// Asked for while it ran.
    again: bool,
    failures: u32,
    not_before: Option<Instant>,
    tokens: Tokens,
    generation: i64,
}

#[derive(Debug)]
struct Tokens {
    left: u32,
    since: Option<Instant>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { left: BURST, since: None }
    }
}

impl Tokens {
    /// Takes one; where none is left, the time at which there is one.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        let since = *self.since.get_or_insert(now);
        let gained = (now.duration_since(since).as_secs() / REFILL.as_secs()) as u32;
        if gained > 0 {
            self.left = self.left.saturating_add(gained).min(BURST);
            self.since = Some(now);
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                None
            }
            None => self.since.map(|since| since + REFILL),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    order: BTreeSet<(Instant, Key)>,
}

/// Bounded by the number of objects: an object waits once.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// As soon as may be; a generation that is new is never kept waiting for what others did before it.
    pub fn declared(&self, key: &Key, generation: i64) {
        if let Some(entry) = self.state.lock().entries.get_mut(key)
            && entry.generation != generation
        {
            entry.generation = generation;
            entry.tokens.left = entry.tokens.left.max(FRESH);
        }
        self.add(key);
    }

    /// As soon as may be.
    pub fn add(&self, key: &Key) {
        self.add_after(key, Duration::ZERO);
    }

    pub fn add_after(&self, key: &Key, delay: Duration) {
        let due = Instant::now() + delay;
        let mut state = self.state.lock();
        let State { entries, order } = &mut *state;
        let entry = entries.entry(key.clone()).or_default();
        if entry.running && delay.is_zero() {
            entry.again = true;
            return;
        }
        schedule(entry, order, key, due);
        drop(state);
        self.changed.notify_one();
    }

    /// The next object that is due. It is not given out again before [`Queue::done`].
    pub async fn next(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let wait = match self.take() {
                Ok(key) => return key,
                Err(wait) => wait,
            };
            match wait {
                Some(until) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// The first that is due, else when one will be.
    fn take(&self) -> Result<Key, Option<Instant>> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let State { entries, order } = &mut *state;
        loop {
            let Some((due, key)) = order.first().cloned() else { return Err(None) };
            if due > now {
                return Err(Some(due));
            }
            order.pop_first();
            let Some(entry) = entries.get_mut(&key) else { continue };
            entry.due = None;
            if let Some(later) = entry.tokens.take(now) {
                schedule(entry, order, &key, later);
                continue;
            }
            entry.running = true;
            // One news may stand for several: whoever else waits looks too.
            if !order.is_empty() {
                self.changed.notify_one();
            }
            return Ok(key);
        }
    }

    /// A reconcile has ended.
    pub fn done(&self, key: &Key, verdict: Verdict) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let State { entries, order } = &mut *state;
        let Some(entry) = entries.get_mut(key) else { return };
        entry.running = false;
        let again = std::mem::take(&mut entry.again);
        match verdict {
            Verdict::Done(later) => {
                entry.failures = 0;
                entry.not_before = None;
                if let Some(delay) = later {
                    schedule(entry, order, key, now + delay);
                }
                if again {
                    schedule(entry, order, key, now);
                }
            }
            Verdict::Hold(delay) => {
                entry.not_before = Some(now + delay);
                schedule(entry, order, key, now + delay);
            }
            Verdict::Failed => {
                let wait = FIRST.saturating_mul(1 << entry.failures.min(10)).min(LONGEST);
                entry.failures = entry.failures.saturating_add(1);
                entry.not_before = Some(now + wait);
                schedule(entry, order, key, now + wait);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The object is gone: nothing of it is kept.
    pub fn forget(&self, key: &Key) {
        let mut state = self.state.lock();
        let State { entries, order } = &mut *state;
        if entries.get(key).is_some_and(|entry| !entry.running && !entry.again)
            && let Some(Entry { due: Some(due), .. }) = entries.remove(key)
        {
            order.remove(&(due, key.clone()));
        }
    }

    /// How many wait, due or not yet.
    pub fn depth(&self) -> usize {
        let now = Instant::now();
        self.state.lock().order.iter().take_while(|(due, _)| *due <= now).count()
    }

    /// How many failed last and wait for another try.
    pub fn retrying(&self) -> usize {
        self.state.lock().entries.values().filter(|entry| entry.failures > 0).count()
    }
}

/// Puts an object in its place in the order; an earlier time wins, but not before it may.
fn schedule(entry: &mut Entry, order: &mut BTreeSet<(Instant, Key)>, key: &Key, due: Instant) {
    let due = entry.not_before.map_or(due, |not_before| due.max(not_before));
    if let Some(before) = entry.due {
        if before <= due {
            return;
        }
        order.remove(&(before, key.clone()));
    }
    entry.due = Some(due);
    order.insert((due, key.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("media", name)
    }

    /// The objects that are due now.
    async fn due(queue: &Queue) -> Vec<String> {
        let mut names = Vec::new();
        while let Ok(key) = tokio::time::timeout(Duration::from_millis(1), queue.next()).await {
            names.push(key.name.to_string());
        }
        names
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_waits_once_and_runs_once_at_a_time() {
        let queue = Queue::new();
        for name in ["a", "b", "a"] {
            queue.add(&key(name));
        }
        assert_eq!(due(&queue).await, ["a", "b"]);
        queue.add(&key("a"));
        assert!(due(&queue).await.is_empty(), "it runs");
        queue.done(&key("a"), Verdict::Done(None));
        assert_eq!(due(&queue).await, ["a"], "what changed while it ran is seen");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time_and_success_forgets_them() {
        let queue = Queue::new();
        queue.add(&key("a"));
        let mut waits = Vec::new();
        for _ in 0..10 {
            let start = Instant::now();
            queue.next().await;
            waits.push(start.elapsed().as_millis());
            queue.done(&key("a"), Verdict::Failed);
        }
        assert_eq!(waits, [0, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        queue.next().await;
        queue.done(&key("a"), Verdict::Done(None));
        queue.add(&key("a"));
        assert_eq!(due(&queue).await, ["a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_is_not_hurried_by_changes() {
        let queue = Queue::new();
        queue.add(&key("a"));
        queue.next().await;
        queue.done(&key("a"), Verdict::Hold(Duration::from_secs(10)));
        queue.add(&key("a"));
        assert!(due(&queue).await.is_empty());
        let start = Instant::now();
        queue.next().await;
        assert!(start.elapsed() >= Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_never_rests_costs_six_reconciles_a_minute() {
        let queue = Queue::new();
        let start = Instant::now();
        let mut runs = 0;
        while start.elapsed() < Duration::from_secs(660) {
            queue.add(&key("a"));
            queue.next().await;
            queue.done(&key("a"), Verdict::Done(None));
            runs += 1;
        }
        assert!((90..=98).contains(&runs), "30 at once and 6 a minute, {runs} ran");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_what_is_gone() {
        let queue = Queue::new();
        queue.add_after(&key("a"), Duration::from_secs(60));
        queue.forget(&key("a"));
        let state = queue.state.lock();
        assert_eq!((state.entries.len(), state.order.len()), (0, 0));
    }
}
