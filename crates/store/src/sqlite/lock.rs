//! One process to a data folder.

use super::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Best effort: the owner may be writing its pid at this very moment.
                let _ = (&file).take(32).read_to_string(&mut owner);
                return Err(OpenError::Locked { folder: folder.to_owned(), pid: owner.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
