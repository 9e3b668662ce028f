//! What a copy prints, by its pipes.

use crate::capture::{Pipe, buffer};
use async_trait::async_trait;
use eventflow_domain::FunctionVersion;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::LogSink;
use eventflow_runtime_http::warm::{Lines, Observer, Output};
use parking_lot::Mutex;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Reads at the start and at the end of a call, at most: a copy that prints without end must not hold it.
const READS: usize = 16;

pub(super) struct Piped {
    lines: Lines,
    streams: [Outlet; 2],
}

struct Outlet {
    stream: Stream,
    pipe: Pipe,
    /// Held while bytes are read and passed on, so that they stay in order.
    reading: Mutex<Box<[u8]>>,
}

impl fmt::Debug for Piped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piped").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Piped {
    pub(super) fn new(
        version: Arc<FunctionVersion>,
        observer: Arc<dyn Observer>,
        out: Pipe,
        err: Pipe,
    ) -> Self {
        let outlet = |stream, pipe| Outlet { stream, pipe, reading: Mutex::new(buffer()) };
        Self {
            // What a call printed is in the pipes when it ends, and is read then.
            lines: Lines::new(version, observer, Duration::ZERO),
            streams: [outlet(Stream::Stdout, out), outlet(Stream::Stderr, err)],
        }
    }

    async fn follow_one(&self, outlet: &Outlet) {
        while let Ok(1..) = outlet.pipe.read(|read| self.pass_on(outlet, read)).await {
            tokio::task::coop::consume_budget().await;
        }
        let _order = outlet.reading.lock();
        self.lines.finish(outlet.stream);
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
        let mut buffer = outlet.reading.lock();
        let read = read(&mut buffer)?;
        self.lines.take(outlet.stream, buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[async_trait]
impl Output for Piped {
    /// Passes on what is printed, until both streams have ended.
    async fn follow(&self) {
        let [out, err] = &self.streams;
        tokio::join!(self.follow_one(out), self.follow_one(err));
    }

    /// Lines from here on are the call's, as long as it is alone; those printed before are not.
    fn attach(&self, call: u64, logs: Arc<dyn LogSink>) {
        self.catch_up();
        self.lines.attach(call, logs);
    }

    /// The call has ended; what it printed is in the pipes by now.
    fn detach(&self, call: u64) {
        self.catch_up();
        self.lines.detach(call);
    }

    fn last_line(&self) -> String {
        self.catch_up();
        self.lines.last_line()
    }
}
