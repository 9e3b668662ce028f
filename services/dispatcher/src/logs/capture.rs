//! The captured output of one attempt.

use super::{FLUSH_BYTES, LogWriter, Owner};
use eventflow_domain::logs::{LineFramer, LogLine, LogPosition, Stream};
use eventflow_domain::ports::LogSink;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// What a line costs beside its text, so that a flood of empty lines meets the cap too.
const PER_LINE: usize = 8;

/// Takes what one attempt prints.
pub(crate) struct CallLogs {
    owner: Owner,
    writer: Arc<LogWriter>,
    lines: Mutex<Lines>,
    /// Nothing more is kept.
    cut: AtomicBool,
    /// One flush at a time, so that lines are stored in order.
    flushing: tokio::sync::Mutex<()>,
    me: Weak<Self>,
}

#[derive(Debug, Default)]
struct Lines {
    stdout: LineFramer,
    stderr: LineFramer,
    seq: u32,
    /// Counted against the cap.
    bytes: usize,
    pending: Vec<LogLine>,
    pending_bytes: usize,
    enlisted: bool,
    truncated: bool,
}

impl std::fmt::Debug for CallLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CallLogs").field(&self.owner).finish()
    }
}

fn cost(line: &LogLine) -> usize {
    line.text.len() + PER_LINE
}

impl CallLogs {
    pub(super) fn open(owner: Owner, writer: Arc<LogWriter>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            owner,
            writer,
            lines: Mutex::default(),
            cut: AtomicBool::new(false),
            flushing: tokio::sync::Mutex::new(()),
            me: Weak::clone(me),
        })
    }

    /// Captured output was dropped.
    pub(crate) fn truncated(&self) -> bool {
        self.lines.lock().truncated
    }

    /// The attempt has ended: lines without an end are whole now. Whether there are lines at all.
    pub(crate) fn close(&self) -> bool {
        let mut lines = self.lines.lock();
        let (mut stdout, mut stderr) = (std::mem::take(&mut lines.stdout), std::mem::take(&mut lines.stderr));
        stdout.finish(|text| self.push(&mut lines, Stream::Stdout, text));
        stderr.finish(|text| self.push(&mut lines, Stream::Stderr, text));
        self.enlist(&mut lines);
        lines.seq > 0
    }

    /// Writes what there is and tells it live. Whether the store took it; what it did not take is kept.
    pub(crate) async fn flush(&self) -> bool {
        let _order = self.flushing.lock().await;
        let (taken, bytes) = {
            let mut lines = self.lines.lock();
            lines.enlisted = false;
            (std::mem::take(&mut lines.pending), std::mem::take(&mut lines.pending_bytes))
        };
        if taken.is_empty() {
            return true;
        }
        if self.writer.write(&self.owner, &taken).await {
            self.writer.let_go(bytes);
            self.writer.tell(&self.owner, &taken);
            return true;
        }
        let mut lines = self.lines.lock();
        let newer = std::mem::replace(&mut lines.pending, taken);
        lines.pending.extend(newer);
        lines.pending_bytes += bytes;
        self.enlist(&mut lines);
        false
    }

    fn push(&self, lines: &mut Lines, stream: Stream, text: &str) {
        if lines.truncated {
            return;
        }
        if lines.bytes + text.len() + PER_LINE > self.writer.cap {
            let limit = self.writer.cap;
            self.stop(lines, &format!("logs were cut here: more than {limit} bytes"));
        } else if self.writer.held.load(Ordering::Relaxed) > self.writer.max_held {
            self.stop(lines, "logs were cut here: the store does not take them fast enough");
        } else {
            self.append(lines, stream, text);
        }
    }

    fn stop(&self, lines: &mut Lines, marker: &str) {
        self.append(lines, Stream::System, marker);
        lines.truncated = true;
        self.cut.store(true, Ordering::Relaxed);
    }

    fn append(&self, lines: &mut Lines, stream: Stream, text: &str) {
        lines.seq += 1;
        let position = LogPosition { attempt: self.owner.attempt, seq: lines.seq };
        let line = LogLine { position, stream, time: self.writer.clock.now(), text: text.into() };
        let cost = cost(&line);
        lines.bytes += cost;
        lines.pending_bytes += cost;
        self.writer.held.fetch_add(cost, Ordering::Relaxed);
        lines.pending.push(line);
    }

    fn enlist(&self, lines: &mut Lines) {
        if lines.pending.is_empty() {
            return;
        }
        if !lines.enlisted
            && let Some(me) = self.me.upgrade()
        {
            lines.enlisted = true;
            self.writer.enlist(me);
        }
        if lines.pending_bytes >= FLUSH_BYTES {
            self.writer.hurry();
        }
    }
}

impl LogSink for CallLogs {
    fn write(&self, stream: Stream, bytes: &[u8]) {
        if self.cut.load(Ordering::Relaxed) {
            return;
        }
        let mut lines = self.lines.lock();
        let mut framer = match stream {
            Stream::Stderr => std::mem::take(&mut lines.stderr),
            Stream::Stdout | Stream::System => std::mem::take(&mut lines.stdout),
        };
        framer.push(bytes, |text| self.push(&mut lines, stream, text));
        match stream {
            Stream::Stderr => lines.stderr = framer,
            Stream::Stdout | Stream::System => lines.stdout = framer,
        }
        self.enlist(&mut lines);
    }
}
