//! One process to a data folder.

use super::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// A process that was killed in the middle of starting a child leaves its open files to the child until that runs its
/// own program: the lock of a dead owner goes away by itself within this time.
const INHERITED: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// Held as long as this lives; the system lets go of it however the process ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    const FILE: &str = "eventflow.lock";

    /// Takes the folder, or says whose it is.
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(Self::FILE);
        let failed = |source| OpenError::Folder { folder: folder.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let pid = owner(&file);
                    if waited >= INHERITED || pid.is_none_or(is_alive) {
                        return Err(OpenError::Locked { folder: folder.to_owned(), pid });
                    }
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The pid in the file. Best effort: the owner may be writing it at this very moment.
fn owner(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A lock that is held, and that names `pid`.
    fn held(folder: &Path, pid: u32) -> File {
        let path = folder.join(FolderLock::FILE);
        std::fs::write(&path, format!("{pid}\n")).expect("written");
        let file = File::open(&path).expect("opened");
        file.try_lock().expect("locked");
        file
    }

    fn dead_pid() -> u32 {
        let mut child = Command::new("true").spawn().expect("started");
        child.wait().expect("ended");
        child.id()
    }

    #[test]
    fn what_a_dead_owner_left_to_its_children_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let inherited = held(folder.path(), dead_pid());
        let child = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(inherited);
        });
        let lock = FolderLock::take(folder.path()).expect("taken");
        child.join().expect("ended");
        drop(lock);
    }

    #[test]
    fn a_living_owner_is_named_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let _owner = held(folder.path(), std::process::id());
        let refused = FolderLock::take(folder.path()).expect_err("refused");
        assert!(matches!(refused, OpenError::Locked { pid: Some(pid), .. } if pid == std::process::id()));
    }
}
