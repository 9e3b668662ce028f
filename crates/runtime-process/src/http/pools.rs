use super::pool::Pool;
use crate::runtime::Shared;
use eventflow_domain::{FunctionUid, FunctionVersion, Readiness, VersionNumber};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The pools of all versions that are kept warm or were called lately.
#[derive(Debug, Default)]
pub(crate) struct Pools(Mutex<HashMap<(FunctionUid, VersionNumber), Arc<Pool>>>);

impl Pools {
    /// The version's pool; a new one keeps no copies warm beyond the idle time.
    pub(crate) fn pool(&self, shared: &Arc<Shared>, version: &Arc<FunctionVersion>) -> Arc<Pool> {
        let mut pools = self.0.lock();
        if let Some(pool) = pools.get(&(version.uid, version.number)) {
            return Arc::clone(pool);
        }
        // Old versions that nobody calls any more go when a new one comes. One whose count is over 1 is in the
        // hands of a call.
        pools.retain(|_, pool| pool.in_use() || Arc::strong_count(pool) > 1);
        let pool = Arc::new(Pool::new(Arc::clone(shared), version));
        pools.insert((version.uid, version.number), Arc::clone(&pool));
        pool
    }

    pub(crate) async fn prepare(&self, shared: &Arc<Shared>, version: &Arc<FunctionVersion>) -> Readiness {
        self.pool(shared, version).prepare(version).await
    }

    pub(crate) fn retire(&self, uid: FunctionUid, keep: Option<VersionNumber>) {
        self.take(|of, number| of == uid && Some(number) != keep);
    }

    pub(crate) fn close(&self) {
        self.take(|_, _| true);
    }

    fn take(&self, which: impl Fn(FunctionUid, VersionNumber) -> bool) {
        let mut taken = Vec::new();
        self.0.lock().retain(|(uid, number), pool| {
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
