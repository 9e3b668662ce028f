//! `process_*`, read from /proc when asked for.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::fs;

/// Ticks a second in /proc: an interface of the kernel, 100 on every architecture that we run on.
const TICKS: f64 = 100.0;

/// The resources of this process.
#[derive(Debug)]
pub(super) struct Process {
    /// When the machine booted, in seconds since the Unix epoch.
    booted: Option<f64>,
}

impl Process {
    pub(super) fn new() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let booted = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
        Self { booted }
    }
}

struct Stat {
    cpu_seconds: f64,
    /// After the boot.
    started_seconds: f64,
    threads: i64,
}

fn stat() -> Option<Stat> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in brackets, may contain anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // Numbered from 1 in proc(5); the third is the first here.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some(Stat {
        cpu_seconds: (field(14)? + field(15)?) / TICKS,
        started_seconds: field(22)? / TICKS,
        threads: field(20)? as i64,
    })
}

/// Resident bytes.
fn resident() -> Option<i64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn open_fds() -> Option<i64> {
    // One of them is the listing itself.
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as i64 - 1)
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stat = stat();
        let started = stat.as_ref().zip(self.booted).map(|(stat, booted)| booted + stat.started_seconds);
        if let Some(stat) = &stat {
            let counter = ConstCounter::new(stat.cpu_seconds);
            let kind = prometheus_client::metrics::MetricType::Counter;
            let help = "User and system CPU time spent";
            counter.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, kind)?)?;
        }
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory", resident().map(|bytes| bytes as f64)),
            ("process_open_fds", "Open file descriptors", open_fds().map(|count| count as f64)),
            ("process_threads", "Threads", stat.map(|stat| stat.threads as f64)),
            ("process_start_time_seconds", "Start, since the Unix epoch", started),
        ];
        for (name, help, value) in gauges {
            gauge(&mut encoder, name, help, value)?;
        }
        Ok(())
    }
}

/// Writes a gauge that is known.
pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: Option<f64>,
) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}
