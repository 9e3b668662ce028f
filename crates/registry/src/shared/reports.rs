//! What the workers reported: this process, which tells the store, and the others, which the store tells of.

use crate::merge;
use eventflow_domain::ports::{ReadinessReport, ReadinessRow};
use eventflow_domain::{Function, FunctionUid, Readiness, Timestamp, WorkerId};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::Notify;

/// Reports written at once.
const BATCH: usize = 500;

/// Locked after the index, never before it.
#[derive(Debug)]
pub(super) struct Reports {
    pub worker: WorkerId,
    known: Mutex<Known>,
    /// There is something to tell the store.
    news: Notify,
}

#[derive(Debug, Default)]
struct Known {
    mine: HashMap<FunctionUid, ReadinessRow>,
    others: HashMap<FunctionUid, Vec<ReadinessRow>>,
    /// Of mine: not in the store yet.
    untold: HashSet<FunctionUid>,
}

impl Reports {
    pub(super) fn new(worker: WorkerId) -> Self {
        Self { worker, known: Mutex::default(), news: Notify::new() }
    }

    /// Takes a report of this process on the function's current version.
    pub(super) fn report(&self, function: &Function, readiness: Readiness, now: Timestamp) {
        let mut known = self.known.lock();
        let none = Readiness::default();
        let before = known.mine.get(&function.uid).filter(|before| before.version == function.version);
        let said = before.map_or(&none, |before| &before.readiness);
        let readiness = merge::readiness(said, readiness, function.generation, now);
        if before.is_some_and(|before| before.readiness == readiness) {
            return;
        }
        let row = ReadinessRow {
            uid: function.uid,
            version: function.version,
            worker: self.worker.clone(),
            readiness,
            silent: Duration::ZERO,
        };
        known.mine.insert(function.uid, row);
        known.untold.insert(function.uid);
        drop(known);
        self.news.notify_one();
    }

    /// What all say of the function; `before` is what was shown of it.
    pub(super) fn of(&self, function: &Function, before: Option<&Function>, now: Timestamp) -> Readiness {
        let known = self.known.lock();
        let others = known.others.get(&function.uid).into_iter().flatten();
        let merged = merge::workers(function.version, others.chain(known.mine.get(&function.uid)));
        let none = Readiness::default();
        let before = before.filter(|before| before.version == function.version);
        let shown = before.map_or(&none, |before| &before.readiness);
        merge::readiness(shown, merged, function.generation, now)
    }

    /// Takes what the store knows of one function.
    pub(super) fn heard(&self, uid: FunctionUid, mut rows: Vec<ReadinessRow>) {
        rows.retain(|row| row.worker != self.worker);
        let mut known = self.known.lock();
        if rows.is_empty() {
            known.others.remove(&uid);
        } else {
            known.others.insert(uid, rows);
        }
    }

    /// Takes all that the store knows. What it does not know of mine is told again; what is said of functions that
    /// are not `declared` is forgotten.
    pub(super) fn heard_all(&self, rows: Vec<ReadinessRow>, declared: &HashSet<FunctionUid>) {
        let mut known = self.known.lock();
        known.others.clear();
        known.mine.retain(|uid, _| declared.contains(uid));
        let mut untold: HashSet<FunctionUid> = known.mine.keys().copied().collect();
        for row in rows.into_iter().filter(|row| declared.contains(&row.uid)) {
            if row.worker != self.worker {
                known.others.entry(row.uid).or_default().push(row);
            } else if known.mine.get(&row.uid).is_some_and(|mine| is_told(mine, &row)) {
                untold.remove(&row.uid);
            }
        }
        known.untold = untold;
        let any = !known.untold.is_empty();
        drop(known);
        if any {
            self.news.notify_one();
        }
    }

    pub(super) fn forget(&self, uid: FunctionUid) {
        let mut known = self.known.lock();
        known.mine.remove(&uid);
        known.others.remove(&uid);
        known.untold.remove(&uid);
    }

    /// Until there may be something to tell.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether the store must hear from time to time that this process is alive.
    pub(super) fn reported_any(&self) -> bool {
        !self.known.lock().mine.is_empty()
    }

    /// The next ones to tell, which count as told.
    pub(super) fn take(&self) -> Vec<ReadinessReport> {
        let mut known = self.known.lock();
        let batch: Vec<FunctionUid> = known.untold.iter().take(BATCH).copied().collect();
        let report = |uid: FunctionUid, known: &mut Known| {
            known.untold.remove(&uid);
            let mine = known.mine.get(&uid)?;
            Some(ReadinessReport { uid, version: mine.version, readiness: mine.readiness.clone() })
        };
        batch.into_iter().filter_map(|uid| report(uid, &mut known)).collect()
    }

    /// They could not be told after all.
    pub(super) fn give_back(&self, uids: Vec<FunctionUid>) {
        let mut known = self.known.lock();
        let known = &mut *known;
        known.untold.extend(uids.into_iter().filter(|uid| known.mine.contains_key(uid)));
    }
}

fn is_told(mine: &ReadinessRow, stored: &ReadinessRow) -> bool {
    mine.version == stored.version && mine.readiness == stored.readiness
}
