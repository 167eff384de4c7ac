//! Records as JSON with a schema version, and the compare-and-set loop everyone uses.

use crate::store::{Key, Record, Revision, Store, StoreError, VALUE_BYTES_MAX};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Attempts of one compare-and-set loop before the caller is told to come back later: with more, a hot key burns the store.
pub const CAS_ATTEMPTS_MAX: usize = 8;

/// A record type with its schema version, stored as `{"v":N,"body":{…}}`.
pub trait Versioned: Serialize + DeserializeOwned {
    /// Schema version; a reader refuses what is newer than itself.
    const VERSION: u32;
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Stamped<T> {
    v: u32,
    body: T,
}

/// Encodes a record.
pub fn encode<T: Versioned>(body: &T) -> Result<Bytes, StoreError> {
    let stamped = Stamped { v: T::VERSION, body };
    let bytes = serde_json::to_vec(&stamped).map_err(|error| StoreError::Damaged(error.to_string()))?;
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(StoreError::TooLarge { size: bytes.len(), limit: VALUE_BYTES_MAX });
    }
    Ok(bytes.into())
}

/// Decodes a record.
pub fn decode<T: Versioned>(bytes: &[u8]) -> Result<T, StoreError> {
    let stamped: Stamped<T> = serde_json::from_slice(bytes).map_err(|error| StoreError::Damaged(error.to_string()))?;
    if stamped.v > T::VERSION {
        return Err(StoreError::Damaged(format!("schema version {} is newer than this program's {}", stamped.v, T::VERSION)));
    }
    Ok(stamped.body)
}

/// Reads and decodes one record.
pub async fn load<T: Versioned>(store: &dyn Store, key: &Key) -> Result<Option<(T, Revision)>, StoreError> {
    match store.get(key).await? {
        Some(Record { revision, value, .. }) => Ok(Some((decode(&value)?, revision))),
        None => Ok(None),
    }
}

/// What a compare-and-set step decided.
#[derive(Debug)]
pub enum Change<T, R> {
    /// Write this record and answer that.
    Write(T, R),
    /// Leave the record and answer that.
    Keep(R),
}

/// Reads, decides, writes; repeats when another writer was first. `decide` must be a pure function of the record.
/// Fails with [`StoreError::Conflict`] after [`CAS_ATTEMPTS_MAX`] lost races.
pub async fn change<T: Versioned + Send, R: Send>(
    store: &dyn Store,
    key: &Key,
    mut decide: impl FnMut(Option<T>) -> Change<T, R> + Send,
) -> Result<R, StoreError> {
    for _ in 0..CAS_ATTEMPTS_MAX {
        let found = load::<T>(store, key).await?;
        let (body, revision) = found.map_or((None, None), |(body, revision)| (Some(body), Some(revision)));
        let (next, answer) = match decide(body) {
            Change::Write(next, answer) => (encode(&next)?, answer),
            Change::Keep(answer) => return Ok(answer),
        };
        let written = match revision {
            Some(revision) => store.update(key, revision, next).await,
            None => store.create(key, next).await,
        };
        match written {
            Ok(_) => return Ok(answer),
            Err(error) if error.is_race() => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Conflict)
}
