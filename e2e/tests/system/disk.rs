//! A small file system of a test's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Gone with this.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount.
    pub(crate) fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    /// Where a server may keep its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Leaves no more than `room` bytes.
    pub(crate) fn fill(&self, room: u64) {
        let stat = rustix::fs::statvfs(&self.0).expect("a size");
        let free = usize::try_from((stat.f_bavail * stat.f_frsize).saturating_sub(room)).expect("a size");
        fs::write(self.filler(), vec![1; free]).expect("room");
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).expect("removed");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}
