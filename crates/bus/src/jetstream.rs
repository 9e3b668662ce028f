//! The bus of the cluster: work on a JetStream work queue, live news on core NATS.
//!
//! A message is on the stream until it is acked: the server may be killed, and who holds the message may die. Nothing
//! is lost by losing the whole server either, because the store publishes again what waits.
//!
//! ```text
//!   publish ──PubAck──▶ stream, one subject for each function ──pull──▶ held ──ack, confirmed──▶ gone
//!      │                        │ counted now and then               │ │ in_progress, every third of ack_wait
//!      └──announced to all──▶ active()                               │ └──▶ (alive however long it runs)
//!                               ▲──────── rung when its delay is over ◀── nak
//! ```

mod acks;
mod activity;
mod config;
mod connect;
mod consumers;
mod core;
mod counters;
mod depth;
mod events;
mod fetch;
mod health;
mod held;
mod live;
mod names;
mod probe;
mod publish;
mod scratch;
mod streams;
mod stuck;
mod wire;

pub use config::Config;
pub use connect::{OLDEST_SERVER, StartError, Version};
pub use counters::Counts;
pub use events::{FunctionEvent, FunctionEvents};
pub use health::BusHealth;
pub use streams::Drift;

use self::core::{Core, Link};
use activity::Activity;
use async_nats::Subscriber;
use async_nats::jetstream::context::ContextBuilder;
use async_trait::async_trait;
use consumers::Consumers;
use eventflow_domain::ports::{Bus, Clock, Delivery, Live, Message, Topic};
use eventflow_domain::{FunctionKey, Result, Timestamp};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use held::Held;
use names::Names;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// One connection to NATS and what it needs to stay useful. Dropped, its tasks end; [`JetStreamBus::close`] ends it
/// in order.
#[derive(Debug)]
pub struct JetStreamBus {
    core: Arc<Core>,
    runtime: runtime::Handle,
    tasks: Mutex<JoinSet<()>>,
}

impl JetStreamBus {
    /// Connects, checks the server's version, and makes or repairs the streams. Must be called within a runtime, whose
    /// tasks it uses.
    ///
    /// # Errors
    /// Where no server answers within [`Config::start_timeout`], or the one that does cannot be used. No error shows a
    /// password.
    pub async fn connect(config: Config) -> Result<Self, StartError> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(StartError::Config(problems));
        }
        let link = Arc::new(Link::new());
        let client = connect::connect(&config, &link).await?;
        let jetstream = ContextBuilder::new()
            .timeout(config.request_timeout)
            .ack_timeout(config.request_timeout)
            .max_ack_inflight(config.publish_window)
            .build(client.clone());
        let core = Arc::new(Core {
            names: Names::new(&config),
            client,
            jetstream,
            link,
            counters: counters::Counters::default(),
            held: Held::new(config.max_held),
            activity: Activity::new(),
            consumers: Consumers::default(),
            streams: health::KnownStreams::default(),
            stuck: stuck::Stuck::default(),
            scratch: scratch::Others::default(),
            renewed: watch::Sender::new(None),
            outbox: live::Outbox::default(),
            health: watch::Sender::new(BusHealth::default()),
            suspect: Notify::new(),
            told: Notify::new(),
            config,
        });
        health::start(&core).await.map_err(StartError::Streams)?;
        let words = hear(&core, &core.names.active).await?;
        let repairs = hear(&core, &core.names.renewed).await?;

        let mut tasks = JoinSet::new();
        tasks.spawn(activity::hear(Arc::clone(&core), words));
        tasks.spawn(health::hear(Arc::clone(&core), repairs));
        tasks.spawn(activity::release(Arc::clone(&core)));
        tasks.spawn(activity::recount(Arc::clone(&core)));
        tasks.spawn(acks::keep(Arc::clone(&core)));
        tasks.spawn(health::watch(Arc::clone(&core)));
        tasks.spawn(live::send(Arc::clone(&core)));
        Ok(Self { core, runtime: runtime::Handle::current(), tasks: Mutex::new(tasks) })
    }

    /// Readiness, as it changes.
    pub fn health(&self) -> watch::Receiver<BusHealth> {
        self.core.health.subscribe()
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.core.counters.counts();
        counts.disconnects = self.core.link.losses();
        counts
    }

    /// Stores a message of no function and takes it away again: fails where the bus is full, its disk too, or gone.
    pub async fn probe(&self) -> Result<()> {
        probe::probe(&self.core).await
    }

    /// A publisher of CloudEvents; `source` names this installation (a URI reference).
    pub fn function_events(&self, clock: Arc<dyn Clock>, source: impl Into<String>) -> FunctionEvents {
        FunctionEvents::start(Arc::clone(&self.core), clock, source.into(), &self.runtime)
    }

    /// Sends what waits to be sent and ends the connection, within `grace`. What is held and not acked is delivered
    /// again when its time is over.
    pub async fn close(&self, grace: Duration) {
        let drain = async {
            while !self.core.outbox.is_empty() && self.core.is_up() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if self.core.client.flush().await.is_ok() && self.core.client.drain().await.is_ok() {
                // Its end is an event; the last bytes are on their way before.
                while self.core.client.flush().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        if tokio::time::timeout(grace, drain).await.is_err() {
            tracing::warn!("the connection to NATS was not closed in time");
        }
        self.tasks.lock().abort_all();
    }
}

async fn hear(core: &Core, subject: &str) -> Result<Subscriber, StartError> {
    let words = core.client.subscribe(subject.to_owned()).await;
    words.map_err(|error| StartError::Streams(self::core::nothing_taken(error)))
}

#[async_trait]
impl Bus for JetStreamBus {
    /// Returns when the server has confirmed all of `messages`. `Unavailable` (reason `BusFull` where the stream or
    /// its disk is full): some may be there; publishing them again within the duplicate window stores none twice.
    async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        publish::publish(&self.core, messages).await
    }

    fn active(&self) -> BoxStream<'static, FunctionKey> {
        Activity::listen(&self.core)
    }

    async fn fetch(&self, function: &FunctionKey, max: usize) -> Result<Vec<Delivery>> {
        fetch::fetch(&self.core, function, max).await
    }

    /// Returns when the server has confirmed it; what it did not confirm is told again until it has.
    async fn ack(&self, deliveries: Vec<Delivery>) -> Result<()> {
        acks::ack(&self.core, deliveries.into_iter().map(|delivery| delivery.token)).await
    }

    async fn nak(&self, delivery: Delivery, delay: Duration) -> Result<()> {
        acks::nak(&self.core, delivery, delay).await
    }

    async fn depth(&self, function: &FunctionKey) -> Result<Option<u64>> {
        depth::deliverable(&self.core, function).await.map(Some)
    }

    /// By the clock of the server.
    fn forgot(&self) -> BoxStream<'static, Timestamp> {
        let renewed = self.core.renewed.subscribe();
        stream::unfold(renewed, |mut renewed| async {
            renewed.changed().await.ok()?;
            let made = *renewed.borrow_and_update();
            Some((made.unwrap_or_default(), renewed))
        })
        .boxed()
    }

    async fn purge(&self, function: &FunctionKey) -> Result<()> {
        self.core.held.forget(function);
        self.core.activity.forget(function);
        probe::purge(&self.core, &self.core.names.invoke(function)).await
    }

    fn announce(&self, live: Live) {
        live::announce(&self.core, live);
    }

    fn listen(&self, topic: Topic) -> BoxStream<'static, Live> {
        live::listen(&self.core, &self.runtime, topic)
    }
}
