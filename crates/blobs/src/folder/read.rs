//! Reading a file as a stream, in pieces larger than the object store's own 8 KiB: each costs a hop to a thread.

use bytes::BytesMut;
use eventflow_domain::ports::ByteStream;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::{GetResult, GetResultPayload};
use std::io;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

const PIECE: usize = 256 << 10;

pub(super) fn stream(found: GetResult) -> ByteStream {
    match found.payload {
        GetResultPayload::File(file, _) => whole(File::from_std(file), found.meta.size),
        GetResultPayload::Stream(stream) => stream.map_err(io::Error::other).boxed(),
    }
}

/// Exactly `size` bytes, or an error: a file that was cut must not pass for a shorter one.
fn whole(file: File, size: u64) -> ByteStream {
    stream::try_unfold((file, size), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        let mut piece = BytesMut::with_capacity(most);
        let read = (&mut file).take(most as u64).read_buf(&mut piece).await? as u64;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((piece.freeze(), (file, left - read))))
    })
    .boxed()
}
