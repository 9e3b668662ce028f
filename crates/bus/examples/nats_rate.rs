//! What the bus costs above the bare library, on one nats-server, alternating: publishing until all is confirmed, then
//! fetching and acking until all is gone. `cargo run --release -p eventflow-bus --example nats_rate [messages]`.
#![expect(clippy::print_stdout, reason = "it reports")]

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, stream};
use eventflow_bus::JetStreamBus;
use eventflow_bus::jetstream::Config;
use eventflow_domain::FunctionKey;
use eventflow_domain::ports::Bus as _;
use eventflow_testkit::contract::bus::messages;
use eventflow_testkit::key;
use eventflow_testkit::servers::nats::NatsServer;
use futures::{StreamExt as _, TryStreamExt as _, stream as streams};
use std::future::Future;
use tokio::time::Instant;

const MESSAGES: usize = 20_000;
/// As the relay and the dispatcher do.
const BATCH: usize = 500;
const FETCH: usize = 200;
/// Acks unconfirmed at once.
const WINDOW: usize = 256;
const ROUNDS: usize = 5;

type Any = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Any> = std::result::Result<T, E>;

/// Per second.
async fn rate(count: usize, work: impl Future<Output = Result<()>>) -> Result<f64> {
    let start = Instant::now();
    work.await?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

async fn bus_publishes(bus: &JetStreamBus, function: &FunctionKey, count: usize) -> Result<()> {
    for _ in 0..count / BATCH {
        bus.publish(messages(function, BATCH)).await?;
    }
    Ok(())
}

async fn bus_drains(bus: &JetStreamBus, function: &FunctionKey, count: usize) -> Result<()> {
    let mut done = 0;
    while done < count {
        let deliveries = bus.fetch(function, FETCH).await?;
        done += deliveries.len();
        bus.ack(deliveries).await?;
    }
    Ok(())
}

/// The same bytes: body, message id and trace.
async fn bare_publishes(context: &Context, function: &FunctionKey, count: usize) -> Result<()> {
    for _ in 0..count / BATCH {
        let mut acks = Vec::with_capacity(BATCH);
        for message in messages(function, BATCH) {
            let id = format!("{}-0-1", message.invocation);
            let body = format!(
                r#"{{"v":1,"invocation":"{}","uid":"{}","epoch":0,"publish":1}}"#,
                message.invocation, message.function_uid
            );
            let publish = PublishMessage::build()
                .payload(body.into())
                .message_id(id)
                .header("traceparent", message.trace.to_string().as_str());
            acks.push(context.send_publish("bare.f", publish).await?);
        }
        for ack in acks {
            ack.await?;
        }
    }
    Ok(())
}

async fn bare_drains(consumer: &PullConsumer, count: usize) -> Result<()> {
    let mut done = 0;
    while done < count {
        let batch: Vec<_> = consumer.fetch().max_messages(FETCH).messages().await?.try_collect().await?;
        done += batch.len();
        let acks = streams::iter(batch).map(|message| async move { message.double_ack().await });
        acks.buffer_unordered(WINDOW).try_collect::<()>().await?;
    }
    Ok(())
}

async fn bare(url: &str) -> Result<(Context, PullConsumer)> {
    let context = jetstream::new(async_nats::connect(url).await?);
    let config = stream::Config {
        name: "BARE".to_owned(),
        subjects: vec!["bare.*".to_owned()],
        retention: stream::RetentionPolicy::WorkQueue,
        discard: stream::DiscardPolicy::New,
        ..stream::Config::default()
    };
    let stream = context.create_stream(config).await?;
    let config = pull::Config {
        durable_name: Some("f".to_owned()),
        max_ack_pending: 10_000,
        filter_subject: "bare.f".to_owned(),
        ..pull::Config::default()
    };
    Ok((context, stream.create_consumer(config).await?))
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

#[tokio::main]
async fn main() -> Result<()> {
    let count = std::env::args().nth(1).map_or(Ok(MESSAGES), |text| text.parse())?;
    let server = NatsServer::start().await;
    let bus = JetStreamBus::connect(Config { servers: vec![server.url()], ..Config::default() }).await?;
    let (context, consumer) = bare(&server.url()).await?;
    let function = key("f");
    let mut rounds = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        let round = [
            rate(count, bus_publishes(&bus, &function, count)).await?,
            rate(count, bare_publishes(&context, &function, count)).await?,
            rate(count, bus_drains(&bus, &function, count)).await?,
            rate(count, bare_drains(&consumer, count)).await?,
        ];
        for (rates, rate) in rounds.iter_mut().zip(round) {
            rates.push(rate);
        }
    }
    let [publish, bare_publish, drain, bare_drain] = rounds.map(median);
    println!("{count} messages, median of {ROUNDS} rounds, per second");
    println!(
        "publish, confirmed:    bus {publish:>8.0}   bare {bare_publish:>8.0}   ratio {:.2}",
        publish / bare_publish
    );
    println!(
        "fetch, ack, confirmed: bus {drain:>8.0}   bare {bare_drain:>8.0}   ratio {:.2}",
        drain / bare_drain
    );
    Ok(())
}
