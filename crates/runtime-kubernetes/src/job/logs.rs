//! The pod's log, from its first line to its end.

use eventflow_crd::names;
use eventflow_domain::logs::Stream;
use eventflow_domain::ports::LogSink;
use futures::AsyncReadExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::sync::watch;

/// The kubelet begins a new file at 10 MiB, and a read from the start begins there: bytes cannot be counted beyond.
const ROTATION: u64 = 8 << 20;
const PAUSE: Duration = Duration::from_millis(300);
/// From the end of a log to the status that says so, at most: most are there within a second.
const LAG: Duration = Duration::from_secs(2);
const CHUNK: usize = 32 << 10;

/// Kubernetes gives both streams as one.
const MERGED: &[u8] = b"stdout and stderr of a Job come as one stream\n";
const PARTIAL: &[u8] = b"the log is partial: the pod was gone before it was read to its end\n";

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// The last bytes.
    tail: VecDeque<u8>,
    read: u64,
    /// It was read to its end.
    pub(crate) whole: bool,
}

impl Captured {
    pub(crate) fn tail(self) -> Vec<u8> {
        self.tail.into()
    }

    fn take(&mut self, bytes: &[u8], keep: usize) {
        self.read += bytes.len() as u64;
        let bytes = bytes.get(bytes.len().saturating_sub(keep)..).unwrap_or_default();
        let over = (self.tail.len() + bytes.len()).saturating_sub(keep);
        self.tail.drain(..over.min(self.tail.len()));
        self.tail.extend(bytes);
    }
}

/// Follows the log of a container that has started, into the sink and the tail, until the container is `over`. Where
/// the connection breaks, it goes on where it was.
pub(crate) async fn capture(
    api: &Api<Pod>,
    pod: &str,
    sink: &dyn LogSink,
    keep: usize,
    into: &mut Captured,
    mut over: watch::Receiver<bool>,
) {
    while !into.whole {
        match read(api, pod, sink, keep, into).await {
            // The end of the connection is the end of the log only if the container has ended too.
            Ok(()) => {
                let ended = over.wait_for(|over| *over);
                into.whole = matches!(tokio::time::timeout(LAG, ended).await, Ok(Ok(_)));
            }
            Err(Broken::Gone) => return,
            Err(Broken::Later(error)) => {
                tracing::debug!(pod, %error, "the log of a pod broke off, reading on");
                if into.read > ROTATION {
                    sink.write(Stream::System, b"some lines may be missing here: the connection broke\n");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What is missing is said.
pub(crate) fn close(sink: &dyn LogSink, captured: &Captured) {
    if !captured.whole {
        partial(sink);
    }
}

/// Lines are missing.
pub(crate) fn partial(sink: &dyn LogSink) {
    sink.write(Stream::System, PARTIAL);
}

enum Broken {
    /// There is no such pod any more.
    Gone,
    Later(String),
}

async fn read(
    api: &Api<Pod>,
    pod: &str,
    sink: &dyn LogSink,
    keep: usize,
    into: &mut Captured,
) -> Result<(), Broken> {
    let mut params =
        LogParams { container: Some(names::CONTAINER.to_owned()), follow: true, ..LogParams::default() };
    let mut skip = into.read;
    if into.read > ROTATION {
        // About where it was.
        (skip, params.since_seconds) = (0, Some(1));
    }
    let stream = match api.log_stream(pod, &params).await {
        Ok(stream) => stream,
        Err(error) if eventflow_kubernetes::is_gone(&error) => return Err(Broken::Gone),
        Err(error) => return Err(Broken::Later(error.to_string())),
    };
    let mut stream = std::pin::pin!(stream);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count =
            stream.read(&mut buffer).await.map_err(|error: io::Error| Broken::Later(error.to_string()))?;
        if count == 0 {
            return Ok(());
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        let known = skip.min(count as u64);
        skip -= known;
        let new = bytes.get(known as usize..).unwrap_or_default();
        if new.is_empty() {
            continue;
        }
        if into.read == 0 {
            sink.write(Stream::System, MERGED);
        }
        sink.write(Stream::Stdout, new);
        into.take(new, keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_kept_however_they_come() {
        let mut captured = Captured::default();
        for chunk in [b"abc".as_slice(), b"defg", b"", b"hijklmnopq", b"r"] {
            captured.take(chunk, 8);
        }
        assert_eq!((captured.read, captured.tail()), (18, b"klmnopqr".to_vec()));
    }
}
