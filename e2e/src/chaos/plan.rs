//! Which harm is done in a run, by its seed alone.

use super::Fault;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::fmt;

/// One step: a fault, and perhaps another one in its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub fault: Fault,
    pub also: Option<Fault>,
    /// Before it, in milliseconds.
    pub pause: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub seed: u64,
    pub steps: Vec<Step>,
}

impl Plan {
    /// `count` steps, with gateways or without; what makes the broker forget comes first, so that the minute that it takes is not waited for at
    /// the end.
    pub fn new(seed: u64, count: usize, gateways: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let kinds = Fault::ALL.into_iter().filter(|fault| gateways || !fault.is_of_gateways());
        let (mut early, mut late): (Vec<Fault>, Vec<Fault>) = kinds.partition(|fault| fault.forgets());
        let all = early.len() + late.len();
        early.shuffle(&mut rng);
        late.shuffle(&mut rng);
        let part = (count * early.len()).div_ceil(all);
        early.truncate(part.max(1));
        late.truncate(count.saturating_sub(early.len()));
        // Some of what does no such harm comes between.
        let between = late.split_off(late.len() / 2);
        early.extend(between);
        early.shuffle(&mut rng);
        let steps = early.into_iter().chain(late).map(|fault| {
            let also = [Fault::KillApi, Fault::KillDispatcher][rng.random_range(0..2)];
            let also = (rng.random_bool(0.3) && fault != Fault::PowerCut && fault != Fault::RollingRestart)
                .then_some(also);
            Step { fault, also, pause: rng.random_range(300..2_000) }
        });
        Self { seed, steps: steps.collect() }
    }
}

impl Plan {
    /// These, one after the other and alone.
    pub fn of(seed: u64, faults: &[Fault]) -> Self {
        let steps = faults.iter().map(|&fault| Step { fault, also: None, pause: 1_000 });
        Self { seed, steps: steps.collect() }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}:", self.seed)?;
        for step in &self.steps {
            match step.also {
                Some(also) => write!(f, " {}+{also}", step.fault)?,
                None => write!(f, " {}", step.fault)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn one_seed_is_one_plan() {
        assert_eq!(Plan::new(7, 14, true), Plan::new(7, 14, true));
        assert_ne!(Plan::new(7, 14, true), Plan::new(8, 14, true));
    }

    #[test]
    fn twenty_seeds_do_all_there_is() {
        let done: BTreeSet<Fault> =
            (1..=20).flat_map(|seed| Plan::new(seed, 12, true).steps).map(|step| step.fault).collect();
        assert_eq!(done, Fault::ALL.into_iter().collect());
    }

    #[test]
    fn a_plan_has_the_steps_that_were_asked_for_and_each_kind_once() {
        for count in [1, 5, 12, 20] {
            let steps = Plan::new(3, count, false).steps;
            let kinds: BTreeSet<Fault> = steps.iter().map(|step| step.fault).collect();
            assert_eq!((steps.len(), kinds.len()), (count, count));
        }
    }
}
