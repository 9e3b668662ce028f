//! What all parts of the bus share.

use super::activity::Activity;
use super::config::Config;
use super::consumers::Consumers;
use super::counters::Counters;
use super::health::{BusHealth, KnownStreams};
use super::held::Held;
use super::live::Outbox;
use super::names::Names;
use super::scratch::Others;
use super::stuck::Stuck;
use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use eventflow_domain::{Error, Result, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::time::Duration;
use tokio::sync::{Notify, watch};

#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) names: Names,
    pub(super) client: Client,
    pub(super) jetstream: Context,
    pub(super) link: std::sync::Arc<Link>,
    pub(super) counters: Counters,
    pub(super) held: Held,
    pub(super) activity: Activity,
    pub(super) consumers: Consumers,
    pub(super) streams: KnownStreams,
    pub(super) stuck: Stuck,
    pub(super) scratch: Others,
    /// When the stream of work was made, by the server's clock; changes when it is another one.
    pub(super) renewed: watch::Sender<Option<Timestamp>>,
    pub(super) outbox: Outbox,
    pub(super) health: watch::Sender<BusHealth>,
    /// Asks for a check of the streams now.
    pub(super) suspect: Notify,
    /// Somebody else has just repaired something: what is asked of the old need not be waited for.
    pub(super) told: Notify,
}

/// What the connection says of itself.
#[derive(Debug)]
pub(super) struct Link {
    /// How often it was lost, and was there again.
    turns: watch::Sender<(u64, u64)>,
}

impl Link {
    pub(super) fn new() -> Self {
        Self { turns: watch::Sender::new((0, 0)) }
    }

    pub(super) fn connected(&self) {
        // The first time is told late, and is no news.
        self.turns.send_if_modified(|(lost, back)| std::mem::replace(back, *lost) != *lost);
    }

    pub(super) fn lost(&self) {
        self.turns.send_modify(|(lost, _)| *lost += 1);
    }

    /// How often it was lost.
    pub(super) fn losses(&self) -> u64 {
        self.turns.borrow().0
    }

    /// Wakes at each change.
    pub(super) fn watch(&self) -> watch::Receiver<(u64, u64)> {
        self.turns.subscribe()
    }

    async fn until_lost(&self, losses: u64) {
        let mut turns = self.watch();
        // The sender lives as long as this.
        let _ended = turns.wait_for(|turn| turn.0 != losses).await;
    }
}

impl Core {
    /// Whether the server is there, as far as the connection knows. Words of the link may be lost, this is not.
    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// What is asked of the server ends with the connection, not with its own timeout.
    pub(super) async fn online<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let losses = self.link.losses();
        if !self.is_up() {
            return Err(offline());
        }
        tokio::select! {
            biased;
            done = work => done,
            () = self.link.until_lost(losses) => Err(offline()),
        }
    }

    /// One step of the library's own, which is large.
    pub(super) async fn ask<T: Send>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.online(within(self.config.request_timeout, Box::pin(work))).await
    }

    /// A request to the API of JetStream.
    pub(super) async fn api<V: DeserializeOwned>(
        &self,
        subject: String,
        request: &impl Serialize,
    ) -> Result<V> {
        let answer = async {
            let answer: jetstream::response::Response<V> = self
                .jetstream
                .request(subject, request)
                .await
                .map_err(|error| Error::unavailable("the bus does not answer").with_cause(error))?;
            match answer {
                jetstream::response::Response::Ok(answer) => Ok(answer),
                jetstream::response::Response::Err { error } => Err(refused(error)),
            }
        };
        self.online(answer).await
    }

    /// Sends on core NATS: nobody confirms it.
    pub(super) async fn send(
        &self,
        subject: impl async_nats::subject::ToSubject,
        payload: Bytes,
    ) -> Result<()> {
        let sent = async { self.client.publish(subject, payload).await.map_err(nothing_taken) };
        self.online(within(self.config.request_timeout, sent)).await
    }
}

/// Bounds what has no timeout of its own.
pub(super) async fn within<T>(timeout: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |elapsed| Err(Error::unavailable("the bus does not answer").with_cause(elapsed));
    tokio::time::timeout(timeout, work).await.unwrap_or_else(late)
}

pub(super) fn offline() -> Error {
    Error::unavailable("the bus is not connected")
}

pub(super) fn nothing_taken(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable("the bus takes nothing").with_cause(error)
}

/// JetStream said no: all of it may be otherwise later.
pub(super) fn refused(error: jetstream::Error) -> Error {
    Error::unavailable("the bus refuses").with_metadata("code", error.error_code().0).with_cause(error)
}
