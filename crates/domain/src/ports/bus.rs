use crate::error::Result;
use crate::function::FunctionKey;
use crate::ids::{Epoch, FunctionUid, InvocationId};
use crate::lifecycle::State;
use crate::logs::FunctionLogLine;
use crate::time::Timestamp;
use crate::trace::TraceContext;
use async_trait::async_trait;
use futures_core::stream::BoxStream;
use std::fmt::Debug;
use std::time::Duration;

/// "This call may be claimed": ids only, never payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub invocation: InvocationId,
    pub function: FunctionKey,
    pub function_uid: FunctionUid,
    /// The epoch the record had when it was published; with the publish number it makes the message id.
    pub epoch: Epoch,
    /// How often this call was published at this epoch.
    pub publish: u32,
    /// What the next hop belongs to.
    pub trace: TraceContext,
}

/// A message handed to this process; it comes again unless it is acked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub message: Message,
    /// How the adapter knows it.
    pub token: u64,
}

/// What is told live, to whoever listens now. May be lost: the store is what is true.
#[derive(Debug, Clone)]
pub enum Live {
    LogLines {
        function: FunctionKey,
        lines: Vec<FunctionLogLine>,
    },
    /// The owner of this running call should end it.
    CancelRequested {
        invocation: InvocationId,
    },
    /// The record changed its state.
    Changed {
        invocation: InvocationId,
        function: FunctionKey,
        state: State,
    },
}

/// What to listen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// Log lines and changes of one call.
    Invocation(InvocationId),
    /// Log lines and changes of all calls of one function, and lines of its warm copies.
    Function(FunctionKey),
    /// Cancel wishes.
    Cancels,
    /// Changes of all calls.
    Changes,
}

/// Transport of work to workers. Wiping it loses nothing: the store publishes again what it misses.
#[async_trait]
pub trait Bus: Debug + Send + Sync {
    /// Hands messages over; returned = the bus has them.
    async fn publish(&self, messages: Vec<Message>) -> Result<()>;

    /// Functions with waiting messages: the current ones first, then each that becomes active.
    fn active(&self) -> BoxStream<'static, FunctionKey>;

    /// Up to `max` waiting messages of one function, oldest first; empty if there are none. Does not wait.
    async fn fetch(&self, function: &FunctionKey, max: usize) -> Result<Vec<Delivery>>;

    /// Done with it: settled, requeued or stale.
    async fn ack(&self, deliveries: Vec<Delivery>) -> Result<()>;

    /// Not now: deliver it again after `delay`.
    async fn nak(&self, delivery: Delivery, delay: Duration) -> Result<()>;

    /// Messages of a function that wait or are in flight, as far as they will ever be delivered; `None` if the bus cannot
    /// tell.
    async fn depth(&self, function: &FunctionKey) -> Result<Option<u64>>;

    /// Whenever the bus lost what it had, from now on: what was published before that time is to be published again. A bus
    /// that cannot tell says nothing.
    fn forgot(&self) -> BoxStream<'static, Timestamp>;

    /// Forgets all messages of a function.
    async fn purge(&self, function: &FunctionKey) -> Result<()>;

    /// Tells listeners; never waits for them.
    fn announce(&self, live: Live);

    /// Listens from now on. A listener that is too slow misses some.
    fn listen(&self, topic: Topic) -> BoxStream<'static, Live>;
}
