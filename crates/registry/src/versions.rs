//! Versions that calls asked for lately.

use eventflow_domain::{FunctionUid, FunctionVersion, VersionNumber};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keeps up to [`Versions::MOST`] versions, which never change; those not asked for longest go first.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    kept: RwLock<HashMap<(FunctionUid, VersionNumber), Kept>>,
    /// Counts what is asked for; its value is the age of an entry.
    asked: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    version: Arc<FunctionVersion>,
    asked: AtomicU64,
}

impl Versions {
    pub(crate) const MOST: usize = 4096;

    pub(crate) fn get(&self, uid: FunctionUid, number: VersionNumber) -> Option<Arc<FunctionVersion>> {
        let kept = self.kept.read();
        let kept = kept.get(&(uid, number))?;
        kept.asked.store(self.asked.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(Arc::clone(&kept.version))
    }

    pub(crate) fn insert(&self, version: Arc<FunctionVersion>) {
        let asked = AtomicU64::new(self.asked.fetch_add(1, Ordering::Relaxed));
        let mut kept = self.kept.write();
        if kept.len() >= Self::MOST {
            forget_the_oldest_half(&mut kept);
        }
        kept.insert((version.uid, version.number), Kept { version, asked });
    }
}

/// Half at once, so that the scan is paid for by thousands of inserts.
fn forget_the_oldest_half(kept: &mut HashMap<(FunctionUid, VersionNumber), Kept>) {
    let mut ages: Vec<u64> = kept.values().map(|kept| kept.asked.load(Ordering::Relaxed)).collect();
    let half = ages.len() / 2;
    let (_, &mut median, _) = ages.select_nth_unstable(half);
    kept.retain(|_, kept| kept.asked.load(Ordering::Relaxed) >= median);
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_testkit::FunctionBuilder;

    #[test]
    fn what_is_asked_for_stays_and_the_number_is_bounded() {
        let versions = Versions::default();
        let hot = FunctionBuilder::new("hot").version();
        versions.insert(Arc::clone(&hot));
        for _ in 0..Versions::MOST * 3 {
            versions.insert(FunctionBuilder::new("cold").version());
            assert_eq!(versions.get(hot.uid, hot.number).as_ref(), Some(&hot));
        }
        assert!(versions.kept.read().len() <= Versions::MOST);
    }
}
