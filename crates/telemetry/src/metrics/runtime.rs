//! `tokio_*`, from the stable metrics of the runtime.

use super::process::gauge;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use std::fmt;
use tokio::runtime::RuntimeMetrics;

/// The runtime that serves this process.
#[derive(Debug)]
pub(super) struct Runtime(pub(super) RuntimeMetrics);

impl Collector for Runtime {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauges = [
            ("tokio_workers", "Worker threads", self.0.num_workers()),
            ("tokio_alive_tasks", "Tasks that have not ended", self.0.num_alive_tasks()),
            ("tokio_global_queue_depth", "Tasks that wait for any worker", self.0.global_queue_depth()),
        ];
        for (name, help, value) in gauges {
            gauge(&mut encoder, name, help, Some(value as f64))?;
        }
        Ok(())
    }
}
