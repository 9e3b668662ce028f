//! The use cases, one file for each resource. Domain types in, domain types out.

mod activity;
mod artifacts;
mod configs;
mod functions;
mod info;
mod invocations;
mod invoke;
mod logs;
mod replay;
mod watch;
mod watch_calls;

pub use activity::{Metrics, StatsEvent};
pub(crate) use functions::STATS_WINDOW;
pub use functions::{FunctionList, FunctionQuery};
pub use info::{ServerInfo, Shape};
pub use invocations::Bulk;
pub use invoke::{Admitted, InvokeAnswer, InvokeRequest, Proxied};
pub use logs::{LogEvent, LogFilter};
pub use watch::{WatchEvent, WatchKind};
pub use watch_calls::InvocationWatchEvent;

use activity::ActivityHub;
use eventflow_domain::access::{Caller, Permission};
use eventflow_domain::limits::Limits;
use eventflow_domain::ports::{Blobs, Bus, Clock, FunctionEvents, FunctionRegistry, Invoker, Runtime, Store};
use eventflow_domain::spec::RuntimeKind;
use eventflow_domain::{Error, Namespace, Result};
use eventflow_lifecycle::{Handle, OnExit};
use std::fmt;
use std::sync::Arc;
use watch::WatchHub;

/// What the api is told by configuration.
#[derive(Debug, Clone, Default)]
pub struct Config {
    pub limits: Limits,
    pub shape: Shape,
    /// Where a trace is to be seen, with `{trace_id}` for its id; empty: nowhere.
    pub trace_link: String,
}

/// The ports that the api works with.
pub struct Parts {
    pub registry: Arc<dyn FunctionRegistry>,
    pub store: Arc<dyn Store>,
    pub bus: Arc<dyn Bus>,
    pub events: Arc<dyn FunctionEvents>,
    pub blobs: Arc<dyn Blobs>,
    pub invoker: Arc<dyn Invoker>,
    /// Only asked whether they take a declaration; they run nothing here.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    pub clock: Arc<dyn Clock>,
    /// Told after each accept, so that the relay need not wait for its next look.
    pub wake_relay: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// The service object.
#[derive(Debug)]
pub struct App {
    parts: Parts,
    config: Config,
    watch: WatchHub,
    activity: Arc<ActivityHub>,
    handle: Handle,
}

impl App {
    /// Starts what the api needs in the background.
    pub fn start(parts: Parts, config: Config, handle: &Handle) -> Arc<Self> {
        let app = Arc::new(Self {
            parts,
            config,
            watch: WatchHub::default(),
            activity: Arc::default(),
            handle: handle.clone(),
        });
        let hub = Arc::clone(&app);
        handle.spawn("api watch", OnExit::Shutdown, async move { hub.watch_run().await });
        let figures = Arc::clone(&app);
        handle.spawn("api figures", OnExit::Shutdown, async move { figures.activity_run().await });
        app
    }

    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// The runtimes that can run something now.
    fn available(&self) -> impl Iterator<Item = &Arc<dyn Runtime>> {
        self.parts.runtimes.iter().filter(|runtime| runtime.unavailable().is_none())
    }

    fn runtime(&self, kind: RuntimeKind) -> Result<&Arc<dyn Runtime>> {
        self.parts.runtimes.iter().find(|runtime| runtime.kind() == kind).ok_or_else(|| {
            let available: Vec<String> = self.available().map(|runtime| runtime.kind().to_string()).collect();
            let list = available.join(", ");
            Error::invalid(
                "runtime",
                format!("{kind} is not available in this installation; available: {list}"),
            )
        })
    }

    /// Refuses new work while the process ends.
    fn refuse_while_draining(&self) -> Result<()> {
        if self.handle.is_draining() {
            return Err(Error::draining("the server is shutting down"));
        }
        Ok(())
    }
}

/// Checks a permission on an object. A caller who may see nothing in the namespace gets the same answer as for an
/// object that does not exist.
fn require(
    caller: &Caller,
    permission: Permission,
    namespace: &Namespace,
    not_found: impl Fn() -> Error,
) -> Result<()> {
    if !caller.may(Permission::FunctionsRead, namespace) {
        return Err(not_found());
    }
    caller.require(permission, namespace)
}
