//! Request bodies, within their limits: of one body, of all bodies in memory, of time.

use crate::config::GatewayConfig;
use crate::problem::Problem;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget is counted in these.
const UNIT: u64 = 1024;
/// Bytes that are cheaper copied than shared.
const SMALL: usize = 4 << 10;

/// Reads bodies; one for the whole process.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    budget: Arc<Semaphore>,
    timeout: Duration,
    idle: Duration,
}

/// A body in memory, and its share of the budget for as long as this lives.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(crate) fn new(config: &GatewayConfig) -> Self {
        let units =
            usize::try_from(config.buffered_limit / UNIT).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { budget: Arc::new(Semaphore::new(units)), timeout: config.body_timeout, idle: config.body_idle }
    }

    /// Reads a body of at most `limit` bytes. What says too large a size is refused before it is read.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body, limit: u64) -> Result<Held, Problem> {
        let size = check(headers, limit)?;
        let share = size.map(|size| self.reserve(size)).transpose()?;
        let whole = self.collect(body, limit, size.unwrap_or(0), share);
        tokio::time::timeout(self.timeout, whole).await.map_err(|_| too_slow())?
    }

    async fn collect(
        &self,
        body: Body,
        limit: u64,
        reserved: u64,
        mut share: Option<OwnedSemaphorePermit>,
    ) -> Result<Held, Problem> {
        let mut chunks = Chunks { body, left: limit, limit, idle: self.idle };
        let mut reserved = reserved;
        let mut next = chunks.next().await?;
        let mut whole = BytesMut::new();
        while let Some(chunk) = next.take() {
            let total = (whole.len() + chunk.len()) as u64;
            if total > reserved {
                let more = (total - reserved).max(64 * UNIT);
                let grown = self.reserve(more)?;
                reserved += more;
                match &mut share {
                    Some(share) => share.merge(grown),
                    None => share = Some(grown),
                }
            }
            next = chunks.next().await?;
            if whole.is_empty() && next.is_none() {
                // One piece: shared where it is large. A small one would keep the connection's whole read buffer
                // for as long as the payload is kept, and cost the next request a new one.
                let bytes = if chunk.len() <= SMALL { Bytes::copy_from_slice(&chunk) } else { chunk };
                return Ok(Held { bytes, _share: share });
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Held { bytes: whole.freeze(), _share: share })
    }

    fn reserve(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_err(|_| Problem::busy())?;
        Arc::clone(&self.budget).try_acquire_many_owned(units).map_err(|_| Problem::busy())
    }

    /// The pieces of a body as they come, for what is not kept in memory.
    pub(crate) fn chunks(&self, headers: &HeaderMap, body: Body, limit: u64) -> Result<Chunks, Problem> {
        check(headers, limit)?;
        Ok(Chunks { body, left: limit, limit, idle: self.idle })
    }
}

/// A body piece by piece.
#[derive(Debug)]
pub(crate) struct Chunks {
    body: Body,
    left: u64,
    limit: u64,
    idle: Duration,
}

impl Chunks {
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = tokio::time::timeout(self.idle, self.body.frame()).await.map_err(|_| too_slow())?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| {
                tracing::debug!(%error, "body broke off");
                Problem::new(StatusCode::BAD_REQUEST, "BodyBrokeOff", "the body ended before it was whole")
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            self.left = self
                .left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| Problem::too_large(self.limit, None))?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }
}

/// Refuses by the headers alone; the size, if the headers say it.
fn check(headers: &HeaderMap, limit: u64) -> Result<Option<u64>, Problem> {
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if encoded {
        let detail = "bodies are taken as they are: send no Content-Encoding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedEncoding", detail));
    }
    let size = headers.get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
    match size {
        Some(size) if size > limit => Err(Problem::too_large(limit, Some(size))),
        size => Ok(size),
    }
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "BodyTimeout", "the body did not arrive in time")
}
