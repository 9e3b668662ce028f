//! Closing a connection whose caller is still sending (RFC 9112 §9.6): where unread bytes are left in the socket, closing
//! it resets the connection, and the caller loses the answer that told it to stop.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long the rest of a body is read and thrown away, at most.
const LONGEST: Duration = Duration::from_secs(5);

/// Found in each request of an HTTP/1 connection: asks the connection to linger when it is closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Linger(Arc<AtomicBool>);

impl Linger {
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that, where it was asked to, reads on after its own end is shut, until the caller's end is shut too or
/// five seconds are over.
#[derive(Debug)]
pub(super) struct Lingering<S> {
    stream: S,
    linger: Linger,
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, linger: Linger) -> Self {
        Self { stream, linger, until: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.until.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.linger.asked() {
                return Poll::Ready(Ok(()));
            }
        }
        let until = this.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(LONGEST)));
        loop {
            if until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut thrown_away = [std::mem::MaybeUninit::uninit(); 8 << 10];
            let mut buffer = ReadBuf::uninit(&mut thrown_away);
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    /// More than what lies between both ends: whoever writes it waits for a reader.
    const MUCH: usize = 1 << 20;

    #[tokio::test]
    async fn what_a_caller_still_sends_is_read_until_it_ends() {
        let (mut caller, stream) = duplex(4 << 10);
        let linger = Linger::default();
        let mut connection = Lingering::new(stream, linger.clone());
        linger.ask();
        let sends = async move {
            caller.write_all(&vec![b'x'; MUCH]).await.unwrap();
            caller.shutdown().await.unwrap();
            let mut answer = String::new();
            caller.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let refuses = async move {
            connection.write_all(b"413").await.unwrap();
            connection.shutdown().await.unwrap();
        };
        let (answer, ()) = tokio::join!(sends, refuses);
        assert_eq!(answer, "413");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_never_ends_is_left_after_five_seconds() {
        let (_caller, stream) = duplex(4 << 10);
        let linger = Linger::default();
        linger.ask();
        let mut connection = Lingering::new(stream, linger);
        let begun = tokio::time::Instant::now();
        connection.shutdown().await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), LONGEST.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_nobody_asked_closes_at_once() {
        let (_caller, stream) = duplex(4 << 10);
        let mut connection = Lingering::new(stream, Linger::default());
        let begun = tokio::time::Instant::now();
        connection.shutdown().await.unwrap();
        assert!(begun.elapsed().is_zero());
    }
}
