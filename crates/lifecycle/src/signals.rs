//! Where the wish to stop comes from.

use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// A signal that asks the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: what `kill` and the kubelet send.
    Terminate,
}

impl Signal {
    /// The signal's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// A source of [`Signal`]s.
#[derive(Debug)]
pub struct Signals(Kind);

#[derive(Debug)]
enum Kind {
    System { interrupt: tokio::signal::unix::Signal, terminate: tokio::signal::unix::Signal },
    Channel(mpsc::Receiver<Signal>),
}

impl Signals {
    /// SIGTERM and SIGINT of this process. From now on they no longer end it by themselves.
    pub fn system() -> io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self(Kind::System { interrupt, terminate }))
    }

    /// Signals that a program sends to itself: for tests, and for a service run inside another process.
    pub fn channel() -> (mpsc::Sender<Signal>, Self) {
        let (sender, receiver) = mpsc::channel(2);
        (sender, Self(Kind::Channel(receiver)))
    }

    /// The next signal; never resolves once none can come any more.
    pub(crate) async fn next(&mut self) -> Signal {
        let received = match &mut self.0 {
            Kind::Channel(receiver) => receiver.recv().await,
            Kind::System { interrupt, terminate } => tokio::select! {
                Some(()) = interrupt.recv() => Some(Signal::Interrupt),
                Some(()) = terminate.recv() => Some(Signal::Terminate),
                else => None,
            },
        };
        match received {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
