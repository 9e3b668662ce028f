//! Reading what a command prints, as it comes and without ever holding more than a buffer of it.

use rustix::pipe::{PipeFlags, pipe_with};
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
