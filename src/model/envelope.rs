//! What intake hands to the queue: the bytes as they came, and what was known at acceptance.

use crate::model::digest::Digest;
use crate::model::ids::{MessageId, QueueName, Tenant};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Largest message accepted by default, in bytes: inbound mail with attachments beyond this is refused at intake with a clear error.
pub const MESSAGE_BYTES_DEFAULT: usize = 1 << 20;

/// Hard limit a company may configure, in bytes: one message must not occupy a worker's memory budget.
pub const MESSAGE_BYTES_HARD: usize = 10 << 20;

/// What the payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// One JSON input line.
    JsonLine,
    /// Raw RFC 5322 bytes.
    Rfc822,
}

/// How the message came in; a closed set, used as a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `POST /v1/messages`.
    Http,
    /// `mimamori submit`.
    Submit,
    /// The watched folder.
    Spool,
    /// Built in: sample traffic of `mimamori demo`, the canary.
    Demo,
    /// Replayed from the dead letters.
    Replay,
    /// Published on the inbound stream by another program.
    Nats,
}

/// Whether the message may alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Judged; alerts when due.
    #[default]
    Live,
    /// `submit --history`: feeds the conversation memory and alerts nobody.
    History,
    /// The message that mimamori sends itself: judged, and nothing else. Believed only with the mark of the store.
    Canary,
}

/// One message before decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// JSON line or raw mail.
    pub kind: ContentKind,
    /// The bytes as received.
    pub payload: Bytes,
    /// The integrator's id (`Idempotency-Key`, `Nats-Msg-Id`, or the line's `id`), if any.
    pub given_id: Option<String>,
    /// Whose message this is.
    pub tenant: Tenant,
    /// The queue it arrived at.
    pub queue: QueueName,
    /// Time of acceptance.
    pub received_at: Timestamp,
    /// How it came in.
    pub source: Source,
    /// Live or history.
    pub purpose: Purpose,
}

/// Who a message is, for deduplication, cases and evidence. Never the Message-ID header alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Whose message.
    pub tenant: Tenant,
    /// The id printed everywhere.
    pub id: MessageId,
    /// SHA-256 of the payload: the same id with other content is another message.
    pub content: Digest,
}

impl Identity {
    /// The identity of an envelope, if it can be known before acceptance: the given id, else the digest of a raw mail.
    /// A JSON line without id gets a number from the queue.
    pub fn of(envelope: &Envelope) -> Option<Self> {
        let content = Digest::of(&envelope.payload);
        let id = match (&envelope.given_id, envelope.kind) {
            (Some(given), _) => MessageId(given.clone()),
            (None, ContentKind::Rfc822) => MessageId(format!("sha256:{content}")),
            (None, ContentKind::JsonLine) => return None,
        };
        Some(Self { tenant: envelope.tenant.clone(), id, content })
    }

    /// Who this message is when its id had been accepted before with other content: `<id>~<first 8 hex digits of content>`.
    #[must_use]
    pub fn variant(self) -> Self {
        let content: String = self.content.to_string().chars().take(8).collect();
        Self { id: MessageId(format!("{}~{content}", self.id)), ..self }
    }

    /// Store key: stable over redelivery, replay and workers.
    pub fn key(&self) -> String {
        Digest::of_fields(&[self.tenant.as_str().as_bytes(), self.id.as_str().as_bytes(), self.content.as_bytes()]).key()
    }
}
/// Whose turn a message takes: its sender, hashed, because nobody is named in the queue. Two senders with the same hash take turns
/// as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(pub u64);
