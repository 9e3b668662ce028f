//! The record's slots, decided as the real ones do it. The way there and the way back take time.

use super::MemoryStore;
use async_trait::async_trait;
use eventflow_domain::ports::{SlotStore, SlotWant};
use eventflow_domain::{FunctionUid, Result, Timestamp, WorkerId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

const WAY: Duration = Duration::from_millis(3);

/// What a worker wanted last and was granted, and until when.
#[derive(Debug, Clone, Copy)]
struct Held {
    wanted: u32,
    granted: u32,
    until: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct SlotTable {
    held: HashMap<FunctionUid, BTreeMap<Arc<str>, Held>>,
    /// Questions that came so far.
    asked: usize,
}

impl SlotTable {
    pub(crate) fn lease(
        &mut self,
        want: &SlotWant,
        worker: &WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> u32 {
        let held = self.held.entry(want.function).or_default();
        held.retain(|_, held| held.until > now);
        let before = held.remove(&worker.0).map_or(0, |held| held.granted);
        let free = want.limit.saturating_sub(held.values().map(|held| held.granted).sum());
        let wanted = want.want.max(want.used);
        let mut wants: Vec<_> = held.iter().map(|(name, held)| (held.wanted, name)).collect();
        wants.push((wanted, &worker.0));
        let granted = share(want.limit, wants, &worker.0).min(free).max(want.used.min(before));
        held.insert(Arc::clone(&worker.0), Held { wanted, granted, until });
        granted
    }

    pub(crate) fn granted(&self, function: FunctionUid, now: Timestamp) -> u32 {
        let held = self.held.get(&function);
        held.map_or(0, |held| held.values().filter(|h| h.until > now).map(|h| h.granted).sum())
    }
}

fn share(limit: u32, mut wants: Vec<(u32, &Arc<str>)>, worker: &Arc<str>) -> u32 {
    wants.sort_unstable_by_key(|&(want, name)| (want, std::cmp::Reverse(name)));
    let (mut left, mut heads) = (limit, wants.len() as u32);
    for (want, name) in wants {
        let fair = want.min(left / heads);
        if name == worker {
            return fair;
        }
        (left, heads) = (left - fair, heads - 1);
    }
    0
}

impl MemoryStore {
    pub(in crate::virtual_time) fn slots_granted(&self, function: FunctionUid) -> u32 {
        self.record.slots.lock().granted(function, self.now())
    }

    pub(in crate::virtual_time) fn slots_asked(&self) -> usize {
        self.record.slots.lock().asked
    }
}

#[async_trait]
impl SlotStore for MemoryStore {
    async fn lease_slots(
        &self,
        wants: Vec<SlotWant>,
        worker: &WorkerId,
        lease: Duration,
    ) -> Result<Vec<u32>> {
        tokio::time::sleep(WAY).await;
        drop(self.calls().await?);
        let grants = {
            let mut slots = self.record.slots.lock();
            slots.asked += 1;
            let (now, until) = (self.now(), self.now() + lease);
            wants.iter().map(|want| slots.lease(want, worker, now, until)).collect()
        };
        tokio::time::sleep(WAY).await;
        drop(self.calls().await?);
        Ok(grants)
    }

    async fn slots_used(&self) -> Result<Vec<(FunctionUid, u32)>> {
        Ok(Vec::new())
    }
}
