//! Asks every api whether it is there, over the connection that requests take.

use super::standing::{Answering, Health};
use super::{Apis, Inner, clean, to};
use crate::replay::Replay;
use eventflow_domain::ports::Peer;
use futures::future::join_all;
use http::{HeaderValue, Request, StatusCode};
use tonic::body::Body;

impl Apis {
    /// Never ends; dropped at any time. `tell` hears after each round how many answered.
    pub async fn probe(self, mut tell: impl FnMut(Answering) + Send) {
        let inner = &*self.0;
        loop {
            let peers = inner.standings.peers();
            join_all(peers.iter().map(|peer| async move {
                let health = inner.health(peer).await;
                inner.standings.found(peer, health);
            }))
            .await;
            tell(self.answering());
            tokio::time::sleep(inner.config.probe_every).await;
        }
    }
}

impl Inner {
    async fn health(&self, peer: &Peer) -> Health {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.uri = http::Uri::from_static("/readyz");
        let token = self.key.token().ok().and_then(|token| HeaderValue::try_from(&*token).ok());
        let Some(token) = token else { return Health::Unknown };
        clean(&mut parts.headers, token);
        let Some(body) = Replay::new(Body::empty()).attempt() else { return Health::Unknown };
        let Ok(request) = to(peer, &parts, body) else { return Health::Silent };
        match tokio::time::timeout(self.config.probe_every, self.client.request(request)).await {
            Ok(Ok(response)) if response.status() == StatusCode::OK => Health::Ready,
            Ok(Ok(_)) => Health::Answers,
            Ok(Err(_)) | Err(_) => Health::Silent,
        }
    }
}
