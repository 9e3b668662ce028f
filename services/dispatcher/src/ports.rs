//! What the dispatcher needs of the world.

use eventflow_domain::RuntimeKind;
use eventflow_domain::ports::{Blobs, Bus, Clock, FunctionRegistry, Runtime, SlotStore, Store};
use eventflow_telemetry::Metrics;
use std::sync::Arc;

/// The ports a dispatcher works over.
#[derive(Clone)]
pub struct Ports {
    pub store: Arc<dyn Store>,
    /// Where dispatchers share the bounds of functions; `None` where this is the only one.
    pub slots: Option<Arc<dyn SlotStore>>,
    pub bus: Arc<dyn Bus>,
    pub registry: Arc<dyn FunctionRegistry>,
    pub blobs: Arc<dyn Blobs>,
    /// At most one of each kind; functions of a kind without one are not run here.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
}

impl Ports {
    pub(crate) fn runtime(&self, kind: RuntimeKind) -> Option<&Arc<dyn Runtime>> {
        self.runtimes.iter().find(|runtime| runtime.kind() == kind)
    }
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").field("runtimes", &self.runtimes).finish_non_exhaustive()
    }
}
