//! What keeps a flood of calls to unknown functions away from the database.

use eventflow_domain::{Error, FunctionKey, Result};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long the answer that there is no such function, or that none can be read, stands.
const STANDS: Duration = Duration::from_secs(1);
/// Names remembered.
const MOST: usize = 4096;
/// Reads at once.
const READS: usize = 4;
/// Those that wait for a read, the reading ones included.
const WAITING: usize = 256;

#[derive(Debug)]
pub(crate) struct Unknown {
    /// Until when, by the monotonic clock.
    absent: Mutex<HashMap<FunctionKey, Duration>>,
    unreadable_until: Mutex<Duration>,
    waiting: Semaphore,
    reading: Semaphore,
}

impl Default for Unknown {
    fn default() -> Self {
        Self {
            absent: Mutex::default(),
            unreadable_until: Mutex::default(),
            waiting: Semaphore::new(WAITING),
            reading: Semaphore::new(READS),
        }
    }
}

/// The right to read once.
pub(crate) struct Place<'a> {
    _waiting: SemaphorePermit<'a>,
    _reading: SemaphorePermit<'a>,
}

impl Unknown {
    /// `Unavailable` where too many wait already.
    pub(crate) async fn place(&self) -> Result<Place<'_>> {
        let full = |_| Error::unavailable("too many functions that are not known here are asked for");
        let waiting = self.waiting.try_acquire().map_err(full)?;
        let reading =
            self.reading.acquire().await.map_err(|closed| Error::internal("wait for a turn", closed))?;
        Ok(Place { _waiting: waiting, _reading: reading })
    }

    /// Whether it is known that there is none. `Unavailable` where a read failed just now.
    pub(crate) fn is_absent(&self, key: &FunctionKey, now: Duration) -> Result<bool> {
        if now < *self.unreadable_until.lock() {
            return Err(Error::unavailable("functions cannot be read now"));
        }
        Ok(self.absent.lock().get(key).is_some_and(|&until| now < until))
    }

    /// Remembers what a read found out.
    pub(crate) fn read<T>(&self, key: &FunctionKey, found: &Result<Option<T>>, now: Duration) {
        match found {
            Ok(Some(_)) => {}
            Ok(None) => self.absent(key, now),
            Err(_) => *self.unreadable_until.lock() = now + STANDS,
        }
    }

    fn absent(&self, key: &FunctionKey, now: Duration) {
        let mut absent = self.absent.lock();
        if absent.len() >= MOST {
            absent.retain(|_, until| now < *until);
        }
        if absent.len() >= MOST {
            absent.clear();
        }
        absent.insert(key.clone(), now + STANDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_testkit::key;

    #[tokio::test]
    async fn what_is_remembered_and_who_waits_is_bounded() {
        let unknown = Unknown::default();
        for number in 0..MOST * 3 {
            unknown.read::<()>(&key(&format!("f{number}")), &Ok(None), Duration::ZERO);
        }
        assert!(unknown.absent.lock().len() <= MOST);
        let readers: Vec<_> = futures::future::join_all((0..READS).map(|_| unknown.place())).await;
        let waiting = (READS..WAITING).map(|_| Box::pin(unknown.place()));
        let mut waiting: Vec<_> = waiting.collect();
        for place in &mut waiting {
            assert!(futures::poll!(place).is_pending());
        }
        assert!(unknown.place().await.is_err());
        drop(readers);
        drop(waiting);
        assert!(unknown.place().await.is_ok());
    }
}
