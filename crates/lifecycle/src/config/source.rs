//! Where layers are read from, so that no test touches the environment of its process.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest config file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The outside world of a configuration.
pub trait Source: Debug {
    /// The text of a file; at most 1 MiB.
    fn file(&self, path: &Path) -> io::Result<String>;

    /// Every environment variable.
    fn vars(&self) -> Vec<(String, String)>;
}

/// This process and its file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessSource;

impl Source for ProcessSource {
    fn file(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let read = File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if read as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 1 MiB"));
        }
        Ok(text)
    }

    fn vars(&self) -> Vec<(String, String)> {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }
}

/// Files and variables in memory.
#[derive(Debug, Clone, Default)]
pub struct MapSource {
    files: BTreeMap<PathBuf, String>,
    vars: Vec<(String, String)>,
}

impl MapSource {
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }

    #[must_use]
    pub fn with_var(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.vars.push((name.into(), value.into()));
        self
    }
}

impl Source for MapSource {
    fn file(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn vars(&self) -> Vec<(String, String)> {
        self.vars.clone()
    }
}
