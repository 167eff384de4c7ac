//! How far another system has been told, and who tells it: one record per target.
//!
//! Whoever holds the record until a time sends, and nobody else: taken and kept by compare-and-set. The place moves only after
//! the other system has accepted, so a crash repeats events and never leaves one out. A person may set the place; then the
//! turn rises, and whoever was sending finds out at the next write.

use crate::model::digest::Digest;
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, Store, StoreError, Stream, StreamEntry};
use crate::worker::events::wish::{Row, Wish};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a sender may be silent before another takes over: above the longest exchange, with a margin for clocks.
pub const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// With less than this left, a sender renews before it sends: an exchange must end inside the lease.
pub(crate) const LEASE_LEFT_MIN: SignedDuration = SignedDuration::from_secs(15);

/// Numbers of the newest entries that were told, or are nobody's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// In the history of cases.
    pub history: u64,
    /// Among the verdicts.
    pub verdict: u64,
}

impl Place {
    /// Behind everything that is stored now.
    pub async fn newest(store: &dyn Store) -> Result<Self, StoreError> {
        let number = |entry: Option<StreamEntry>| entry.map_or(0, |entry| entry.seq);
        Ok(Self { history: number(store.last(Stream::CaseEvent).await?), verdict: number(store.last(Stream::Verdict).await?) })
    }

    /// Before the first entry that was stored at or after `time`. Cost: a logarithm of the entries, one read each.
    pub async fn before(store: &dyn Store, time: Timestamp) -> Result<Self, StoreError> {
        Ok(Self { history: search(store, Stream::CaseEvent, time).await?, verdict: search(store, Stream::Verdict, time).await? })
    }

    pub(crate) fn pass(&mut self, row: &Row) {
        let place = if row.stream == Stream::Verdict { &mut self.verdict } else { &mut self.history };
        *place = row.entry.seq;
    }
}

async fn search(store: &dyn Store, stream: Stream, time: Timestamp) -> Result<u64, StoreError> {
    let (mut low, mut high) = (0, store.last(stream).await?.map_or(0, |entry| entry.seq));
    // Everything up to `low` is older, everything after `high` is not.
    while low < high {
        let middle = low + (high - low) / 2;
        match store.read(stream, middle, 1).await?.first() {
            Some(entry) if entry.at < time => low = entry.seq,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Why a target is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// Why, from a closed set.
    pub reason: String,
    /// Until a person sets the place.
    pub is_final: bool,
}

/// The record of a target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// How far it has been told.
    pub place: Place,
    /// Rises whenever a person sets the place.
    pub turn: u64,
    /// What keeps it from being told.
    pub trouble: Option<Trouble>,
    holder: Option<String>,
    until: Option<Timestamp>,
}

impl Versioned for Cursor {
    const VERSION: u32 = 1;
}

/// What a sender may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Send, from here, until the lease ends.
    Ours(Cursor),
    /// Somebody else sends.
    Others,
    /// Nobody sends until a person sets the place; since when.
    Stopped(Timestamp),
}

/// One who sends, and the store.
pub(crate) struct Holder<'a> {
    pub(crate) store: &'a dyn Store,
    /// Unlike every other process.
    pub(crate) name: &'a str,
    /// No other process sends: a lease that is there is a dead one's.
    pub(crate) is_sole: bool,
}

impl Holder<'_> {
    /// Takes or keeps the right to send.
    pub(crate) async fn claim(&self, wish: &Wish, now: Timestamp) -> Result<Claim, StoreError> {
        let start = match record::load::<Cursor>(self.store, &key(&wish.id)).await? {
            None if !wish.from_beginning => Place::newest(self.store).await?,
            _ => Place::default(),
        };
        let decide = |known: Option<Cursor>| {
            let mut cursor = known.unwrap_or_else(|| Cursor { place: start, ..Cursor::default() });
            if let Some(trouble) = cursor.trouble.as_ref().filter(|trouble| trouble.is_final) {
                return Change::Keep(Claim::Stopped(trouble.since));
            }
            let is_ours = cursor.holder.as_deref() == Some(self.name);
            if !is_ours && !self.is_sole && cursor.until.is_some_and(|until| until > now) {
                return Change::Keep(Claim::Others);
            }
            if is_ours && cursor.left(now) > LEASE_LEFT_MIN {
                return Change::Keep(Claim::Ours(cursor));
            }
            self.hold(&mut cursor, now);
            Change::Write(cursor.clone(), Claim::Ours(cursor))
        };
        record::change(self.store, &key(&wish.id), decide).await
    }

    /// Notes how far the target has been told; false if the right to send is lost or the place was set by somebody.
    pub(crate) async fn save(&self, id: &str, cursor: &mut Cursor, now: Timestamp) -> Result<bool, StoreError> {
        self.hold(cursor, now);
        let next = cursor.clone();
        let decide = |known: Option<Cursor>| match known {
            Some(known) if known.holder.as_deref() == Some(self.name) && known.turn == next.turn => Change::Write(next.clone(), true),
            _ => Change::Keep(false),
        };
        record::change(self.store, &key(id), decide).await
    }

    /// Gives the right back: another may take it at once.
    pub(crate) async fn release(&self, id: &str) -> Result<(), StoreError> {
        let decide = |known: Option<Cursor>| match known {
            Some(known) if known.holder.as_deref() == Some(self.name) => Change::Write(Cursor { holder: None, until: None, ..known }, ()),
            _ => Change::Keep(()),
        };
        record::change(self.store, &key(id), decide).await
    }

    fn hold(&self, cursor: &mut Cursor, now: Timestamp) {
        cursor.holder = Some(self.name.to_owned());
        cursor.until = Some(now + LEASE);
    }
}

impl Cursor {
    /// What is left of the lease.
    pub(crate) fn left(&self, now: Timestamp) -> SignedDuration {
        self.until.map_or(SignedDuration::ZERO, |until| until.duration_since(now))
    }

    /// Reads it; `None` before the target was told of for the first time.
    pub async fn read(store: &dyn Store, id: &str) -> Result<Option<Self>, StoreError> {
        Ok(record::load::<Self>(store, &key(id)).await?.map(|(cursor, _)| cursor))
    }

    /// Sets the place, as a person wants it; ends a stop. Whoever is sending goes on from there.
    pub async fn set(store: &dyn Store, id: &str, place: Place) -> Result<(), StoreError> {
        let decide = |known: Option<Self>| {
            let known = known.unwrap_or_default();
            Change::Write(Self { place, turn: known.turn + 1, trouble: None, ..known }, ())
        };
        record::change(store, &key(id), decide).await
    }
}

fn key(id: &str) -> Key {
    Key::new(Bucket::System, &["events", &Digest::of(id.as_bytes()).key()])
}
