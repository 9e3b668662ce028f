use crate::config::ContainerConfig;
use crate::copies::Copies;
use crate::engine::Engine;
use crate::guard::Live;
use crate::images::Images;
use crate::{job, readiness, sweep};
use async_trait::async_trait;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::invocation::Failure;
use eventflow_domain::ports::{Call, Clock, HttpRequest, HttpResponse, LogSink, Ran, Runtime, RuntimeReport};
use eventflow_domain::spec::{Mode, RuntimeKind};
use eventflow_domain::{Error, FunctionKey, FunctionUid, Readiness, Result, VersionNumber};
use eventflow_runtime_http::warm::{Observer, Pools, Settings};
use eventflow_runtime_http::{Tasks, oci, wrong_mode};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it is looked whether the engine still answers, or does again.
const LOOK: Duration = Duration::from_secs(5);
/// Containers that were given up are ended by then.
const LAST_ENDS: Duration = Duration::from_secs(10);

/// What all parts of the runtime use.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ContainerConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) tasks: Tasks,
    pub(crate) engine: Engine,
    pub(crate) images: Images,
    pub(crate) live: Live,
}

/// Functions in job mode that were made ready, and are spoken of again when the engine comes or goes.
type Prepared = HashMap<(FunctionUid, VersionNumber), Arc<FunctionVersion>>;

/// Runs functions as containers of this machine's engine.
#[derive(Debug)]
pub struct ContainerRuntime {
    shared: Arc<Shared>,
    pools: Pools,
    prepared: Mutex<Prepared>,
    /// Functions in job mode were last told to have an engine.
    told_up: AtomicBool,
}

impl ContainerRuntime {
    /// `Invalid` where the configuration is not usable; an engine that is away is none of that: it is looked for with
    /// each call, and by the future, which also sweeps and does not end.
    pub fn new(
        config: ContainerConfig,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static)> {
        if config.kill_grace > ContainerConfig::MAX_GRACE {
            return Err(Error::invalid("kill_grace", "must be at most 4s"));
        }
        let settings = Settings {
            waiting_calls: config.bounds.waiting_calls,
            restart: config.restart,
            idle_stop: config.idle_stop,
        };
        let shared = Arc::new(Shared {
            engine: Engine::new(config.clone()),
            config,
            clock: Arc::clone(&clock),
            observer: Arc::clone(&observer),
            tasks: Tasks::default(),
            images: Images::default(),
            live: Live::default(),
        });
        let start = Arc::new(Copies(Arc::clone(&shared)));
        let pools = Pools::new(settings, start, clock, observer, shared.tasks.clone());
        let runtime =
            Arc::new(Self { shared, pools, prepared: Mutex::default(), told_up: AtomicBool::new(false) });
        let kept = Arc::clone(&runtime);
        Ok((runtime, async move { kept.keep().await }))
    }

    /// Looks for the engine now: what it is called, or why none answers. What an earlier server left in it is gone then.
    pub async fn look(&self) -> std::result::Result<String, String> {
        self.shared.engine.check().await.map(|connected| connected.about.name.clone())
    }

    async fn keep(&self) {
        let Shared { engine, config, live, .. } = &*self.shared;
        tokio::join!(self.watch(), sweep::for_ever(engine, &config.installation, live, config.sweep_every));
    }

    async fn watch(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let found = self.shared.engine.check().await;
            if found.is_ok() != self.told_up.swap(found.is_ok(), Ordering::Relaxed) {
                self.tell_again(found.err().as_deref()).await;
            }
        }
    }

    async fn tell_again(&self, away: Option<&str>) {
        let versions: Vec<_> = self.prepared.lock().values().cloned().collect();
        for version in versions {
            let readiness = match away {
                Some(why) => readiness::away(why, self.shared.clock.now()),
                None => readiness::of_job(&self.shared, &version).await,
            };
            self.shared.report(&version, readiness);
        }
    }

    /// Waits a while for the image, and goes on waiting behind the answer.
    async fn prepare_job(&self, version: &Arc<FunctionVersion>) -> Readiness {
        self.prepared.lock().insert((version.uid, version.number), Arc::clone(version));
        let (shared, version) = (Arc::clone(&self.shared), Arc::clone(version));
        let (tell, mut told) = tokio::sync::watch::channel(None);
        let now = self.shared.clock.now();
        self.shared.tasks.spawn(async move {
            let readiness = readiness::of_job(&shared, &version).await;
            if tell.send(Some(readiness.clone())).is_err() {
                shared.report(&version, readiness);
            }
        });
        let waited = tokio::time::timeout(readiness::PATIENCE, told.wait_for(Option::is_some)).await;
        self.told_up.store(self.shared.engine.known().is_ok(), Ordering::Relaxed);
        let readiness = waited.ok().and_then(|told| told.ok().and_then(|told| told.clone()));
        readiness.unwrap_or_else(|| readiness::pulling(now))
    }
}

impl Shared {
    fn report(&self, version: &FunctionVersion, readiness: Readiness) {
        self.observer.report(RuntimeReport { uid: version.uid, version: version.number, readiness });
    }
}

#[async_trait]
impl Runtime for ContainerRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Container
    }

    fn unavailable(&self) -> Option<String> {
        self.shared.engine.known().err()
    }

    async fn check(&self, version: &FunctionVersion) -> Result<()> {
        oci::check(&version.spec)?;
        let found = self.shared.engine.get().await;
        found.map(drop).map_err(|refused| Error::invalid("runtime", refused.failure.message))
    }

    async fn prepare(&self, version: &Arc<FunctionVersion>) -> Readiness {
        match version.spec.mode {
            Mode::Job => self.prepare_job(version).await,
            Mode::Http => self.pools.prepare(version).await,
        }
    }

    async fn run(&self, call: Call, logs: Arc<dyn LogSink>) -> Ran {
        if call.version.spec.mode == Mode::Job {
            return job::run(&self.shared, call, logs.as_ref()).await;
        }
        wrong_mode::run(self.shared.clock.now())
    }

    async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
        logs: Arc<dyn LogSink>,
    ) -> std::result::Result<HttpResponse, Failure> {
        if call.version.spec.mode == Mode::Job {
            return Err(wrong_mode::request());
        }
        self.pools.serve(call, request, logs).await
    }

    async fn retire(&self, _function: &FunctionKey, uid: FunctionUid, keep: Option<VersionNumber>) {
        self.prepared.lock().retain(|(of, number), _| *of != uid || Some(*number) == keep);
        self.pools.retire(uid, keep);
    }

    async fn shutdown(&self) {
        self.pools.close();
        self.shared.tasks.close(LAST_ENDS).await;
    }
}
