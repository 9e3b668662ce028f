//! `eventflow_bus_*`, counted by the bus itself and read when asked for.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What a bus counted since the start of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BusCounts {
    pub published: u64,
    pub delivered: u64,
    pub redelivered: u64,
    /// Messages that could not be read and were taken off the stream.
    pub poison: u64,
    /// Live news and CloudEvents that were dropped.
    pub dropped: u64,
    pub disconnects: u64,
    /// Streams and consumers that were not as they must be, and were set right.
    pub repairs: u64,
}

type Read = Box<dyn Fn() -> BusCounts + Send + Sync>;

/// Nothing is shown where no bus tells.
#[derive(Clone, Default)]
pub(super) struct Bus(Arc<OnceLock<Read>>);

impl Bus {
    /// The first one that is given stays.
    pub(super) fn tell(&self, read: Read) {
        drop(self.0.set(read));
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bus").field(&self.0.get().is_some()).finish()
    }
}

impl Collector for Bus {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(counts) = self.0.get().map(|read| read()) else { return Ok(()) };
        let counters = [
            ("eventflow_bus_published", "Messages that the bus confirmed", counts.published),
            ("eventflow_bus_delivered", "Messages that the bus handed out", counts.delivered),
            ("eventflow_bus_redelivered", "Of those, the ones handed out before", counts.redelivered),
            ("eventflow_bus_poison", "Messages that nobody can read, taken away", counts.poison),
            ("eventflow_bus_dropped", "Live news and events that were dropped", counts.dropped),
            ("eventflow_bus_disconnects", "Connections lost", counts.disconnects),
            ("eventflow_bus_repairs", "Streams and consumers set right", counts.repairs),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}
