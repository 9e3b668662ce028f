use super::ClientConfig;
use eventflow_domain::ports::Peer;
use eventflow_domain::{Error, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// Peers that a table of channels may hold: replicas come and go, and those gone are forgotten together.
const MAX: usize = 1_000;
/// Large payloads must not wait for a window of 64 KiB.
const WINDOW: u32 = 4 << 20;

/// One HTTP/2 connection to each replica, made when it is first needed and again when it broke.
#[derive(Debug)]
pub(super) struct Channels {
    connect_timeout: Duration,
    keep_alive: Duration,
    open: Mutex<HashMap<Peer, Channel>>,
}

impl Channels {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            connect_timeout: config.connect_timeout,
            keep_alive: config.keep_alive,
            open: Mutex::default(),
        }
    }

    pub(super) fn to(&self, peer: &Peer) -> Result<Channel> {
        let mut open = self.open.lock();
        if let Some(channel) = open.get(peer) {
            return Ok(channel.clone());
        }
        if open.len() >= MAX {
            open.clear();
        }
        let endpoint = Endpoint::from_shared(format!("http://{peer}"))
            .map_err(|error| Error::internal(format!("address the dispatcher {peer:?}"), error))?
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(self.keep_alive)
            .keep_alive_timeout(self.keep_alive)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .tcp_nodelay(true);
        let channel = endpoint.connect_lazy();
        open.insert(Arc::clone(peer), channel.clone());
        Ok(channel)
    }
}
