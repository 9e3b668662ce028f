//! Payload in and result out, as the archives that an engine takes and gives.

use crate::engine::{Engine, status, told};
use crate::object::{FOLDER, RESULT_FILE};
use bollard::errors::Error;
use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use bollard::{Docker, body_stream};
use bytes::Bytes;
use eventflow_domain::invocation::{Content, Failure, Reason};
use futures::TryStreamExt as _;
use std::io::{self, Read as _};
use tar::{Archive, EntryType, Header};

/// Of an archive beside the file in it: headers, padding, the end.
const AROUND: u64 = 64 << 10;
const BLOCK: usize = 512;

/// Puts the payload where the function finds it, and makes the folder of its result, for whatever user it runs as.
pub(crate) async fn put_payload(docker: &Docker, container: &str, payload: &Bytes) -> Result<(), Error> {
    let options = UploadToContainerOptionsBuilder::new().path(FOLDER).build();
    let pieces = pieces(payload).map_err(Error::from)?;
    docker.upload_to_container(container, Some(options), body_stream(futures::stream::iter(pieces))).await
}

/// The archive, with the payload itself in the middle.
fn pieces(payload: &Bytes) -> io::Result<Vec<Bytes>> {
    let mut head = Vec::with_capacity(4 * BLOCK);
    for (path, kind, mode, size) in [
        ("in/", EntryType::Directory, 0o755, 0),
        ("out/", EntryType::Directory, 0o1777, 0),
        ("in/payload", EntryType::Regular, 0o444, payload.len() as u64),
    ] {
        let mut header = Header::new_gnu();
        header.set_path(path)?;
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        head.extend_from_slice(header.as_bytes());
    }
    let padding = payload.len().next_multiple_of(BLOCK) - payload.len();
    let end = vec![0; padding + 2 * BLOCK];
    Ok(vec![head.into(), payload.clone(), end.into()])
}

/// The result file; `None` where the function wrote none. Never cuts: more than `limit` bytes are a failure.
pub(crate) async fn take_result(
    engine: &Engine,
    docker: &Docker,
    container: &str,
    limit: u64,
) -> Result<Option<Content>, Failure> {
    let options = DownloadFromContainerOptionsBuilder::new().path(RESULT_FILE).build();
    let mut stream = docker.download_from_container(container, Some(options));
    let mut archive = Vec::new();
    loop {
        match engine.heard(stream.try_next().await) {
            Ok(Some(bytes)) => archive.extend_from_slice(&bytes),
            Ok(None) => break,
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => {
                let text = format!("the result file cannot be read: {}", told(&error));
                return Err(Failure::new(Reason::Internal, text));
            }
        }
        if archive.len() as u64 > limit.saturating_add(AROUND) {
            return Err(too_large(&format!("more than {limit}"), limit));
        }
    }
    read(&archive, limit).map(Some)
}

fn too_large(size: &str, limit: u64) -> Failure {
    Failure::new(Reason::ResultTooLarge, format!("the result has {size} bytes, the limit is {limit}"))
}

fn read(archive: &[u8], limit: u64) -> Result<Content, Failure> {
    let unreadable =
        |error: io::Error| Failure::new(Reason::Internal, format!("the result file cannot be read: {error}"));
    let mut archive = Archive::new(archive);
    let mut entries = archive.entries().map_err(unreadable)?;
    let entry = entries.next().ok_or_else(|| unreadable(io::ErrorKind::UnexpectedEof.into()))?;
    let entry = entry.map_err(unreadable)?;
    if !entry.header().entry_type().is_file() {
        return Err(Failure::new(Reason::Internal, "the result file is not a regular file"));
    }
    let size = entry.size();
    if size > limit {
        return Err(too_large(&size.to_string(), limit));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    entry.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 != size {
        return Err(unreadable(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Content::guessed(bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive_of(kind: EntryType, bytes: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if kind == EntryType::Symlink {
            header.set_link_name("/etc/passwd").expect("a name");
        }
        builder.append_data(&mut header, "result", bytes).expect("is appended");
        builder.into_inner().expect("an archive")
    }

    #[test]
    fn a_payload_of_any_size_becomes_a_whole_archive() {
        for size in [0, 1, 511, 512, 513, 100_000] {
            let payload = Bytes::from(vec![b'x'; size]);
            let whole = pieces(&payload).expect("an archive").concat();
            assert_eq!(whole.len() % BLOCK, 0);
            let mut archive = Archive::new(whole.as_slice());
            let mut names = Vec::new();
            for entry in archive.entries().expect("entries") {
                let mut entry = entry.expect("an entry");
                let name = entry.path().expect("a path").display().to_string();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("is read");
                names.push((name, bytes.len()));
            }
            assert_eq!(
                names,
                [("in/".to_owned(), 0), ("out/".to_owned(), 0), ("in/payload".to_owned(), size)]
            );
        }
    }

    #[test]
    fn a_result_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() {
        let archive = archive_of(EntryType::Regular, b"four");
        assert_eq!(read(&archive, 4).expect("is read").bytes, "four");
        assert_eq!(read(&archive, 3).expect_err("is too large").reason, Reason::ResultTooLarge);
    }

    #[test]
    fn what_is_no_regular_file_or_no_archive_is_refused() {
        for kind in [EntryType::Symlink, EntryType::Directory, EntryType::Fifo] {
            assert_eq!(read(&archive_of(kind, b""), 9).expect_err("is refused").reason, Reason::Internal);
        }
        assert!(read(b"", 9).is_err());
        let mut cut = archive_of(EntryType::Regular, b"whole");
        cut.truncate(BLOCK + 2);
        assert!(read(&cut, 9).is_err());
    }
}
