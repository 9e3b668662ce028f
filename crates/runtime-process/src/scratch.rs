//! The folder that one call, or one warm copy, has for itself.

use rustix::fs::Mode;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Removed when dropped, unless the launcher has taken that over.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    ours: bool,
}

impl Scratch {
    /// A new, empty folder that only this user may enter.
    pub(crate) fn create(parent: &Path, name: &str) -> io::Result<Self> {
        let path = parent.join(name);
        rustix::fs::mkdir(&path, Mode::RWXU)?;
        Ok(Self { path, ours: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn payload(&self) -> PathBuf {
        self.path.join("payload")
    }

    pub(crate) fn result(&self) -> PathBuf {
        self.path.join("result")
    }

    pub(crate) fn write_payload(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(self.payload())?;
        file.write_all(bytes)
    }

    /// The launcher removes it from here on.
    pub(crate) fn hand_over(&mut self) {
        self.ours = false;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a scratch folder could not be removed");
        }
    }
}
