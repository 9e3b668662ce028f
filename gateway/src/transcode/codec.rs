use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// What is sent upstream.
#[derive(Debug)]
pub(super) enum Outgoing {
    Message(DynamicMessage),
    /// Breaks the stream off, so that a half-sent upload is not taken for a whole one.
    Abort(Status),
}

/// Encodes and decodes messages by their descriptors.
#[derive(Debug, Clone)]
pub(super) struct DynamicCodec {
    pub(super) output: MessageDescriptor,
}

impl Codec for DynamicCodec {
    type Encode = Outgoing;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for DynamicCodec {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        match item {
            Outgoing::Message(message) => {
                message.encode(out).map_err(|_| Status::internal("failed to encode"))
            }
            Outgoing::Abort(status) => Err(status),
        }
    }
}

impl Decoder for DynamicCodec {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, input: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let decoded = DynamicMessage::decode(self.output.clone(), input);
        decoded.map(Some).map_err(|_| Status::internal("failed to decode an answer"))
    }
}
