//! The queues themselves: plain state, no time and no waiting of its own.

use eventflow_domain::ports::{Delivery, Message};
use eventflow_domain::{Epoch, FunctionKey, InvocationId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Queues {
    functions: HashMap<FunctionKey, Queue>,
    in_flight: HashMap<u64, Entry>,
    /// By the time they are due, over all functions.
    delayed: BinaryHeap<Reverse<Delayed>>,
    /// Messages known, over all functions.
    len: usize,
    /// The last number given to a message or a delivery.
    last: u64,
}

/// One function's messages; gone when none is known.
#[derive(Debug, Default)]
struct Queue {
    /// By their place: the order in which they were published, kept over redeliveries.
    waiting: BTreeMap<u64, Message>,
    /// All that wait, are delayed or in flight.
    known: HashSet<Id>,
}

type Id = (InvocationId, Epoch, u32);

#[derive(Debug)]
struct Entry {
    place: u64,
    message: Message,
}

#[derive(Debug)]
struct Delayed {
    due: Duration,
    entry: Entry,
}

impl Delayed {
    fn order(&self) -> (Duration, u64) {
        (self.due, self.entry.place)
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}
impl Eq for Delayed {}
impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

fn id(message: &Message) -> Id {
    (message.invocation, message.epoch, message.publish)
}

impl Queues {
    /// Messages known, over all functions.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Takes a message; the function that has something new, `None` if the message was known.
    pub(super) fn publish(&mut self, message: Message) -> Option<&FunctionKey> {
        if !self.functions.contains_key(&message.function) {
            self.functions.insert(message.function.clone(), Queue::default());
        }
        let queue = self.functions.get_mut(&message.function)?;
        if !queue.known.insert(id(&message)) {
            return None;
        }
        self.last += 1;
        self.len += 1;
        let message = queue.waiting.entry(self.last).or_insert(message);
        Some(&message.function)
    }

    pub(super) fn fetch(&mut self, function: &FunctionKey, max: usize) -> Vec<Delivery> {
        let Some(queue) = self.functions.get_mut(function) else { return Vec::new() };
        let mut deliveries = Vec::with_capacity(max.min(queue.waiting.len()));
        while deliveries.len() < max
            && let Some((place, message)) = queue.waiting.pop_first()
        {
            self.last += 1;
            deliveries.push(Delivery { message: message.clone(), token: self.last });
            self.in_flight.insert(self.last, Entry { place, message });
        }
        deliveries
    }

    /// Forgets a delivered message; one that is not in flight any more is fine.
    pub(super) fn ack(&mut self, token: u64) {
        let Some(Entry { message, .. }) = self.in_flight.remove(&token) else { return };
        let Some(queue) = self.functions.get_mut(&message.function) else { return };
        self.len -= usize::from(queue.known.remove(&id(&message)));
        if queue.known.is_empty() {
            self.functions.remove(&message.function);
        }
    }

    /// Takes a delivered message back until `due`. Whether it is now the next one due.
    pub(super) fn nak(&mut self, token: u64, due: Duration) -> bool {
        let Some(entry) = self.in_flight.remove(&token) else { return false };
        let earliest = self.next_due().is_none_or(|next| due < next);
        self.delayed.push(Reverse(Delayed { due, entry }));
        earliest
    }

    /// Lets messages wait again that are due at `now`, and names their functions.
    pub(super) fn release(&mut self, now: Duration, mut active: impl FnMut(&FunctionKey)) {
        while self.next_due().is_some_and(|due| due <= now)
            && let Some(Reverse(Delayed { entry, .. })) = self.delayed.pop()
        {
            if let Some(queue) = self.functions.get_mut(&entry.message.function) {
                active(&entry.message.function);
                queue.waiting.insert(entry.place, entry.message);
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.delayed.peek().map(|Reverse(delayed)| delayed.due)
    }

    /// Functions with waiting messages.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &FunctionKey> {
        self.functions.iter().filter(|(_, queue)| !queue.waiting.is_empty()).map(|(function, _)| function)
    }

    pub(super) fn depth(&self, function: &FunctionKey) -> u64 {
        self.functions.get(function).map_or(0, |queue| queue.known.len() as u64)
    }

    pub(super) fn purge(&mut self, function: &FunctionKey) {
        let Some(queue) = self.functions.remove(function) else { return };
        self.len -= queue.known.len();
        self.in_flight.retain(|_, entry| entry.message.function != *function);
        self.delayed.retain(|Reverse(delayed)| delayed.entry.message.function != *function);
    }
}
