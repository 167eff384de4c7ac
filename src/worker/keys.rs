//! The signing keys of acknowledgement tokens: made at first use, kept in the store, so that every worker shares them;
//! replaced monthly, the one before kept for what it signed.

use crate::case::token::{KEY_BYTES, TokenKeys};
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Life of a key as the signing one: a month, far above the day a token lives.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long a process trusts its copy: another worker may have replaced the key, and a token must be readable by both.
const COPY_LIFE: SignedDuration = SignedDuration::from_mins(10);

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    current: [u8; KEY_BYTES],
    before: Option<[u8; KEY_BYTES]>,
    since: Timestamp,
}

impl Versioned for Kept {
    const VERSION: u32 = 1;
}

/// The keys, and until when this copy of them may be used.
pub(crate) async fn current(store: &dyn Store, now: Timestamp) -> Result<(TokenKeys, Timestamp), StoreError> {
    let fresh = random()?;
    let key = Key::new(Bucket::System, &["ack-keys"]);
    let kept = record::change::<Kept, Kept>(store, &key, |known| {
        let next = match known {
            Some(known) if now < known.since + KEY_LIFE => return Change::Keep(known),
            Some(known) => Kept { current: fresh, before: Some(known.current), since: now },
            None => Kept { current: fresh, before: None, since: now },
        };
        Change::Write(next.clone(), next)
    })
    .await?;
    Ok((TokenKeys::new(kept.current, kept.before), now + COPY_LIFE))
}

/// Random bytes from the TLS library, which is there already.
pub(crate) fn random() -> Result<[u8; KEY_BYTES], StoreError> {
    let mut bytes = [0; KEY_BYTES];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| StoreError::Unavailable("the system gives no random bytes".to_owned()))?;
    Ok(bytes)
}
