//! The operator's metrics, by the names that dashboards of controllers know.

use crate::queue::Queue;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::{Arc, Weak};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    controller: &'static str,
    result: &'static str,
}

const FUNCTION: Controller = Controller { controller: "function" };
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// What came of a reconcile, as `controller_runtime_reconcile_total` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Result {
    Success,
    RequeueAfter,
    Error,
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    reconciles: Family<Ended, Counter>,
    errors: Family<Controller, Counter>,
    seconds: Family<Controller, Histogram>,
    active: Family<Controller, Gauge>,
    leads: Gauge,
    functions: Gauge,
    watch_errors: Counter,
    queue: QueueDepth,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            reconciles: Family::default(),
            errors: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            active: Family::default(),
            leads: Gauge::default(),
            functions: Gauge::default(),
            watch_errors: Counter::default(),
            queue: QueueDepth::default(),
        }
    }
}

impl Metrics {
    pub fn register(&self, registry: &mut Registry) {
        let runtime = registry.sub_registry_with_prefix("controller_runtime");
        runtime.register("reconcile", "Reconciles that ended", self.reconciles.clone());
        runtime.register("reconcile_errors", "Reconciles that failed", self.errors.clone());
        runtime.register("reconcile_time_seconds", "Time of a reconcile", self.seconds.clone());
        runtime.register("active_workers", "Reconciles going on", self.active.clone());
        registry.register(
            "leader_election_master_status",
            "1 where this operator writes",
            self.leads.clone(),
        );
        registry.register(
            "eventflow_operator_functions",
            "Functions that are watched",
            self.functions.clone(),
        );
        registry.register("eventflow_operator_watch_errors", "Watches that broke", self.watch_errors.clone());
        registry.register_collector(Box::new(self.queue.clone()));
    }

    pub(crate) fn show(&self, queue: &Arc<Queue>) {
        *self.queue.0.lock() = Arc::downgrade(queue);
    }

    pub(crate) fn started(&self) {
        self.active.get_or_create(&FUNCTION).inc();
    }

    pub(crate) fn ended(&self, result: Result, took: Duration) {
        self.active.get_or_create(&FUNCTION).dec();
        self.seconds.get_or_create(&FUNCTION).observe(took.as_secs_f64());
        let result = match result {
            Result::Success => "success",
            Result::RequeueAfter => "requeue_after",
            Result::Error => {
                self.errors.get_or_create(&FUNCTION).inc();
                "error"
            }
        };
        self.reconciles.get_or_create(&Ended { controller: "function", result }).inc();
    }

    pub(crate) fn set_leads(&self, leads: bool) {
        self.leads.set(leads.into());
    }

    pub(crate) fn set_functions(&self, count: usize) {
        self.functions.set(count as i64);
    }

    pub(crate) fn watch_broke(&self) {
        self.watch_errors.inc();
    }
}

/// Read when metrics are asked for.
#[derive(Debug, Clone, Default)]
struct QueueDepth(Arc<Mutex<Weak<Queue>>>);

impl Collector for QueueDepth {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let queue = self.0.lock().upgrade();
        let (depth, retrying) = queue.map_or((0, 0), |queue| (queue.depth(), queue.retrying()));
        for (name, help, value) in [
            ("workqueue_depth", "Functions that are due and wait for a worker", depth),
            ("workqueue_retrying", "Functions whose last reconcile failed", retrying),
        ] {
            let gauge = ConstGauge::new(value as i64);
            let none: Option<&Unit> = None;
            let mut metric = encoder.encode_descriptor(name, help, none, MetricType::Gauge)?;
            gauge.encode(metric.encode_family(&[("name", "function")])?)?;
        }
        Ok(())
    }
}
