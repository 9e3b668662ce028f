//! Keep-alive connections to one copy.

use crate::quick_ack::QuickAck;
use crate::tasks::Tasks;
use eventflow_domain::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The body of a request.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;
/// A connection that can take a request.
pub type Sender = SendRequest<Body>;

/// For a connection. A copy whose address is gone with it, as that of a container, refuses nothing: it is silent.
const CONNECT: Duration = Duration::from_secs(3);
/// Servers close idle connections, many after 5 s; one that is closed under a request costs the call.
const REUSE: Duration = Duration::from_secs(2);
/// Until a connection that has just given its answer can take the next request.
const READY: Duration = Duration::from_millis(50);

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to connect to the copy at {address}")]
    Connect { address: SocketAddr, source: io::Error },
    #[error("the connection to the copy broke")]
    Broken(#[source] hyper::Error),
}

/// Keep-alive connections to one copy.
#[derive(Debug)]
pub struct Connections {
    address: SocketAddr,
    tasks: Tasks,
    idle: Mutex<Vec<(Sender, Instant)>>,
    /// Cancelled: the copy is gone, and nothing answers at its address.
    gone: CancellationToken,
}

impl Connections {
    pub fn new(address: SocketAddr, tasks: Tasks) -> Self {
        Self { address, tasks, idle: Mutex::default(), gone: CancellationToken::new() }
    }

    /// The copy is gone: whoever still waits for a connection fails to connect now, and may ask another copy.
    pub fn close(&self) {
        self.gone.cancel();
        self.idle.lock().clear();
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request; the sender goes back by [`Self::put_back`] once the answer has been read whole. A request
    /// is sent again only where the connection took nothing of it.
    pub async fn send(&self, request: Request<Body>) -> Result<(Response<Incoming>, Sender), Error> {
        self.try_send(request).await.map_err(|(error, _)| error)
    }

    /// As [`Self::send`]; the request comes back where nothing of it was sent.
    pub async fn try_send(
        &self,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, Sender), (Error, Option<Request<Body>>)> {
        while let Some(mut sender) = self.take_idle() {
            if !matches!(tokio::time::timeout(READY, sender.ready()).await, Ok(Ok(()))) {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err((Error::Broken(error.into_error()), None)),
                },
            }
        }
        let mut sender = match self.open().await {
            Ok(sender) => sender,
            Err(error) => return Err((error, Some(request))),
        };
        match sender.try_send_request(request).await {
            Ok(response) => Ok((response, sender)),
            Err(mut error) => {
                let unsent = error.take_message();
                Err((Error::Broken(error.into_error()), unsent))
            }
        }
    }

    pub fn put_back(&self, sender: Sender) {
        if !sender.is_closed() {
            self.idle.lock().push((sender, Instant::now()));
        }
    }

    /// The one used last, since it is the least likely to be closed.
    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock();
        let now = Instant::now();
        idle.retain(|(sender, since)| !sender.is_closed() && now.duration_since(*since) < REUSE);
        idle.pop().map(|(sender, _)| sender)
    }

    async fn open(&self) -> Result<Sender, Error> {
        let stream =
            self.connect().await.map_err(|source| Error::Connect { address: self.address, source })?;
        let (mut sender, connection) =
            handshake(TokioIo::new(QuickAck(stream))).await.map_err(Error::Broken)?;
        self.tasks.spawn(async move {
            // Its end is told to whoever waits for an answer.
            let _ = connection.with_upgrades().await;
        });
        sender.ready().await.map_err(Error::Broken)?;
        Ok(sender)
    }

    pub async fn connect(&self) -> io::Result<TcpStream> {
        let connected = tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(io::Error::new(io::ErrorKind::NotConnected, "the copy is gone")),
            connected = tokio::time::timeout(CONNECT, TcpStream::connect(self.address)) => {
                connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        };
        let stream = connected?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Empty};
    use tokio::net::TcpSocket;

    fn request() -> Request<Body> {
        Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync())
    }

    /// As where a container's address goes with it: packets to it are lost, and no refusal comes back.
    #[tokio::test]
    async fn whoever_waits_for_a_silent_copy_keeps_the_request_once_it_is_gone() {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = socket.local_addr().expect("an address");
        let _listener = socket.listen(1).expect("it listens");
        let mut queue = Vec::new();
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            queue.push(stream);
        }
        let connections = Connections::new(address, Tasks::default());
        let (sent, ()) = tokio::join!(connections.try_send(request()), async {
            tokio::task::yield_now().await;
            connections.close();
        });
        let (error, back) = sent.expect_err("nobody answers");
        assert!(
            matches!(&error, Error::Connect { source, .. } if source.kind() == io::ErrorKind::NotConnected),
            "{error:?}"
        );
        assert!(back.is_some(), "nothing of the request was sent");
    }
}
