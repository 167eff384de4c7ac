//! Dead letters: what could not be judged, with its reason and its original, and a person told of it.

use crate::edge::evidence::EvidenceReason;
use crate::edge::metrics::labels::DeadCode;
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use crate::store::{Leased, Store, StoreError, Stream, StreamEntry};
use crate::worker::Worker;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest reason kept, in characters: enough for a sentence, and bounded whatever an error says.
const REASON_CHARS_MAX: usize = 500;

/// Entries read from the stream at a time.
const PAGE: usize = 1000;

/// One entry of the dead-letter stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DeadEntry {
    /// A message that could not be judged.
    Letter(DeadLetter),
    /// A letter was put on the queue again.
    Replay {
        /// Number of the letter.
        letter: u64,
        /// Who did it.
        by: String,
        /// When.
        at: Timestamp,
        /// Identity of the new message.
        id: String,
    },
}

/// A message that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Who it is.
    pub identity: Identity,
    /// Closed set of reasons, as in metrics.
    pub code: String,
    /// For people.
    pub reason: String,
    /// The original's digest; the original is a blob and in the evidence chain.
    pub content: Digest,
    /// JSON line or raw mail.
    pub payload: ContentKind,
    /// The queue it arrived at.
    pub queue: crate::model::ids::QueueName,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// How it came in.
    pub source: Source,
    /// When it was given up.
    pub at: Timestamp,
}

impl DeadLetter {
    /// The message as it may be put on the queue again, under an id of its own so that it is not taken for a duplicate.
    /// The same letter gives the same id each time: replaying twice judges once.
    pub fn envelope(&self, letter: u64, payload: Bytes, now: Timestamp) -> Envelope {
        Envelope {
            kind: self.payload,
            payload,
            given_id: Some(format!("{}~replay{letter}", self.identity.id)),
            tenant: self.identity.tenant.clone(),
            queue: self.queue.clone(),
            received_at: now,
            source: Source::Replay,
            purpose: Purpose::Live,
        }
    }
}

/// All entries of the dead-letter stream with their numbers, oldest first.
pub async fn read_all(store: &dyn Store) -> Result<Vec<(u64, DeadEntry)>, StoreError> {
    let mut found = vec![];
    loop {
        let page = store.read(Stream::Dead, found.last().map_or(0, |(seq, _)| *seq), PAGE).await?;
        if page.is_empty() {
            return Ok(found);
        }
        for StreamEntry { seq, body, .. } in page {
            let entry = serde_json::from_slice(&body).map_err(|error| StoreError::Damaged(error.to_string()))?;
            found.push((seq, entry));
        }
    }
}

impl Worker {
    /// Keeps the original, records the reason, opens or raises the case of what could not be checked.
    pub(crate) async fn bury(&self, leased: &Leased, kind: DeadCode, code: &'static str, reason: &str) -> Result<(), StoreError> {
        let envelope = &leased.envelope;
        let receipt = self.desk.evidence.keep(&leased.identity, &envelope.payload, envelope.received_at, EvidenceReason::Dead).await?;
        let letter = DeadLetter {
            identity: leased.identity.clone(),
            code: code.to_owned(),
            reason: reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect(),
            content: leased.identity.content,
            payload: envelope.kind,
            queue: envelope.queue.clone(),
            received_at: envelope.received_at,
            source: envelope.source,
            at: Timestamp::now(),
        };
        let body = serde_json::to_vec(&DeadEntry::Letter(letter)).map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.store.append(Stream::Dead, &leased.identity.key(), None, body.into()).await?;
        self.enroll_unchecked(leased, code, &receipt).await?;
        self.metrics.dead(kind);
        tracing::warn!(id = %leased.identity.id, code, "could not be checked");
        Ok(())
    }
}
