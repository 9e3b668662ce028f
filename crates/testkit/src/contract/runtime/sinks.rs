use eventflow_domain::logs::Stream;
use eventflow_domain::ports::LogSink;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what is printed and keeps nothing.
#[derive(Debug, Default)]
pub struct CountingSink {
    bytes: AtomicU64,
    largest: AtomicU64,
}

impl CountingSink {
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The largest piece that came at once.
    pub fn largest(&self) -> u64 {
        self.largest.load(Ordering::Relaxed)
    }
}

impl LogSink for CountingSink {
    fn write(&self, _stream: Stream, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.largest.fetch_max(bytes.len() as u64, Ordering::Relaxed);
    }
}
