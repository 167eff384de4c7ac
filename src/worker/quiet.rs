//! Silences: a named person puts alerts off for a while, with a reason and an end.
//!
//! A silenced case is opened, counted and listed as ever; its ladder begins when the silence ends, so nothing is lost. What
//! is urgent (care, injury, level 4) and what an operator asks for is never silenced.

use crate::model::digest::Digest;
use crate::model::severity::Category;
use crate::store::record::{self, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::desk::Desk;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest silence: two weeks; what is to be quiet for longer belongs into the policy.
pub const SILENCE_MAX: SignedDuration = SignedDuration::from_hours(14 * 24);

const SEGMENT: &str = "silence";

/// One silence. A condition that is absent holds always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Short id for lifting it.
    pub id: String,
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only this queue.
    pub queue: Option<String>,
    /// Only cases that show no other category than this one.
    pub category: Option<Category>,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Versioned for Silence {
    const VERSION: u32 = 1;
}

impl Silence {
    /// A silence with an id of its own.
    pub fn new(mut it: Self) -> Self {
        let text = serde_json::to_string(&it).unwrap_or_default();
        it.id = format!("S-{}", Digest::of(text.as_bytes()).key().to_uppercase().chars().take(6).collect::<String>());
        it
    }

    fn covers(&self, tenant: &str, queue: &str, categories: &[Category], now: Timestamp) -> bool {
        let fits = |wanted: &Option<String>, known: &str| wanted.as_deref().is_none_or(|wanted| wanted == known);
        let by_category = self.category.is_none_or(|only| categories.iter().all(|one| *one == only));
        now < self.until && fits(&self.tenant, tenant) && fits(&self.queue, queue) && by_category
    }
}

impl Desk {
    /// Silences that have not ended, the one that ends first in front.
    pub async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let rows = self.store.scan(&Key::new(Bucket::System, &[SEGMENT])).await?;
        let all: Result<Vec<Silence>, StoreError> = rows.iter().map(|row| record::decode(&row.value)).collect();
        let mut open: Vec<Silence> = all?.into_iter().filter(|one| now < one.until).collect();
        open.sort_by_key(|one| one.until);
        Ok(open)
    }

    /// Puts alerts off.
    pub async fn silence(&self, silence: &Silence) -> Result<(), StoreError> {
        match self.store.create(&key(&silence.id), record::encode(silence)?).await {
            Ok(_) | Err(StoreError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends a silence before its time, for cases to come. False if there is none of that id.
    pub async fn lift(&self, id: &str) -> Result<bool, StoreError> {
        let is_id = id.len() <= 16 && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') && !id.is_empty();
        if !is_id {
            return Ok(false);
        }
        let Some((_, revision)) = record::load::<Silence>(&*self.store, &key(id)).await? else { return Ok(false) };
        self.store.delete(&key(id), revision).await?;
        Ok(true)
    }

    /// The silence under which a message of this place falls: the one that lasts longest.
    pub(crate) async fn quiet(&self, tenant: &str, queue: &str, categories: &[Category]) -> Result<Option<Silence>, StoreError> {
        let now = Timestamp::now();
        Ok(self.silences(now).await?.into_iter().rfind(|silence| silence.covers(tenant, queue, categories, now)))
    }
}

fn key(id: &str) -> Key {
    Key::new(Bucket::System, &[SEGMENT, id])
}
