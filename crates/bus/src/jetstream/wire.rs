//! How a message looks on the stream: a versioned body of ids, the function in the subject, the trace in a header.

use super::names::Names;
use async_nats::HeaderMap;
use bytes::Bytes;
use eventflow_domain::ports::Message;
use eventflow_domain::trace::TraceContext;
use eventflow_domain::{Epoch, FunctionUid, InvocationId};
use serde::{Deserialize, Serialize};

const VERSION: u8 = 1;
const TRACEPARENT: &str = "traceparent";

#[derive(Serialize, Deserialize)]
struct Body {
    v: u8,
    invocation: InvocationId,
    uid: FunctionUid,
    epoch: Epoch,
    publish: u32,
}

#[derive(Deserialize)]
struct Versioned {
    v: u8,
}

/// Why a message is none: it would never become one, however often it is delivered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Poison {
    #[error("its subject names no function")]
    Subject,
    #[error("its schema version is {found}, known is {VERSION}")]
    Version { found: u8 },
    #[error("its body cannot be read: {0}")]
    Body(String),
}

/// The id under which the server knows it for the duplicate window.
pub(super) fn id(message: &Message) -> String {
    format!("{}-{}-{}", message.invocation, message.epoch, message.publish)
}

pub(super) fn encode(message: &Message) -> Result<(HeaderMap, Bytes), serde_json::Error> {
    let body = Body {
        v: VERSION,
        invocation: message.invocation,
        uid: message.function_uid,
        epoch: message.epoch,
        publish: message.publish,
    };
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::header::NATS_MESSAGE_ID, id(message).as_str());
    headers.insert(TRACEPARENT, message.trace.to_string().as_str());
    Ok((headers, serde_json::to_vec(&body)?.into()))
}

pub(super) fn decode(names: &Names, message: &async_nats::Message) -> Result<Message, Poison> {
    let function = names.function_of(&message.subject).ok_or(Poison::Subject)?;
    let body: Body =
        serde_json::from_slice(&message.payload).map_err(|error| unreadable(&message.payload, &error))?;
    if body.v != VERSION {
        return Err(Poison::Version { found: body.v });
    }
    let trace = message.headers.as_ref().and_then(|headers| headers.get(TRACEPARENT));
    Ok(Message {
        invocation: body.invocation,
        function,
        function_uid: body.uid,
        epoch: body.epoch,
        publish: body.publish,
        // A message without a trace is a call all the same.
        trace: trace.and_then(|text| text.as_str().parse().ok()).unwrap_or_else(TraceContext::generate),
    })
}

/// A later version may look quite different: that is the better answer then.
fn unreadable(payload: &[u8], error: &serde_json::Error) -> Poison {
    match serde_json::from_slice(payload) {
        Ok(Versioned { v }) if v != VERSION => Poison::Version { found: v },
        _ => Poison::Body(error.to_string()),
    }
}

/// What the reply subject of a delivery tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    /// 1 = the first delivery.
    pub(super) delivered: u64,
    pub(super) stream_seq: u64,
    /// Messages of the consumer behind this one, never delivered so far.
    pub(super) pending: u64,
}

/// Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, or the longer form
/// with domain and account behind `$JS.ACK`.
pub(super) fn meta(reply: &str) -> Option<Meta> {
    let tokens: Vec<&str> = reply.split('.').collect();
    let rest = match tokens.as_slice() {
        ["$JS", "ACK", rest @ ..] if rest.len() == 7 => rest,
        ["$JS", "ACK", _domain, _account, rest @ ..] if rest.len() >= 7 => rest,
        _ => return None,
    };
    let number = |at: usize| rest.get(at)?.parse().ok();
    Some(Meta { delivered: number(2)?, stream_seq: number(3)?, pending: number(6)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jetstream::Config;
    use eventflow_testkit::contract::bus::message;
    use eventflow_testkit::key;

    fn received(
        names: &Names,
        sent: &Message,
        payload: Bytes,
        headers: Option<HeaderMap>,
    ) -> async_nats::Message {
        async_nats::Message {
            subject: names.invoke(&sent.function).into(),
            reply: None,
            length: payload.len(),
            payload,
            headers,
            status: None,
            description: None,
        }
    }

    #[test]
    fn a_message_survives_its_way() {
        let names = Names::new(&Config::default());
        let sent = message(&key("f"));
        let (headers, body) = encode(&sent).expect("should encode");
        assert_eq!(decode(&names, &received(&names, &sent, body.clone(), Some(headers))), Ok(sent.clone()));
        let untraced =
            decode(&names, &received(&names, &sent, body, None)).expect("a message without a trace");
        assert_eq!(untraced.invocation, sent.invocation);
    }

    #[test]
    fn what_is_no_message_says_why() {
        let names = Names::new(&Config::default());
        let sent = message(&key("f"));
        let refused = |payload: &'static [u8]| {
            decode(&names, &received(&names, &sent, Bytes::from_static(payload), None)).expect_err("poison")
        };
        assert_eq!(refused(br#"{"v":2,"more":[]}"#), Poison::Version { found: 2 });
        assert!(matches!(refused(b"\xff\x00"), Poison::Body(_)));
        assert!(matches!(refused(br#"{"v":1}"#), Poison::Body(_)));
    }

    #[test]
    fn both_forms_of_a_reply_are_read() {
        let meta_of = |text| meta(text).expect("a reply");
        let wanted = Meta { delivered: 3, stream_seq: 17, pending: 5 };
        assert_eq!(meta_of("$JS.ACK.S.c.3.17.9.1700000000.5"), wanted);
        assert_eq!(meta_of("$JS.ACK._.HASH.S.c.3.17.9.1700000000.5.token"), wanted);
        assert_eq!(meta("_INBOX.x"), None);
    }
}
