//! The key that tokens are signed with.

use rand::RngExt as _;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("failed to read key {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("failed to create key {}", .0.display())]
    Create(PathBuf, #[source] io::Error),
    #[error("key {} is readable by others (mode {mode:03o}): it must have mode 600", .path.display())]
    Readable { path: PathBuf, mode: u32 },
    #[error("key {} must have at least {} bytes, has {found}", .path.display(), Key::MIN)]
    Short { path: PathBuf, found: usize },
    #[error("key {} must be random, repeats a few bytes", .0.display())]
    Weak(PathBuf),
    #[error("key {} must have at most {} bytes", .0.display(), Key::MAX)]
    Long(PathBuf),
}

/// A secret of at least 32 bytes.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    const MIN: usize = 32;
    const MAX: usize = 4096;

    /// A random key that is kept nowhere.
    pub fn generate() -> Self {
        Self(hex::encode(rand::rng().random::<[u8; 32]>()).into_bytes())
    }

    /// The key in this file, which only its owner may read; made anew if there is none. Of several processes
    /// that do so at once, one makes it and the others read it.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match File::open(path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(error) => Err(KeyError::Read(path.into(), error)),
        }
    }

    fn read(path: &Path, file: File) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Read(path.into(), error);
        let about = file.metadata().map_err(failed)?;
        let mode = about.mode() & 0o777;
        if !private(mode, about.uid(), rustix::process::geteuid().as_raw()) {
            return Err(KeyError::Readable { path: path.into(), mode });
        }
        let mut bytes = Vec::new();
        file.take(Self::MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > Self::MAX {
            return Err(KeyError::Long(path.into()));
        }
        bytes.truncate(bytes.trim_ascii_end().len());
        if bytes.len() < Self::MIN {
            return Err(KeyError::Short { path: path.into(), found: bytes.len() });
        }
        let mut distinct = bytes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        // 32 random hex digits have fewer than 8 different ones once in ten million times.
        if distinct.len() < 8 { Err(KeyError::Weak(path.into())) } else { Ok(Self(bytes)) }
    }

    /// Written aside and linked into place, so that nobody ever reads half a key and no key is written over.
    fn create(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Create(path.into(), error);
        let aside = path.with_extension(format!("{:016x}", rand::rng().random::<u64>()));
        let key = Self::generate();
        let written = write(&aside, &key.0).and_then(|()| fs::hard_link(&aside, path));
        let removed = fs::remove_file(&aside);
        match written {
            Ok(()) => removed.and_then(|()| sync_folder(path)).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let file = File::open(path).map_err(|error| KeyError::Read(path.into(), error))?;
                return Self::read(path, file);
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(key)
    }

    /// For what is derived from it; never to be shown.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether only this process may read a file of this mode and owner. A Secret in a pod belongs to root, and to a group
/// that the pod's user alone is in: there the group's right to read is how the user gets at it.
fn private(mode: u32, owner: u32, user: u32) -> bool {
    let beyond = if owner == 0 && user != 0 { 0o037 } else { 0o077 };
    mode & beyond == 0
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn file(text: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwt.key");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        (folder, path)
    }

    const GOOD: &[u8] = b"0123456789abcdef0123456789abcdef\n";

    #[test]
    fn a_new_key_is_for_its_owner_alone_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwt.key");
        let key = Key::load_or_create(&path).expect("a key");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);
        assert_eq!(key.bytes().len(), 64);
        assert_eq!(Key::load_or_create(&path).expect("a key").bytes(), key.bytes());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
        assert_eq!(format!("{key:?}"), "<secret>");
    }

    #[test]
    fn only_a_secret_that_root_gave_to_a_pods_user_may_be_readable_by_a_group() {
        assert!(private(0o600, 65_532, 65_532));
        assert!(private(0o440, 0, 65_532), "a Secret with fsGroup");
        assert!(!private(0o640, 65_532, 65_532), "the user's own file");
        assert!(!private(0o440, 0, 0), "root's own file");
        assert!(!private(0o444, 0, 65_532), "everybody's");
        assert!(!private(0o460, 0, 65_532), "the group may write it");
    }

    #[test]
    fn processes_that_start_at_once_agree() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwt.key");
        let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let start = || scope.spawn(|| Key::load_or_create(&path).expect("a key").bytes().to_vec());
            let threads: Vec<_> = (0..8).map(|_| start()).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o660, 0o644] {
            let (_folder, path) = file(GOOD, mode);
            let refused = Key::load_or_create(&path).expect_err("refused");
            assert!(matches!(refused, KeyError::Readable { .. }), "{refused}");
        }
        let (_folder, path) = file(GOOD, 0o400);
        assert_eq!(Key::load_or_create(&path).expect("a key").bytes(), GOOD.trim_ascii_end());
    }

    #[test]
    fn a_short_weak_or_huge_key_is_refused() {
        let load = |text: &[u8]| {
            let (_folder, path) = file(text, 0o600);
            Key::load_or_create(&path)
        };
        assert!(matches!(load(b""), Err(KeyError::Short { found: 0, .. })));
        assert!(matches!(
            load(&[GOOD.get(..31).expect("bytes"), b"\n\n"].concat()),
            Err(KeyError::Short { found: 31, .. })
        ));
        assert!(matches!(load(&[b'a'; 64]), Err(KeyError::Weak(_))));
        assert!(matches!(load(&GOOD.repeat(1000)), Err(KeyError::Long(_))));
    }
}
