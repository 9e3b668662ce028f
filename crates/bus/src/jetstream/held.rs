//! Deliveries that this process holds: how the server knows them, and what is still owed to it.

use super::wire::Meta;
use async_nats::Subject;
use eventflow_domain::FunctionKey;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Held {
    capacity: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    entries: HashMap<u64, Entry>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) function: FunctionKey,
    /// Where its acks go.
    pub(super) reply: Subject,
    pub(super) stream_seq: u64,
    /// Since when it is done with, while the server has not confirmed its ack.
    done: Option<Instant>,
}

impl Held {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, table: Mutex::default() }
    }

    /// How many more it takes.
    pub(super) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.table.lock().entries.len())
    }

    pub(super) fn hold(&self, function: FunctionKey, reply: Subject, meta: Meta) -> u64 {
        let mut table = self.table.lock();
        table.last += 1;
        let token = table.last;
        table.entries.insert(token, Entry { function, reply, stream_seq: meta.stream_seq, done: None });
        token
    }

    /// Marks it as done with; the entry stays until its ack is confirmed. `None`: not held any more, which is fine.
    pub(super) fn done(&self, token: u64) -> Option<Entry> {
        let mut table = self.table.lock();
        let entry = table.entries.get_mut(&token)?;
        entry.done.get_or_insert_with(Instant::now);
        Some(entry.clone())
    }

    pub(super) fn release(&self, token: u64) -> Option<Entry> {
        self.table.lock().entries.remove(&token)
    }

    pub(super) fn forget(&self, function: &FunctionKey) {
        self.table.lock().entries.retain(|_, entry| entry.function != *function);
    }

    /// The stream is another one: what it delivered before means nothing to it.
    pub(super) fn clear(&self) {
        self.table.lock().entries.clear();
    }

    /// What runs: to be kept alive.
    pub(super) fn running(&self) -> Vec<Subject> {
        let table = self.table.lock();
        table.entries.values().filter(|entry| entry.done.is_none()).map(|entry| entry.reply.clone()).collect()
    }

    /// Acks that are owed for at least `age`; those owed for `given_up` are forgotten: the message was delivered again
    /// by now.
    pub(super) fn owed(&self, age: Duration, given_up: Duration) -> Vec<u64> {
        let (mut table, now) = (self.table.lock(), Instant::now());
        let owed_for = |entry: &Entry| entry.done.map(|since| now.duration_since(since));
        table.entries.retain(|_, entry| owed_for(entry).is_none_or(|owed| owed < given_up));
        let owed = table.entries.iter().filter(|(_, entry)| owed_for(entry).is_some_and(|owed| owed >= age));
        owed.map(|(token, _)| *token).collect()
    }

    /// How many of each function.
    pub(super) fn counts(&self) -> HashMap<FunctionKey, u64> {
        let mut counts = HashMap::new();
        for entry in self.table.lock().entries.values() {
            match counts.get_mut(&entry.function) {
                Some(count) => *count += 1,
                None => drop(counts.insert(entry.function.clone(), 1)),
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_testkit::key;

    fn hold(held: &Held) -> u64 {
        held.hold(key("f"), "reply".into(), Meta { delivered: 1, stream_seq: 1, pending: 0 })
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_is_owed_until_it_is_confirmed_or_given_up() {
        let held = Held::new(3);
        let (runs, done) = (hold(&held), hold(&held));
        assert_eq!(held.room(), 1);
        held.done(done).expect("it is held");
        assert_eq!(held.running().len(), 1, "what is done is not kept alive");
        let (age, given_up) = (Duration::from_secs(1), Duration::from_secs(6));
        assert_eq!(held.owed(age, given_up), [] as [u64; 0], "it may be confirmed yet");
        tokio::time::advance(age).await;
        assert_eq!(held.owed(age, given_up), [done]);
        tokio::time::advance(given_up).await;
        assert_eq!(held.owed(age, given_up), [] as [u64; 0], "given up");
        assert!(held.done(done).is_none());
        assert!(held.release(runs).is_some() && held.release(runs).is_none());
        assert_eq!(held.room(), 3);
    }
}
