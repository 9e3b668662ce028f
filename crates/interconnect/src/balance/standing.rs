//! What is known of each api, and which one is asked.

use eventflow_domain::ports::{Clock, Peer, Peers};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// An api that could not be reached is asked last for so long, if no probe finds it before.
const PENALTY: Duration = Duration::from_secs(5);

/// How an api answered the last probe. The better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Health {
    Ready,
    /// Not asked yet.
    #[default]
    Unknown,
    /// It lives, and says that something is missing: its answers are more exact than ours would be.
    Answers,
    Silent,
}

#[derive(Debug, Default)]
struct Standing {
    in_flight: Arc<AtomicUsize>,
    health: Health,
    /// On the monotonic clock.
    shunned_until: Duration,
}

/// A request on its way to an api.
#[derive(Debug)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many apis are known, and how many of them answered when they were last asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answering {
    pub known: usize,
    pub ready: usize,
    /// The ready ones among them.
    pub answering: usize,
}

#[derive(Debug)]
pub(super) struct Standings {
    peers: Arc<dyn Peers>,
    clock: Arc<dyn Clock>,
    of: Mutex<HashMap<Peer, Standing>>,
    turn: AtomicUsize,
}

impl Standings {
    pub(super) fn new(peers: Arc<dyn Peers>, clock: Arc<dyn Clock>) -> Self {
        Self { peers, clock, of: Mutex::default(), turn: AtomicUsize::new(0) }
    }

    pub(super) fn peers(&self) -> Arc<[Peer]> {
        self.peers.current()
    }

    /// All apis, the one to ask first at the front: by health, then by load; equals take turns.
    pub(super) fn order(&self) -> Vec<Peer> {
        let peers = self.peers.current();
        let now = self.clock.monotonic();
        let mut of = self.of.lock();
        // Of replicas that went away nothing needs to be known.
        of.retain(|peer, standing| peers.contains(peer) || standing.in_flight.load(Ordering::Relaxed) > 0);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut order: Vec<(bool, Health, usize, usize, Peer)> = peers
            .iter()
            .enumerate()
            .map(|(number, peer)| {
                let known = of.get(peer);
                let shunned = known.is_some_and(|standing| standing.shunned_until > now);
                let health = known.map_or(Health::Unknown, |standing| standing.health);
                let load = known.map_or(0, |standing| standing.in_flight.load(Ordering::Relaxed));
                let place = number.wrapping_add(turn) % peers.len();
                (shunned, health, load, place, Arc::clone(peer))
            })
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(.., peer)| peer).collect()
    }

    pub(super) fn begin(&self, peer: &Peer) -> InFlight {
        let mut of = self.of.lock();
        let in_flight = Arc::clone(&of.entry(Arc::clone(peer)).or_default().in_flight);
        in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(in_flight)
    }

    /// It could not be reached, or it stops.
    pub(super) fn shun(&self, peer: &Peer) {
        let until = self.clock.monotonic() + PENALTY;
        self.of.lock().entry(Arc::clone(peer)).or_default().shunned_until = until;
    }

    /// What a probe found.
    pub(super) fn found(&self, peer: &Peer, health: Health) {
        let mut of = self.of.lock();
        let standing = of.entry(Arc::clone(peer)).or_default();
        if standing.health != health {
            tracing::info!(%peer, was = ?standing.health, is = ?health, "an api's health changed");
        }
        standing.health = health;
        if health == Health::Ready {
            standing.shunned_until = Duration::ZERO;
        }
    }

    pub(super) fn answering(&self) -> Answering {
        let peers = self.peers.current();
        let of = self.of.lock();
        let with = |good: &[Health]| {
            let health = |peer: &&Peer| of.get(*peer).is_some_and(|standing| good.contains(&standing.health));
            peers.iter().filter(health).count()
        };
        Answering {
            known: peers.len(),
            ready: with(&[Health::Ready]),
            answering: with(&[Health::Ready, Health::Answers]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StaticPeers;
    use eventflow_testkit::ManualClock;

    fn standings(peers: &[&str]) -> (Standings, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        let peers = Arc::new(StaticPeers::new(peers.iter().copied()));
        (Standings::new(peers, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn first(standings: &Standings) -> Peer {
        standings.order().into_iter().next().expect("a peer")
    }

    #[test]
    fn idle_apis_take_turns_and_a_busy_one_is_asked_after_the_others() {
        let (standings, _) = standings(&["a:1", "b:1"]);
        assert_ne!(first(&standings), first(&standings));
        let busy = Arc::<str>::from("a:1");
        let _request = standings.begin(&busy);
        for _ in 0..4 {
            assert_eq!(&*first(&standings), "b:1");
        }
    }

    #[test]
    fn one_that_could_not_be_reached_comes_last_until_a_probe_finds_it_or_its_time_is_over() {
        let (standings, clock) = standings(&["a:1", "b:1"]);
        let gone = Arc::<str>::from("a:1");
        standings.shun(&gone);
        for _ in 0..4 {
            assert_eq!(standings.order().iter().map(|peer| &**peer).collect::<Vec<_>>(), ["b:1", "a:1"]);
        }
        standings.found(&gone, Health::Ready);
        assert_eq!(first(&standings), gone, "and better than one that was not asked yet");
        standings.shun(&gone);
        clock.advance(PENALTY + Duration::from_millis(1));
        assert_eq!(first(&standings), gone);
    }

    #[test]
    fn ready_ones_come_before_those_that_only_answer_and_those_before_silent_ones() {
        let (standings, _) = standings(&["a:1", "b:1", "c:1"]);
        assert_eq!(standings.answering(), Answering { known: 3, ready: 0, answering: 0 });
        for (peer, health) in [("a:1", Health::Silent), ("b:1", Health::Answers), ("c:1", Health::Ready)] {
            standings.found(&peer.into(), health);
        }
        assert_eq!(standings.answering(), Answering { known: 3, ready: 1, answering: 2 });
        for _ in 0..3 {
            let order = standings.order();
            assert_eq!(order.iter().map(|peer| &**peer).collect::<Vec<_>>(), ["c:1", "b:1", "a:1"]);
        }
    }
}
