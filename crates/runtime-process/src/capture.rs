//! Reading what a command prints, as it comes and without ever holding more than a buffer of it.

use rustix::pipe::{PipeFlags, pipe_with};
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe::Receiver;

/// As much as the kernel's pipe holds.
const BUFFER: usize = 64 << 10;

/// The reading end of a command's stdout or stderr.
#[derive(Debug)]
pub(crate) struct Pipe(Receiver);

impl Pipe {
    /// A pipe: the end to read, and the end for the command.
    pub(crate) fn create() -> io::Result<(OwnedFd, OwnedFd)> {
        Ok(pipe_with(PipeFlags::CLOEXEC)?)
    }

    pub(crate) fn new(read: OwnedFd) -> io::Result<Self> {
        Ok(Self(Receiver::from_owned_fd(read)?))
    }

    /// Waits until there may be bytes, then lets `read` have them: `Ok(0)` is the end. May be dropped at any time
    /// without loss.
    pub(crate) async fn read(
        &self,
        mut read: impl FnMut(&dyn Fn(&mut [u8]) -> io::Result<usize>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            self.0.readable().await?;
            match read(&|buffer| self.0.try_read(buffer)) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                result => return result,
            }
        }
    }

    /// What the kernel holds now, whether or not we have been told of it yet.
    pub(crate) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, buffer)?)
    }

    /// All of it, piece by piece.
    pub(crate) async fn drain(&self, mut take: impl FnMut(&[u8])) {
        let mut buffer = buffer();
        while let Ok(read @ 1..) = self.read(|read| read(&mut buffer)).await {
            take(buffer.get(..read).unwrap_or_default());
            // One who prints faster than we read must not keep the task from its timeout.
            tokio::task::coop::consume_budget().await;
        }
    }
}

pub(crate) fn buffer() -> Box<[u8]> {
    vec![0; BUFFER].into_boxed_slice()
}

/// The last bytes of a stream.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
}

impl Tail {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(self.limit)..).unwrap_or_default();
        let over = (self.bytes.len() + bytes.len()).saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.bytes.extend(bytes);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_last_bytes_however_they_arrive() {
        for pieces in
            [vec!["abcdef"], vec!["ab", "cdef"], vec!["a", "b", "c", "d", "ef"], vec!["abcd", "", "ef"]]
        {
            let mut tail = Tail::new(4);
            for piece in &pieces {
                tail.push(piece.as_bytes());
            }
            assert_eq!(tail.into_bytes(), b"cdef", "{pieces:?}");
        }
        let mut short = Tail::new(4);
        short.push(b"ab");
        assert_eq!(short.into_bytes(), b"ab");
    }
}
