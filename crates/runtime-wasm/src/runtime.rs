use crate::cache::Cache;
use crate::code::{Code, Linkers};
use crate::compile::Compiler;
use crate::config::WasmConfig;
use crate::engine;
use crate::refusal::{Refusal, ready};
use crate::run::{Ended, Runner, timed_out};
use crate::serve::Guest;
use crate::ticker::Ticker;
use crate::versions::{Slot, Versions, artifact};
use async_trait::async_trait;
use eventflow_domain::error::Result;
use eventflow_domain::invocation::{Content, Failure, Output};
use eventflow_domain::ports::{Blobs, Call, Clock, HttpRequest, HttpResponse, LogSink, Ran, Runtime};
use eventflow_domain::quantity::format_duration;
use eventflow_domain::{
    ConditionStatus, Error, FunctionKey, FunctionUid, FunctionVersion, Mode, Readiness, Reason, RuntimeKind,
    StartKind, VersionNumber,
};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime::Engine;

/// Runs wasm functions in this process: a fresh instance for each call.
///
/// A start is cold where the call had to wait for its code to be compiled or loaded, else warm.
#[derive(Debug)]
pub struct WasmRuntime {
    engine: Engine,
    compiler: Arc<Compiler>,
    versions: Versions,
    ticker: Arc<Ticker>,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    config: WasmConfig,
}

impl WasmRuntime {
    /// Opens the cache and starts the thread that counts epochs. Nothing is compiled yet.
    pub fn new(config: WasmConfig, blobs: Arc<dyn Blobs>, clock: Arc<dyn Clock>) -> Result<Self> {
        let engine =
            engine::build(&config).map_err(|error| Error::internal("make the wasm engine", error))?;
        let linkers = Linkers::new(&engine)
            .map_err(|error| Error::internal("offer the wasm host's functions", error))?;
        let cache = Cache::open(&config, &engine).map_err(|error| {
            Error::internal(
                format_args!("open the cache of compiled code in {}", config.cache_dir.display()),
                error,
            )
        })?;
        let ticker = Ticker::start(&engine, config.tick)
            .map_err(|error| Error::internal("start the thread that counts epochs", error))?;
        Ok(Self {
            compiler: Arc::new(Compiler::new(engine.clone(), linkers, cache, blobs, &config)),
            versions: Versions::default(),
            ticker: Arc::new(ticker),
            places: Arc::new(Semaphore::new(config.max_instances.max(1) as usize)),
            engine,
            clock,
            config,
        })
    }

    /// The code for a call, waiting for it and for a place to run until the start deadline.
    async fn start(
        &self,
        call: &Call,
        deadline: Instant,
    ) -> std::result::Result<(Arc<Code>, StartKind), Failure> {
        let slot = self.versions.slot(&call.version, &self.compiler).map_err(|refusal| refusal.failure())?;
        let (outcome, kind) = match slot.ready() {
            Some(outcome) => (outcome, StartKind::Warm),
            None => match timeout_at(deadline, slot.wait()).await {
                Ok(outcome) => (outcome, StartKind::Cold),
                Err(_) => return Err(not_started(call, "its code was not compiled")),
            },
        };
        let code = outcome.as_ref().map_err(Refusal::failure)?;
        code.fits(call.version.spec.mode).map_err(|refusal| refusal.failure())?;
        Ok((Arc::clone(code), kind))
    }

    fn readiness(&self, slot: std::result::Result<&Arc<Code>, Refusal>, mode: Mode) -> Readiness {
        let now = self.clock.now();
        match slot.and_then(|code| code.fits(mode)) {
            Ok(()) => ready(ConditionStatus::True, "Compiled", "compiled and ready to run".to_owned(), now),
            Err(refusal) => refusal.readiness(now),
        }
    }

    fn never_ran(&self, failure: Failure) -> Ran {
        Ran {
            start: StartKind::Cold,
            started_at: self.clock.now(),
            output: None,
            failure: Some(failure),
            exit_code: None,
        }
    }
}

/// Timers go by tokio's clock; the port's is for what is shown.
fn start_deadline(call: &Call) -> Instant {
    Instant::now() + call.start_deadline
}

fn not_started(call: &Call, why: &str) -> Failure {
    let within = format_duration(call.start_deadline);
    Failure::new(Reason::StartDeadline, format!("not started within {within}: {why}"))
}

#[async_trait]
impl Runtime for WasmRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Wasm
    }

    /// Compiles the code, so that what is wrong with it is said at once; see [`WasmConfig::check_wait`].
    async fn check(&self, version: &FunctionVersion) -> Result<()> {
        let artifact = artifact(version).map_err(|refusal| refusal.error())?;
        let slot = self.versions.shared(artifact, &self.compiler);
        let Ok(outcome) = timeout(self.config.check_wait, slot.wait()).await else { return Ok(()) };
        let fits = outcome.as_ref().map_err(Refusal::clone).and_then(|code| code.fits(version.spec.mode));
        fits.map_err(|refusal| refusal.error())
    }

    async fn prepare(&self, version: &Arc<FunctionVersion>) -> Readiness {
        let slot: std::result::Result<Arc<Slot>, Refusal> = self.versions.slot(version, &self.compiler);
        match slot {
            Ok(slot) => self.readiness(slot.wait().await.as_ref().map_err(Refusal::clone), version.spec.mode),
            Err(refusal) => self.readiness(Err(refusal), version.spec.mode),
        }
    }

    async fn run(&self, call: Call, logs: Arc<dyn LogSink>) -> Ran {
        let deadline = start_deadline(&call);
        let (code, start) = match self.start(&call, deadline).await {
            Ok(started) => started,
            Err(failure) => return self.never_ran(failure),
        };
        let Some(job) = &code.job else {
            return self.never_ran(Failure::new(Reason::StartFailed, "the code has no job mode"));
        };
        let Ok(Ok(_place)) = timeout_at(deadline, self.places.acquire()).await else {
            return self.never_ran(not_started(&call, "all places of the wasm runtime are taken"));
        };
        let _running = self.ticker.running();
        let started_at = self.clock.now();
        let runner = Runner {
            engine: &self.engine,
            limits: &self.config.limits,
            max_outgoing: self.config.max_outgoing,
        };
        let ran = timeout(call.timeout, runner.run(job, &call, logs)).await;
        match ran.unwrap_or_else(|_| Err(Ended { failure: timed_out(call.timeout), exit_code: None })) {
            Ok(bytes) => {
                let output = Output { content: Content { bytes, content_type: None }, status: None };
                Ran { start, started_at, output: Some(output), failure: None, exit_code: Some(0) }
            }
            Err(Ended { failure, exit_code }) => {
                Ran { start, started_at, output: None, failure: Some(failure), exit_code }
            }
        }
    }

    async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
        logs: Arc<dyn LogSink>,
    ) -> std::result::Result<HttpResponse, Failure> {
        let deadline = start_deadline(&call);
        let (code, start) = self.start(&call, deadline).await?;
        let Some(pre) = code.http.clone() else {
            return Err(Failure::new(Reason::StartFailed, "the code has no http mode"));
        };
        let Ok(Ok(place)) = timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await else {
            return Err(not_started(&call, "all places of the wasm runtime are taken"));
        };
        let started_at = self.clock.now();
        let guest = Guest {
            engine: self.engine.clone(),
            pre,
            call,
            logs,
            max_outgoing: self.config.max_outgoing,
            place,
            running: self.ticker.running(),
        };
        let (head, body) = guest.serve(request).await?.into_parts();
        Ok(HttpResponse {
            start,
            started_at,
            status: head.status,
            headers: head.headers,
            body,
            upgraded: None,
        })
    }

    async fn retire(&self, _function: &FunctionKey, uid: FunctionUid, keep: Option<VersionNumber>) {
        self.versions.retire(uid, keep);
    }

    async fn shutdown(&self) {
        self.versions.clear();
    }
}
