//! When a blob was last written or touched: its file's time of modification, by the clock of the file system.

use super::lock::Alone;
use eventflow_domain::Timestamp;
use rustix::fs::{self, AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::io;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// Sets it to now; `NotFound` where there is no file.
pub(super) async fn renew(file: PathBuf, alone: Alone) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
    };
    blocking(alone, move || Ok(fs::utimensat(CWD, &file, &times, AtFlags::SYMLINK_NOFOLLOW)?)).await
}

/// Removes the file if it is older, and says whether it did; false where there is none.
pub(super) async fn remove_older(file: PathBuf, than: Timestamp, alone: Alone) -> io::Result<bool> {
    let removed = blocking(alone, move || {
        let modified = std::fs::symlink_metadata(&file)?.modified()?;
        let micros = modified.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_micros());
        let older = i64::try_from(micros).is_ok_and(|micros| Timestamp::from_micros(micros) < than);
        if older {
            std::fs::remove_file(&file)?;
        }
        Ok(older)
    });
    match removed.await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed,
    }
}

/// The right is given back when the work is done, even if nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    alone: Alone,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let work = move || {
        let _alone = alone;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
