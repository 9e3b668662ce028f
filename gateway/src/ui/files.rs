use rust_embed::{Embed, EmbeddedFile};
use std::borrow::Cow;
use std::fmt::Debug;

/// A file of the UI.
#[derive(Debug, Clone)]
pub struct File {
    pub bytes: Cow<'static, [u8]>,
    /// SHA-256 of the bytes.
    pub hash: [u8; 32],
}

/// Where the files of the UI come from.
pub trait Files: Debug + Send + Sync {
    /// By its path below the root, without a slash before it.
    fn get(&self, path: &str) -> Option<File>;
}

/// What `npm run build` made of `web/`: embedded in a release build, read from the folder in a debug build. Nothing
/// where it was not built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Embedded;

#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/../web/dist"]
#[exclude = "*.map"]
#[allow_missing = true]
struct Dist;

impl Files for Embedded {
    fn get(&self, path: &str) -> Option<File> {
        // Of a debug build: nothing outside the folder.
        if path.split('/').any(|part| part.is_empty() || part.starts_with('.')) || path.contains('\\') {
            return None;
        }
        let EmbeddedFile { data, metadata } = Dist::get(path)?;
        Some(File { bytes: data, hash: metadata.sha256_hash() })
    }
}
