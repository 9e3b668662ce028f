//! What is done to a folder before it is used.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Ours alone: payloads are as secret as what callers put into them.
const MODE: u32 = 0o700;

pub(super) fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(MODE).create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(MODE))
}

/// Removes files of puts that never came to their end: staged ones, which carry a `#` as no key does, and
/// artifacts whose digest was not known yet. Does not follow links.
pub(super) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    remove(folder, false)
}

fn remove(folder: &Path, all: bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            remove(&entry.path(), all || name == super::INCOMING)?;
        } else if all || name.as_encoded_bytes().contains(&b'#') {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
