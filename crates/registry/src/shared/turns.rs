//! Whose turn it is, within this process: whoever reads a row and shows it does so before the next one reads it, so
//! that what is shown never goes back.

use eventflow_domain::{Error, FunctionKey, Result};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Functions that can be worked on at once.
const AT_ONCE: u64 = 64;
/// Longest wait for a turn: while the store hangs, what waits for it must not pile up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Held while a row is read and shown, or written.
pub(super) struct Turn<'a> {
    _all: RwLockReadGuard<'a, ()>,
    _some: MutexGuard<'a, ()>,
}

#[derive(Debug)]
pub(super) struct Turns {
    all: RwLock<()>,
    some: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        let some = (0..AT_ONCE).map(|_| Mutex::default()).collect();
        Self { all: RwLock::default(), some, hasher: RandomState::default() }
    }
}

impl Turns {
    /// Alone with this function; `Unavailable` where those before take too long. Not to be asked for while a turn is
    /// held.
    pub(super) async fn of(&self, key: &FunctionKey) -> Result<Turn<'_>> {
        let place = (self.hasher.hash_one(key) % AT_ONCE) as usize;
        let some = self.some.get(place).expect("should be a place for each remainder");
        let turn = async { Turn { _all: self.all.read().await, _some: some.lock().await } };
        let late = |_| Error::unavailable("others are still waiting for the store");
        tokio::time::timeout(PATIENCE, turn).await.map_err(late)
    }

    /// Alone with all functions.
    pub(super) async fn of_all(&self) -> RwLockWriteGuard<'_, ()> {
        self.all.write().await
    }
}
