//! Every metric of the platform, in one registry.
//!
//! Labels are closed sets but for `namespace` and `function`. These are resolved once per function, by
//! [`Metrics::function`], into handles that only count; at most [`Metrics::MAX_FUNCTIONS`] functions have series
//! of their own, the rest share those labelled `other`.

mod bus;
mod exemplar;
mod families;
mod function;
mod process;
mod runtime;
mod text;

pub use bus::BusCounts;
pub use function::{FunctionMetrics, InFlight};
pub use prometheus_client;

use bus::Bus;
use eventflow_domain::FunctionKey;
use families::{Families, FunctionLabels, HttpLabels};
use parking_lot::RwLock;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The metrics of a process; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    families: Families,
    active_functions: Gauge,
    outbox_lag: Gauge<f64, AtomicU64>,
    slots: Gauge,
    slots_in_use: Gauge,
    bus: Bus,
    functions: RwLock<HashMap<FunctionKey, FunctionMetrics>>,
}

impl Metrics {
    /// How many functions have series of their own.
    pub const MAX_FUNCTIONS: usize = 5000;

    /// What [`Metrics::encode`] returns.
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// What [`Metrics::encode_text`] returns.
    pub const TEXT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// All metrics at zero. `tokio_*` are those of the runtime that calls, if one does.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// Also with metrics of a room of its own, which it registers under its own prefix.
    pub fn with(register: impl FnOnce(&mut Registry)) -> Self {
        let mut registry = Registry::default();
        let families = Families::register(&mut registry);
        let (active_functions, outbox_lag) = (Gauge::default(), Gauge::default());
        registry.register("eventflow_active_functions", "Functions that exist", active_functions.clone());
        let help = "Age of the oldest outbox row that is not published";
        registry.register("eventflow_outbox_lag_seconds", help, outbox_lag.clone());
        let (slots, slots_in_use) = (Gauge::default(), Gauge::default());
        registry.register("eventflow_slots", "Runs that may go on at once in this process", slots.clone());
        registry.register(
            "eventflow_slots_in_use",
            "Of those, the ones that are taken",
            slots_in_use.clone(),
        );
        let bus = Bus::default();
        registry.register_collector(Box::new(bus.clone()));
        registry.register_collector(Box::new(process::Process::new()));
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            registry.register_collector(Box::new(runtime::Runtime(handle.metrics())));
        }
        register(&mut registry);
        let functions = RwLock::default();
        Self(Arc::new(Inner {
            registry,
            families,
            active_functions,
            outbox_lag,
            slots,
            slots_in_use,
            bus,
            functions,
        }))
    }

    /// The handles of one function: resolve them once, keep them.
    pub fn function(&self, key: &FunctionKey) -> FunctionMetrics {
        if let Some(known) = self.0.functions.read().get(key) {
            return known.clone();
        }
        let mut functions = self.0.functions.write();
        if functions.len() >= Self::MAX_FUNCTIONS && !functions.contains_key(key) {
            return self.0.families.resolve(&FunctionLabels::other());
        }
        let resolve = || self.0.families.resolve(&FunctionLabels::of(key));
        functions.entry(key.clone()).or_insert_with(resolve).clone()
    }

    /// Removes the series of a function that was deleted. Handles that are still held count into nothing.
    pub fn forget_function(&self, key: &FunctionKey) {
        let mut functions = self.0.functions.write();
        if functions.remove(key).is_some() {
            self.0.families.remove(&FunctionLabels::of(key));
        }
    }

    /// Counts one answered request. `method` and `route` must come from closed sets: `route` is the pattern that
    /// matched (`/v1/functions/{name}`), never the path.
    pub fn http_request(&self, method: &'static str, route: &'static str, status: u16) {
        self.0.families.http.get_or_create(&HttpLabels { method, route, status }).inc();
    }

    pub fn set_active_functions(&self, count: usize) {
        self.0.active_functions.set(count as i64);
    }

    /// The age of the oldest outbox row that is not published; zero = none waits.
    pub fn set_outbox_lag(&self, lag: Duration) {
        self.0.outbox_lag.set(lag.as_secs_f64());
    }

    /// How many runs may go on at once in this process, and how many do.
    pub fn set_slots(&self, slots: usize, in_use: usize) {
        self.0.slots.set(slots as i64);
        self.0.slots_in_use.set(in_use as i64);
    }

    /// Shows what a bus counts as `eventflow_bus_*`; `read` must be quick, it is called when metrics are asked for.
    pub fn show_bus(&self, read: impl Fn() -> BusCounts + Send + Sync + 'static) {
        self.0.bus.tell(Box::new(read));
    }

    /// Every metric as OpenMetrics text; its type is [`Metrics::CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.0.registry) {
            tracing::error!(%error, "failed to encode metrics");
        }
        text
    }

    /// Every metric in the format that any tool reads; its type is [`Metrics::TEXT_TYPE`].
    pub fn encode_text(&self) -> String {
        text::from_openmetrics(&self.encode())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("functions", &self.0.functions.read().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
