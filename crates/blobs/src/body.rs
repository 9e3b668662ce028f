//! What a caller sends, taken piece by piece: counted, bounded, and hashed where its content is its name.

use bytes::{Bytes, BytesMut};
use eventflow_domain::ports::ByteStream;
use eventflow_domain::{ArtifactDigest, Error, ErrorKind, Result};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use std::io;

/// Memory taken before the first byte came.
const FIRST: usize = 64 << 10;

/// A stream with a limit.
pub(crate) struct Body {
    bytes: ByteStream,
    limit: u64,
    size: u64,
    hash: Option<Sha256>,
    /// Came with the piece before, and is part of the next.
    rest: Bytes,
    ended: bool,
}

/// Bytes of a body, and whether there may be more.
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    pub(crate) more: bool,
}

impl Body {
    pub(crate) fn new(bytes: ByteStream, limit: u64) -> Self {
        Self { bytes, limit, size: 0, hash: None, rest: Bytes::new(), ended: false }
    }

    /// The same, and [`Self::digest`] tells the SHA-256 of what was taken.
    pub(crate) fn hashed(bytes: ByteStream, limit: u64) -> Self {
        Self { hash: Some(Sha256::new()), ..Self::new(bytes, limit) }
    }

    /// Bytes taken so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn digest(&self) -> Option<ArtifactDigest> {
        let hash = self.hash.as_ref()?;
        Some(ArtifactDigest::from_bytes(hash.clone().finalize().into()))
    }

    /// The next `size` bytes, or fewer where they are the last. Copied together: a sender of single bytes must not
    /// cost a list of a million.
    pub(crate) async fn piece(&mut self, size: usize) -> Result<Piece> {
        let mut piece = BytesMut::with_capacity(size.min(FIRST.max(self.rest.len())));
        self.fill(&mut piece, size);
        while piece.len() < size && !self.ended {
            match self.bytes.next().await {
                None => self.ended = true,
                Some(chunk) => {
                    self.take(chunk.map_err(interrupted)?)?;
                    self.fill(&mut piece, size);
                }
            }
        }
        Ok(Piece { bytes: piece.freeze(), more: !(self.ended && self.rest.is_empty()) })
    }

    fn take(&mut self, chunk: Bytes) -> Result<()> {
        self.size += chunk.len() as u64;
        if self.size > self.limit {
            return Err(too_large(self.limit, self.size));
        }
        if let Some(hash) = &mut self.hash {
            hash.update(&chunk);
        }
        self.rest = chunk;
        Ok(())
    }

    fn fill(&mut self, piece: &mut BytesMut, size: usize) {
        let most = self.rest.len().min(size - piece.len());
        piece.extend_from_slice(&self.rest.split_to(most));
    }
}

/// `seen` is where reading stopped, not the size of it all.
pub(crate) fn too_large(limit: u64, seen: u64) -> Error {
    Error::new(ErrorKind::TooLarge, "TooLarge", format!("more than the {limit} bytes allowed"))
        .with_metadata("limit", limit)
        .with_metadata("size", seen)
}

pub(crate) fn interrupted(cause: io::Error) -> Error {
    Error::new(ErrorKind::Cancelled, "BodyInterrupted", "the bytes to store ended early").with_cause(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    fn body(chunks: &[usize]) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|length| Ok(Bytes::from(vec![7; *length]))).collect();
        Body::hashed(stream::iter(chunks).boxed(), 100)
    }

    async fn lengths(mut body: Body, size: usize) -> Vec<usize> {
        let mut lengths = Vec::new();
        loop {
            let piece = body.piece(size).await.expect("within the limit");
            lengths.push(piece.bytes.len());
            if !piece.more {
                return lengths;
            }
        }
    }

    #[tokio::test]
    async fn pieces_are_of_one_size_however_the_bytes_come() {
        for chunks in [&[25][..], &[1; 25], &[0, 10, 0, 15], &[3, 22], &[10, 10, 5]] {
            assert_eq!(lengths(body(chunks), 10).await, [10, 10, 5], "{chunks:?}");
        }
        assert_eq!(lengths(body(&[]), 10).await, [0]);
        assert_eq!(lengths(body(&[10]), 100).await, [10]);
    }

    #[tokio::test]
    async fn nothing_beyond_the_limit_is_kept() {
        let mut body = body(&[60, 60]);
        let refused = body.piece(1000).await.err().expect("too large");
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
    }

    #[tokio::test]
    async fn the_digest_is_of_all_bytes() {
        let mut body = Body::hashed(stream::iter([Ok(Bytes::from("ab")), Ok(Bytes::from("c"))]).boxed(), 3);
        while body.piece(2).await.expect("fine").more {}
        let digest = body.digest().expect("hashed").hex();
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(body.size(), 3);
    }
}
