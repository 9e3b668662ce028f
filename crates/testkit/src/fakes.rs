//! Fakes for tests that are about one room alone.

pub mod function_store;

pub use function_store::MemoryFunctions;

use eventflow_domain::logs::{LineFramer, Stream};
use eventflow_domain::ports::LogSink;
use parking_lot::Mutex;

/// Keeps what was printed.
#[derive(Debug, Default)]
pub struct CapturedLogs(Mutex<Vec<(Stream, Vec<u8>)>>);

impl CapturedLogs {
    /// All lines of a stream so far.
    pub fn lines(&self, stream: Stream) -> Vec<String> {
        let (mut framer, mut lines) = (LineFramer::default(), Vec::new());
        for (_, bytes) in self.0.lock().iter().filter(|(of, _)| *of == stream) {
            framer.push(bytes, |line| lines.push(line.to_owned()));
        }
        framer.finish(|line| lines.push(line.to_owned()));
        lines
    }

    /// Bytes seen, over all streams.
    pub fn len(&self) -> usize {
        self.0.lock().iter().map(|(_, bytes)| bytes.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl LogSink for CapturedLogs {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        self.0.lock().push((stream, bytes.to_vec()));
    }
}
