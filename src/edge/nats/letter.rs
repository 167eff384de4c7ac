//! A message on the inbound stream: our own with everything in a header, or an integrator's as design.md says.

use crate::decode::line;
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use crate::model::ids::{ID_BYTES_MAX, MessageId, QueueName, Tenant};
use async_nats::HeaderMap;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Header with everything of an envelope but its payload, as JSON.
pub(crate) const ENVELOPE: &str = "Mimamori-Envelope";

/// Version of [`Meta`].
const META_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Meta {
    v: u32,
    /// The id it was accepted under; absent for a line without one, which gets its number in the stream.
    id: Option<MessageId>,
    tenant: Tenant,
    queue: QueueName,
    kind: ContentKind,
    given_id: Option<String>,
    received_at: Timestamp,
    source: Source,
    purpose: Purpose,
}

/// The header of an envelope.
pub(crate) fn header(envelope: &Envelope, id: Option<&MessageId>) -> String {
    let meta = Meta {
        v: META_VERSION,
        id: id.cloned(),
        tenant: envelope.tenant.clone(),
        queue: envelope.queue.clone(),
        kind: envelope.kind,
        given_id: envelope.given_id.clone(),
        received_at: envelope.received_at,
        source: envelope.source,
        purpose: envelope.purpose,
    };
    // Headers are lines: what is not ASCII is escaped.
    let text = serde_json::to_string(&meta).unwrap_or_default();
    let escape = |c: char| {
        if c.is_ascii() {
            return c.to_string();
        }
        c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
    };
    text.chars().map(escape).collect()
}

/// Last tokens of the subject: channel, tenant, queue.
pub(crate) fn subject(prefix: &str, envelope: &Envelope) -> String {
    let channel = match envelope.kind {
        ContentKind::Rfc822 => "email",
        ContentKind::JsonLine => "line",
    };
    format!("{prefix}.{channel}.{}.{}", envelope.tenant, envelope.queue)
}

/// Reads a message of the stream; `sequence` is its number there.
pub(crate) fn read(subject: &str, headers: &HeaderMap, payload: Bytes, sequence: u64, published: Timestamp) -> (Identity, Envelope) {
    let text = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    let numbered = || MessageId(format!("n-{sequence}"));
    let content = Digest::of(&payload);
    let meta = text(ENVELOPE).and_then(|text| serde_json::from_str::<Meta>(&text).ok()).filter(|meta| meta.v <= META_VERSION);
    if let Some(meta) = meta {
        let identity = Identity { tenant: meta.tenant.clone(), id: meta.id.unwrap_or_else(numbered), content };
        let envelope = Envelope {
            kind: meta.kind,
            payload,
            given_id: meta.given_id,
            tenant: meta.tenant,
            queue: meta.queue,
            received_at: meta.received_at,
            source: meta.source,
            purpose: meta.purpose,
        };
        return (identity, envelope);
    }
    let envelope = foreign(subject, text("Content-Type"), text("Nats-Msg-Id"), payload, published);
    let identity = Identity::of(&envelope).unwrap_or_else(|| Identity { tenant: envelope.tenant.clone(), id: numbered(), content });
    (identity, envelope)
}

/// What an integrator published by itself: `<prefix>.<channel>.<tenant>.<queue>`, a line or a raw mail.
fn foreign(subject: &str, kind: Option<String>, message_id: Option<String>, payload: Bytes, published: Timestamp) -> Envelope {
    let mut tokens = subject.rsplit('.');
    let (queue, tenant) = (tokens.next().unwrap_or_default(), tokens.next().unwrap_or_default());
    let is_mail = kind.is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("message/rfc822"));
    let facts = if is_mail { None } else { line::accept(&payload).ok() };
    let usable = |id: &String| (1..=ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(char::is_control);
    let named = facts.as_ref().and_then(|facts| facts.id.clone());
    let (named_tenant, named_queue) = facts.map_or((None, None), |facts| (facts.tenant, facts.queue));
    Envelope {
        kind: if is_mail { ContentKind::Rfc822 } else { ContentKind::JsonLine },
        given_id: message_id.filter(usable).or(named),
        tenant: named_tenant.or_else(|| Tenant::new(tenant).ok()).unwrap_or_default(),
        queue: named_queue.or_else(|| QueueName::new(queue).ok()).unwrap_or_default(),
        received_at: published,
        source: Source::Nats,
        purpose: Purpose::Live,
        payload,
    }
}
