use super::{File, Files};
use rust_embed::{Embed, EmbeddedFile};
use std::fmt::Write as _;

/// What `npm run build` made of `web/`, as it was when this program was built; nothing where it was not made.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Built;

#[derive(Embed)]
#[folder = "../web/dist"]
#[exclude = "*.map"]
#[allow_missing = true]
struct Dist;

impl Files for Built {
    fn get(&self, path: &str) -> Option<File> {
        let EmbeddedFile { data, metadata } = Dist::get(path)?;
        let mut tag = String::with_capacity(32);
        for byte in metadata.sha256_hash().iter().take(16) {
            let _ = write!(tag, "{byte:02x}");
        }
        Some(File { bytes: data, tag })
    }
}
