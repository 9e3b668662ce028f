//! Where a result is kept.

use super::{Work, inputs};
use crate::backoff::Backoff;
use crate::core::Core;
use eventflow_domain::invocation::{Body, Content, Stored};
use eventflow_domain::spec::RecordPolicy;
use eventflow_domain::{Bytes, Failure, Reason};
use futures::StreamExt as _;
use std::sync::Arc;

/// Tries to store one large result.
const TRIES: usize = 5;

/// The result as the record will hold it; a large one is durable when this returns.
pub(super) async fn keep(core: &Core, work: &Work, content: &Content) -> Result<Stored, Failure> {
    let (size, limits) = (content.bytes.len() as u64, &core.config.limits);
    if size > limits.payload {
        return Err(too_large(limits.payload));
    }
    let invocation = &work.invocation;
    let body = if core.record_policy(invocation.function_uid) == RecordPolicy::Metadata || size == 0 {
        Body::None
    } else if size <= limits.inline {
        Body::Inline(content.bytes.clone())
    } else {
        let key: Arc<str> = format!("results/{}-{}", invocation.id, invocation.lifecycle.attempts).into();
        put(core, &key, &content.bytes).await?;
        Body::Blob(key)
    };
    Ok(Stored { body, size, content_type: content.content_type.clone() })
}

pub(super) fn too_large(limit: u64) -> Failure {
    Failure::new(Reason::ResultTooLarge, format!("the result has more than {limit} bytes"))
}

async fn put(core: &Core, key: &str, bytes: &Bytes) -> Result<(), Failure> {
    let mut backoff = Backoff::of_a_port();
    let mut tries = 1;
    loop {
        let stream = futures::stream::iter([Ok(bytes.clone())]).boxed();
        match core.ports.blobs.put(key, stream, core.config.limits.payload).await {
            Ok(_) => return Ok(()),
            Err(error) if tries == TRIES => return Err(inputs::internal("store the result", &error)),
            Err(_) => tries += 1,
        }
        backoff.wait().await;
    }
}
