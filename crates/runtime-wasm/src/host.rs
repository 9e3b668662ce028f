//! The host's side of one call: what a store holds, and nothing that a guest did not get by its call.

mod egress;
mod stdio;

pub(crate) use egress::Egress;
pub(crate) use stdio::Captured;

use crate::limiter::Limiter;
use crate::run::wasi_context;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::{Call, LogSink};
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{Caller, Engine, Extern, Linker, Store, UpdateDeadline};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Handles (streams, requests, pollables) that a component may hold at once.
const MAX_RESOURCES: usize = 4096;
/// Bytes that the host copies for one host call, over all its arguments.
const HOSTCALL_BYTES: usize = 32 << 20;
/// The longest message that one lean log call passes on; the rest of it is dropped.
const MAX_LOG_MESSAGE: usize = 64 << 10;

/// What every kind of store has.
pub(crate) trait State: Send + 'static {
    fn limiter(&mut self) -> &mut Limiter;
}

/// A store that yields at each tick and keeps to its limits.
pub(crate) fn store<T: State>(engine: &Engine, state: T) -> Store<T> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| state.limiter());
    store.set_epoch_deadline(1);
    // Tokio's own yield: it looks at timers and sockets before the guest goes on. After a plain wake-up it would do so
    // at every 61st turn only, and a timeout would come late by as many ticks.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))));
    store.set_hostcall_fuel(HOSTCALL_BYTES);
    store
}

/// The lean ABI: memory in, memory out, and a log.
pub(crate) struct LeanState {
    limiter: Limiter,
    logs: Arc<dyn LogSink>,
}

impl LeanState {
    pub(crate) fn new(call: &Call, logs: Arc<dyn LogSink>) -> Self {
        Self { limiter: Limiter::new(call.version.spec.resources.memory.0), logs }
    }

    pub(crate) fn link(linker: &mut Linker<Self>) -> wasmtime::Result<()> {
        linker.func_wrap("eventflow", "log", log).map(drop)
    }
}

impl State for LeanState {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

/// `eventflow.log(level, ptr, len)`: a line of its own; warnings (3) and errors (4) on stderr, the rest on stdout.
fn log(mut caller: Caller<'_, LeanState>, level: i32, ptr: i32, len: i32) -> wasmtime::Result<()> {
    let Some(memory) = caller.get_export("memory").and_then(Extern::into_memory) else {
        wasmtime::bail!("eventflow.log: no memory is exported");
    };
    let (data, state) = memory.data_and_store_mut(&mut caller);
    let start = ptr as u32 as usize;
    let Some(message) = data.get(start..).and_then(|rest| rest.get(..len as u32 as usize)) else {
        wasmtime::bail!("eventflow.log: the message lies outside of the memory");
    };
    let stream = if level >= 3 { Stream::Stderr } else { Stream::Stdout };
    let message = message.get(..MAX_LOG_MESSAGE).unwrap_or(message);
    state.logs.write(stream, message);
    if message.last() != Some(&b'\n') {
        state.logs.write(stream, b"\n");
    }
    Ok(())
}

/// A wasip1 command.
pub(crate) struct CommandState {
    pub wasi: WasiP1Ctx,
    limiter: Limiter,
}

impl CommandState {
    pub(crate) fn new(call: &Call, output: &Captured) -> Self {
        let wasi = wasi_context(call, output).build_p1();
        Self { wasi, limiter: Limiter::new(call.version.spec.resources.memory.0) }
    }
}

impl State for CommandState {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

/// A component of any world that we offer.
pub(crate) struct ComponentState {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    egress: Egress,
    limiter: Limiter,
}

impl ComponentState {
    pub(crate) fn store(engine: &Engine, call: &Call, output: &Captured, max_outgoing: usize) -> Store<Self> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let state = Self {
            wasi: wasi_context(call, output).build(),
            table,
            http: WasiHttpCtx::new(),
            egress: Egress::new(Arc::clone(&call.version), max_outgoing),
            limiter: Limiter::new(call.version.spec.resources.memory.0),
        };
        store(engine, state)
    }
}

impl State for ComponentState {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for ComponentState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}
