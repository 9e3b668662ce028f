//! The in-memory bus as several processes share a broker: what one of them took and did not ack comes again.

use async_trait::async_trait;
use eventflow_domain::ports::{Bus, Delivery, Live, Message, Topic};
use eventflow_domain::{FunctionKey, Result, Timestamp};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};

/// What a broker waits for an ack.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// One member's line to the broker.
#[derive(Debug)]
pub(super) struct SharedBus {
    broker: Arc<dyn Bus>,
    taken: Mutex<Vec<Delivery>>,
    hangs: watch::Sender<bool>,
    forgot: broadcast::Sender<Timestamp>,
}

impl SharedBus {
    pub(super) fn new(broker: &Arc<dyn Bus>) -> Self {
        Self {
            broker: Arc::clone(broker),
            taken: Mutex::default(),
            hangs: watch::Sender::new(false),
            forgot: broadcast::Sender::new(4),
        }
    }

    /// From here on this member takes nothing more, and the broker waits for its acks in vain.
    pub(super) async fn hang(&self) {
        self.hangs.send_replace(true);
        let taken = std::mem::take(&mut *self.taken.lock());
        for delivery in taken {
            self.broker.nak(delivery, ACK_WAIT).await.expect("in memory");
        }
    }

    pub(super) fn comes_back(&self) {
        self.hangs.send_replace(false);
    }

    /// This member hears that the broker lost everything that it had before `at`.
    pub(super) fn says_that_it_forgot(&self, at: Timestamp) {
        self.forgot.send(at).expect("somebody listens");
    }

    /// Forgets the delivery; whether it was still this member's.
    fn gives(&self, delivery: &Delivery) -> bool {
        let mut taken = self.taken.lock();
        let before = taken.len();
        taken.retain(|held| held.token != delivery.token);
        taken.len() < before
    }
}

#[async_trait]
impl Bus for SharedBus {
    async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        self.broker.publish(messages).await
    }

    fn active(&self) -> BoxStream<'static, FunctionKey> {
        self.broker.active()
    }

    async fn fetch(&self, function: &FunctionKey, max: usize) -> Result<Vec<Delivery>> {
        self.hangs.subscribe().wait_for(|hangs| !hangs).await.expect("the line is here");
        let deliveries = self.broker.fetch(function, max).await?;
        self.taken.lock().extend(deliveries.iter().cloned());
        Ok(deliveries)
    }

    async fn ack(&self, mut deliveries: Vec<Delivery>) -> Result<()> {
        deliveries.retain(|delivery| self.gives(delivery));
        self.broker.ack(deliveries).await
    }

    async fn nak(&self, delivery: Delivery, delay: Duration) -> Result<()> {
        if self.gives(&delivery) { self.broker.nak(delivery, delay).await } else { Ok(()) }
    }

    async fn depth(&self, function: &FunctionKey) -> Result<Option<u64>> {
        self.broker.depth(function).await
    }

    async fn purge(&self, function: &FunctionKey) -> Result<()> {
        self.broker.purge(function).await
    }

    fn forgot(&self) -> BoxStream<'static, Timestamp> {
        stream::unfold(self.forgot.subscribe(), |mut forgot| async {
            Some((forgot.recv().await.ok()?, forgot))
        })
        .boxed()
    }

    fn announce(&self, live: Live) {
        self.broker.announce(live);
    }

    fn listen(&self, topic: Topic) -> BoxStream<'static, Live> {
        self.broker.listen(topic)
    }
}
