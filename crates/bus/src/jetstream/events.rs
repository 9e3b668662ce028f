//! CloudEvents 1.0 about functions, for anyone to subscribe to. Best effort: they are news, not the record.

use super::core::Core;
use super::publish;
use async_nats::jetstream::message::PublishMessage;
use eventflow_domain::error::Chain;
use eventflow_domain::ports::{self, Clock};
use eventflow_domain::{Error, FunctionKey, Result};
use futures::StreamExt as _;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

/// Events that wait to be sent; more are dropped.
const WAITING: usize = 1_024;
/// Of them, unconfirmed at once.
const WINDOW: usize = 64;

/// What happened to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionEvent {
    Created,
    Updated,
    Deleted,
    Invoked,
}

impl FunctionEvent {
    fn token(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Invoked => "invoked",
        }
    }
}

/// An event in the structured JSON format (<https://github.com/cloudevents/spec>).
#[derive(Debug, Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    /// `<namespace>/<function>`.
    subject: String,
    /// RFC 3339.
    time: String,
    datacontenttype: &'static str,
    data: Value,
}

#[derive(Debug)]
struct News {
    subject: String,
    id: String,
    body: Vec<u8>,
}

/// Publishes events without making anyone wait; what does not fit or fails is dropped and counted.
#[derive(Debug)]
pub struct FunctionEvents {
    core: Arc<Core>,
    clock: Arc<dyn Clock>,
    source: String,
    queue: mpsc::Sender<News>,
    sender: JoinSet<()>,
}

impl FunctionEvents {
    pub(super) fn start(
        core: Arc<Core>,
        clock: Arc<dyn Clock>,
        source: String,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let (queue, news) = mpsc::channel(WAITING);
        let mut sender = JoinSet::new();
        sender.spawn_on(send_all(Arc::clone(&core), news), runtime);
        Self { core, clock, source, queue, sender }
    }

    /// Tells that `what` happened to `function`; `data` is the event's own content.
    pub fn emit(&self, what: FunctionEvent, function: &FunctionKey, data: Value) {
        let id = Uuid::now_v7().to_string();
        let event = CloudEvent {
            specversion: "1.0",
            id: id.clone(),
            source: &self.source,
            kind: format!("io.eventflow.function.{}", what.token()),
            subject: function.to_string(),
            time: self.clock.now().rfc3339(),
            datacontenttype: "application/json",
            data,
        };
        let Ok(body) = serde_json::to_vec(&event) else { return };
        let news = News { subject: self.core.names.cloud_event(what.token(), function), id, body };
        if self.queue.try_send(news).is_err() {
            self.core.counters.events_dropped.add(1);
        }
    }

    /// Sends what waits, for at most `grace`.
    pub async fn close(self, grace: Duration) {
        let Self { queue, mut sender, .. } = self;
        drop(queue);
        // What is left then is dropped with its task.
        let _late = tokio::time::timeout(grace, sender.join_next()).await;
    }
}

impl ports::FunctionEvents for FunctionEvents {
    fn tell(&self, event: ports::FunctionEvent) {
        use ports::FunctionEvent as Event;
        let (what, function) = match event {
            Event::Created(function) => (FunctionEvent::Created, function),
            Event::Updated(function) => (FunctionEvent::Updated, function),
            Event::Deleted(function) => (FunctionEvent::Deleted, function),
            Event::Invoked { function, invocation, version, source } => {
                let data = json!({
                    "invocation": invocation.to_string(),
                    "version": version.0,
                    "source": source.as_str(),
                });
                return self.emit(FunctionEvent::Invoked, &function, data);
            }
        };
        let data = json!({
            "uid": function.uid.to_string(),
            "generation": function.generation,
            "version": function.version.0,
            "paused": function.paused,
        });
        self.emit(what, &function.key, data);
    }
}

async fn send_all(core: Arc<Core>, news: mpsc::Receiver<News>) {
    let core = &core;
    ReceiverStream::new(news)
        .for_each_concurrent(WINDOW, |news| async move {
            if let Err(error) = core.online(send(core, news)).await {
                tracing::debug!(error = %Chain(&error), "dropped an event of a function");
                core.counters.events_dropped.add(1);
            }
        })
        .await;
}

async fn send(core: &Core, news: News) -> Result<()> {
    let message = PublishMessage::build()
        .payload(news.body.into())
        .header("Content-Type", "application/cloudevents+json")
        .message_id(news.id);
    let failed = |error| -> Error { publish::failed(core, error) };
    core.jetstream.send_publish(news.subject, message).await.map_err(failed)?.await.map_err(failed)?;
    Ok(())
}
