//! One run to completion: a fresh instance, its input, its output, and how it ended.

use crate::code::{Job, Lean};
use crate::host::{self, Captured, CommandState, ComponentState, LeanState, State};
use crate::limiter::Limiter;
use bytes::Bytes;
use eventflow_domain::Reason;
use eventflow_domain::invocation::Failure;
use eventflow_domain::limits::Limits;
use eventflow_domain::ports::{Call, LogSink};
use eventflow_domain::quantity::{Memory, format_duration};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{
    AsContext, Engine, Extern, Instance, InstancePre, Memory as LinearMemory, Store, Trap, WasmBacktrace,
};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxBuilder};

/// The longest error text of a guest that is kept.
const MAX_MESSAGE: usize = 1024;

/// Random bytes that a guest may ask for at once.
const MAX_RANDOM: u64 = 4 << 20;

/// A run that did not succeed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub failure: Failure,
    pub exit_code: Option<i32>,
}

impl Ended {
    pub(crate) fn failed(reason: Reason, message: impl Into<String>) -> Self {
        Self { failure: Failure::new(reason, message), exit_code: None }
    }

    fn exit(code: i32) -> Self {
        let failure = Failure::new(Reason::ExitCode, format!("exited with code {code}"));
        Self { failure, exit_code: Some(code) }
    }

    /// Why wasmtime ended the guest of this store.
    pub(crate) fn of<T: State>(error: &wasmtime::Error, store: &mut Store<T>) -> Self {
        Self::by(error, store.data_mut().limiter())
    }

    fn by(error: &wasmtime::Error, limiter: &Limiter) -> Self {
        if let Some(I32Exit(code)) = error.downcast_ref() {
            return Self::exit(*code);
        }
        let mut message = match error.downcast_ref::<Trap>() {
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        if let Some(frames) = error.downcast_ref::<WasmBacktrace>() {
            let names: Vec<&str> =
                frames.frames().iter().filter_map(|frame| frame.func_name()).take(5).collect();
            if !names.is_empty() {
                message.push_str(" in ");
                message.push_str(&names.join(" < "));
            }
        }
        cut(&mut message);
        if limiter.refused_memory() {
            let memory = Memory(limiter.memory());
            return Self::failed(
                Reason::OutOfMemory,
                format!("more memory than {memory} was asked for: {message}"),
            );
        }
        Self::failed(Reason::Trap, message)
    }
}

/// The failure of a run that was ended at its timeout.
pub(crate) fn timed_out(timeout: Duration) -> Failure {
    Failure::new(Reason::Timeout, format!("still running after {}", format_duration(timeout)))
}

fn cut(message: &mut String) {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push('…');
    }
}

/// What a guest sees of the world: its arguments, its variables, its payload. No files, no network.
pub(crate) fn wasi_context(call: &Call, output: &Captured) -> WasiCtxBuilder {
    let version = &call.version;
    let mut context = WasiCtx::builder();
    let name = version.spec.command.first().map_or(version.key.name.as_str(), String::as_str);
    context.arg(name);
    for arg in version.spec.command.iter().skip(1).chain(&version.spec.args) {
        context.arg(arg);
    }
    // EventFlow's own first: of a name that comes twice, a guest sees the first.
    context
        .env("EVENTFLOW_INVOCATION_ID", call.invocation.to_string())
        .env("EVENTFLOW_FUNCTION", version.key.name.as_str())
        .env("EVENTFLOW_VERSION", version.number.to_string())
        .env("EVENTFLOW_ATTEMPT", call.attempt.to_string())
        .env("TRACEPARENT", call.trace.to_string());
    for (name, value) in call.env.iter() {
        context.env(name, value);
    }
    context
        .stdin(MemoryInputPipe::new(call.payload.bytes.clone()))
        .stdout(output.stdout())
        .stderr(output.stderr())
        .max_random_size(MAX_RANDOM)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    context
}

/// What all runs share.
pub(crate) struct Runner<'a> {
    pub engine: &'a Engine,
    pub limits: &'a Limits,
    pub max_outgoing: usize,
}

impl Runner<'_> {
    /// Runs a job; the answer is its result. Dropping the future ends the guest.
    pub(crate) async fn run(&self, job: &Job, call: &Call, logs: Arc<dyn LogSink>) -> Result<Bytes, Ended> {
        match job {
            Job::Lean(lean) => self.lean(lean, call, logs).await,
            Job::Command(pre) => {
                let output = Captured::with_tail(logs, self.limits.stdout_result);
                self.command(pre, call, &output).await.map(|()| output.take())
            }
            Job::Cli(pre) => {
                let output = Captured::with_tail(logs, self.limits.stdout_result);
                self.cli(pre, call, &output).await.map(|()| output.take())
            }
        }
    }

    async fn lean(&self, lean: &Lean, call: &Call, logs: Arc<dyn LogSink>) -> Result<Bytes, Ended> {
        let mut store = host::store(self.engine, LeanState::new(call, logs));
        let answered = answer(&mut store, lean, &call.payload.bytes).await;
        let (memory, answer) = answered.map_err(|error| Ended::of(&error, &mut store))?;
        // A negative answer is a failure: its complement says where the message lies.
        let place = if answer < 0 { !answer } else { answer };
        let (start, len) = ((place >> 32) as usize, place as u32);
        if u64::from(len) > self.limits.payload {
            let message = format!("the result has {len} bytes, at most {} may be kept", self.limits.payload);
            return Err(Ended::failed(Reason::ResultTooLarge, message));
        }
        let data = memory.data(&store).get(start..).and_then(|rest| rest.get(..len as usize));
        let Some(data) = data else {
            return Err(Ended::failed(Reason::Trap, "ef_handle returned a range outside of its memory"));
        };
        if answer >= 0 {
            return Ok(Bytes::copy_from_slice(data));
        }
        let mut message = String::from_utf8_lossy(data.get(..MAX_MESSAGE).unwrap_or(data)).into_owned();
        if message.is_empty() {
            message.push_str("the function answered with an error");
        }
        Err(Ended { failure: Failure::new(Reason::ExitCode, message), exit_code: Some(1) })
    }

    async fn command(
        &self,
        pre: &InstancePre<CommandState>,
        call: &Call,
        output: &Captured,
    ) -> Result<(), Ended> {
        let mut store = host::store(self.engine, CommandState::new(call, output));
        let ran = async {
            let instance = pre.instantiate_async(&mut store).await?;
            let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
            start.call_async(&mut store, ()).await
        }
        .await;
        ended(ran, &mut store)
    }

    async fn cli(
        &self,
        pre: &CommandPre<ComponentState>,
        call: &Call,
        output: &Captured,
    ) -> Result<(), Ended> {
        let mut store = ComponentState::store(self.engine, call, output, self.max_outgoing);
        let ran = async {
            let command = pre.instantiate_async(&mut store).await?;
            command.wasi_cli_run().call_run(&mut store).await
        }
        .await;
        match ran {
            Ok(Ok(())) => Ok(()),
            Ok(Err(())) => Err(Ended::exit(1)),
            Err(error) => ended(Err(error), &mut store),
        }
    }
}

/// An exit with 0 is a success, however it is said.
fn ended<T: State>(ran: wasmtime::Result<()>, store: &mut Store<T>) -> Result<(), Ended> {
    let Err(error) = ran else { return Ok(()) };
    if let Some(I32Exit(0)) = error.downcast_ref() {
        return Ok(());
    }
    Err(Ended::of(&error, store))
}

/// Instantiates, copies the payload in and calls the handler.
async fn answer(
    store: &mut Store<LeanState>,
    lean: &Lean,
    payload: &[u8],
) -> wasmtime::Result<(LinearMemory, i64)> {
    let instance = lean.pre.instantiate_async(&mut *store).await?;
    let memory = export(store, instance, lean, |lean| &lean.memory).and_then(Extern::into_memory);
    let alloc = export(store, instance, lean, |lean| &lean.alloc).and_then(Extern::into_func);
    let handle = export(store, instance, lean, |lean| &lean.handle).and_then(Extern::into_func);
    let (Some(memory), Some(alloc), Some(handle)) = (memory, alloc, handle) else {
        wasmtime::bail!("an export of the lean ABI is missing");
    };
    let Ok(len) = i32::try_from(payload.len()) else {
        wasmtime::bail!("the payload has more than 2 GiB");
    };
    let mut place = 0;
    if len > 0 {
        place = alloc.typed::<i32, i32>(store.as_context())?.call_async(&mut *store, len).await?;
        let Ok(()) = memory.write(&mut *store, place as u32 as usize, payload) else {
            wasmtime::bail!("ef_alloc returned a range outside of its memory");
        };
    }
    let answer = handle.typed::<(i32, i32), i64>(store.as_context())?.call_async(store, (place, len)).await?;
    Ok((memory, answer))
}

fn export(
    store: &mut Store<LeanState>,
    instance: Instance,
    lean: &Lean,
    which: impl Fn(&Lean) -> &wasmtime::ModuleExport,
) -> Option<Extern> {
    instance.get_module_export(store, which(lean))
}
