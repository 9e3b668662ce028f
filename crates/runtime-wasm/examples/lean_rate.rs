//! Prints what a lean call through the runtime costs, beside a bare pooled wasmtime loop that does the same: a store
//! with a limiter and epochs, a fresh instance, the payload copied in, the result copied out.
//!
//! `cargo run --release -p eventflow-runtime-wasm --example lean_rate`
#![expect(clippy::print_stdout, reason = "a measurement for people")]

use async_trait::async_trait;
use bytes::Bytes;
use eventflow_domain::error::Result;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::invocation::Content;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{BlobInfo, Blobs, ByteStream, Call, LogSink, Runtime as _};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{ArtifactDigest, Error, ErrorKind, InvocationId, Mode};
use eventflow_runtime_wasm::{WasmConfig, WasmRuntime};
use eventflow_testkit::{FunctionBuilder, ManualClock};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder,
};

const CALLS: u32 = 20_000;
const ROUNDS: usize = 5;
const PAYLOAD: &[u8] = &[b'x'; 1024];

/// Adds one to each byte of its payload.
const CODE: &str = r#"(module
  (memory (export "memory") 4)
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param $at i32) (param $len i32) (result i64) (local $end i32) (local $ptr i32)
    (local.set $ptr (local.get $at))
    (local.set $end (i32.add (local.get $at) (local.get $len)))
    (loop $next
      (i32.store8 (local.get $at) (i32.add (i32.load8_u (local.get $at)) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))"#;

#[tokio::main]
async fn main() {
    let (bare, runtime) = (Bare::new(), Ours::new().await);
    // In turns, so that a machine that grows slower or faster does so for both; the best round of each counts.
    let (mut best_bare, mut best_ours) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        best_bare = best_bare.min(bare.round().await);
        best_ours = best_ours.min(runtime.round().await);
    }
    let micros = |round: Duration| round.as_secs_f64() * 1e6 / f64::from(CALLS);
    println!("bare pooled loop   {:8.2} us per call", micros(best_bare));
    println!("WasmRuntime::run   {:8.2} us per call", micros(best_ours));
    println!("ratio              {:8.2}", best_ours.as_secs_f64() / best_bare.as_secs_f64());
}

struct Bare {
    engine: Engine,
    pre: InstancePre<StoreLimits>,
}

impl Bare {
    fn new() -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.linear_memory_keep_resident(1 << 20).pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).expect("an engine");
        let module = Module::new(&engine, CODE).expect("a module");
        let pre = Linker::new(&engine).instantiate_pre(&module).expect("no imports");
        Self { engine, pre }
    }

    async fn round(&self) -> Duration {
        let started = Instant::now();
        for _ in 0..CALLS {
            assert_eq!(self.call().await.len(), PAYLOAD.len());
        }
        started.elapsed()
    }

    async fn call(&self) -> Bytes {
        let limits = StoreLimitsBuilder::new().memory_size(128 << 20).build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.pre.instantiate_async(&mut store).await.expect("an instance");
        let memory = instance.get_memory(&mut store, "memory").expect("a memory");
        let alloc = instance.get_typed_func::<i32, i32>(&mut store, "ef_alloc").expect("an allocator");
        let handle = instance.get_typed_func::<(i32, i32), i64>(&mut store, "ef_handle").expect("a handler");
        let len = PAYLOAD.len() as i32;
        let place = alloc.call_async(&mut store, len).await.expect("a place");
        memory.write(&mut store, place as usize, PAYLOAD).expect("room");
        let answer = handle.call_async(&mut store, (place, len)).await.expect("an answer");
        let start = (answer >> 32) as usize;
        let end = start + answer as u32 as usize;
        Bytes::copy_from_slice(memory.data(&store).get(start..end).expect("a range"))
    }
}

struct Ours {
    runtime: WasmRuntime,
    version: Arc<FunctionVersion>,
    env: Arc<[(String, String)]>,
    _dir: tempfile::TempDir,
}

impl Ours {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let config = WasmConfig::new(dir.path().join("compiled"));
        let clock = Arc::new(ManualClock::default());
        let runtime = WasmRuntime::new(config, Arc::new(OneBlob), clock).expect("a runtime");
        let artifact = ArtifactDigest::from_bytes([1; 32]);
        let version = FunctionBuilder::new("lean").wasm(artifact, Mode::Job).version();
        assert!(runtime.prepare(&version).await.is_ready());
        Self { runtime, version, env: Arc::new([]), _dir: dir }
    }

    async fn round(&self) -> Duration {
        let started = Instant::now();
        let logs: Arc<dyn LogSink> = Arc::new(Nowhere);
        let id = InvocationId::generate();
        let trace = TraceContext::generate();
        for _ in 0..CALLS {
            let call = Call {
                invocation: id,
                attempt: 1,
                version: Arc::clone(&self.version),
                env: Arc::clone(&self.env),
                payload: Content { bytes: Bytes::from_static(PAYLOAD), content_type: None },
                trace,
                timeout: Duration::from_secs(30),
                start_deadline: Duration::from_secs(30),
                adopted: false,
            };
            let ran = self.runtime.run(call, Arc::clone(&logs)).await;
            assert_eq!(ran.output.expect("an output").content.bytes.len(), PAYLOAD.len());
        }
        started.elapsed()
    }
}

struct Nowhere;

impl LogSink for Nowhere {
    fn write(&self, _stream: Stream, _bytes: &[u8]) {}
}

/// A blob store that holds the module under every name.
#[derive(Debug)]
struct OneBlob;

fn only_read<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unimplemented, "ReadOnly", "only read"))
}

#[async_trait]
impl Blobs for OneBlob {
    async fn put(&self, _key: &str, _bytes: ByteStream, _limit: u64) -> Result<u64> {
        only_read()
    }

    async fn put_artifact(&self, _bytes: ByteStream, _limit: u64) -> Result<(ArtifactDigest, u64)> {
        only_read()
    }

    async fn get(&self, _key: &str) -> Result<(u64, ByteStream)> {
        Ok((CODE.len() as u64, stream::once(async { Ok(Bytes::from_static(CODE.as_bytes())) }).boxed()))
    }

    async fn delete(&self, _key: &str) -> Result<()> {
        only_read()
    }

    async fn list(&self, _prefix: &str) -> Result<BoxStream<'static, Result<BlobInfo>>> {
        only_read()
    }
}
