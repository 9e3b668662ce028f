//! Who gets how many slots of a function.

use eventflow_domain::ports::SlotWant;

/// What a worker whose lease runs wanted last, and was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub worker: String,
    pub wanted: u32,
    pub granted: u32,
}

/// The grant of `worker`. `holders`: all whose leases run, of this function, this worker's own among them.
pub(crate) fn grant(want: &SlotWant, worker: &str, holders: &[Holder]) -> u32 {
    let others = || holders.iter().filter(|holder| holder.worker != worker);
    let taken: u32 = others().map(|holder| holder.granted).sum();
    let free = want.limit.saturating_sub(taken);
    let before = holders.iter().find(|holder| holder.worker == worker).map_or(0, |holder| holder.granted);
    let wanted = want.want.max(want.used);
    let mut wants: Vec<(&str, u32)> = others().map(|holder| (&*holder.worker, holder.wanted)).collect();
    wants.push((worker, wanted));
    let fair = share(want.limit, wants, worker);
    // What runs cannot be taken back: it was granted before, so that there is room for it.
    fair.min(free).max(want.used.min(before))
}

/// Of `limit`, what `worker` gets where nobody gets more than they want, and the rest is shared alike; what cannot be
/// shared goes to the first by name.
fn share(limit: u32, mut wants: Vec<(&str, u32)>, worker: &str) -> u32 {
    // Who wants least first: what they leave is for the others.
    wants.sort_unstable_by_key(|&(name, want)| (want, std::cmp::Reverse(name)));
    let (mut left, mut heads) = (limit, wants.len() as u32);
    for (name, want) in wants {
        let fair = want.min(left / heads.max(1));
        if name == worker {
            return fair;
        }
        left -= fair;
        heads -= 1;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::FunctionUid;

    fn holder(worker: &str, wanted: u32, granted: u32) -> Holder {
        Holder { worker: worker.to_owned(), wanted, granted }
    }

    fn want(limit: u32, want: u32, used: u32) -> SlotWant {
        SlotWant { function: FunctionUid::generate(), limit, want, used, running: used }
    }

    #[test]
    fn shares_add_up_to_what_there_is() {
        for limit in 0..20 {
            for wants in
                [vec![("a", 5), ("b", 5), ("c", 5)], vec![("a", 1), ("b", 9)], vec![("a", 0), ("b", 30)]]
            {
                let shares: u32 = wants.iter().map(|(name, _)| share(limit, wants.clone(), name)).sum();
                assert_eq!(shares, limit.min(wants.iter().map(|(_, want)| want).sum()), "{limit} {wants:?}");
            }
        }
        assert_eq!(share(10, vec![("a", 2), ("b", 20), ("c", 20)], "b"), 4);
    }

    #[test]
    fn the_first_gets_all_until_others_come() {
        assert_eq!(grant(&want(10, 20, 0), "a", &[]), 10);
        let one = [holder("a", 20, 10)];
        assert_eq!(grant(&want(10, 20, 0), "b", &one), 0, "nothing is free yet");
        let both = [holder("a", 20, 10), holder("b", 20, 0)];
        assert_eq!(grant(&want(10, 20, 8), "a", &both), 8, "what runs is not taken");
        assert_eq!(grant(&want(10, 20, 3), "a", &both), 5);
        assert_eq!(grant(&want(10, 20, 0), "b", &[holder("a", 20, 5), holder("b", 20, 0)]), 5);
    }

    #[test]
    fn who_wants_nothing_leaves_it_to_the_others() {
        assert_eq!(grant(&want(10, 0, 2), "a", &[holder("a", 9, 9)]), 2);
        assert_eq!(grant(&want(10, 20, 0), "b", &[holder("a", 0, 2)]), 8);
        assert_eq!(grant(&want(0, 5, 0), "a", &[]), 0);
    }
}
