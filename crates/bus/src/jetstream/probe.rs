//! Whether the stream of work takes messages: the server's own health says nothing of a full disk.

use super::core::{Core, within};
use super::publish;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use eventflow_domain::Result;
use serde::{Deserialize, Serialize};

/// More than what a file system has left over in a block.
static BODY: [u8; 8 << 10] = [b'.'; 8 << 10];

#[derive(Serialize)]
struct Purge<'a> {
    filter: &'a str,
}

#[derive(Deserialize)]
struct Purged {}

/// Stores a message on a subject of no consumer and takes it away again, with what others left there.
pub(super) async fn probe(core: &Core) -> Result<()> {
    store(core, &core.names.probe).await?;
    clear(core).await
}

/// Stores a message on this subject.
pub(super) async fn store(core: &Core, subject: &str) -> Result<()> {
    let store = async {
        let message = PublishMessage::build().payload(Bytes::from_static(&BODY));
        let sent = core.jetstream.send_publish(subject.to_owned(), message).await;
        let sent = sent.map_err(|error| publish::failed(core, error))?;
        sent.await.map_err(|error| publish::failed(core, error))
    };
    core.online(within(core.config.request_timeout * 2, store)).await?;
    Ok(())
}

/// Takes away what probes have stored.
pub(super) async fn clear(core: &Core) -> Result<()> {
    purge(core, &core.names.probe).await
}

/// Takes all messages of a subject off the stream of work.
pub(super) async fn purge(core: &Core, subject: &str) -> Result<()> {
    purge_of(core, &core.names.events_stream, subject).await
}

/// The same of any stream.
pub(super) async fn purge_of(core: &Core, stream: &str, subject: &str) -> Result<()> {
    let request = format!("STREAM.PURGE.{stream}");
    let _purged: Purged = core.api(request, &Purge { filter: subject }).await?;
    Ok(())
}
