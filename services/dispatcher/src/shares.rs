//! Keeps this process's share of each function's bound: asks when a function lacks slots, gives back what it does not
//! need, renews the rest. A process without work asks nothing and holds nothing.

use crate::backoff::Backoff;
use crate::core::Core;
use crate::ring::{Ring, Round};
use eventflow_domain::error::Chain;
use eventflow_domain::function::FunctionKey;
use eventflow_domain::ports::{SlotStore, SlotWant};
use eventflow_domain::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// Functions asked for in one transaction.
const BATCH: usize = 1000;
/// Between two questions, but for a few after a silence.
const SPACING: Duration = Duration::from_millis(50);
const AT_ONCE: u32 = 4;
/// Looks in one lease for functions that have more or less than they need.
const LOOKS: u32 = 50;

/// Keeps the shares until the dispatcher stops.
pub(crate) async fn keep(core: Arc<Core>, store: Arc<dyn SlotStore>) {
    let stop = core.stop.clone();
    let now = Instant::now();
    let lease = core.config.slot_lease;
    let mut keeper = Keeper {
        look: lease / LOOKS,
        backoff: Backoff::new(Duration::from_millis(100), lease / 10),
        core,
        store,
        lease,
        renewed: now,
        next: now,
        paid: now,
        failing: false,
    };
    stop.run_until_cancelled(keeper.run()).await;
}

/// Gives back all that is not in use.
pub(crate) async fn leave(core: &Core) {
    let Some(store) = &core.ports.slots else { return };
    let wants = core.slots.touch(|ring| ring.wants(Round::Last));
    if let Err(error) = ask(core, store, &wants).await {
        tracing::debug!(error = %Chain(&error), "failed to give back slots, they come back with the end of the lease");
    }
}

async fn ask(core: &Core, store: &Arc<dyn SlotStore>, wants: &[(FunctionKey, SlotWant)]) -> Result<()> {
    for batch in wants.chunks(BATCH) {
        let asked = batch.iter().map(|(_, want)| *want).collect();
        let grants = store.lease_slots(asked, &core.worker, core.config.slot_lease).await?;
        core.slots.touch(|ring| {
            for ((function, want), granted) in batch.iter().zip(grants) {
                ring.granted(function, want, granted);
            }
        });
        core.slots.granted();
    }
    Ok(())
}

struct Keeper {
    core: Arc<Core>,
    store: Arc<dyn SlotStore>,
    lease: Duration,
    look: Duration,
    backoff: Backoff,
    /// Everything that is held was asked for then or later.
    renewed: Instant,
    /// The next look.
    next: Instant,
    /// When the last question is paid for: they may be ahead of it by `AT_ONCE` spacings.
    paid: Instant,
    failing: bool,
}

impl Keeper {
    async fn run(&mut self) {
        loop {
            let looks = self.due().await;
            self.pace().await;
            if !self.core.slots.touch(|ring| ring.has_grants()) {
                self.renewed = Instant::now();
            }
            let round = match looks {
                true if self.failing => Round::Retry,
                true if self.renewed.elapsed() >= self.lease / 3 => Round::Renewal,
                true => Round::Look,
                false => Round::Now,
            };
            if looks {
                self.next = Instant::now() + self.look;
            }
            self.round(round).await;
        }
    }

    /// Waits until something may have to be asked; whether it is time for a look.
    async fn due(&mut self) -> bool {
        let slots = &self.core.slots;
        if self.failing {
            sleep_until(self.next).await;
            return true;
        }
        if !slots.touch(|ring| ring.shares()) {
            slots.lacks().await;
            self.next = Instant::now() + self.look;
            return false;
        }
        tokio::select! {
            biased;
            () = sleep_until(self.next) => true,
            () = slots.lacks() => false,
        }
    }

    async fn pace(&mut self) {
        let now = Instant::now();
        sleep(self.paid.saturating_duration_since(now + SPACING * AT_ONCE)).await;
        self.paid = self.paid.max(now);
    }

    async fn round(&mut self, round: Round) {
        let (sent, end) = (Instant::now(), self.renewed + self.lease);
        let wants = self.core.slots.touch(|ring| ring.wants(round));
        let answer = if wants.is_empty() {
            Ok(())
        } else {
            self.paid += SPACING;
            let asked = timeout_at(end, ask(&self.core, &self.store, &wants)).await;
            asked.unwrap_or_else(|_| Err(Error::unavailable("the record did not answer within the lease")))
        };
        self.core.slots.touch(Ring::not_answered);
        self.failing = answer.is_err();
        match answer {
            Ok(()) => {
                self.backoff.reset();
                if matches!(round, Round::Renewal | Round::Retry) {
                    self.renewed = sent;
                }
            }
            Err(error) => self.failed(&error, end),
        }
    }

    fn failed(&mut self, error: &Error, end: Instant) {
        tracing::warn!(error = %Chain(error), "failed to lease slots, trying again");
        let now = Instant::now();
        self.next = now + self.backoff.pause();
        if now >= end {
            // Others may have them by now.
            self.core.slots.touch(Ring::lapse);
        } else {
            self.next = self.next.min(end);
        }
    }
}
