//! A `FunctionStore` in memory, for tests of what is built on it.

mod shared;

use async_trait::async_trait;
use eventflow_domain::ports::{FunctionNews, FunctionPage, FunctionRow, FunctionStore, ReadinessReport};
use eventflow_domain::{
    Error, ErrorKind, FunctionKey, FunctionUid, FunctionVersion, Result, VersionNumber, WorkerId,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::broadcast;

/// News that a listener may lag behind.
const BACKLOG: usize = 64;

/// Keeps rows and versions, alone or shared by many writers; can be made slow, broken or silent.
#[derive(Debug)]
pub struct MemoryFunctions {
    kept: Mutex<Kept>,
    trouble: Mutex<Trouble>,
    news: broadcast::Sender<FunctionNews>,
}

#[derive(Debug, Default)]
struct Kept {
    rows: BTreeMap<FunctionKey, FunctionRow>,
    versions: Vec<FunctionVersion>,
    workers: BTreeMap<String, Worker>,
    written: u64,
    read: u64,
}

#[derive(Debug)]
struct Worker {
    id: WorkerId,
    silent: Duration,
    reports: BTreeMap<FunctionUid, ReadinessReport>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Trouble {
    delay: Duration,
    down: bool,
    silent: bool,
}

impl Default for MemoryFunctions {
    fn default() -> Self {
        Self { kept: Mutex::default(), trouble: Mutex::default(), news: broadcast::channel(BACKLOG).0 }
    }
}

impl MemoryFunctions {
    /// Each write takes so long from now on.
    pub fn slow(&self, delay: Duration) {
        self.trouble.lock().delay = delay;
    }

    /// Whether writes, and reads of what is shared, fail with `Unavailable` from now on.
    pub fn down(&self, down: bool) {
        self.trouble.lock().down = down;
    }

    /// Whether news are lost from now on.
    pub fn silent(&self, silent: bool) {
        self.trouble.lock().silent = silent;
    }

    /// Lets time pass since each worker's last word.
    pub fn pass(&self, time: Duration) {
        self.kept.lock().workers.values_mut().for_each(|worker| worker.silent += time);
    }

    /// Forgets what all workers reported.
    pub fn forget_reports(&self) {
        self.kept.lock().workers.clear();
    }

    /// Writes that were carried out.
    pub fn written(&self) -> u64 {
        self.kept.lock().written
    }

    /// Reads of single functions.
    pub fn read(&self) -> u64 {
        self.kept.lock().read
    }

    async fn trouble(&self) -> Result<()> {
        let delay = self.trouble.lock().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.up()
    }

    fn up(&self) -> Result<()> {
        if self.trouble.lock().down { Err(Error::unavailable("the store is down")) } else { Ok(()) }
    }

    fn changed(&self, kept: &Kept, key: FunctionKey) {
        self.tell(FunctionNews::Changed(key));
        self.tell(FunctionNews::Revision(kept.written));
    }

    /// Nobody listening is fine.
    fn tell(&self, news: FunctionNews) {
        if !self.trouble.lock().silent {
            let _unheard = self.news.send(news);
        }
    }
}

impl Kept {
    fn last(&self, key: &FunctionKey) -> VersionNumber {
        let of_name = self.versions.iter().filter(|version| version.key == *key);
        of_name.map(|version| version.number).max().unwrap_or_default()
    }

    /// The guard of every write.
    fn expect(&self, row: &FunctionRow, version: Option<&FunctionVersion>, expected: i64) -> Result<()> {
        let stored = self.rows.get(&row.key);
        let generation = stored.map_or(0, |row| row.generation);
        let other = stored.is_some_and(|stored| stored.uid != row.uid);
        let given = version.is_some_and(|version| version.number <= self.last(&row.key));
        if generation == expected && !other && !given {
            return Ok(());
        }
        let text = format!("generation is {generation}, not {expected}, or of another function");
        Err(Error::new(ErrorKind::VersionConflict, "VersionConflict", text))
    }
}

#[async_trait]
impl FunctionStore for MemoryFunctions {
    async fn function_put(
        &self,
        row: FunctionRow,
        version: Option<FunctionVersion>,
        expected: i64,
    ) -> Result<()> {
        self.trouble().await?;
        let mut kept = self.kept.lock();
        kept.expect(&row, version.as_ref(), expected)?;
        let key = row.key.clone();
        kept.rows.insert(row.key.clone(), row);
        kept.versions.extend(version);
        kept.written += 1;
        self.changed(&kept, key);
        Ok(())
    }

    async fn function_remove(&self, key: &FunctionKey, uid: FunctionUid) -> Result<bool> {
        self.trouble().await?;
        let mut kept = self.kept.lock();
        let there = kept.rows.get(key).is_some_and(|row| row.uid == uid);
        if there {
            kept.rows.remove(key);
            kept.written += 1;
            self.changed(&kept, key.clone());
        }
        Ok(there)
    }

    async fn function_list(&self) -> Result<FunctionPage> {
        Ok(self.kept.lock().rows.values().cloned().collect())
    }

    async fn function_last_version(&self, key: &FunctionKey) -> Result<VersionNumber> {
        Ok(self.kept.lock().last(key))
    }

    async fn version_get(&self, uid: FunctionUid, number: VersionNumber) -> Result<Option<FunctionVersion>> {
        let kept = self.kept.lock();
        Ok(kept.versions.iter().find(|version| version.uid == uid && version.number == number).cloned())
    }

    async fn version_list(&self, uid: FunctionUid) -> Result<Vec<FunctionVersion>> {
        let kept = self.kept.lock();
        let mut versions: Vec<_> =
            kept.versions.iter().filter(|version| version.uid == uid).cloned().collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.number));
        Ok(versions)
    }
}
