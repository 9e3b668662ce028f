//! Compilation: in the background, bounded in number, size and time, and never twice for the same code.

use crate::cache::{Cache, Compiled};
use crate::code::{Code, Linkers};
use crate::config::WasmConfig;
use crate::refusal::Refusal;
use bytes::BytesMut;
use eventflow_domain::ports::Blobs;
use eventflow_domain::{ArtifactDigest, ErrorKind, error::Chain};
use futures::TryStreamExt as _;
use std::sync::Arc;
use std::thread;
use tokio::sync::{Semaphore, oneshot};
use wasmtime::Engine;

/// How much lower than the rest of the process compilation runs (`nice`).
const NICENESS: i32 = 10;
/// Stack of a compiling thread: deeply nested code must not end the process.
const STACK: usize = 32 << 20;

#[derive(Debug)]
pub(crate) struct Compiler {
    engine: Engine,
    linkers: Linkers,
    cache: Arc<Cache>,
    blobs: Arc<dyn Blobs>,
    config: WasmConfig,
    workers: Arc<Semaphore>,
    queue: Semaphore,
}

impl Compiler {
    pub(crate) fn new(
        engine: Engine,
        linkers: Linkers,
        cache: Cache,
        blobs: Arc<dyn Blobs>,
        config: &WasmConfig,
    ) -> Self {
        Self {
            engine,
            linkers,
            cache: Arc::new(cache),
            blobs,
            workers: Arc::new(Semaphore::new(config.compile_workers.max(1))),
            queue: Semaphore::new(config.compile_queue + config.compile_workers),
            config: config.clone(),
        }
    }

    /// The code of an artifact, from the cache or compiled now.
    pub(crate) async fn obtain(&self, artifact: ArtifactDigest) -> Result<Code, Refusal> {
        let compiled = match self.cached(artifact).await {
            Some(compiled) => compiled,
            None => self.compile(artifact).await?,
        };
        self.linkers.link(&compiled)
    }

    async fn cached(&self, artifact: ArtifactDigest) -> Option<Compiled> {
        let (cache, engine) = (Arc::clone(&self.cache), self.engine.clone());
        tokio::task::spawn_blocking(move || cache.load(&engine, artifact)).await.ok().flatten()
    }

    async fn compile(&self, artifact: ArtifactDigest) -> Result<Compiled, Refusal> {
        let busy = |_| {
            Refusal::transient("CompileQueueFull", "too many functions wait to be compiled; try again later")
        };
        let _place = self.queue.try_acquire().map_err(busy)?;
        let worker = Arc::clone(&self.workers).acquire_owned().await;
        let code = self.fetch(artifact).await?;
        let (answer, compiled) = oneshot::channel();
        let (cache, engine) = (Arc::clone(&self.cache), self.engine.clone());
        let thread = thread::Builder::new().name("wasm-compile".to_owned()).stack_size(STACK);
        let started = thread.spawn(move || {
            // Compilation cannot be interrupted: its worker is taken until it has ended, whoever still waits.
            let _worker = worker;
            if let Err(error) = rustix::process::nice(NICENESS) {
                tracing::debug!(%error, "failed to lower the priority of compilation");
            }
            // Nobody waits any more where this fails; the cache has it.
            drop(answer.send(compile(&cache, &engine, artifact, &code)));
        });
        if let Err(error) = started {
            return Err(Refusal::transient("CompileFailed", format!("failed to start a thread: {error}")));
        }
        match tokio::time::timeout(self.config.compile_timeout, compiled).await {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(_)) => Err(Refusal::gave_up()),
            Err(_) => Err(Refusal::code(
                "CompileTimeout",
                format!("compiling took longer than {} s", self.config.compile_timeout.as_secs()),
            )),
        }
    }

    async fn fetch(&self, artifact: ArtifactDigest) -> Result<BytesMut, Refusal> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            tracing::warn!(%artifact, error = %Chain(error), "failed to read an artifact");
            Refusal::transient("ArtifactUnreadable", format!("failed to read artifact {artifact}"))
        };
        let (size, mut stream) = match self.blobs.get(&format!("artifacts/{}", artifact.hex())).await {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // It may be uploaded later: not remembered.
                return Err(Refusal {
                    transient: true,
                    ..Refusal::code("ArtifactNotFound", format!("artifact {artifact} has not been uploaded"))
                });
            }
            Err(error) => return Err(failed(&error)),
        };
        let max = self.config.max_code;
        let too_large =
            || Refusal::code("CodeTooLarge", format!("a module may have {max} bytes, {artifact} has more"));
        if size > max {
            return Err(too_large());
        }
        let mut code = BytesMut::with_capacity(size as usize);
        while let Some(chunk) = stream.try_next().await.map_err(|error| failed(&error))? {
            code.extend_from_slice(&chunk);
            if code.len() as u64 > max {
                return Err(too_large());
            }
        }
        Ok(code)
    }
}

fn compile(
    cache: &Cache,
    engine: &Engine,
    artifact: ArtifactDigest,
    code: &[u8],
) -> Result<Compiled, Refusal> {
    let invalid =
        |error: wasmtime::Error| Refusal::code("InvalidCode", format!("not valid WebAssembly: {error:#}"));
    let binary = wat::parse_bytes(code).map_err(|error| {
        Refusal::code("InvalidCode", format!("neither WebAssembly nor its text form: {error}"))
    })?;
    let compiled = if is_component(&binary) {
        engine.precompile_component(&binary)
    } else {
        engine.precompile_module(&binary)
    };
    cache.store_and_load(engine, artifact, &compiled.map_err(invalid)?).map_err(invalid)
}

/// Byte 6 is the layer: 0 for a core module, 1 for a component.
fn is_component(binary: &[u8]) -> bool {
    binary.get(6) == Some(&1)
}
