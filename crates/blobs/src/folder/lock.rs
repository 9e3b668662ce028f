//! Several processes on one folder: who may tidy it, and who may act on ages just now.

use super::tidy;
use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The folder whose lock is held by whoever acts on ages. Not a key: it has an upper-case letter.
const AGES: &str = "Ages";

/// What is done under that lock takes less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// The locks of an open folder; the kernel gives them back with the process.
#[derive(Debug, Clone)]
pub(super) struct Locks {
    /// Shared by all that have the folder open.
    _open: Arc<OwnedFd>,
    ages: Arc<OwnedFd>,
    /// The same within this process, whose locks of one file do not keep each other out.
    turn: Arc<Mutex<()>>,
}

impl Locks {
    /// Makes the folder ours. The first to open it removes what interrupted puts left: while others have it open, that
    /// may be theirs, and still being written.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        tidy::make(folder)?;
        let open = directory(folder)?;
        match fs::flock(&open, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => tidy::remove_leftovers(folder)?,
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        fs::flock(&open, FlockOperation::LockShared)?;
        let ages = folder.join(AGES);
        tidy::make(&ages)?;
        Ok(Self { _open: Arc::new(open), ages: Arc::new(directory(&ages)?), turn: Arc::default() })
    }

    /// The right to look at ages and act on them. `TimedOut` where another process, stopped in the middle, keeps it.
    pub(super) async fn alone(&self) -> io::Result<Alone> {
        let alone = async {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            loop {
                match fs::flock(&*self.ages, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => return Ok(Alone { ages: Arc::clone(&self.ages), _turn: turn }),
                    Err(Errno::WOULDBLOCK) => tokio::time::sleep(PAUSE).await,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        tokio::time::timeout(PATIENCE, alone).await?
    }
}

/// Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Alone {
    ages: Arc<OwnedFd>,
    /// Dropped after the lock was given back.
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Err(cause) = fs::flock(&*self.ages, FlockOperation::Unlock) {
            tracing::error!(%cause, "failed to unlock the ages of blobs");
        }
    }
}

fn directory(folder: &Path) -> io::Result<OwnedFd> {
    Ok(fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}
