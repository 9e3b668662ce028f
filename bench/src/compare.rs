//! A/B pairs: both sides run in turns, and each pair gives a ratio of its own.

use crate::load::{Caller, closed_loop};
use crate::plan::Plan;
use crate::process::cpu_time;
use crate::stats::Figures;
use anyhow::{Result, ensure};
use std::time::Duration;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(300);

/// One side of a comparison.
#[derive(Debug)]
pub(crate) struct Side<C> {
    pub(crate) callers: Vec<C>,
    /// The process that does the work.
    pub(crate) pid: u32,
}

impl<C: Caller> Side<C> {
    async fn round(&mut self, time: Duration) -> Result<Figures> {
        let before = cpu_time(self.pid)?;
        let loaded = closed_loop(&mut self.callers, time, usize::MAX).await?;
        let cpu = cpu_time(self.pid)?.saturating_sub(before);
        // What a server does after its last answer is not to weigh on the other side.
        tokio::time::sleep(PAUSE).await;
        ensure!(!loaded.nanos.is_empty(), "no good answer in {time:?}, {} wrong ones", loaded.wrong);
        Ok(Figures::of(loaded.nanos, loaded.wrong, loaded.took, cpu))
    }
}

/// The figures of all pairs.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) ours: Vec<Figures>,
    pub(crate) peer: Vec<Figures>,
}

impl Pairs {
    pub(crate) async fn measure<A: Caller, B: Caller>(
        plan: &Plan,
        ours: &mut Side<A>,
        peer: &mut Side<B>,
    ) -> Result<Self> {
        ours.round(plan.warm_up).await?;
        peer.round(plan.warm_up).await?;
        let mut pairs = Self::default();
        for pair in 0..plan.pairs {
            // Who goes first changes: what grows during a pair weighs on both alike.
            if pair % 2 == 0 {
                pairs.ours.push(ours.round(plan.round).await?);
                pairs.peer.push(peer.round(plan.round).await?);
            } else {
                pairs.peer.push(peer.round(plan.round).await?);
                pairs.ours.push(ours.round(plan.round).await?);
            }
        }
        Ok(pairs)
    }

    /// Ours by theirs, pair by pair.
    pub(crate) fn ratios(&self, of: fn(&Figures) -> f64) -> Vec<f64> {
        self.ours.iter().zip(&self.peer).map(|(ours, peer)| of(ours) / of(peer)).collect()
    }
}
