//! The bus of the local shape: everything in this process, gone with it.

mod queues;
mod topics;

use crate::bells::Bells;
use async_trait::async_trait;
use eventflow_domain::ports::{Bus, Clock, Delivery, Live, Message, Topic};
use eventflow_domain::{Error, ErrorKind, FunctionKey, Result, Timestamp};
use futures::future::{self, Either};
use futures::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use queues::Queues;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use topics::Topics;

/// Queues of ids per function, and live topics.
///
/// A message stays known until it is acked or purged, however long its call runs: nothing here can lose its
/// consumer without losing the process, so there is no redelivery by time. Delayed messages need no task: they are
/// released by the next fetch, and each [`Bus::active`] stream sleeps until the next of them is due.
#[derive(Debug)]
pub struct InMemoryBus {
    shared: Arc<Shared>,
    topics: Arc<Topics>,
    capacity: usize,
}

#[derive(Debug)]
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: Queues,
    bells: Bells,
}

impl State {
    /// Puts what is due back into its queue and rings for it.
    fn release(&mut self, now: Duration) {
        let bells = &mut self.bells;
        self.queues.release(now, |function| bells.ring(function));
    }
}

impl InMemoryBus {
    /// Messages that it holds before `publish` refuses more; about 50 MiB of ids.
    pub const CAPACITY: usize = 250_000;

    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, Self::CAPACITY)
    }

    /// A bus that holds at most `capacity` messages, over all functions, waiting and in flight.
    pub fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        let shared = Shared { clock, state: Mutex::default() };
        Self { shared: Arc::new(shared), topics: Arc::default(), capacity }
    }
}

#[async_trait]
impl Bus for InMemoryBus {
    /// Takes all of `messages` or, where they exceed the capacity, none: `Exhausted` (reason `BusFull`).
    async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        let mut state = self.shared.state.lock();
        let State { queues, bells } = &mut *state;
        if queues.len() + messages.len() > self.capacity {
            return Err(full(self.capacity));
        }
        for message in messages {
            if let Some(function) = queues.publish(message) {
                bells.ring(function);
            }
        }
        Ok(())
    }

    fn active(&self) -> BoxStream<'static, FunctionKey> {
        stream::unfold(Listening::start(Arc::clone(&self.shared)), |listening| async {
            let function = listening.next().await;
            Some((function, listening))
        })
        .boxed()
    }

    async fn fetch(&self, function: &FunctionKey, max: usize) -> Result<Vec<Delivery>> {
        let now = self.shared.clock.monotonic();
        let mut state = self.shared.state.lock();
        state.release(now);
        Ok(state.queues.fetch(function, max))
    }

    async fn ack(&self, deliveries: Vec<Delivery>) -> Result<()> {
        let mut state = self.shared.state.lock();
        for delivery in deliveries {
            state.queues.ack(delivery.token);
        }
        Ok(())
    }

    async fn nak(&self, delivery: Delivery, delay: Duration) -> Result<()> {
        let due = self.shared.clock.monotonic().saturating_add(delay);
        let mut state = self.shared.state.lock();
        let earliest = state.queues.nak(delivery.token, due);
        if delay.is_zero() {
            state.release(due);
        } else if earliest {
            state.bells.wake_all();
        }
        Ok(())
    }

    async fn depth(&self, function: &FunctionKey) -> Result<Option<u64>> {
        Ok(Some(self.shared.state.lock().queues.depth(function)))
    }

    async fn purge(&self, function: &FunctionKey) -> Result<()> {
        self.shared.state.lock().queues.purge(function);
        Ok(())
    }

    /// Never: what it has is lost only with this process.
    fn forgot(&self) -> BoxStream<'static, Timestamp> {
        stream::pending().boxed()
    }

    fn announce(&self, live: Live) {
        self.topics.announce(live);
    }

    fn listen(&self, topic: Topic) -> BoxStream<'static, Live> {
        Topics::listen(&self.topics, topic)
    }
}

fn full(capacity: usize) -> Error {
    Error::new(ErrorKind::Exhausted, "BusFull", "too many calls wait for a worker")
        .with_metadata("limit", capacity)
        .with_retry_after(Duration::from_secs(1))
}

/// One `active()` stream: its bell is taken down when it is dropped.
struct Listening {
    shared: Arc<Shared>,
    bell: u64,
    woken: Arc<Notify>,
}

impl Listening {
    fn start(shared: Arc<Shared>) -> Self {
        let mut state = shared.state.lock();
        let State { queues, bells } = &mut *state;
        let (bell, woken) = bells.hang(queues.waiting());
        drop(state);
        Self { shared, bell, woken }
    }

    async fn next(&self) -> FunctionKey {
        loop {
            let due_in = {
                let now = self.shared.clock.monotonic();
                let mut state = self.shared.state.lock();
                state.release(now);
                if let Some(function) = state.bells.take(self.bell) {
                    return function;
                }
                state.queues.next_due().map(|due| due.saturating_sub(now))
            };
            // A wake between the lock above and this line is kept by the `Notify`.
            let timer = match due_in {
                Some(wait) => Either::Left(tokio::time::sleep(wait)),
                None => Either::Right(future::pending()),
            };
            tokio::select! {
                () = self.woken.notified() => {}
                () = timer => {}
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shared.state.lock().bells.take_down(self.bell);
    }
}
