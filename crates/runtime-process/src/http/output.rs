//! Whose are the lines of a warm copy.
//!
//! While exactly one call is in flight on the copy, what it prints is that call's: its log gets the bytes. While
//! there is none, or more than one, nobody can tell, and the observer gets the lines.

use crate::capture::{Pipe, buffer};
use crate::observer::{CopyLine, Observer};
use eventflow_domain::FunctionVersion;
use eventflow_domain::logs::{LineFramer, Stream};
use eventflow_domain::ports::LogSink;
use parking_lot::Mutex;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Reads at the start and at the end of a call, at most: a copy that prints without end must not hold it.
const READS: usize = 16;
/// Of the last line, for the report of a crash.
const LAST_LINE: usize = 512;

pub(super) struct Output {
    version: Arc<FunctionVersion>,
    observer: Arc<dyn Observer>,
    streams: [Outlet; 2],
    calls: Mutex<Vec<(u64, Arc<dyn LogSink>)>>,
    last_line: Mutex<String>,
}

struct Outlet {
    stream: Stream,
    pipe: Pipe,
    /// Held while bytes are read and passed on, so that they stay in order.
    reading: Mutex<Reading>,
}

struct Reading {
    buffer: Box<[u8]>,
    framer: LineFramer,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("calls", &self.calls.lock().len()).finish_non_exhaustive()
    }
}

impl Output {
    pub(super) fn new(
        version: Arc<FunctionVersion>,
        observer: Arc<dyn Observer>,
        out: Pipe,
        err: Pipe,
    ) -> Self {
        let outlet = |stream, pipe| Outlet {
            stream,
            pipe,
            reading: Mutex::new(Reading { buffer: buffer(), framer: LineFramer::default() }),
        };
        Self {
            version,
            observer,
            streams: [outlet(Stream::Stdout, out), outlet(Stream::Stderr, err)],
            calls: Mutex::default(),
            last_line: Mutex::default(),
        }
    }

    /// Passes on what is printed, until both streams have ended.
    pub(super) async fn follow(&self) {
        let [out, err] = &self.streams;
        tokio::join!(self.follow_one(out), self.follow_one(err));
    }

    async fn follow_one(&self, outlet: &Outlet) {
        while let Ok(1..) = outlet.pipe.read(|read| self.pass_on(outlet, read)).await {
            tokio::task::coop::consume_budget().await;
        }
        self.passing_on(outlet, |framer, emit| framer.finish(emit));
    }

    /// Lines from here on are the call's, as long as it is alone; those printed before are not.
    pub(super) fn attach(&self, call: u64, logs: Arc<dyn LogSink>) {
        self.catch_up();
        self.calls.lock().push((call, logs));
    }

    /// The call has ended; what it printed is in the pipes by now.
    pub(super) fn detach(&self, call: u64) {
        self.catch_up();
        self.calls.lock().retain(|(id, _)| *id != call);
    }

    /// What was said last while nobody in particular listened.
    pub(super) fn last_line(&self) -> String {
        self.catch_up();
        self.last_line.lock().clone()
    }

    fn catch_up(&self) {
        for outlet in &self.streams {
            for _ in 0..READS {
                if !matches!(self.pass_on(outlet, &|buffer| outlet.pipe.read_now(buffer)), Ok(1..)) {
                    break;
                }
            }
        }
    }

    fn pass_on(&self, outlet: &Outlet, read: &dyn Fn(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        let mut reading = outlet.reading.lock();
        let Reading { buffer, framer } = &mut *reading;
        let read = read(buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        let (alone, calls) = {
            let calls = self.calls.lock();
            let alone = match calls.as_slice() {
                [(_, only)] => Some(Arc::clone(only)),
                _ => None,
            };
            (alone, calls.len())
        };
        match alone {
            Some(logs) => logs.write(outlet.stream, bytes),
            None => framer.push(bytes, |line| self.tell(outlet.stream, line, calls)),
        }
        Ok(read)
    }

    fn passing_on(&self, outlet: &Outlet, act: impl FnOnce(&mut LineFramer, &mut dyn FnMut(&str))) {
        let mut reading = outlet.reading.lock();
        act(&mut reading.framer, &mut |line| self.tell(outlet.stream, line, 0));
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
