//! Serves a router on a listener: HTTP/1.1 and HTTP/2 (h2c) on the same port, within bounds, until told to stop.

pub(crate) mod linger;

use crate::context::ClientAddress;
use axum::Router;
use axum::body::Body;
use eventflow_lifecycle::CancellationToken;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use linger::{Linger, Lingering};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// Bounds of the connections of one listener.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Connections at once; more wait in the listen queue.
    pub max_connections: usize,
    /// For the head of a request to arrive (HTTP/1.1), counted from the end of the answer before it. Longer than proxies
    /// keep an idle connection (nginx, load balancers of clouds: 60 s), so that theirs is the side that lets go: else a
    /// request on its way meets a closed door.
    pub header_timeout: Duration,
    /// Streams at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// Bytes of the head of a request.
    pub max_header_bytes: u32,
    /// Silence after which an HTTP/2 peer is asked whether it is there, and how long it has for the answer.
    pub keep_alive: Duration,
    pub keep_alive_timeout: Duration,
    /// How long requests in flight may take to end once the server stops.
    pub grace: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            header_timeout: Duration::from_secs(75),
            max_streams: 256,
            max_header_bytes: 32 << 10,
            keep_alive: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(20),
            grace: Duration::from_secs(25),
        }
    }
}

/// Accepts connections until `shutdown` is cancelled; then says goodbye to each (GOAWAY, `Connection: close`) and
/// returns when all have ended, or the grace is over and the rest are cut off.
///
/// Errors only where the listener itself is broken; a full table of descriptors is waited out.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: ServerConfig,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(config.max_connections));
    let graceful = GracefulShutdown::new();
    let builder = Arc::new(builder(&config));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let connection = connection(&builder, stream, peer, router.clone());
                let connection = graceful.watch(connection);
                connections.spawn(async move {
                    let _place = place;
                    if let Err(error) = connection.await {
                        tracing::debug!(%peer, %error, "connection ended badly");
                    }
                });
            }
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                // Out of descriptors, most likely: connections that end free some.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let ended = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    if tokio::time::timeout(config.grace, ended).await.is_err() {
        tracing::warn!("some connections outlived the grace and are cut off");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused)
}

fn builder(config: &ServerConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_headers(128)
        .max_buf_size(usize::try_from(config.max_header_bytes).unwrap_or(64 << 10).max(16 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_streams)
        .max_header_list_size(config.max_header_bytes)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(Some(256))
        .keep_alive_interval(config.keep_alive)
        .keep_alive_timeout(config.keep_alive_timeout)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}

fn connection(
    builder: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = Box<dyn std::error::Error + Send + Sync>>
+ Send
+ 'static {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let linger = Linger::default();
    let stream = Lingering::new(stream, linger.clone());
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ClientAddress(peer));
        request.extensions_mut().insert(linger.clone());
        let router = router.clone();
        async move {
            Ok::<_, Infallible>(
                router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {}),
            )
        }
    });
    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned()
}
