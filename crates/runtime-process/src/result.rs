//! The result of a job: its file if it wrote one, else the end of its stdout.

use eventflow_domain::invocation::{Content, Failure, Reason};
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads the result file; `Ok(None)` where there is none. Never cuts: more than `limit` bytes are a failure.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Option<Content>, Failure> {
    let unreadable =
        |error: io::Error| Failure::new(Reason::Internal, format!("the result file cannot be read: {error}"));
    // NONBLOCK and NOFOLLOW: a pipe or a link in its place must neither hold us nor lead us elsewhere.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(unreadable(error.into())),
    };
    let size = file.metadata().map_err(unreadable)?;
    if !size.is_file() {
        return Err(Failure::new(Reason::Internal, "the result file is not a regular file"));
    }
    let mut bytes = Vec::with_capacity(size.len().min(limit) as usize);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        let size = size.len();
        return Err(Failure::new(
            Reason::ResultTooLarge,
            format!("the result has {size} bytes, the limit is {limit}"),
        ));
    }
    Ok(Some(Content::guessed(bytes.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_the_type_it_looks_like() {
        let of =
            |bytes: &[u8]| Content::guessed(bytes.to_vec().into()).content_type.map(|text| text.to_string());
        assert_eq!(of(b"").as_deref(), None);
        assert_eq!(of(b" {\"a\": 1}\n").as_deref(), Some("application/json"));
        assert_eq!(of(b"{\"a\": 1").as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(of(b"42").as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(of(b"\xff\xd8").as_deref(), Some("application/octet-stream"));
    }

    #[test]
    fn a_result_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("result");
        assert_eq!(read_file(&path, 4), Ok(None));
        std::fs::write(&path, "four").expect("is written");
        assert_eq!(read_file(&path, 4).expect("is read").map(|content| content.bytes.len()), Some(4));
        assert_eq!(read_file(&path, 3).expect_err("is too large").reason, Reason::ResultTooLarge);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
        assert_eq!(read_file(&link, 1 << 20).expect_err("is a link").reason, Reason::Internal);
        assert_eq!(read_file(folder.path(), 1 << 20).expect_err("is a folder").reason, Reason::Internal);
    }
}
