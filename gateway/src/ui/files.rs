#[cfg_attr(debug_assertions, path = "files/folder.rs")]
#[cfg_attr(not(debug_assertions), path = "files/embedded.rs")]
mod built;

pub(super) use built::Built;

use std::borrow::Cow;
use std::fmt::Debug;

/// A file of the UI.
#[derive(Debug, Clone)]
pub struct File {
    pub bytes: Cow<'static, [u8]>,
    /// Another for other bytes: hex digits.
    pub tag: String,
}

/// Where the files of the UI come from.
pub trait Files: Debug + Send + Sync {
    /// By its path below the root, without a slash before it.
    fn get(&self, path: &str) -> Option<File>;
}
