//! Over gRPC metadata.

use super::{TRACEPARENT, decode, encode};
use eventflow_domain::trace::TraceContext;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

/// The trace that a call belongs to. Two entries are none.
pub fn extract(metadata: &MetadataMap) -> Option<TraceContext> {
    let mut values = metadata.get_all(TRACEPARENT).iter();
    let value = values.next()?;
    values.next().is_none().then(|| decode(value.as_bytes())).flatten()
}

/// Puts the trace into the metadata of an outgoing call.
pub fn inject(context: TraceContext, metadata: &mut MetadataMap) {
    if let Ok(value) = AsciiMetadataValue::try_from(encode(context).as_slice()) {
        metadata.insert(TRACEPARENT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_metadata() {
        let context = TraceContext::generate();
        let mut metadata = MetadataMap::new();
        assert_eq!(extract(&metadata), None);
        inject(context, &mut metadata);
        assert_eq!(extract(&metadata), Some(context));
    }
}
