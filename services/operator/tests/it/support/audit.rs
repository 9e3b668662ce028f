use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where a process ends: before its n-th write, or after it and before its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Before(usize),
    After(usize),
}

/// Every request of an operator, and the fault that it is to have.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    writes: Mutex<Vec<String>>,
    count: AtomicUsize,
    cut: Mutex<Option<Cut>>,
    dead: AtomicBool,
    /// Every request fails while it is set: the network is gone.
    pub(crate) away: AtomicBool,
}

impl Audit {
    pub(crate) fn new(cut: Option<Cut>) -> Arc<Self> {
        Arc::new(Self { cut: Mutex::new(cut), ..Self::default() })
    }

    /// The writes so far but those of the Lease: `PATCH /apis/…`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.writes.lock().clone()
    }

    pub(crate) fn forget(&self) {
        self.writes.lock().clear();
    }

    /// Whether the fault has come.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    pub(crate) fn wrap(self: &Arc<Self>, client: &Client) -> Client {
        Client::new(
            Audited { inner: client.clone(), audit: Arc::clone(self) },
            client.default_namespace().to_owned(),
        )
    }
}

#[derive(Clone)]
struct Audited {
    inner: Client,
    audit: Arc<Audit>,
}

impl Service<Request<Body>> for Audited {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { inner, audit } = self.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            if audit.is_dead() || audit.away.load(Ordering::SeqCst) {
                return Err("the network is gone".into());
            }
            if request.method() == Method::GET || path.contains("/leases") {
                return inner.send(request).await.map_err(Into::into);
            }
            let at = audit.count.fetch_add(1, Ordering::SeqCst);
            let cut = *audit.cut.lock();
            if cut == Some(Cut::Before(at)) {
                audit.dead.store(true, Ordering::SeqCst);
                return Err("the process ended".into());
            }
            audit.writes.lock().push(format!("{} {path}", request.method()));
            let answer = inner.send(request).await;
            if cut == Some(Cut::After(at)) {
                audit.dead.store(true, Ordering::SeqCst);
                return Err("the process ended".into());
            }
            answer.map_err(Into::into)
        })
    }
}
