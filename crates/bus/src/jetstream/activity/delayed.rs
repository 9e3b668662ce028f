//! Messages given back for later: the server delivers them to the next fetch after their time, so somebody must know
//! when that is.

use eventflow_domain::FunctionKey;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// More are left to the next count.
const MAX: usize = 65_536;
/// Of one function, messages that were rung for and did not come yet: one would do.
const RUNG: usize = 64;
/// The server's own timer is a little late; these are the pauses before one asks, and asks again in vain.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(15),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(2),
];

#[derive(Debug, Default)]
pub(super) struct Delayed {
    /// Not due yet, by stream sequence.
    functions: HashMap<u64, FunctionKey>,
    due: BinaryHeap<Reverse<Due>>,
    /// Due and rung for, and how often.
    rung: HashMap<FunctionKey, HashMap<u64, usize>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    stream_seq: u64,
    /// How often it was rung for.
    rung: usize,
}

impl Delayed {
    /// Whether it is now the first one due.
    pub(super) fn push(&mut self, function: &FunctionKey, stream_seq: u64, at: Instant) -> bool {
        self.wait(function, stream_seq, at, 0)
    }

    fn wait(&mut self, function: &FunctionKey, stream_seq: u64, at: Instant, rung: usize) -> bool {
        let Some(pause) = PAUSES.get(rung).filter(|_| self.functions.len() < MAX) else { return false };
        self.functions.insert(stream_seq, function.clone());
        self.due.push(Reverse(Due { at: at + *pause, stream_seq, rung }));
        self.due.peek().is_some_and(|Reverse(first)| first.stream_seq == stream_seq)
    }

    /// It was delivered.
    pub(super) fn remove(&mut self, function: &FunctionKey, stream_seq: u64) {
        self.functions.remove(&stream_seq);
        if let Some(rung) = self.rung.get_mut(function) {
            rung.remove(&stream_seq);
            if rung.is_empty() {
                self.rung.remove(function);
            }
        }
    }

    /// A fetch found nothing more: what was due for it is a little late, or somebody else has it. Whether to look
    /// earlier than before.
    pub(super) fn in_vain(&mut self, function: &FunctionKey, now: Instant) -> bool {
        let rung = self.rung.remove(function).unwrap_or_default();
        rung.into_iter()
            .fold(false, |first, (stream_seq, times)| self.wait(function, stream_seq, now, times) || first)
    }

    pub(super) fn forget(&mut self, function: &FunctionKey) {
        self.functions.retain(|_, delayed| delayed != function);
        self.rung.remove(function);
    }

    /// How many of each function are not due.
    pub(super) fn count(&self, counts: &mut HashMap<FunctionKey, u64>) {
        for function in self.functions.values() {
            *counts.entry(function.clone()).or_default() += 1;
        }
    }

    /// Functions to ring for at `now`, and when to look again.
    pub(super) fn due(&mut self, now: Instant) -> (BTreeSet<FunctionKey>, Option<Instant>) {
        let mut functions = BTreeSet::new();
        while let Some(Reverse(first)) = self.due.peek() {
            if first.at > now && self.functions.contains_key(&first.stream_seq) {
                return (functions, Some(first.at));
            }
            let Some(Reverse(first)) = self.due.pop() else { break };
            let Some(function) = self.functions.remove(&first.stream_seq) else { continue };
            let rung = self.rung.entry(function.clone()).or_default();
            if rung.len() < RUNG {
                rung.insert(first.stream_seq, first.rung + 1);
            }
            functions.insert(function);
        }
        (functions, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_testkit::key;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_delay_rings_once_when_it_is_over() {
        let (mut delayed, now) = (Delayed::default(), Instant::now());
        assert!(delayed.push(&key("late"), 1, now + SECOND * 2));
        assert!(delayed.push(&key("soon"), 2, now + SECOND));
        assert!(delayed.push(&key("came"), 3, now));
        delayed.remove(&key("came"), 3);
        let soon = now + SECOND + PAUSES[0];
        assert_eq!(delayed.due(now), (BTreeSet::new(), Some(soon)));
        assert_eq!(delayed.due(soon), (BTreeSet::from([key("soon")]), Some(soon + SECOND)));
        let mut counts = HashMap::new();
        delayed.count(&mut counts);
        assert_eq!(counts, HashMap::from([(key("late"), 1)]), "what is due waits, it is not delayed");
        assert_eq!(delayed.due(soon + SECOND), (BTreeSet::from([key("late")]), None));
        assert_eq!(delayed.due(soon + SECOND * 9), (BTreeSet::new(), None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_in_vain_is_rung_for_again_but_not_for_ever() {
        let (mut delayed, mut now) = (Delayed::default(), Instant::now());
        delayed.push(&key("f"), 1, now);
        for pause in PAUSES {
            now += pause;
            assert_eq!(delayed.due(now), (BTreeSet::from([key("f")]), None));
            delayed.in_vain(&key("f"), now);
        }
        assert_eq!(delayed.due(now + SECOND * 9), (BTreeSet::new(), None));
        delayed.push(&key("f"), 2, now);
        delayed.due(now + PAUSES[0]);
        delayed.remove(&key("f"), 2);
        assert!(!delayed.in_vain(&key("f"), now), "it came");
        assert!(delayed.functions.is_empty() && delayed.rung.is_empty());
    }
}
