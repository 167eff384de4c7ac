//! What a backend must offer: one set of traits for the embedded store and for JetStream.
//!
//! The traits offer only what both can do: compare-and-set on one key, append with a dedupe id, blobs by digest, and a
//! work queue. There is no transaction over several keys; whoever needs one orders its writes so that a crash between
//! two of them is repaired by repeating.
//!
//! Every write returns only after it is durable. Every read sees at least the caller's own finished writes; a scan may be stale.

use crate::model::digest::Digest;
use crate::model::envelope::{Envelope, Identity, Share};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

pub mod record;

/// Largest value of one record, in bytes: what a JetStream key-value bucket takes comfortably below its payload limit.
pub const VALUE_BYTES_MAX: usize = 256 << 10;

/// Longest key segment, in bytes.
pub const SEGMENT_BYTES_MAX: usize = 120;

/// Why a store call failed. The methods answer the caller's question; nobody matches on text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another writer was first: read again and decide again.
    #[error("the record was changed by another writer")]
    Conflict,
    /// `create` found the key taken.
    #[error("the key exists already")]
    Exists,
    /// The value or payload is beyond a limit.
    #[error("{size} bytes are more than the limit of {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The queue refuses more work (disk nearly full, or the configured bound is reached).
    #[error("the queue is full: {0}")]
    Full(String),
    /// The backend cannot answer now; repeating may help. The write may or may not have happened.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The stored bytes are not what this version wrote.
    #[error("a stored record is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether repeating the same call later may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Full(_))
    }

    /// Whether reading again and deciding again is the cure.
    pub fn is_race(&self) -> bool {
        matches!(self, Self::Conflict | Self::Exists)
    }
}

/// A record key: a bucket and up to four segments of `[A-Za-z0-9_=-]`. Hash or escape anything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Joins bucket and segments.
    ///
    /// # Panics
    /// On a segment outside the alphabet: keys are made by code from hashes and numbers, never from input.
    pub fn new(bucket: Bucket, segments: &[&str]) -> Self {
        let mut key = bucket.id().to_owned();
        for segment in segments {
            let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'=' | b'-');
            assert!(
                !segment.is_empty() && segment.len() <= SEGMENT_BYTES_MAX && segment.bytes().all(allowed),
                "key segment outside the alphabet"
            );
            key.push('.');
            key.push_str(segment);
        }
        Self(key)
    }

    /// Reads a key back from a backend.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The key as backends store it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn last(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// Whether `self` stands below `prefix` (whole segments).
    pub fn is_below(&self, prefix: &Self) -> bool {
        self.0.strip_prefix(&prefix.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The buckets of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// Case records.
    Case,
    /// Which case holds a message.
    Membership,
    /// Conversation memory.
    Conversation,
    /// Small facts of the installation itself.
    System,
}

impl Bucket {
    /// Name in the backend.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Membership => "member",
            Self::Conversation => "conversation",
            Self::System => "system",
        }
    }
}

/// Append-only streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// One verdict per message.
    Verdict,
    /// One decision per message: case, policy version, conversation effects.
    Decision,
    /// Dead letters: reason and digest of the original.
    Dead,
    /// Hash-chained evidence of alert-due and dead messages.
    Evidence,
    /// What happened to cases.
    CaseEvent,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 5] = [Self::Verdict, Self::Decision, Self::Dead, Self::Evidence, Self::CaseEvent];

    /// Name in the backend.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Decision => "decision",
            Self::Dead => "dead",
            Self::Evidence => "evidence",
            Self::CaseEvent => "case-event",
        }
    }
}

/// Version of one record, for compare-and-set; also a fencing token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Key,
    /// Its version.
    pub revision: Revision,
    /// Its bytes.
    pub value: Bytes,
}

/// Result of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its number in the stream, rising from 1; without gaps where the backend keeps the stream apart from others.
    pub seq: u64,
    /// The dedupe id was there already; `seq` is that of the first.
    pub duplicate: bool,
}

/// One entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its number.
    pub seq: u64,
    /// Its dedupe id.
    pub dedupe: String,
    /// When the backend took it.
    pub at: Timestamp,
    /// Its bytes.
    pub body: Bytes,
}

/// Records, streams and blobs.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates a record; [`StoreError::Exists`] if the key is taken.
    async fn create(&self, key: &Key, value: Bytes) -> Result<Revision, StoreError>;
    /// Reads a record.
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError>;
    /// Replaces a record if it still has `expected`; else [`StoreError::Conflict`] (also when it is gone).
    async fn update(&self, key: &Key, expected: Revision, value: Bytes) -> Result<Revision, StoreError>;
    /// Deletes a record if it still has `expected`; else [`StoreError::Conflict`].
    async fn delete(&self, key: &Key, expected: Revision) -> Result<(), StoreError>;
    /// All records below `prefix`, in key order.
    async fn scan(&self, prefix: &Key) -> Result<Vec<Record>, StoreError>;
    /// Appends. The same `dedupe` id is stored once, for the life of the stream. With `expect_last`, fails with
    /// [`StoreError::Conflict`] unless the stream's last number is that one (0 for empty); a duplicate id wins over that check.
    async fn append(&self, stream: Stream, dedupe: &str, expect_last: Option<u64>, body: Bytes) -> Result<Appended, StoreError>;
    /// Appends entries (dedupe id, body) one right behind the other, the first behind number `after`; one answer for each. Nothing is
    /// appended behind one that was not: the rest is refused with [`StoreError::Conflict`], because each may speak of the one
    /// before it. Costs little more than one entry where the backend can write them together.
    async fn append_row(&self, stream: Stream, after: u64, entries: Vec<(String, Bytes)>) -> Vec<Result<Appended, StoreError>> {
        let mut answers: Vec<Result<Appended, StoreError>> = vec![];
        for (expected, (dedupe, body)) in (after..).zip(entries) {
            let answer = if answers.last().is_none_or(is_appended) {
                self.append(stream, &dedupe, Some(expected), body).await
            } else {
                Err(StoreError::Conflict)
            };
            answers.push(answer);
        }
        answers
    }
    /// Up to `limit` entries after number `after`, in order.
    async fn read(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<StreamEntry>, StoreError>;
    /// The entry with that dedupe id.
    async fn find(&self, stream: Stream, dedupe: &str) -> Result<Option<StreamEntry>, StoreError>;
    /// The newest entry.
    async fn last(&self, stream: Stream) -> Result<Option<StreamEntry>, StoreError>;
    /// Stores bytes under their digest; storing again is free.
    async fn put_blob(&self, bytes: Bytes) -> Result<Digest, StoreError>;
    /// Reads bytes by digest.
    async fn get_blob(&self, digest: &Digest) -> Result<Option<Bytes>, StoreError>;
    /// Resolves when another process or worker may have changed a record, or after `longest`.
    async fn changed(&self, longest: Duration);
}

/// How long a worker may keep a message before it is handed out again: far above the slowest judgement, and short
/// enough that a message whose worker hangs is not forgotten.
pub const LEASE_DURATION: Duration = Duration::from_mins(1);

/// Deliveries that ended neither in a settlement nor in a retry before a message is suspect. One is an accident (power, a
/// deployment); a second one points at the message, or at one that was in the same hands.
pub const DEATHS_BEFORE_SUSPECT: u32 = 2;

/// Messages of one sender that a queue hands to one worker at the same time. Enough that a flood is worked off at nearly the full
/// speed of its one case, whose changes are written together; few enough that another customer's message never waits behind it.
pub const SHARE_OUT_MAX: usize = 8;

/// Settled messages that the embedded backend keeps for the auditor at most: an hour of a very large contact center, in case nobody
/// audits.
pub const SETTLED_MAX: u64 = 100_000;

/// Answer to a submission: durable on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Who the message is from now on.
    pub identity: Identity,
    /// The same id with the same content had been accepted before; nothing was added.
    pub duplicate: bool,
    /// The same id had been accepted with other content; this one is processed as new.
    pub variant: bool,
}

/// A message handed to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// The queue's handle for settling.
    pub ticket: u64,
    /// How often it was handed out, this time included.
    pub deliveries: u32,
    /// It was in the hands of a worker that died (or its lease ran out) often enough that it must run alone.
    pub suspect: bool,
    /// How often it was handed out alone, this time included, without those given back by [`Settlement::Retry`]:
    /// above 1, a worker died with nothing else in its hands, so this message is the likely cause.
    pub solo_deliveries: u32,
    /// Whose turn it takes.
    pub share: Option<Share>,
    /// Who it is.
    pub identity: Identity,
    /// The message.
    pub envelope: Envelope,
}

/// How a worker is done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Verdict and alert intent are durable.
    Done,
    /// Not now: hand it out again after this long.
    Retry(Duration),
    /// The dead letter is durable; take it out of the queue.
    Dead,
}

/// A settled message, for whoever checks that it left what it owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Its number among the settled ones; not that of acceptance.
    pub number: u64,
    /// Who it is, and the message; `None` if what was kept of it cannot be read.
    pub message: Option<(Identity, Envelope)>,
}

/// Some of the settled messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettledPage {
    /// In the order of their numbers.
    pub rows: Vec<Settled>,
    /// The newest number there is: below a number seen before if the backend was made anew.
    pub newest: u64,
}

/// State of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// Accepted and not settled, whether ready, delayed or in a worker's hands.
    pub pending: u64,
    /// Of these, in a worker's hands.
    pub leased: u64,
    /// Acceptance time of the oldest pending one.
    pub oldest: Option<Timestamp>,
}

/// Whether an entry is there now that was not before.
pub(crate) fn is_appended(answer: &Result<Appended, StoreError>) -> bool {
    answer.as_ref().is_ok_and(|appended| !appended.duplicate)
}

/// A durable work queue, at least once.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Accepts messages; each answer stands for a durable commit. One refused message does not affect the others.
    async fn submit(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>>;
    /// Up to `limit` messages, oldest first, but senders in turn: at most [`SHARE_OUT_MAX`] of one sender are out at once, so
    /// that a flood does not hold up the others. Waits until there is one, or `longest` has passed (then empty).
    /// A suspect message is handed out alone, when nothing else is leased.
    async fn lease(&self, limit: usize, longest: Duration) -> Result<Vec<Leased>, StoreError>;
    /// Settles a leased message. Settling twice, or after the lease was lost, is harmless.
    async fn settle(&self, ticket: u64, settlement: Settlement) -> Result<(), StoreError>;
    /// Counts, for metrics and readiness.
    async fn state(&self) -> Result<QueueState, StoreError>;
    /// Whether messages can flow: everything that is needed is there, and nothing stands still. Cheap enough for every second.
    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Up to `limit` settled messages after number `after`. They are kept until [`Queue::forget_settled`], or as long as the backend
    /// keeps messages anyway; the embedded one keeps the newest [`SETTLED_MAX`].
    async fn settled(&self, after: u64, limit: usize) -> Result<SettledPage, StoreError>;
    /// Settled messages up to that number need not be kept any longer.
    async fn forget_settled(&self, upto: u64) -> Result<(), StoreError>;
    /// Gives back what this process fetched and did not hand out; with `all`, what it handed out, too, because nobody works on
    /// it any more. The last thing before the process ends.
    async fn hand_back(&self, _all: bool) {}
}
