//! How fast a dispatcher drains a queue of calls that do nothing, with the real record and the real bus; then how long
//! one such call takes from its accept to its readable result, alone:
//! `cargo run --release -p eventflow-dispatcher --example drain_rate`.
#![expect(clippy::print_stdout, reason = "it reports")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use async_trait::async_trait;
use eventflow_blobs::FolderBlobs;
use eventflow_bus::InMemoryBus;
use eventflow_dispatcher::{Config, Dispatcher, Ports};
use eventflow_domain::function::{FunctionVersion, Readiness};
use eventflow_domain::invocation::{Content, Stored};
use eventflow_domain::ports::{
    Apply, Call, Clock, HttpRequest, HttpResponse, Live, LogSink, NewInvocation, Precondition, Ran, Runtime,
    Start, Store, Topic,
};
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{
    Failure, Function, FunctionKey, FunctionUid, InvocationId, Output, Reason, RuntimeKind, Source,
    StartKind, VersionNumber,
};
use eventflow_lifecycle::{ShutdownConfig, Supervisor, SystemClock};
use eventflow_registry::SqlRegistry;
use eventflow_store::{Options, SqliteStore};
use eventflow_telemetry::Metrics;
use futures::{StreamExt as _, TryStreamExt as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLS: usize = 20_000;
const ALONE: usize = 300;

type Any = Box<dyn std::error::Error>;

#[derive(Debug)]
struct Nothing(Arc<dyn Clock>);

#[async_trait]
impl Runtime for Nothing {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }

    async fn check(&self, _: &FunctionVersion) -> eventflow_domain::Result<()> {
        Ok(())
    }

    async fn prepare(&self, _: &Arc<FunctionVersion>) -> Readiness {
        Readiness::default()
    }

    async fn run(&self, call: Call, _: Arc<dyn LogSink>) -> Ran {
        let content = Content { bytes: call.payload.bytes, content_type: None };
        Ran {
            start: StartKind::Warm,
            started_at: self.0.now(),
            output: Some(Output { content, status: None }),
            failure: None,
            exit_code: None,
        }
    }

    async fn serve(&self, _: Call, _: HttpRequest, _: Arc<dyn LogSink>) -> Result<HttpResponse, Failure> {
        Err(Failure::new(Reason::Internal, "has no http mode"))
    }

    async fn retire(&self, _: &FunctionKey, _: FunctionUid, _: Option<VersionNumber>) {}

    async fn shutdown(&self) {}
}

#[tokio::main]
async fn main() -> Result<(), Any> {
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = SqliteStore::open(folder.path(), Arc::clone(&clock), Options::default()).await?;
    let store: Arc<dyn Store> = Arc::new(store);
    let ports = Ports {
        bus: Arc::new(InMemoryBus::new(Arc::clone(&clock))),
        registry: Arc::new(SqlRegistry::open(Arc::clone(&store) as _, Arc::clone(&clock)).await?),
        blobs: Arc::new(FolderBlobs::open(folder.path().join("blobs")).await?),
        runtimes: vec![Arc::new(Nothing(Arc::clone(&clock)))],
        slots: None,
        metrics: Metrics::new(),
        store,
        clock,
    };
    for concurrency in [50, 256] {
        let function = declare(&ports, concurrency).await?;
        let accepted = Instant::now();
        accept(&ports, &function, CALLS).await?;
        println!("{CALLS} accepted: {:.0}/s", CALLS as f64 / accepted.elapsed().as_secs_f64());
        let dispatcher = Dispatcher::new(ports.clone(), Config::default());
        let supervisor = Supervisor::new(ShutdownConfig::default());
        let (drained, used) = (Instant::now(), ticks()?);
        dispatcher.start(&supervisor.handle());
        empty(&ports).await?;
        let each = (ticks()? - used) as f64 * 10_000.0 / CALLS as f64;
        let rate = CALLS as f64 / drained.elapsed().as_secs_f64();
        println!("drained, {concurrency} at once: {rate:.0}/s, {each:.1} us of processor time each");
        alone(&ports, &dispatcher, &function).await?;
        dispatcher.shutdown(Duration::from_secs(5)).await;
    }
    Ok(())
}

async fn declare(ports: &Ports, concurrency: u32) -> Result<Arc<Function>, Any> {
    let mut spec = eventflow_testkit::spec();
    spec.concurrency = Some(concurrency);
    let apply = Apply {
        key: eventflow_testkit::key(&format!("f{concurrency}")),
        spec,
        precondition: Precondition::None,
        by: "drain".into(),
        dry_run: false,
    };
    Ok(ports.registry.apply(apply).await?.function)
}

fn call(ports: &Ports, function: &Function) -> NewInvocation {
    let now = ports.clock.now();
    NewInvocation {
        id: InvocationId::generate(),
        function: function.key.clone(),
        function_uid: function.uid,
        version: function.version,
        source: Source::Async,
        caller: "drain".into(),
        replay_of: None,
        trace: TraceContext::generate(),
        payload: Stored::inline(eventflow_testkit::content("payload")),
        created_at: now,
        idempotency: None,
        start: Start::Queued { not_before: now },
        queue_max: u32::MAX,
    }
}

async fn accept(ports: &Ports, function: &Function, count: usize) -> Result<(), Any> {
    let accepts = (0..count).map(|_| ports.store.accept(call(ports, function)));
    futures::stream::iter(accepts).buffer_unordered(256).try_for_each(async |_| Ok(())).await?;
    Ok(())
}

/// Waits until nothing waits or runs.
async fn empty(ports: &Ports) -> Result<(), Any> {
    loop {
        let stats = ports.store.queue_stats().await?;
        if stats.iter().all(|queue| queue.queued + queue.running + queue.retrying == 0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// From the accept to the record that says how it ended.
async fn alone(ports: &Ports, dispatcher: &Dispatcher, function: &Function) -> Result<(), Any> {
    let mut waits = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let call = call(ports, function);
        let mut changes = ports.bus.listen(Topic::Invocation(call.id));
        let started = Instant::now();
        ports.store.accept(call).await?;
        dispatcher.wake_relay();
        while let Some(change) = changes.next().await {
            if matches!(change, Live::Changed { state, .. } if state.is_terminal()) {
                break;
            }
        }
        waits.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    waits.sort_unstable();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    println!("alone, accept to end: p50 {:?}, p99 {:?}", at(50), at(99));
    Ok(())
}

/// Processor time of this process so far, user and system, in hundredths of a second.
fn ticks() -> Result<u64, Any> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let mut fields = after_name.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || fields.next().ok_or("too few fields")?.map_err(Any::from);
    Ok(next()? + next()?)
}
