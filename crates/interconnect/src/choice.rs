//! Which replica is asked: for one function always the same one, as long as that is not loaded more than its share.

use eventflow_domain::FunctionKey;
use eventflow_domain::ports::{Clock, Peer, Peers};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A replica that could not be reached is asked last for so long.
const PENALTY: Duration = Duration::from_secs(5);
/// A replica takes this many calls beyond its share before the next one is asked.
const SLACK: usize = 8;

#[derive(Debug, Default)]
struct Standing {
    in_flight: Arc<AtomicUsize>,
    /// On the monotonic clock.
    shunned_until: Duration,
}

/// Rendezvous hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016).
#[derive(Debug)]
pub(crate) struct Choice {
    peers: Arc<dyn Peers>,
    clock: Arc<dyn Clock>,
    standings: Mutex<HashMap<Peer, Standing>>,
}

/// A call on its way to a replica.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Choice {
    pub(crate) fn new(peers: Arc<dyn Peers>, clock: Arc<dyn Clock>) -> Self {
        Self { peers, clock, standings: Mutex::default() }
    }

    /// All replicas, the one to ask first at the front.
    pub(crate) fn order(&self, function: &FunctionKey) -> Vec<Peer> {
        let peers = self.peers.current();
        let now = self.clock.monotonic();
        let mut standings = self.standings.lock();
        // Of replicas that went away nothing needs to be known.
        standings
            .retain(|peer, standing| peers.contains(peer) || standing.in_flight.load(Ordering::Relaxed) > 0);
        let load = |peer: &Peer| {
            standings.get(peer).map_or(0, |standing| standing.in_flight.load(Ordering::Relaxed))
        };
        let total: usize = peers.iter().map(load).sum();
        let share = total / peers.len().max(1);
        let bound = share + share / 4 + SLACK;
        let mut order: Vec<(bool, bool, u64, Peer)> = peers
            .iter()
            .map(|peer| {
                let shunned = standings.get(peer).is_some_and(|standing| standing.shunned_until > now);
                (shunned, load(peer) >= bound, u64::MAX - weight(function, peer), Arc::clone(peer))
            })
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(.., peer)| peer).collect()
    }

    pub(crate) fn begin(&self, peer: &Peer) -> InFlight {
        let mut standings = self.standings.lock();
        let in_flight = Arc::clone(&standings.entry(Arc::clone(peer)).or_default().in_flight);
        in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(in_flight)
    }

    /// It could not be reached, or it stops.
    pub(crate) fn shun(&self, peer: &Peer) {
        let until = self.clock.monotonic() + PENALTY;
        self.standings.lock().entry(Arc::clone(peer)).or_default().shunned_until = until;
    }
}

/// Equal in every process of one release: the hasher has fixed keys.
fn weight(function: &FunctionKey, peer: &Peer) -> u64 {
    let mut hasher = DefaultHasher::new();
    function.hash(&mut hasher);
    peer.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StaticPeers;
    use eventflow_testkit::{ManualClock, key};
    use std::collections::BTreeMap;

    fn choice(peers: &[&str]) -> (Choice, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let peers = Arc::new(StaticPeers::new(peers.iter().copied()));
        (Choice::new(peers, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn first(choice: &Choice, function: &FunctionKey) -> Peer {
        choice.order(function).into_iter().next().expect("a peer")
    }

    #[test]
    fn functions_are_spread_over_the_replicas_and_each_stays_where_it_is() {
        let (choice, _) = choice(&["a:1", "b:1", "c:1"]);
        let mut counts = BTreeMap::<Peer, usize>::new();
        for n in 0..300 {
            let function = key(&format!("f{n}"));
            assert_eq!(first(&choice, &function), first(&choice, &function));
            *counts.entry(first(&choice, &function)).or_default() += 1;
        }
        assert_eq!(counts.len(), 3, "{counts:?}");
        assert!(counts.values().all(|&count| count > 50), "{counts:?}");
    }

    #[test]
    fn when_a_replica_goes_only_its_functions_move() {
        let (three, _) = choice(&["a:1", "b:1", "c:1"]);
        let (two, _) = choice(&["a:1", "b:1"]);
        for n in 0..200 {
            let function = key(&format!("f{n}"));
            let before = first(&three, &function);
            if &*before != "c:1" {
                assert_eq!(first(&two, &function), before);
            }
        }
    }

    #[test]
    fn a_loaded_replica_spills_to_the_next_and_takes_calls_again_when_it_is_free() {
        let (choice, _) = choice(&["a:1", "b:1"]);
        let function = key("f");
        let home = first(&choice, &function);
        let mut calls: Vec<_> = (0..SLACK).map(|_| choice.begin(&home)).collect();
        // Its share is half of eight, the bound 4 + 1 + 8.
        assert_eq!(first(&choice, &function), home);
        calls.extend((0..16).map(|_| choice.begin(&home)));
        assert_ne!(first(&choice, &function), home);
        drop(calls);
        assert_eq!(first(&choice, &function), home);
    }

    #[test]
    fn a_replica_that_could_not_be_reached_is_asked_last_for_a_while() {
        let (choice, clock) = choice(&["a:1", "b:1"]);
        let function = key("f");
        let home = first(&choice, &function);
        choice.shun(&home);
        assert_ne!(first(&choice, &function), home);
        assert_eq!(choice.order(&function).len(), 2, "it is still there, as the last hope");
        clock.advance(PENALTY + Duration::from_millis(1));
        assert_eq!(first(&choice, &function), home);
    }
}
