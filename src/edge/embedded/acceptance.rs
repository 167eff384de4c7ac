//! Acceptance of messages: who is a duplicate, who is a variant, what is refused, and how a message lies on disk.
//!
//! The memory of accepted ids is kept for the life of the store (64 bytes and an index entry each): a sender may repeat a
//! message after days, and a second verdict on it would alert twice.

use crate::decode::share::share_of;
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Envelope, Identity, MESSAGE_BYTES_HARD, Purpose, Share, Source};
use crate::model::ids::{ID_BYTES_MAX, MessageId, QueueName};
use crate::store::{Accepted, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// What may not be exceeded at this moment.
pub struct Limits {
    /// Messages accepted and not settled.
    pub pending: u64,
    /// The disk has no room beyond the reserve.
    pub disk_is_full: bool,
}

/// Counts that are kept, because counting rows would cost as much as there are.
pub struct Counts {
    /// Messages ever accepted: the number of the newest one.
    pub accepted: u64,
    /// Messages accepted and not settled.
    pub pending: u64,
}

/// A message as it lies in the queue.
pub struct Stored {
    /// Who it is.
    pub identity: Identity,
    /// The message.
    pub envelope: Envelope,
}

/// Everything of an envelope but its payload, as JSON.
#[derive(Serialize, Deserialize)]
struct Meta {
    v: u32,
    #[serde(flatten)]
    identity: Identity,
    kind: ContentKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_id: Option<String>,
    queue: QueueName,
    received_at: Timestamp,
    source: Source,
    purpose: Purpose,
}

/// Version of [`Meta`].
const META_VERSION: u32 = 1;

/// What can be said of an envelope before acceptance. Computed before, because hashing and reading large mails is not the
/// writing thread's work.
pub struct Known {
    identity: Option<Identity>,
    share: Option<Share>,
}

impl Known {
    /// Of one envelope.
    pub fn of(envelope: &Envelope) -> Self {
        Self { identity: Identity::of(envelope), share: share_of(envelope) }
    }
}

/// Accepts or refuses each envelope by itself.
pub fn accept(
    db: &Connection,
    envelopes: &[Envelope],
    known: &[Known],
    limits: &Limits,
) -> rusqlite::Result<Vec<Result<Accepted, StoreError>>> {
    let mut counts = read_counts(db)?;
    let before = counts.accepted;
    let mut answers = Vec::with_capacity(envelopes.len());
    for (envelope, known) in envelopes.iter().zip(known) {
        answers.push(accept_one(db, envelope, known, limits, &mut counts)?);
    }
    if counts.accepted > before {
        db.prepare_cached("UPDATE intake SET accepted = ?1, pending = ?2")?.execute([counts.accepted, counts.pending])?;
    }
    Ok(answers)
}

/// Reads the counts of the queue.
pub fn read_counts(db: &Connection) -> rusqlite::Result<Counts> {
    let mut statement = db.prepare_cached("SELECT accepted, pending FROM intake")?;
    statement.query_row([], |row| Ok(Counts { accepted: row.get(0)?, pending: row.get(1)? }))
}

/// Reads a message back; `None` if its row is missing or cannot be understood.
pub fn load(db: &Connection, seq: u64) -> rusqlite::Result<Option<Stored>> {
    let mut statement = db.prepare_cached("SELECT meta, payload FROM message WHERE seq = ?1")?;
    let row = statement.query_row([seq], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?;
    let Some((meta, payload)) = row else { return Ok(None) };
    Ok(serde_json::from_str::<Meta>(&meta).ok().filter(|meta| meta.v <= META_VERSION).map(|meta| Stored {
        envelope: Envelope {
            kind: meta.kind,
            payload: payload.into(),
            given_id: meta.given_id,
            tenant: meta.identity.tenant.clone(),
            queue: meta.queue,
            received_at: meta.received_at,
            source: meta.source,
            purpose: meta.purpose,
        },
        identity: meta.identity,
    }))
}

fn accept_one(
    db: &Connection,
    envelope: &Envelope,
    known: &Known,
    limits: &Limits,
    counts: &mut Counts,
) -> rusqlite::Result<Result<Accepted, StoreError>> {
    if let Err(error) = check_sizes(envelope) {
        return Ok(Err(error));
    }
    let Some(identity) = &known.identity else {
        return match check_room(limits, counts.pending) {
            Ok(()) => insert_numbered(db, envelope, known.share, counts).map(Ok),
            Err(error) => Ok(Err(error)),
        };
    };
    let name = Digest::of_fields(&[identity.tenant.as_str().as_bytes(), identity.id.as_str().as_bytes()]);
    let mut seen = db.prepare_cached("SELECT variant FROM accepted WHERE name = ?1 AND content = ?2")?;
    let key = params![name.as_bytes(), identity.content.as_bytes()];
    let earlier: Option<bool> = seen.query_row(key, |row| row.get(0)).optional()?;
    let variant = match earlier {
        Some(variant) => variant,
        None => db.prepare_cached("SELECT 1 FROM accepted WHERE name = ?1")?.exists([name.as_bytes()])?,
    };
    let identity = if variant { identity.clone().variant() } else { identity.clone() };
    if earlier.is_some() {
        return Ok(Ok(Accepted { identity, duplicate: true, variant }));
    }
    if let Err(error) = check_room(limits, counts.pending) {
        return Ok(Err(error));
    }
    let mut remember = db.prepare_cached("INSERT INTO accepted VALUES (?1, ?2, ?3)")?;
    remember.execute(params![name.as_bytes(), identity.content.as_bytes(), variant])?;
    let seq = insert_queued(db, known.share, counts)?;
    insert_message(db, seq, envelope, &identity)?;
    Ok(Ok(Accepted { identity, duplicate: false, variant }))
}

/// A line without id: its number in the queue names it, `n-<number>`.
fn insert_numbered(db: &Connection, envelope: &Envelope, share: Option<Share>, counts: &mut Counts) -> rusqlite::Result<Accepted> {
    let seq = insert_queued(db, share, counts)?;
    let id = MessageId(format!("n-{seq}"));
    let identity = Identity { tenant: envelope.tenant.clone(), id, content: Digest::of(&envelope.payload) };
    insert_message(db, seq, envelope, &identity)?;
    Ok(Accepted { identity, duplicate: false, variant: false })
}

fn insert_queued(db: &Connection, share: Option<Share>, counts: &mut Counts) -> rusqlite::Result<u64> {
    counts.accepted += 1;
    counts.pending += 1;
    let share = share_number(share);
    let mut statement = db.prepare_cached("INSERT INTO queue (seq, accepted_at, share, turn) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![counts.accepted, Timestamp::now().as_microsecond(), share, next_turn(db, share)?])?;
    Ok(counts.accepted)
}

/// The turn of a new message: the one being served, or after the last one of its sender that waits. So whoever sends a
/// thousand waits for himself, and whoever sends one is next (start-time fair queueing: Goyal, Vin and Cheng 1996, all messages
/// taken as equally long).
fn next_turn(db: &Connection, share: i64) -> rusqlite::Result<i64> {
    let served: Option<i64> = db.prepare_cached("SELECT min(turn) FROM queue WHERE due = 0")?.query_row([], |row| row.get(0))?;
    let served = served.unwrap_or(0);
    if share == 0 {
        return Ok(served);
    }
    let last: Option<i64> = db.prepare_cached("SELECT max(turn) FROM queue WHERE share = ?1")?.query_row([share], |row| row.get(0))?;
    Ok(last.map_or(served, |last| served.max(last + 1)))
}

/// A sender as a column: 0 is nobody, all others are themselves.
fn share_number(share: Option<Share>) -> i64 {
    share.map_or(0, |Share(number)| number.cast_signed())
}

/// And back.
pub(crate) const fn share_of_number(number: i64) -> Option<Share> {
    if number == 0 { None } else { Some(Share(number.cast_unsigned())) }
}

fn insert_message(db: &Connection, seq: u64, envelope: &Envelope, identity: &Identity) -> rusqlite::Result<()> {
    let meta = Meta {
        v: META_VERSION,
        identity: identity.clone(),
        kind: envelope.kind,
        given_id: envelope.given_id.clone(),
        queue: envelope.queue.clone(),
        received_at: envelope.received_at,
        source: envelope.source,
        purpose: envelope.purpose,
    };
    let meta = serde_json::to_string(&meta).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    db.prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3)")?.execute(params![seq, meta, &envelope.payload[..]])?;
    Ok(())
}

fn check_sizes(envelope: &Envelope) -> Result<(), StoreError> {
    let id_bytes = envelope.given_id.as_ref().map_or(0, String::len);
    for (size, limit) in [(envelope.payload.len(), MESSAGE_BYTES_HARD), (id_bytes, ID_BYTES_MAX)] {
        if size > limit {
            return Err(StoreError::TooLarge { size, limit });
        }
    }
    Ok(())
}

fn check_room(limits: &Limits, pending: u64) -> Result<(), StoreError> {
    if limits.disk_is_full {
        return Err(StoreError::Full("the disk has too little room left".into()));
    }
    if pending >= limits.pending {
        return Err(StoreError::Full(format!("{pending} messages are waiting")));
    }
    Ok(())
}
