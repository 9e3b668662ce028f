use bytes::Bytes;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::LogSink;
use parking_lot::Mutex;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The largest piece that a guest hands over at once.
const MAX_WRITE: usize = 64 << 10;

/// The end of a stream, of bounded length.
#[derive(Debug)]
struct Tail {
    bytes: Vec<u8>,
    cap: usize,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        // Cut only now and then: each byte is moved at most once more.
        if self.bytes.len() + bytes.len() > self.cap * 2 {
            let keep = self.cap.saturating_sub(bytes.len());
            self.bytes.drain(..self.bytes.len().saturating_sub(keep));
        }
        let fits = bytes.get(bytes.len().saturating_sub(self.cap)..).unwrap_or_default();
        self.bytes.extend_from_slice(fits);
    }

    fn take(&mut self) -> Bytes {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        bytes.slice(bytes.len().saturating_sub(self.cap)..)
    }
}

/// Where a call's stdout and stderr go: to its logs, and the end of stdout is kept where it is the result.
pub(crate) struct Captured {
    logs: Arc<dyn LogSink>,
    tail: Option<Arc<Mutex<Tail>>>,
}

impl Captured {
    /// Logs only.
    pub(crate) fn logs(logs: Arc<dyn LogSink>) -> Self {
        Self { logs, tail: None }
    }

    /// Logs, and the last `cap` bytes of stdout.
    pub(crate) fn with_tail(logs: Arc<dyn LogSink>, cap: u64) -> Self {
        let cap = usize::try_from(cap).unwrap_or(usize::MAX / 2);
        Self { logs, tail: Some(Arc::new(Mutex::new(Tail { bytes: Vec::new(), cap }))) }
    }

    /// What is kept of stdout.
    pub(crate) fn take(&self) -> Bytes {
        self.tail.as_ref().map(|tail| tail.lock().take()).unwrap_or_default()
    }

    pub(crate) fn stdout(&self) -> Output {
        Output { stream: Stream::Stdout, logs: Arc::clone(&self.logs), tail: self.tail.clone() }
    }

    pub(crate) fn stderr(&self) -> Output {
        Output { stream: Stream::Stderr, logs: Arc::clone(&self.logs), tail: None }
    }
}

#[derive(Clone)]
pub(crate) struct Output {
    stream: Stream,
    logs: Arc<dyn LogSink>,
    tail: Option<Arc<Mutex<Tail>>>,
}

impl Output {
    fn take_in(&self, bytes: &[u8]) {
        self.logs.write(self.stream, bytes);
        if let Some(tail) = &self.tail {
            tail.lock().push(bytes);
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take_in(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let piece = bytes.get(..MAX_WRITE).unwrap_or(bytes);
        self.take_in(piece);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end_whatever_the_pieces() {
        for size in [1, 3, 7, 10, 25] {
            let mut tail = Tail { bytes: Vec::new(), cap: 10 };
            let text: Vec<u8> = (0..100).collect();
            text.chunks(size).for_each(|piece| tail.push(piece));
            assert_eq!(tail.take(), text[90..], "in pieces of {size}");
        }
    }
}
