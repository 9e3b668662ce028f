//! Bare JetStream, as its own client library does it.

use super::Caller;
use anyhow::{Context as _, Result};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, Context, stream};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream as streams};
use tokio::time::Instant;

const SUBJECT: &str = "bare.call";
/// Publishes, and acks, that are unconfirmed at once.
const WINDOW: usize = 256;
const FETCH: usize = 200;

/// One publish after the other, each until it is confirmed.
#[derive(Debug, Clone)]
pub(crate) struct PublishCaller {
    context: Context,
    payload: Bytes,
}

impl PublishCaller {
    /// They share a connection, as the tasks of a program do.
    pub(crate) async fn connect_all(url: &str, payload: Bytes, count: usize) -> Result<Vec<Self>> {
        let Raw { context, .. } = Raw::connect(url).await?;
        Ok(vec![Self { context, payload }; count])
    }
}

impl Caller for PublishCaller {
    async fn call(&mut self) -> Result<bool> {
        let ack = self.context.publish(SUBJECT, self.payload.clone()).await?;
        Ok(ack.await.is_ok())
    }
}

/// A work queue, and a consumer of it.
#[derive(Debug)]
pub(crate) struct Raw {
    context: Context,
    consumer: PullConsumer,
}

impl Raw {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let client = async_nats::connect(url).await.context("failed to reach nats-server")?;
        let context = jetstream::new(client);
        let stream = context
            .get_or_create_stream(stream::Config {
                name: "BARE".to_owned(),
                subjects: vec![SUBJECT.to_owned()],
                retention: stream::RetentionPolicy::WorkQueue,
                discard: stream::DiscardPolicy::New,
                ..stream::Config::default()
            })
            .await?;
        let config = pull::Config {
            durable_name: Some("bare".to_owned()),
            max_ack_pending: 10_000,
            ..pull::Config::default()
        };
        let consumer = stream.get_or_create_consumer("bare", config).await?;
        Ok(Self { context, consumer })
    }

    /// Confirmed publishes a second.
    pub(crate) async fn publish(&self, payload: &Bytes, count: usize) -> Result<f64> {
        let begun = Instant::now();
        let publishes = streams::iter(0..count).map(|_| async {
            let ack = self.context.publish(SUBJECT, payload.clone()).await?;
            ack.await?;
            anyhow::Ok(())
        });
        publishes.buffer_unordered(WINDOW).try_collect::<()>().await?;
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    }

    /// Messages a second that are fetched and whose acks are confirmed.
    pub(crate) async fn consume(&self, count: usize) -> Result<f64> {
        let begun = Instant::now();
        let mut done = 0;
        while done < count {
            let batch = self.consumer.fetch().max_messages(FETCH).messages().await?;
            let batch: Vec<_> = batch.try_collect().await.map_err(anyhow::Error::from_boxed)?;
            done += batch.len();
            let acks = streams::iter(batch).map(|message| async move { message.double_ack().await });
            acks.buffer_unordered(WINDOW).try_collect::<()>().await.map_err(anyhow::Error::from_boxed)?;
        }
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    }
}
