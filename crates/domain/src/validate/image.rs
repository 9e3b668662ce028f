//! What holds the code.

use super::fields::{Checker, shown};
use crate::spec::{Image, RuntimeKind};

const MAX: usize = 512;

pub(super) fn check(check: &mut Checker, runtime: RuntimeKind, text: &str) -> Option<Image> {
    match (runtime, text.is_empty()) {
        (RuntimeKind::Process, true) => return None,
        (RuntimeKind::Process, false) => {
            check.add("image", "must be absent for runtime process: its code is the command");
            return None;
        }
        (_, true) => {
            check.add("image", format!("is required for runtime {runtime}"));
            return None;
        }
        (_, false) => {}
    }
    if let Some(digest) = text.strip_prefix("artifact@") {
        return match digest.parse() {
            Ok(digest) => Some(Image::Artifact(digest)),
            Err(error) => {
                check.add("image", format!("the artifact {error}"));
                None
            }
        };
    }
    if let Err(rule) = reference(text) {
        check.add("image", format!("{rule}, is {:?}", shown(text)));
        return None;
    }
    Some(Image::Oci(text.to_owned()))
}

/// The grammar of OCI references, loosely: what no registry would take is refused.
fn reference(text: &str) -> Result<(), &'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':' | b'@');
    if text.len() > MAX {
        return Err("must be an image reference of at most 512 characters");
    }
    if !text.bytes().all(allowed) {
        return Err("must be an image reference such as registry.example/name:tag, or artifact@sha256:…");
    }
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    if digest.is_some_and(|digest| digest.parse::<crate::ArtifactDigest>().is_err()) {
        return Err("must have a digest of sha256: and 64 lower-case hex digits behind '@'");
    }
    if name.split('/').any(|part| !part.starts_with(|c: char| c.is_ascii_alphanumeric())) {
        return Err("must not have empty parts, nor parts that start with a sign");
    }
    let path = name.rsplit_once('/').map_or(name, |(_, last)| last);
    let repository = path.split(':').next().unwrap_or_default();
    if repository.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("must have a lower-case repository name");
    }
    Ok(())
}
