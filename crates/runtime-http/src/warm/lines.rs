//! Whose are the lines of a warm copy.
//!
//! While exactly one call is in flight on the copy, what it prints is that call's: its log gets the bytes. While
//! there is none, or more than one, nobody can tell, and the observer gets the lines.

use super::observer::{CopyLine, Observer};
use eventflow_domain::FunctionVersion;
use eventflow_domain::logs::{LineFramer, Stream};
use eventflow_domain::ports::LogSink;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Of the last line, for the report of a crash.
const LAST_LINE: usize = 512;

/// What a copy prints, on its way to whom it concerns.
pub struct Lines {
    version: Arc<FunctionVersion>,
    observer: Arc<dyn Observer>,
    /// Between a print and the moment at which we hear of it, at most.
    lag: Duration,
    framers: [Mutex<LineFramer>; 2],
    calls: Mutex<Calls>,
    last_line: Mutex<String>,
}

#[derive(Default)]
struct Calls {
    running: Vec<(u64, Arc<dyn LogSink>)>,
    /// The last one to end, and when: what was printed within it may still be on its way.
    ended: Option<(Arc<dyn LogSink>, Instant)>,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("calls", &self.calls.lock().running.len()).finish_non_exhaustive()
    }
}

impl Lines {
    /// `lag` is zero where what was printed within a call is read before the call is detached.
    pub fn new(version: Arc<FunctionVersion>, observer: Arc<dyn Observer>, lag: Duration) -> Self {
        Self {
            version,
            observer,
            lag,
            framers: Default::default(),
            calls: Mutex::default(),
            last_line: Mutex::default(),
        }
    }

    pub fn attach(&self, call: u64, logs: Arc<dyn LogSink>) {
        let mut calls = self.calls.lock();
        calls.running.push((call, logs));
        calls.ended = None;
    }

    pub fn detach(&self, call: u64) {
        let mut calls = self.calls.lock();
        let Some(place) = calls.running.iter().position(|(id, _)| *id == call) else { return };
        let (_, logs) = calls.running.swap_remove(place);
        let alone = calls.running.is_empty() && !self.lag.is_zero();
        calls.ended = alone.then(|| (logs, Instant::now()));
    }

    /// Bytes as they came. Those of one stream are given in order, by one at a time.
    pub fn take(&self, stream: Stream, bytes: &[u8]) {
        let (alone, count) = self.whose();
        match alone {
            Some(logs) => logs.write(stream, bytes),
            None => self.framer(stream).lock().push(bytes, |line| self.tell(stream, line, count)),
        }
    }

    /// The stream has ended: what has no line end is a line.
    pub fn finish(&self, stream: Stream) {
        self.framer(stream).lock().finish(|line| self.tell(stream, line, 0));
    }

    pub fn last_line(&self) -> String {
        self.last_line.lock().clone()
    }

    fn whose(&self) -> (Option<Arc<dyn LogSink>>, usize) {
        let mut calls = self.calls.lock();
        let count = calls.running.len();
        let alone = match calls.running.as_slice() {
            [(_, only)] => Some(Arc::clone(only)),
            [] => {
                calls.ended.take_if(|(_, at)| at.elapsed() > self.lag);
                calls.ended.as_ref().map(|(logs, _)| Arc::clone(logs))
            }
            _ => None,
        };
        (alone, count)
    }

    fn framer(&self, stream: Stream) -> &Mutex<LineFramer> {
        let [out, err] = &self.framers;
        if stream == Stream::Stderr { err } else { out }
    }

    fn tell(&self, stream: Stream, text: &str, calls: usize) {
        if !text.trim().is_empty() {
            let mut last = self.last_line.lock();
            last.clear();
            last.extend(text.chars().take(LAST_LINE));
        }
        let FunctionVersion { key, uid, number, .. } = &*self.version;
        self.observer.line(CopyLine { function: key, uid: *uid, version: *number, stream, text, calls });
    }
}
