//! The same call through `WasmRuntime::run`, as the dispatcher makes it.

use crate::eventflow::PAYLOAD;
use crate::load::Caller;
use anyhow::{Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use eventflow_domain::error::Result as DomainResult;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::invocation::Content;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{BlobInfo, Blobs, ByteStream, Call, Clock, LogSink, Runtime as _};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{ArtifactDigest, Error, ErrorKind, InvocationId, Mode};
use eventflow_lifecycle::SystemClock;
use eventflow_runtime_wasm::{WasmConfig, WasmRuntime};
use eventflow_testkit::FunctionBuilder;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);

pub(super) struct Ours {
    runtime: WasmRuntime,
    version: Arc<FunctionVersion>,
    env: Arc<[(String, String)]>,
    logs: Arc<dyn LogSink>,
    _cache: TempDir,
}

impl Ours {
    pub(super) async fn new(code: &'static str) -> Result<Self> {
        let cache = tempfile::tempdir()?;
        let config = WasmConfig::new(cache.path().join("compiled"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let runtime = WasmRuntime::new(config, Arc::new(OneBlob(code)), clock)?;
        let artifact = ArtifactDigest::from_bytes([1; 32]);
        let version = FunctionBuilder::new("measured").wasm(artifact, Mode::Job).version();
        let readiness = runtime.prepare(&version).await;
        ensure!(readiness.is_ready(), "the module is not ready: {readiness:?}");
        Ok(Self { runtime, version, env: Arc::new([]), logs: Arc::new(Nowhere), _cache: cache })
    }
}

impl Caller for Ours {
    async fn call(&mut self) -> Result<bool> {
        let call = Call {
            invocation: InvocationId::generate(),
            attempt: 1,
            version: Arc::clone(&self.version),
            env: Arc::clone(&self.env),
            payload: Content { bytes: PAYLOAD, content_type: None },
            trace: TraceContext::generate(),
            timeout: LONG,
            start_deadline: LONG,
            adopted: false,
        };
        let ran = self.runtime.run(call, Arc::clone(&self.logs)).await;
        Ok(ran.output.is_some_and(|output| output.content.bytes == PAYLOAD))
    }
}

struct Nowhere;

impl LogSink for Nowhere {
    fn write(&self, _stream: Stream, _bytes: &[u8]) {}
}

/// A blob store that holds the module under every name.
#[derive(Debug)]
struct OneBlob(&'static str);

fn only_read<T>() -> DomainResult<T> {
    Err(Error::new(ErrorKind::Unimplemented, "ReadOnly", "only read"))
}

#[async_trait]
impl Blobs for OneBlob {
    async fn put(&self, _key: &str, _bytes: ByteStream, _limit: u64) -> DomainResult<u64> {
        only_read()
    }

    async fn put_artifact(&self, _bytes: ByteStream, _limit: u64) -> DomainResult<(ArtifactDigest, u64)> {
        only_read()
    }

    async fn get(&self, _key: &str) -> DomainResult<(u64, ByteStream)> {
        let bytes = Bytes::from_static(self.0.as_bytes());
        Ok((bytes.len() as u64, stream::once(async { Ok(bytes) }).boxed()))
    }

    async fn delete(&self, _key: &str) -> DomainResult<()> {
        only_read()
    }

    async fn list(&self, _prefix: &str) -> DomainResult<BoxStream<'static, DomainResult<BlobInfo>>> {
        only_read()
    }
}
