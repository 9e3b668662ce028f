use super::observer::Observer;
use super::pool::Pool;
use super::serve;
use super::start::{Base, Settings, Start};
use crate::tasks::Tasks;
use eventflow_domain::invocation::Failure;
use eventflow_domain::ports::{Call, Clock, HttpRequest, HttpResponse, LogSink};
use eventflow_domain::{FunctionUid, FunctionVersion, Readiness, VersionNumber};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The pools of all versions that are kept warm or were called lately.
#[derive(Debug)]
pub struct Pools {
    base: Arc<Base>,
    pools: Mutex<HashMap<(FunctionUid, VersionNumber), Arc<Pool>>>,
}

impl Pools {
    /// `tasks` is where copies live; they end when it closes.
    pub fn new(
        settings: Settings,
        start: Arc<dyn Start>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        tasks: Tasks,
    ) -> Self {
        Self { base: Arc::new(Base::new(settings, start, clock, observer, tasks)), pools: Mutex::default() }
    }

    /// The version's pool; a new one keeps no copies warm beyond the idle time.
    pub(super) fn pool(&self, version: &Arc<FunctionVersion>) -> Arc<Pool> {
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(&(version.uid, version.number)) {
            return Arc::clone(pool);
        }
        // Old versions that nobody calls any more go when a new one comes. One whose count is over 1 is in the
        // hands of a call.
        pools.retain(|_, pool| pool.in_use() || Arc::strong_count(pool) > 1);
        let pool = Arc::new(Pool::new(Arc::clone(&self.base), version));
        pools.insert((version.uid, version.number), Arc::clone(&pool));
        pool
    }

    /// Keeps the version's minimum of copies warm from here on, and waits a while for it.
    pub async fn prepare(&self, version: &Arc<FunctionVersion>) -> Readiness {
        self.pool(version).prepare(version).await
    }

    /// One request, from its place on a copy to the head of the answer.
    pub async fn serve(
        &self,
        call: Call,
        request: HttpRequest,
        logs: Arc<dyn LogSink>,
    ) -> Result<HttpResponse, Failure> {
        serve::serve(self, self.base.clock.as_ref(), call, request, logs).await
    }

    /// Copies of the function end with their last call, but for those of the version to keep.
    pub fn retire(&self, uid: FunctionUid, keep: Option<VersionNumber>) {
        self.take(|of, number| of == uid && Some(number) != keep);
    }

    /// All copies end with their last call.
    pub fn close(&self) {
        self.take(|_, _| true);
    }

    fn take(&self, which: impl Fn(FunctionUid, VersionNumber) -> bool) {
        let mut taken = Vec::new();
        self.pools.lock().retain(|(uid, number), pool| {
            let take = which(*uid, *number);
            if take {
                taken.push(Arc::clone(pool));
            }
            !take
        });
        for pool in taken {
            pool.close();
        }
    }
}
