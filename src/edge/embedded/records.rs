//! Records, streams and blobs in SQLite.
//!
//! Writes are short operations for the writing thread; sizes are checked before they get there. Cost: one index lookup
//! and one row each; a scan reads the records below its prefix only.

use crate::edge::embedded::Embedded;
use crate::edge::embedded::writer::{Concerns, Decision, lock};
use crate::model::digest::Digest;
use crate::model::envelope::MESSAGE_BYTES_HARD;
use crate::store::{Appended, Key, Record, Revision, Store, StoreError, Stream, StreamEntry, VALUE_BYTES_MAX, is_appended};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::time::Duration;

/// Longest dedupe id, in bytes: ids are digests or short compounds of them.
const DEDUPE_BYTES_MAX: usize = 512;

/// Entries given out by one `read`, whatever was asked for: bounds memory.
const ENTRIES_PER_READ_MAX: usize = 1000;

#[async_trait]
impl Store for Embedded {
    async fn create(&self, key: &Key, value: Bytes) -> Result<Revision, StoreError> {
        within(value.len(), VALUE_BYTES_MAX)?;
        let key = key.clone();
        self.writer.run(Concerns::Records, move |db| create(db, &key, &value)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let key = key.clone();
        let query = "SELECT key, revision, value FROM record WHERE key = ?1";
        self.readers.run(move |db| db.prepare_cached(query)?.query_row([key.as_str()], record_of).optional()).await
    }

    async fn update(&self, key: &Key, expected: Revision, value: Bytes) -> Result<Revision, StoreError> {
        within(value.len(), VALUE_BYTES_MAX)?;
        let key = key.clone();
        self.writer.run(Concerns::Records, move |db| update(db, &key, expected, &value)).await
    }

    async fn delete(&self, key: &Key, expected: Revision) -> Result<(), StoreError> {
        let key = key.clone();
        let decide = move |db: &Connection| {
            let mut statement = db.prepare_cached("DELETE FROM record WHERE key = ?1 AND revision = ?2")?;
            let deleted = statement.execute(params![key.as_str(), expected.0])?;
            Ok(if deleted == 1 { Ok(()) } else { Err(StoreError::Conflict) })
        };
        self.writer.run(Concerns::Records, decide).await
    }

    async fn scan(&self, prefix: &Key) -> Result<Vec<Record>, StoreError> {
        // '/' follows '.', so this range holds exactly the keys that go on with a whole segment.
        let query = "SELECT key, revision, value FROM record WHERE key = ?1 OR (key > ?1 || '.' AND key < ?1 || '/') ORDER BY key";
        let prefix = prefix.clone();
        self.readers.run(move |db| db.prepare_cached(query)?.query_map([prefix.as_str()], record_of)?.collect()).await
    }

    async fn append(&self, stream: Stream, dedupe: &str, expect_last: Option<u64>, body: Bytes) -> Result<Appended, StoreError> {
        within(body.len(), VALUE_BYTES_MAX)?;
        within(dedupe.len(), DEDUPE_BYTES_MAX)?;
        let dedupe = dedupe.to_owned();
        self.writer.run(Concerns::Nobody, move |db| append(db, stream, &dedupe, expect_last, &body)).await
    }

    async fn append_row(&self, stream: Stream, after: u64, entries: Vec<(String, Bytes)>) -> Vec<Result<Appended, StoreError>> {
        let count = entries.len();
        let one = move |db: &Connection, expected: u64, (dedupe, body): &(String, Bytes)| -> Decision<Appended> {
            let fits = within(body.len(), VALUE_BYTES_MAX).and_then(|()| within(dedupe.len(), DEDUPE_BYTES_MAX));
            if let Err(error) = fits { Ok(Err(error)) } else { append(db, stream, dedupe, Some(expected), body) }
        };
        let decide = move |db: &Connection| {
            let mut answers: Vec<Result<Appended, StoreError>> = vec![];
            for (expected, entry) in (after..).zip(&entries) {
                let goes_on = answers.last().is_none_or(is_appended);
                answers.push(if goes_on { one(db, expected, entry)? } else { Err(StoreError::Conflict) });
            }
            Ok(Ok(answers))
        };
        self.writer.run(Concerns::Nobody, decide).await.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn read(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<StreamEntry>, StoreError> {
        let query = "SELECT seq, dedupe, at, body FROM entry WHERE stream = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        let limit = limit.min(ENTRIES_PER_READ_MAX);
        self.readers.run(move |db| db.prepare_cached(query)?.query_map(params![stream.id(), after, limit], entry_of)?.collect()).await
    }

    async fn find(&self, stream: Stream, dedupe: &str) -> Result<Option<StreamEntry>, StoreError> {
        let query = "SELECT seq, dedupe, at, body FROM entry WHERE stream = ?1 AND dedupe = ?2";
        let dedupe = dedupe.to_owned();
        self.readers.run(move |db| db.prepare_cached(query)?.query_row(params![stream.id(), dedupe], entry_of).optional()).await
    }

    async fn last(&self, stream: Stream) -> Result<Option<StreamEntry>, StoreError> {
        let query = "SELECT seq, dedupe, at, body FROM entry WHERE stream = ?1 ORDER BY seq DESC LIMIT 1";
        self.readers.run(move |db| db.prepare_cached(query)?.query_row([stream.id()], entry_of).optional()).await
    }

    async fn put_blob(&self, bytes: Bytes) -> Result<Digest, StoreError> {
        within(bytes.len(), MESSAGE_BYTES_HARD)?;
        let digest = Digest::of(&bytes);
        let decide = move |db: &Connection| {
            let mut statement = db.prepare_cached("INSERT INTO blob VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
            statement.execute(params![digest.as_bytes(), &bytes[..]])?;
            Ok(Ok(digest))
        };
        self.writer.run(Concerns::Nobody, decide).await
    }

    async fn get_blob(&self, digest: &Digest) -> Result<Option<Bytes>, StoreError> {
        let digest = *digest;
        let query = "SELECT body FROM blob WHERE digest = ?1";
        let body = self.readers.run(move |db| db.prepare_cached(query)?.query_row([digest.as_bytes()], |row| bytes_of(row, 0)).optional());
        body.await
    }

    /// Exact for one loop per process: a change between two calls ends the second call at once. If several tasks wait on
    /// the same handle, all that wait wake up, but one that comes later may wait for `longest`.
    async fn changed(&self, longest: Duration) {
        let mut generation = self.signals.records.subscribe();
        let now = *generation.borrow_and_update();
        if now != std::mem::replace(&mut *lock(&self.generation_seen), now) {
            return;
        }
        if let Ok(Ok(())) = tokio::time::timeout(longest, generation.changed()).await {
            *lock(&self.generation_seen) = *generation.borrow();
        }
    }
}

fn create(db: &Connection, key: &Key, value: &[u8]) -> Decision<Revision> {
    if db.prepare_cached("SELECT 1 FROM record WHERE key = ?1")?.exists([key.as_str()])? {
        return Ok(Err(StoreError::Exists));
    }
    let revision = count_up(db, "revision")?;
    db.prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3)")?.execute(params![key.as_str(), revision, value])?;
    Ok(Ok(Revision(revision)))
}

fn update(db: &Connection, key: &Key, expected: Revision, value: &[u8]) -> Decision<Revision> {
    if !db.prepare_cached("SELECT 1 FROM record WHERE key = ?1 AND revision = ?2")?.exists(params![key.as_str(), expected.0])? {
        return Ok(Err(StoreError::Conflict));
    }
    let revision = count_up(db, "revision")?;
    db.prepare_cached("UPDATE record SET revision = ?2, value = ?3 WHERE key = ?1")?.execute(params![key.as_str(), revision, value])?;
    Ok(Ok(Revision(revision)))
}

fn append(db: &Connection, stream: Stream, dedupe: &str, expect_last: Option<u64>, body: &[u8]) -> Decision<Appended> {
    let mut known = db.prepare_cached("SELECT seq FROM entry WHERE stream = ?1 AND dedupe = ?2")?;
    if let Some(seq) = known.query_row(params![stream.id(), dedupe], |row| row.get(0)).optional()? {
        return Ok(Ok(Appended { seq, duplicate: true }));
    }
    let last: u64 =
        db.prepare_cached("SELECT coalesce(max(seq), 0) FROM entry WHERE stream = ?1")?.query_row([stream.id()], |row| row.get(0))?;
    if expect_last.is_some_and(|expected| expected != last) {
        return Ok(Err(StoreError::Conflict));
    }
    let (seq, at) = (last + 1, Timestamp::now().as_microsecond());
    db.prepare_cached("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![stream.id(), seq, dedupe, at, body])?;
    Ok(Ok(Appended { seq, duplicate: false }))
}

/// Adds one to a counter and returns it.
fn count_up(db: &Connection, name: &str) -> rusqlite::Result<u64> {
    db.prepare_cached("UPDATE counter SET value = value + 1 WHERE name = ?1 RETURNING value")?.query_row([name], |row| row.get(0))
}

fn within(size: usize, limit: usize) -> Result<(), StoreError> {
    if size > limit { Err(StoreError::TooLarge { size, limit }) } else { Ok(()) }
}

fn record_of(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { key: Key::from_stored(row.get(0)?), revision: Revision(row.get(1)?), value: bytes_of(row, 2)? })
}

fn entry_of(row: &Row<'_>) -> rusqlite::Result<StreamEntry> {
    let at = Timestamp::from_microsecond(row.get(2)?).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(2, i64::MAX))?;
    Ok(StreamEntry { seq: row.get(0)?, dedupe: row.get(1)?, at, body: bytes_of(row, 3)? })
}

/// Bytes of a column, also where somebody has edited them as text: what is wrong with them is for the caller to find.
fn bytes_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    let stored = row.get_ref(column)?;
    let invalid = |_| rusqlite::Error::InvalidColumnType(column, "bytes".into(), stored.data_type());
    stored.as_bytes().map(Bytes::copy_from_slice).map_err(invalid)
}
