//! Whose a container is: the installation that made it, and which start of its server.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const FILE: &str = "installation.json";

/// An installation, and which start of its server this is. Containers carry both as labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub id: String,
    /// Goes up with each start, so a server never takes a newer one's containers for leftovers.
    pub server: u64,
}

/// As it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    id: String,
    server: u64,
    /// Of the folder: a copy of it elsewhere is another installation.
    path: PathBuf,
    inode: u64,
}

impl Installation {
    /// Reads and counts up what `folder` has of it; the folder is made where it is missing. Whoever calls has the
    /// data folder for itself.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.canonicalize()?;
        let inode = fs::metadata(&path)?.ino();
        let file = path.join(FILE);
        let kept = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice::<Kept>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let kept = kept.filter(|kept| kept.path == path || kept.inode == inode);
        let (id, server) =
            kept.map_or_else(|| (Uuid::new_v4().to_string(), 1), |kept| (kept.id, kept.server + 1));
        let next = Kept { id, server, path, inode };
        replace(&file, &serde_json::to_vec(&next)?)?;
        Ok(Self { id: next.id, server: next.server })
    }
}

/// Whole or not at all, also where the power goes.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut out = fs::File::create(&new)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&new, file)?;
    file.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_counts_and_a_copied_folder_is_another_installation() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = (folder.path().join("a"), folder.path().join("b"));
        let first = Installation::open(&here).expect("opens");
        let second = Installation::open(&here).expect("opens");
        assert_eq!((first.server, second.server), (1, 2));
        assert_eq!(first.id, second.id);
        fs::create_dir(&there).expect("a folder");
        fs::copy(here.join(FILE), there.join(FILE)).expect("is copied");
        assert_ne!(Installation::open(&there).expect("opens").id, first.id);
        let moved = folder.path().join("c");
        fs::rename(&here, &moved).expect("is moved");
        let third = Installation::open(&moved).expect("opens");
        assert_eq!((third.id, third.server), (first.id, 3));
    }

    #[test]
    fn a_broken_file_is_a_new_installation() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "{").expect("is written");
        assert_eq!(Installation::open(folder.path()).expect("opens").server, 1);
    }
}
