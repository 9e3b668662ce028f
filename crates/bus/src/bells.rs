//! Who waits for functions to become active: one bell per listener.

use eventflow_domain::FunctionKey;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Bells {
    bells: HashMap<u64, Bell>,
    last: u64,
}

/// The functions that a listener has not been told of yet, each once: bounded by the number of functions, however
/// slow the listener is.
#[derive(Debug, Default)]
struct Bell {
    order: VecDeque<FunctionKey>,
    rung: HashSet<FunctionKey>,
    woken: Arc<Notify>,
}

impl Bell {
    fn ring(&mut self, function: &FunctionKey) {
        if !self.rung.contains(function) {
            self.rung.insert(function.clone());
            self.order.push_back(function.clone());
            self.woken.notify_one();
        }
    }
}

impl Bells {
    /// A new bell that rings for `waiting` at once.
    pub(crate) fn hang<'a>(&mut self, waiting: impl Iterator<Item = &'a FunctionKey>) -> (u64, Arc<Notify>) {
        let mut bell = Bell::default();
        waiting.for_each(|function| bell.ring(function));
        let woken = Arc::clone(&bell.woken);
        self.last += 1;
        self.bells.insert(self.last, bell);
        (self.last, woken)
    }

    pub(crate) fn take_down(&mut self, bell: u64) {
        self.bells.remove(&bell);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bells.is_empty()
    }

    /// Tells all listeners that a function has something new.
    pub(crate) fn ring(&mut self, function: &FunctionKey) {
        self.bells.values_mut().for_each(|bell| bell.ring(function));
    }

    /// Makes all listeners look at the time again.
    pub(crate) fn wake_all(&self) {
        self.bells.values().for_each(|bell| bell.woken.notify_one());
    }

    pub(crate) fn take(&mut self, bell: u64) -> Option<FunctionKey> {
        let bell = self.bells.get_mut(&bell)?;
        let function = bell.order.pop_front()?;
        bell.rung.remove(&function);
        Some(function)
    }
}
