//! A file system in a file. What its programs did not sync is in memory only, so a copy of the file is the disk as a
//! power cut leaves it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Copies that may be spoilt by a write of the system's own before one is clean.
const COPIES: u32 = 20;

/// Mounted until it is dropped.
#[derive(Debug)]
pub struct Image {
    at: PathBuf,
    file: PathBuf,
    cuts: u32,
}

/// The disk at the moment of a cut.
#[derive(Debug)]
#[must_use]
pub struct Cut(PathBuf);

impl Image {
    /// Makes a file system of at most `mib` MiB in `file` and mounts it at `at`; everybody may enter it, and with
    /// `TMPDIR`-like rights make folders there. `None` where this user may not mount.
    pub fn mount(at: &Path, file: &Path, mib: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("{mib}M");
        let made =
            run("mkfs.ext4", &["-q", "-m", "0", "-E", "lazy_itable_init=0"], &[file, Path::new(&size)]);
        let image = Self { at: at.to_owned(), file: file.to_owned(), cuts: 0 };
        (made && image.attach()).then(|| {
            fs::set_permissions(at, fs::Permissions::from_mode(0o1777)).unwrap();
            image
        })
    }

    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Writes down all that is on it: what follows is to be lost, not how it began.
    pub fn sync(&self) {
        assert!(run("sync", &["--file-system"], &[&self.at]), "the disk is synced");
    }

    /// What a power cut at this moment leaves. Whoever writes to it must stand still.
    pub fn cut(&mut self) -> Cut {
        self.cuts += 1;
        let copy = self.file.with_extension(self.cuts.to_string());
        for _ in 0..COPIES {
            let before = modified(&self.file);
            assert!(run("cp", &["--sparse=always"], &[&self.file, &copy]), "the image is copied");
            // Else the kernel wrote meanwhile, and the copy is of no single moment.
            if modified(&self.file) == before {
                return Cut(copy);
            }
        }
        panic!("the disk never stands still");
    }

    /// Puts the disk as it was at the cut in the place of this one. Nobody may have a file of it open.
    pub fn replace(&mut self, cut: Cut) {
        // A real disk has this already. Else the first sync of a program would wait for all of the copy to be written.
        File::open(&cut.0).and_then(|copy| copy.sync_all()).unwrap();
        self.detach();
        fs::remove_file(&self.file).unwrap();
        self.file = cut.0;
        assert!(self.attach(), "the disk is mounted again after its power was cut");
    }

    fn attach(&self) -> bool {
        run("mount", &["-o", "loop"], &[&self.file, &self.at])
    }

    fn detach(&self) {
        run("umount", &["--lazy"], &[&self.at]);
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if fs::exists(&self.file).unwrap_or_default() {
            self.detach();
        }
    }
}

fn modified(file: &Path) -> SystemTime {
    file.metadata().unwrap().modified().unwrap()
}

fn run(program: &str, options: &[&str], paths: &[&Path]) -> bool {
    let output = Command::new(program).args(options).args(paths).output();
    output.is_ok_and(|output| output.status.success())
}
