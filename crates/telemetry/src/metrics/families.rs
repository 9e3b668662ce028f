//! The families that have open labels, and `eventflow_http_requests_total`.

use super::exemplar::{Durations, durations};
use super::function::FunctionMetrics;
use eventflow_domain::{FunctionKey, State};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FunctionLabels {
    namespace: Arc<str>,
    function: Arc<str>,
}

impl FunctionLabels {
    pub(super) fn of(key: &FunctionKey) -> Self {
        Self { namespace: key.namespace.as_str().into(), function: key.name.as_str().into() }
    }

    /// The functions beyond the cap.
    pub(super) fn other() -> Self {
        Self { namespace: "other".into(), function: "other".into() }
    }

    fn with(&self, state: State) -> StateLabels {
        let Self { namespace, function } = self.clone();
        StateLabels { namespace, function, state: state.as_str() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    namespace: Arc<str>,
    function: Arc<str>,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HttpLabels {
    pub(super) method: &'static str,
    pub(super) route: &'static str,
    pub(super) status: u16,
}

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Debug)]
pub(super) struct Families {
    pub(super) http: Family<HttpLabels, Counter>,
    invocations: Family<StateLabels, Counter>,
    duration: Family<FunctionLabels, Durations>,
    queue_depth: Family<FunctionLabels, Gauge>,
    queue_age: Family<FunctionLabels, Seconds>,
    in_flight: Family<FunctionLabels, Gauge>,
    settle_refused: Family<FunctionLabels, Counter>,
    lost: Family<FunctionLabels, Counter>,
    adopted: Family<FunctionLabels, Counter>,
    retries: Family<FunctionLabels, Counter>,
    dead_letters: Family<FunctionLabels, Counter>,
    logs_truncated: Family<FunctionLabels, Counter>,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            http: Family::default(),
            invocations: Family::default(),
            duration: Family::new_with_constructor(durations),
            queue_depth: Family::default(),
            queue_age: Family::default(),
            in_flight: Family::default(),
            settle_refused: Family::default(),
            lost: Family::default(),
            adopted: Family::default(),
            retries: Family::default(),
            dead_letters: Family::default(),
            logs_truncated: Family::default(),
        };
        // The library appends `_total` to the names of counters.
        registry.register("eventflow_http_requests", "HTTP requests answered", families.http.clone());
        let function = registry.sub_registry_with_prefix("eventflow_function");
        function.register("invocations", "Invocations that ended", families.invocations.clone());
        function.register("duration_seconds", "Time from start to end of a run", families.duration.clone());
        function.register("queue_depth", "Invocations that wait for a run", families.queue_depth.clone());
        let help = "Age of the oldest invocation that waits";
        function.register("queue_oldest_age_seconds", help, families.queue_age.clone());
        function.register("in_flight", "Runs going on", families.in_flight.clone());
        let help = "Results refused because a newer epoch decides";
        function.register("settle_refused", help, families.settle_refused.clone());
        function.register("adopted", "Runs taken over from a worker that was gone", families.adopted.clone());
        function.register("lost", "Attempts whose lease expired", families.lost.clone());
        function.register("retries", "Attempts after the first", families.retries.clone());
        function.register(
            "dead_letters",
            "Invocations that became dead letters",
            families.dead_letters.clone(),
        );
        let help = "Invocations whose captured logs were cut";
        function.register("logs_truncated", help, families.logs_truncated.clone());
        families
    }

    pub(super) fn resolve(&self, labels: &FunctionLabels) -> FunctionMetrics {
        let ended = |state| self.invocations.get_or_create_owned(&labels.with(state));
        FunctionMetrics::new(super::function::Handles {
            succeeded: ended(State::Succeeded),
            failed: ended(State::Failed),
            cancelled: ended(State::Cancelled),
            duration: self.duration.get_or_create_owned(labels),
            queue_depth: self.queue_depth.get_or_create_owned(labels),
            queue_age: self.queue_age.get_or_create_owned(labels),
            in_flight: self.in_flight.get_or_create_owned(labels),
            settle_refused: self.settle_refused.get_or_create_owned(labels),
            lost: self.lost.get_or_create_owned(labels),
            adopted: self.adopted.get_or_create_owned(labels),
            retries: self.retries.get_or_create_owned(labels),
            dead_letters: self.dead_letters.get_or_create_owned(labels),
            logs_truncated: self.logs_truncated.get_or_create_owned(labels),
        })
    }

    pub(super) fn remove(&self, labels: &FunctionLabels) {
        for state in State::ALL {
            self.invocations.remove(&labels.with(state));
        }
        self.duration.remove(labels);
        self.queue_depth.remove(labels);
        self.queue_age.remove(labels);
        self.in_flight.remove(labels);
        for family in [
            &self.settle_refused,
            &self.lost,
            &self.adopted,
            &self.retries,
            &self.dead_letters,
            &self.logs_truncated,
        ] {
            family.remove(labels);
        }
    }
}
