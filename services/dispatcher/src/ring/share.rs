//! A function's part of a bound that all dispatchers share.
//!
//! What a process may start is what it was *granted*. It asks for as much as it needs, and says how much of that is
//! in use, which is not taken away. Between question and answer it starts no more than it said, as its answer may
//! leave no more. Where all it has is in use, it now and then leaves one slot empty when it comes free and asks again:
//! an answer that does not fill it means that others want theirs, and it goes on leaving more until it has its fair
//! share.

use super::{Lane, Ring, Waiter};
use eventflow_domain::FunctionUid;
use eventflow_domain::ports::SlotWant;
use std::hash::Hash;

/// Who is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Round {
    /// Functions that lack slots.
    Now,
    /// Those that have more or less than they need.
    Look,
    /// All that have or need any.
    Renewal,
    /// As [`Round::Renewal`] once more: while nobody answers, nothing is left empty.
    Retry,
    /// All that have any: they let go of what is not in use.
    Last,
}

#[derive(Debug, Default)]
pub(super) struct Share {
    /// What the others know the function by; `None` = the bound is this process's alone.
    of: Option<FunctionUid>,
    granted: usize,
    /// The need that was told last.
    asked: usize,
    /// The most that ran and waited since the last look.
    peak: usize,
    /// Slots left empty as they come free.
    yields: usize,
    /// What the question under way says is in use.
    said: Option<usize>,
}

impl Share {
    /// How many may run, as far as the others are concerned.
    pub(super) fn bound(&self) -> usize {
        if self.of.is_none() {
            return usize::MAX;
        }
        self.keeps().min(self.said.unwrap_or(usize::MAX))
    }

    /// Nothing is to be given back, and no answer is to come.
    pub(super) fn is_empty(&self) -> bool {
        self.granted == 0 && self.said.is_none()
    }

    /// A function of the same name made anew is another one to the others.
    pub(super) fn declare(&mut self, of: Option<FunctionUid>) {
        if of.is_some() && self.of != of {
            *self = Self { of, ..Self::default() };
        }
    }

    /// The bound was lowered: nothing is started until the others were asked what is left of it.
    pub(super) fn lowered(&mut self) {
        self.yields = self.granted;
    }

    /// So many run and wait, or would.
    pub(super) fn saw(&mut self, calls: usize) {
        self.peak = self.peak.max(calls);
    }

    fn keeps(&self) -> usize {
        self.granted.saturating_sub(self.yields)
    }

    /// It left slots empty and may learn what for.
    fn left_some(&self, running: usize) -> bool {
        self.yields > 0 && running < self.granted
    }

    fn asks(&self, round: Round, need: usize, running: usize) -> bool {
        match round {
            Round::Now => need > self.granted || self.left_some(running),
            Round::Look => need != self.granted || self.left_some(running),
            Round::Renewal | Round::Retry => need > 0 || self.granted > 0,
            Round::Last => self.granted > 0,
        }
    }

    fn answered(&mut self, granted: usize) {
        let Some(said) = self.said.take() else { return };
        // Only where slots were left empty the answer tells whether others want them.
        if said < self.granted {
            let filled = granted > said || granted >= self.asked;
            self.yields = if filled { 0 } else { self.yields.saturating_mul(2).min(granted) };
        }
        self.granted = granted;
    }

    /// Whether it was heard is not known: what it gave up is gone, what it asked for is not there.
    fn not_answered(&mut self) {
        if let Some(said) = self.said.take() {
            (self.granted, self.asked, self.yields) = (self.granted.min(said), 0, 0);
        }
    }
}

impl<W> Lane<W> {
    /// As much as it could use.
    fn need(&self, batch: usize, total: usize) -> usize {
        if self.paused {
            return self.running;
        }
        let queued = if self.queued { batch } else { 0 };
        let now = self.running + self.waiting.len() + queued;
        now.max(self.share.peak).min(self.limit).min(total).max(self.running)
    }

    /// Whether it should ask at once: it needs more than it has and asked for, or it left slots empty.
    pub(super) fn lacks(&self, batch: usize, total: usize) -> bool {
        let share = &self.share;
        let asks = share.of.is_some() && share.said.is_none();
        asks && (self.need(batch, total) > share.granted.max(share.asked) || share.left_some(self.running))
    }

    fn want(&mut self, round: Round, batch: usize, total: usize) -> Option<SlotWant> {
        let function = self.share.of?;
        let (running, waiting) = (self.running, self.waiting.len());
        let need = if round == Round::Last { running } else { self.need(batch, total) };
        let share = &mut self.share;
        let asks = share.asks(round, need, running);
        if round != Round::Now {
            share.peak = running + waiting;
        }
        if !asks {
            return None;
        }
        let used = running.max(need.min(share.keeps()));
        (share.asked, share.said) = (need, Some(used));
        if round == Round::Renewal && share.yields == 0 && need >= share.granted {
            share.yields = 1.min(share.granted);
        }
        Some(SlotWant {
            function,
            limit: count(self.limit),
            want: count(need),
            used: count(used),
            running: count(running),
        })
    }
}

fn count(slots: usize) -> u32 {
    u32::try_from(slots).unwrap_or(u32::MAX)
}

impl<K: Hash + Eq + Clone, W: Waiter> Ring<K, W> {
    /// What to ask for now; each is answered by [`Ring::granted`], or all that are left by [`Ring::not_answered`].
    pub(crate) fn wants(&mut self, round: Round) -> Vec<(K, SlotWant)> {
        let (batch, total) = (self.batch, self.total);
        let mut wants = Vec::new();
        self.lanes.retain(|key, lane| {
            wants.extend(lane.want(round, batch, total).map(|want| (key.clone(), want)));
            lane.in_ring || !lane.is_idle()
        });
        wants
    }

    /// The answer to a want.
    pub(crate) fn granted(&mut self, key: &K, want: &SlotWant, granted: u32) {
        if let Some(lane) = self.lanes.get_mut(key)
            && lane.share.of == Some(want.function)
        {
            lane.share.answered(granted as usize);
        }
        self.enter(key);
        self.forget_idle(key);
    }

    /// There are no more answers to come.
    pub(crate) fn not_answered(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.share.not_answered();
        }
    }

    /// What was granted is over: nothing is started until it is granted anew.
    pub(crate) fn lapse(&mut self) {
        for share in self.lanes.values_mut().map(|lane| &mut lane.share) {
            *share = Share { of: share.of, peak: share.peak, ..Share::default() };
        }
    }

    /// Whether any function's bound is shared.
    pub(crate) fn shares(&self) -> bool {
        self.lanes.values().any(|lane| lane.share.of.is_some())
    }

    /// Whether anything was granted.
    pub(crate) fn has_grants(&self) -> bool {
        self.lanes.values().any(|lane| lane.share.granted > 0)
    }

    /// Whether a function came to lack slots since this was asked last.
    pub(crate) fn take_hurry(&mut self) -> bool {
        std::mem::take(&mut self.hurry)
    }
}

#[cfg(test)]
mod tests;
