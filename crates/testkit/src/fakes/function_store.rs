//! A `FunctionStore` in memory, for tests of what is built on it.

use async_trait::async_trait;
use eventflow_domain::ports::{FunctionPage, FunctionRow, FunctionStore};
use eventflow_domain::{Error, ErrorKind, FunctionKey, FunctionUid, FunctionVersion, Result, VersionNumber};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;

/// Keeps rows and versions; can be made slow or broken.
#[derive(Debug, Default)]
pub struct MemoryFunctions {
    kept: Mutex<Kept>,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Kept {
    rows: BTreeMap<FunctionKey, FunctionRow>,
    versions: Vec<FunctionVersion>,
    written: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Trouble {
    delay: Duration,
    down: bool,
}

impl MemoryFunctions {
    /// Each write takes so long from now on.
    pub fn slow(&self, delay: Duration) {
        self.trouble.lock().delay = delay;
    }

    /// Whether writes fail with `Unavailable` from now on.
    pub fn down(&self, down: bool) {
        self.trouble.lock().down = down;
    }

    /// Writes that were carried out.
    pub fn written(&self) -> u64 {
        self.kept.lock().written
    }

    async fn trouble(&self) -> Result<()> {
        let Trouble { delay, down } = *self.trouble.lock();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if down { Err(Error::unavailable("the store is down")) } else { Ok(()) }
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
        let stored = kept.rows.get(&row.key).map_or(0, |row| row.generation);
        if stored != expected {
            let text = format!("generation is {stored}, not {expected}");
            return Err(Error::new(ErrorKind::VersionConflict, "VersionConflict", text));
        }
        kept.rows.insert(row.key.clone(), row);
        kept.versions.extend(version);
        kept.written += 1;
        Ok(())
    }

    async fn function_remove(&self, key: &FunctionKey, uid: FunctionUid) -> Result<bool> {
        self.trouble().await?;
        let mut kept = self.kept.lock();
        let there = kept.rows.get(key).is_some_and(|row| row.uid == uid);
        if there {
            kept.rows.remove(key);
            kept.written += 1;
        }
        Ok(there)
    }

    async fn function_list(&self) -> Result<FunctionPage> {
        Ok(self.kept.lock().rows.values().cloned().collect())
    }

    async fn function_last_version(&self, key: &FunctionKey) -> Result<VersionNumber> {
        let kept = self.kept.lock();
        let numbers =
            kept.versions.iter().filter(|version| version.key == *key).map(|version| version.number);
        Ok(numbers.max().unwrap_or_default())
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
