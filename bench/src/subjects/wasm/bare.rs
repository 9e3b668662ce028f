//! What any program that embeds wasmtime must do for one call: a store with limits and epochs, a fresh instance from
//! the pool, the payload in, the result out.

use crate::eventflow::PAYLOAD;
use crate::load::Caller;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder,
};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_async};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};

/// Bytes of memory that a guest may have.
const MEMORY: usize = 128 << 20;
/// Bytes of stdout that are kept.
const STDOUT: usize = 1 << 20;

fn engine() -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(1 << 20).table_keep_resident(64 << 10).pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok(Engine::new(&config)?)
}

fn limits() -> StoreLimits {
    StoreLimitsBuilder::new().memory_size(MEMORY).build()
}

fn store<T: 'static>(engine: &Engine, state: T, limiter: fn(&mut T) -> &mut StoreLimits) -> Store<T> {
    let mut store = Store::new(engine, state);
    store.limiter(move |state| limiter(state));
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store
}

pub(super) struct BareLean {
    engine: Engine,
    pre: InstancePre<StoreLimits>,
}

impl BareLean {
    pub(super) fn new(code: &str) -> Result<Self> {
        let engine = engine()?;
        let pre = Linker::new(&engine).instantiate_pre(&Module::new(&engine, code)?)?;
        Ok(Self { engine, pre })
    }

    async fn answer(&self) -> Result<Bytes> {
        let mut store = store(&self.engine, limits(), |limits| limits);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let memory = instance.get_memory(&mut store, "memory").context("no memory")?;
        let alloc = instance.get_typed_func::<i32, i32>(&mut store, "ef_alloc")?;
        let handle = instance.get_typed_func::<(i32, i32), i64>(&mut store, "ef_handle")?;
        let len = PAYLOAD.len() as i32;
        let place = alloc.call_async(&mut store, len).await?;
        memory.write(&mut store, place as usize, &PAYLOAD)?;
        let answer = handle.call_async(&mut store, (place, len)).await?;
        let start = (answer >> 32) as usize;
        let end = start + answer as u32 as usize;
        Ok(Bytes::copy_from_slice(memory.data(&store).get(start..end).context("no such range")?))
    }
}

impl Caller for BareLean {
    async fn call(&mut self) -> Result<bool> {
        Ok(self.answer().await? == PAYLOAD)
    }
}

struct CommandState {
    wasi: WasiP1Ctx,
    limits: StoreLimits,
}

pub(super) struct BareCommand {
    engine: Engine,
    pre: InstancePre<CommandState>,
}

impl BareCommand {
    pub(super) fn new(code: &str) -> Result<Self> {
        let engine = engine()?;
        let mut linker = Linker::new(&engine);
        add_to_linker_async(&mut linker, |state: &mut CommandState| &mut state.wasi)?;
        let pre = linker.instantiate_pre(&Module::new(&engine, code)?)?;
        Ok(Self { engine, pre })
    }

    async fn answer(&self) -> Result<Bytes> {
        let (stdout, stderr) = (MemoryOutputPipe::new(STDOUT), MemoryOutputPipe::new(STDOUT));
        let mut wasi = WasiCtx::builder();
        wasi.arg("command")
            .env("EVENTFLOW_INVOCATION_ID", "01934e2c-7f52-7cc1-b5a8-2f60a2b7e1c4")
            .env("EVENTFLOW_FUNCTION", "command")
            .env("EVENTFLOW_VERSION", "1")
            .env("EVENTFLOW_ATTEMPT", "1")
            .env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .stdin(MemoryInputPipe::new(PAYLOAD))
            .stdout(stdout.clone())
            .stderr(stderr);
        let state = CommandState { wasi: wasi.build_p1(), limits: limits() };
        let mut store = store(&self.engine, state, |state| &mut state.limits);
        let instance = self.pre.instantiate_async(&mut store).await?;
        instance.get_typed_func::<(), ()>(&mut store, "_start")?.call_async(&mut store, ()).await?;
        Ok(stdout.contents())
    }
}

impl Caller for BareCommand {
    async fn call(&mut self) -> Result<bool> {
        Ok(self.answer().await? == PAYLOAD)
    }
}
