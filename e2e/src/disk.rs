//! File systems of a test's own: a small one, and one whose power can be cut.

mod image;

pub use image::Image;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system in memory. Gone with this.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount.
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where a server may keep its data.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Leaves no more than `room` bytes, whoever else writes meanwhile.
    pub fn fill(&self, room: u64) {
        let stat = rustix::fs::statvfs(&self.0).expect("a size");
        let free = (stat.f_bavail * stat.f_frsize).saturating_sub(room);
        let mut filler = fs::File::create(self.filler()).expect("a file");
        let zeros = [1; 4096];
        for _ in 0..free.div_ceil(4096) {
            if let Err(error) = filler.write_all(&zeros) {
                assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
                return;
            }
        }
    }

    pub fn free(&self) {
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
