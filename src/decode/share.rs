//! Whose message it is, as far as taking turns goes: one customer who sends thousands must not make the others wait.
//!
//! Read from the bytes before anything is decoded, so it is a guess and decides nothing but order: customer, else conversation,
//! of a line; the sender of a mail. A web form, behind whose one address many customers write, takes its turns as one sender.
//! Who writes under ever new names gets ever new turns; what bounds that stands before the queue. Cost: linear, headers of a mail only.

use crate::decode::mail::sender_of;
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Envelope, Share};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Names<'a> {
    #[serde(borrow)]
    customer: Option<Cow<'a, str>>,
    #[serde(borrow)]
    conversation: Option<Cow<'a, str>>,
}

/// Whose turn a message takes; `None` if its sender cannot be told: then it stands for itself.
pub fn share_of(envelope: &Envelope) -> Option<Share> {
    let name = match envelope.kind {
        ContentKind::JsonLine => {
            let names: Names<'_> = serde_json::from_slice(&envelope.payload).ok()?;
            names.customer.or(names.conversation)?.into_owned()
        }
        ContentKind::Rfc822 => sender_of(&envelope.payload)?,
    };
    let digest = Digest::of_fields(&[envelope.tenant.as_str().as_bytes(), name.as_bytes()]);
    digest.as_bytes().first_chunk().map(|bytes| Share(u64::from_be_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::{Purpose, Source};
    use crate::model::ids::{QueueName, Tenant};
    use bytes::Bytes;

    fn share(kind: ContentKind, payload: &str) -> Option<Share> {
        share_of(&Envelope {
            kind,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            given_id: None,
            tenant: Tenant::default(),
            queue: QueueName::default(),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            source: Source::Submit,
            purpose: Purpose::Live,
        })
    }

    #[test]
    fn a_sender_is_known_by_customer_then_conversation_then_from() {
        let line = |text: &str| share(ContentKind::JsonLine, text);
        let mail = |text: &str| share(ContentKind::Rfc822, text);
        let taro = line(r#"{"customer":"taro@example.com","text":"あ"}"#);
        assert!(taro.is_some());
        assert_eq!(line(r#"{"conversation":"c-1","customer":"taro\u0040example.com","text":"い"}"#), taro);
        assert_eq!(mail("Subject: x\r\nFrom: =?UTF-8?B?5aSq6YOO?= <Taro@Example.com>\r\n\r\nx"), taro);
        assert_ne!(line(r#"{"conversation":"c-1","text":"い"}"#), taro);
        for nobody in [line(r#"{"text":"あ"}"#), line(r#"{"customer":7}"#), line("not json"), mail("Subject: x\r\n\r\nx"), mail("")] {
            assert_eq!(nobody, None);
        }
    }
}
