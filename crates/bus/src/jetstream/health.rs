//! Readiness of the bus: the streams are as they must be, and take messages. Drift is repaired as soon as it is found.

use super::core::{Core, offline, refused};
use super::names::Names;
use super::streams::{self, Drift};
use super::stuck::Probed;
use super::{activity, connect, probe, scratch, stuck};
use async_nats::Subscriber;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind, UpdateStreamErrorKind};
use async_nats::jetstream::stream;
use eventflow_domain::error::Chain;
use eventflow_domain::{Error, Result, Timestamp};
use futures::StreamExt as _;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Between two checks, however often somebody asks for one.
const REST: Duration = Duration::from_millis(100);
/// Between two checks of a bus that is not ready.
const AGAIN: Duration = Duration::from_millis(500);

/// What is wrong with the bus now, if anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BusHealth {
    /// Why the bus is not ready; `None` = ready.
    pub problem: Option<String>,
    /// The drift that was found last, and is repaired unless `problem` says otherwise.
    pub last_drift: Vec<Drift>,
    /// How often streams were repaired.
    pub repairs: u64,
}

impl BusHealth {
    pub fn is_ready(&self) -> bool {
        self.problem.is_none()
    }
}

/// When each stream was made, so that another one of the same name is noticed.
#[derive(Debug, Default)]
pub(super) struct KnownStreams(Mutex<HashMap<String, String>>);

impl KnownStreams {
    /// It is gone because we wanted it to.
    fn forget(&self, stream: &str) {
        self.0.lock().remove(stream);
    }

    fn knows(&self, stream: &str) -> bool {
        self.0.lock().contains_key(stream)
    }

    /// Whether it is not the one that was seen before.
    fn is_new(&self, stream: &str, created: &impl ToString) -> bool {
        let created = created.to_string();
        self.0.lock().insert(stream.to_owned(), created.clone()).is_none_or(|known| known != created)
    }
}

fn not_ready(core: &Core, problem: String) {
    core.health.send_if_modified(|health| {
        let news = health.problem.as_ref() != Some(&problem);
        if news {
            tracing::warn!(problem, "the bus is not ready");
            health.problem = Some(problem);
        }
        news
    });
}

fn ready(core: &Core) {
    core.health.send_if_modified(|health| {
        let news = health.problem.take().is_some();
        if news {
            tracing::info!("the bus is ready");
        }
        news
    });
}

fn drifted(core: &Core, drifts: &[Drift]) {
    let problem = drifts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    tracing::warn!(problem, "the streams of the bus were changed, repairing them");
    core.health.send_modify(|health| {
        health.problem = Some(problem);
        health.last_drift = drifts.to_vec();
    });
}

/// Checks now and then, after each reconnect, and when somebody suspects something.
pub(super) async fn watch(core: Arc<Core>) {
    let mut turns = core.link.watch();
    loop {
        let fine = core.health.borrow().is_ready();
        let pause = if fine { core.config.check_every } else { AGAIN.min(core.config.check_every) };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = core.suspect.notified() => {}
            changed = turns.changed() => if changed.is_err() { return },
        }
        match check(&core).await {
            Ok(()) => ready(&core),
            Err(error) => not_ready(&core, Chain(&error).to_string()),
        }
        tokio::time::sleep(REST).await;
    }
}

/// The first assertion: fails where the streams cannot be made; a full one is only not ready.
pub(super) async fn start(core: &Core) -> Result<()> {
    assert_streams(core).await?;
    match check(core).await {
        Ok(()) => ready(core),
        Err(error) => not_ready(core, Chain(&error).to_string()),
    }
    Ok(())
}

/// One check of everything, with its repairs.
async fn check(core: &Core) -> Result<()> {
    if !core.is_up() {
        return Err(offline());
    }
    let info = core.client.server_info();
    connect::check(&core.config, &info.version, info.jetstream)
        .map_err(|error| Error::unavailable(error.to_string()))?;
    assert_streams(core).await?;
    expel_strangers(core).await?;
    match stuck::probe(core).await? {
        Probed::Fine => Ok(()),
        Probed::Hopeless => {
            let made = rebuild(core).await;
            scratch::release(core).await;
            made?;
            probe::probe(core).await
        }
    }
}

/// Throws the stream of work away and makes it anew, unless somebody else just did.
async fn rebuild(core: &Core) -> Result<()> {
    core.stuck.clear();
    if !assert_streams(core).await? {
        let stream = &core.names.events_stream;
        drifted(core, &[Drift::stuck(stream)]);
        let _gone: Deleted = core.api(format!("STREAM.DELETE.{stream}"), &Nothing {}).await?;
        core.streams.forget(stream);
        if is_broken(core, &core.names.function_events_stream).await {
            let stream = &core.names.function_events_stream;
            let _gone: Deleted = core.api(format!("STREAM.DELETE.{stream}"), &Nothing {}).await?;
            core.streams.forget(stream);
        }
        assert_streams(core).await?;
        repaired(core).await;
    }
    Ok(())
}

/// Whether a write to this stream failed before, as far as the server tells without one: it purges nothing then, not even
/// a subject of which it has nothing.
async fn is_broken(core: &Core, stream: &str) -> bool {
    let purged = probe::purge_of(core, stream, &core.names.event_of_nobody()).await;
    purged.is_err_and(|error| error.metadata().contains_key("code"))
}

/// Makes or repairs both streams. Whether that of work is another one than was known.
async fn assert_streams(core: &Core) -> Result<bool> {
    let events = streams::events(&core.config, &core.names);
    let new = assert_stream(core, events).await?;
    if let Some(created) = new {
        // What was delivered or counted before is of a stream that is gone.
        core.held.clear();
        core.consumers.clear();
        core.activity.clear();
        core.renewed.send_replace(Some(created));
        activity::reconcile(core).await?;
    }
    assert_stream(core, streams::functions(&core.config, &core.names)).await?;
    Ok(new.is_some())
}

fn timestamp(nanos: i128) -> Timestamp {
    Timestamp::from_micros(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX))
}

/// When it was made, where it is another stream than the one that was known.
async fn assert_stream(core: &Core, wanted: stream::Config) -> Result<Option<Timestamp>> {
    let Some(found) = core.ask(info(core, &wanted.name)).await? else {
        // At the very first start there is nothing to repair.
        let gone = core.streams.knows(&wanted.name);
        if gone {
            drifted(core, &[Drift::missing(&wanted.name)]);
        }
        let info = core.ask(create(core, &wanted)).await?;
        if gone {
            repaired(core).await;
        }
        return Ok(core
            .streams
            .is_new(&wanted.name, &info.created)
            .then(|| timestamp(info.created.unix_timestamp_nanos())));
    };
    let new = core
        .streams
        .is_new(&wanted.name, &found.created)
        .then(|| timestamp(found.created.unix_timestamp_nanos()));
    let drifts = streams::drifts(&wanted, &found.config);
    if !drifts.is_empty() {
        drifted(core, &drifts);
        let config = streams::repaired(&wanted, &found.config);
        core.ask(update(core, config, &drifts)).await?;
        repaired(core).await;
    }
    Ok(new)
}

/// Others are told, so that they need not find out by their own probes.
async fn repaired(core: &Core) {
    core.counters.repairs.add(1);
    core.health.send_modify(|health| health.repairs += 1);
    if let Err(error) = core.send(core.names.renewed.clone(), core.activity.own.clone().into()).await {
        tracing::debug!(error = %Chain(&error), "failed to tell that the streams were repaired");
    }
}

/// Looks as soon as others have repaired something, until the connection is closed.
pub(super) async fn hear(core: Arc<Core>, mut words: Subscriber) {
    while let Some(word) = words.next().await {
        if word.payload != core.activity.own.as_bytes() {
            core.suspect.notify_one();
            core.told.notify_waiters();
        }
    }
}

async fn info(core: &Core, name: &str) -> Result<Option<stream::Info>> {
    match core.jetstream.get_stream(name).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(said)
                if said.error_code() == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            GetStreamErrorKind::JetStream(said) => Err(refused(said)),
            _ => Err(Error::unavailable("the bus does not answer").with_cause(error)),
        },
    }
}

async fn create(core: &Core, wanted: &stream::Config) -> Result<stream::Info> {
    match core.jetstream.get_or_create_stream(wanted.clone()).await {
        Ok(stream) => Ok(stream.cached_info().clone()),
        Err(error) => Err(match error.kind() {
            CreateStreamErrorKind::JetStream(said) => {
                Error::unavailable(format!("the bus refuses to make stream {}", wanted.name)).with_cause(said)
            }
            _ => Error::unavailable("the bus does not answer").with_cause(error),
        }),
    }
}

/// Some fields cannot be changed while a stream lives: then only its deletion helps, which is the operator's to do.
async fn update(core: &Core, config: stream::Config, drifts: &[Drift]) -> Result<()> {
    let name = config.name.clone();
    let Err(error) = core.jetstream.update_stream(config).await else { return Ok(()) };
    Err(match error.kind() {
        UpdateStreamErrorKind::JetStream(said) => {
            let fields: Vec<String> = drifts.iter().map(ToString::to_string).collect();
            let fields = fields.join("; ");
            let text =
                format!("{fields}; this cannot be changed in place: delete stream {name}, it is made again");
            Error::unavailable(text).with_cause(said)
        }
        _ => Error::unavailable("the bus does not answer").with_cause(error),
    })
}

#[derive(Serialize)]
struct Page {
    offset: usize,
}

#[derive(Deserialize)]
struct ConsumerNames {
    #[serde(default)]
    total: usize,
    consumers: Option<Vec<String>>,
}

/// The server takes an empty object for an empty request, and no `null`.
#[derive(Serialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Deleted {}

/// Removes consumers that are not ours: on a work queue they take messages away, or keep ours from being made. What
/// they took is published again from the record.
async fn expel_strangers(core: &Core) -> Result<()> {
    let stream = &core.names.events_stream;
    let (mut strangers, mut offset) = (Vec::new(), 0);
    loop {
        let page: ConsumerNames = core.api(format!("CONSUMER.NAMES.{stream}"), &Page { offset }).await?;
        let names = page.consumers.unwrap_or_default();
        offset += names.len();
        let last = names.is_empty() || offset >= page.total;
        strangers.extend(names.into_iter().filter(|name| Names::consumer_of(name).is_none()));
        if last {
            break;
        }
    }
    if strangers.is_empty() {
        return Ok(());
    }
    drifted(core, &strangers.iter().map(|name| Drift::foreign(stream, name)).collect::<Vec<_>>());
    for name in strangers {
        let _gone: Deleted = core.api(format!("CONSUMER.DELETE.{stream}.{name}"), &Nothing {}).await?;
    }
    repaired(core).await;
    Ok(())
}
