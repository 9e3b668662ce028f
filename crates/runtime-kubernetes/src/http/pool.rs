//! The copies of one function: who takes the next request.

use super::ready::Ready;
use eventflow_domain::VersionNumber;
use eventflow_runtime_http::{self as forward, Connections, Tasks};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A copy that refused a connection is asked last for so long.
const SUSPECT: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct Copy {
    ready: Ready,
    connections: Arc<Connections>,
    in_flight: usize,
    suspect_until: Option<Instant>,
    /// Gone from the slices; still here for those who are at it.
    gone: bool,
}

#[derive(Debug)]
struct Waiter {
    per_copy: usize,
    version: VersionNumber,
    place: oneshot::Sender<Place>,
}

#[derive(Debug, Default)]
struct State {
    copies: Vec<Copy>,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    tasks: Tasks,
}

/// A request's place at a copy; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pool: Arc<Pool>,
    address: SocketAddr,
    version: Option<VersionNumber>,
    connections: Arc<Connections>,
}

impl Place {
    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    pub(super) fn version(&self) -> Option<VersionNumber> {
        self.version
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.release(self.address);
    }
}

impl forward::Place for Place {
    /// The kubelet decides about the copy; we only stop reading.
    fn overran(&self) {}
}

impl Pool {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self { state: Mutex::default(), tasks }
    }

    /// Whether no copy is ready.
    pub(super) fn is_empty(&self) -> bool {
        self.state.lock().copies.iter().all(|copy| copy.gone)
    }

    /// Whether requests wait.
    pub(super) fn is_wanted(&self) -> bool {
        self.state.lock().waiting.iter().any(|waiter| !waiter.place.is_closed())
    }

    pub(super) fn in_flight(&self) -> usize {
        let state = self.state.lock();
        state.copies.iter().map(|copy| copy.in_flight).sum::<usize>() + state.waiting.len()
    }

    /// Waits for a place, in the order of asking.
    pub(super) async fn acquire(self: &Arc<Self>, per_copy: usize, version: VersionNumber) -> Place {
        loop {
            let (place, given) = oneshot::channel();
            self.state.lock().waiting.push_back(Waiter { per_copy, version, place });
            self.settle();
            if let Ok(place) = given.await {
                return place;
            }
        }
    }

    /// The copies that are ready now.
    pub(super) fn replace(self: &Arc<Self>, ready: Vec<Ready>) {
        {
            let mut state = self.state.lock();
            for copy in &mut state.copies {
                copy.gone = !ready.iter().any(|now| now.address == copy.ready.address);
            }
            state.copies.retain(|copy| !copy.gone || copy.in_flight > 0);
            for now in ready {
                match state.copies.iter_mut().find(|copy| copy.ready.address == now.address) {
                    Some(copy) => copy.ready.version = now.version.or(copy.ready.version),
                    None => state.copies.push(Copy {
                        ready: now,
                        connections: Arc::new(Connections::new(now.address, self.tasks.clone())),
                        in_flight: 0,
                        suspect_until: None,
                        gone: false,
                    }),
                }
            }
        }
        self.settle();
    }

    /// It took no connection.
    pub(super) fn suspect(&self, place: &Place) {
        let mut state = self.state.lock();
        if let Some(copy) = state.copies.iter_mut().find(|copy| copy.ready.address == place.address) {
            copy.suspect_until = Some(Instant::now() + SUSPECT);
        }
    }

    fn release(self: &Arc<Self>, address: SocketAddr) {
        {
            let mut state = self.state.lock();
            if let Some(copy) = state.copies.iter_mut().find(|copy| copy.ready.address == address) {
                copy.in_flight = copy.in_flight.saturating_sub(1);
            }
            state.copies.retain(|copy| !copy.gone || copy.in_flight > 0);
        }
        self.settle();
    }

    /// Gives places to those who wait, as long as there are any.
    fn settle(self: &Arc<Self>) {
        loop {
            let (waiter, place) = {
                let mut state = self.state.lock();
                while state.waiting.front().is_some_and(|waiter| waiter.place.is_closed()) {
                    state.waiting.pop_front();
                }
                let Some(first) = state.waiting.front() else { return };
                let Some(at) = choose(&state.copies, first.per_copy, first.version) else { return };
                let Some(copy) = state.copies.get_mut(at) else { return };
                copy.in_flight += 1;
                let place = Place {
                    pool: Arc::clone(self),
                    address: copy.ready.address,
                    version: copy.ready.version,
                    connections: Arc::clone(&copy.connections),
                };
                (state.waiting.pop_front(), place)
            };
            // Whoever gave up meanwhile gives the place back by its drop, which comes here again.
            if let Some(waiter) = waiter {
                drop(waiter.place.send(place));
            }
        }
    }
}

/// The less loaded of two that may take one more; those of the wanted version first, those that refused last.
fn choose(copies: &[Copy], per_copy: usize, version: VersionNumber) -> Option<usize> {
    let now = Instant::now();
    let free = |copy: &Copy| !copy.gone && copy.in_flight < per_copy;
    let well = |copy: &Copy| copy.suspect_until.is_none_or(|until| until <= now);
    let of_version = |copy: &Copy| copy.ready.version.is_none_or(|of| of == version);
    let pick = |wanted: &dyn Fn(&Copy) -> bool| -> Option<usize> {
        let all: Vec<usize> = copies
            .iter()
            .enumerate()
            .filter(|(_, copy)| free(copy) && wanted(copy))
            .map(|(at, _)| at)
            .collect();
        let (one, other) = (any(&all)?, any(&all)?);
        let load = |at: usize| copies.get(at).map_or(usize::MAX, |copy| copy.in_flight);
        Some(if load(other) < load(one) { other } else { one })
    };
    pick(&|copy| well(copy) && of_version(copy))
        .or_else(|| pick(&|copy| well(copy)))
        .or_else(|| pick(&|_| true))
}

fn any(all: &[usize]) -> Option<usize> {
    if all.is_empty() {
        return None;
    }
    all.get(rand::random_range(0..all.len())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    fn ready(last: u8, version: i32) -> Ready {
        Ready { address: SocketAddr::from(([10, 0, 0, last], 80)), version: Some(VersionNumber(version)) }
    }

    fn pool(copies: &[Ready]) -> Arc<Pool> {
        let pool = Arc::new(Pool::new(Tasks::default()));
        pool.replace(copies.to_vec());
        pool
    }

    const V1: VersionNumber = VersionNumber(1);

    #[tokio::test]
    async fn no_copy_takes_more_than_its_share_and_the_rest_waits_in_order() {
        let pool = pool(&[ready(1, 1), ready(2, 1)]);
        let mut places = Vec::new();
        for _ in 0..4 {
            places.push(pool.acquire(2, V1).now_or_never().expect("is free"));
        }
        let of_first = places.iter().filter(|place| place.address == ready(1, 1).address).count();
        assert_eq!(of_first, 2);
        let (mut one, mut two) = (Box::pin(pool.acquire(2, V1)), Box::pin(pool.acquire(2, V1)));
        assert!(futures::poll!(&mut one).is_pending() && futures::poll!(&mut two).is_pending());
        assert_eq!(pool.in_flight(), 6);
        drop(places.pop());
        assert!(futures::poll!(&mut two).is_pending(), "the first one has it");
        assert!(futures::poll!(&mut one).is_ready());
    }

    #[tokio::test]
    async fn a_request_that_gave_up_gives_its_place_to_the_next() {
        let pool = pool(&[ready(1, 1)]);
        let held = pool.acquire(1, V1).await;
        let mut first = Box::pin(pool.acquire(1, V1));
        let mut second = Box::pin(pool.acquire(1, V1));
        assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
        drop(first);
        drop(held);
        assert!(futures::poll!(&mut second).is_ready());
    }

    #[tokio::test]
    async fn held_requests_go_to_the_first_copy_that_is_ready() {
        let pool = pool(&[]);
        let mut held = Box::pin(pool.acquire(10, V1));
        assert!(futures::poll!(&mut held).is_pending() && pool.is_wanted() && pool.is_empty());
        pool.replace(vec![ready(7, 1)]);
        assert!(futures::poll!(&mut held).is_ready());
    }

    #[tokio::test]
    async fn copies_of_the_wanted_version_are_preferred_while_both_are_there() {
        let pool = pool(&[ready(1, 1), ready(2, 2)]);
        let mut places = Vec::new();
        for _ in 0..3 {
            places.push(pool.acquire(3, VersionNumber(2)).await);
        }
        assert!(places.iter().all(|place| place.version() == Some(VersionNumber(2))));
        assert_eq!(
            pool.acquire(3, VersionNumber(2)).await.version(),
            Some(V1),
            "rather an old one than none"
        );
    }

    #[tokio::test]
    async fn a_copy_that_refused_is_asked_last_and_one_that_is_gone_not_at_all() {
        let pool = pool(&[ready(1, 1), ready(2, 1)]);
        let place = pool.acquire(9, V1).await;
        pool.suspect(&place);
        for _ in 0..5 {
            assert_ne!(pool.acquire(9, V1).await.address, place.address);
        }
        let gone = place.address;
        let left = if gone == ready(1, 1).address { ready(2, 1) } else { ready(1, 1) };
        pool.replace(vec![left]);
        assert_eq!(pool.in_flight(), 1, "whoever is there may end");
        drop(place);
        assert_eq!(pool.in_flight(), 0);
        assert_eq!(pool.acquire(9, V1).await.address, left.address);
    }
}
