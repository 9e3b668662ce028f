//! The grammar of keys. Keys become paths, so nothing else may pass.

use eventflow_domain::{Error, ErrorKind, Result};
use object_store::path::Path;

const MAX_LENGTH: usize = 512;

/// The key, or a prefix of whole segments, as a path of the object store.
///
/// Segments of `[a-z0-9._-]`, separated by `/`, neither `.` nor `..`; anything else is `Invalid` (reason
/// `BlobKeyInvalid`).
pub(crate) fn parse(key: &str) -> Result<Path> {
    if key.len() > MAX_LENGTH || !key.split('/').all(is_segment) {
        return Err(invalid(key, None));
    }
    Path::parse(key).map_err(|cause| invalid(key, Some(cause)))
}

/// A prefix of whole segments, without a slash at its end; empty for all keys.
pub(crate) fn parse_prefix(prefix: &str) -> Result<&str> {
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() {
        parse(prefix)?;
    }
    Ok(prefix)
}

fn is_segment(segment: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
}

fn invalid(key: &str, cause: Option<object_store::path::Error>) -> Error {
    let text = format!("{:?} is not the key of a blob", key.chars().take(64).collect::<String>());
    let error = Error::new(ErrorKind::Invalid, "BlobKeyInvalid", text);
    match cause {
        Some(cause) => error.with_cause(cause),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_we_make_are_keys() {
        for key in ["artifacts/00ff", "payloads/01890a5d-ac96-774b-bcce-b302099a8057", "a", "a/b.c_d/e"] {
            assert_eq!(parse(key).expect("a key").as_ref(), key);
        }
    }

    #[test]
    fn nothing_else_is_a_key() {
        let long = "a".repeat(MAX_LENGTH + 1);
        for key in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "../etc/passwd",
            "a/./b",
            "A",
            "a b",
            "a#1",
            "a\\b",
            "a%2e",
            "ä",
            "a\0",
            "a:b",
            &long,
        ] {
            assert_eq!(parse(key).expect_err(key).reason(), "BlobKeyInvalid", "{key}");
        }
    }
}
