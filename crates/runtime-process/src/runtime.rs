use crate::config::ProcessConfig;
use crate::environment::{self, Env};
use crate::http::Commands;
use crate::resolve::resolve;
use crate::wire::Order;
use crate::{job, readiness, stale};
use async_trait::async_trait;
use eventflow_domain::function::FunctionVersion;
use eventflow_domain::invocation::Failure;
use eventflow_domain::ports::{Call, Clock, HttpRequest, HttpResponse, LogSink, Ran, Runtime};
use eventflow_domain::spec::RuntimeKind;
use eventflow_domain::{
    Error, FunctionKey, FunctionSpec, FunctionUid, Mode, Readiness, Result, VersionNumber, Violation,
};
use eventflow_runtime_http::warm::{Nobody, Observer, Pools, Settings};
use eventflow_runtime_http::{Tasks, wrong_mode};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What all parts of the runtime use.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ProcessConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) tasks: Tasks,
    pub(crate) scratch: PathBuf,
    records: PathBuf,
    /// Numbers scratch folders.
    next: AtomicU64,
}

impl Shared {
    /// A name that no other folder of this runtime has.
    pub(crate) fn unique_name(&self) -> String {
        format!("{:x}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn order(&self, spec: &FunctionSpec, env: Env, scratch: &Path) -> Order {
        Order {
            command: spec.command.iter().chain(&spec.args).cloned().collect(),
            env,
            scratch: scratch.to_owned(),
            stdin: None,
            records: self.records.clone(),
            memory: spec.resources.memory.0,
            open_files: self.config.bounds.open_files,
            file_size: self.config.bounds.file_size,
            grace_ms: self.config.kill_grace.as_millis() as u64,
        }
    }
}

/// Runs functions as processes of this machine.
#[derive(Debug)]
pub struct ProcessRuntime {
    shared: Arc<Shared>,
    pools: Pools,
}

impl ProcessRuntime {
    /// Makes the work folder, ends what an earlier server left behind (that may take `kill_grace`) and removes its
    /// scratch folders. `Invalid` where the configuration is not usable.
    pub fn new(config: ProcessConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::with_observer(config, clock, Arc::new(Nobody))
    }

    /// As [`Self::new`]; the observer hears of copies that come and go, and what they print between calls.
    pub fn with_observer(
        mut config: ProcessConfig,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        if config.kill_grace > ProcessConfig::MAX_GRACE {
            return Err(Error::invalid("kill_grace", "must be at most 4s"));
        }
        if config.work_dir.to_str().is_none() {
            return Err(Error::invalid("work_dir", "must be UTF-8"));
        }
        let failed = |error: io::Error| {
            Error::internal(format_args!("prepare the work folder {}", config.work_dir.display()), error)
        };
        private_folder(&config.work_dir).map_err(failed)?;
        let work_dir = config.work_dir.canonicalize().map_err(failed)?;
        let (scratch, records) = (work_dir.join("scratch"), work_dir.join("children"));
        private_folder(&records).map_err(failed)?;
        let ended = stale::sweep(&records, config.kill_grace).map_err(failed)?;
        if ended > 0 {
            tracing::warn!(ended, "ended processes that an earlier server had left behind");
        }
        match fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => private_folder(&scratch).map_err(failed)?,
        }
        config.work_dir = work_dir;
        let shared = Shared {
            config,
            clock,
            observer,
            tasks: Tasks::default(),
            scratch,
            records,
            next: AtomicU64::new(1),
        };
        let shared = Arc::new(shared);
        let settings = Settings {
            waiting_calls: shared.config.bounds.waiting_calls,
            restart: shared.config.restart,
            idle_stop: shared.config.idle_stop,
        };
        let pools = Pools::new(
            settings,
            Arc::new(Commands(Arc::clone(&shared))),
            Arc::clone(&shared.clock),
            Arc::clone(&shared.observer),
            shared.tasks.clone(),
        );
        Ok(Self { shared, pools })
    }

    fn missing_command(&self, spec: &FunctionSpec) -> Option<String> {
        let declared: Env =
            spec.env.iter().map(|(name, value)| environment::pair(name.as_str(), value)).collect();
        let path = environment::path(&self.shared.config.base_env, &declared);
        resolve(spec.command.first()?, path).err().map(|missing| missing.message().to_owned())
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[async_trait]
impl Runtime for ProcessRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }

    async fn check(&self, version: &FunctionVersion) -> Result<()> {
        let violations = violations(&version.spec);
        if violations.is_empty() { Ok(()) } else { Err(Error::violations(violations)) }
    }

    async fn prepare(&self, version: &Arc<FunctionVersion>) -> Readiness {
        if let Some(missing) = self.missing_command(&version.spec) {
            return readiness::of_job(Some(&missing), self.shared.clock.now());
        }
        match version.spec.mode {
            Mode::Job => readiness::of_job(None, self.shared.clock.now()),
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
        self.pools.retire(uid, keep);
    }

    async fn shutdown(&self) {
        self.pools.close();
        self.shared.tasks.close(ProcessConfig::MAX_GRACE + ProcessConfig::MAX_GRACE).await;
    }
}

fn violations(spec: &FunctionSpec) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut refuse = |field: &str, rule: &str| violations.push(Violation::new(field, rule));
    match spec.command.first().map(String::as_str) {
        None | Some("") => refuse("command", "must name the program to run, such as [python3, /srv/app.py]"),
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            refuse(
                "command",
                "must be a name on PATH or an absolute path: a call runs in an empty folder of its own",
            );
        }
        Some(_) => {}
    }
    for (field, words) in [("command", &spec.command), ("args", &spec.args)] {
        if words.iter().any(|word| word.contains('\0')) {
            refuse(field, "must not contain NUL");
        }
    }
    if spec.env.values().any(|value| value.contains('\0')) {
        refuse("env", "values must not contain NUL");
    }
    if spec.image.is_some() {
        refuse("image", "must be absent with runtime process: the command is a program of this machine");
    }
    if spec
        .probe_path
        .as_ref()
        .is_some_and(|path| !path.starts_with('/') || path.parse::<::http::Uri>().is_err())
    {
        refuse("probe.path", "must be the path of a URL and start with /");
    }
    violations
}
