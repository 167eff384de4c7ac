//! Silences: a named person puts alerts off for a while, with a reason and an end.
//!
//! A silenced case is opened, counted and listed as ever; its ladder begins when the silence ends, so nothing is lost. A silence
//! of a lexicon entry on a queue is for an entry that misfires there until somebody has mended it: what only it speaks for is
//! listed and starts no ladder, because two weeks of false alarms at once would be worse. What is urgent (care, injury, level 4)
//! and what an operator asks for is never silenced.

use crate::case::transitions::Joining;
use crate::model::digest::Digest;
use crate::model::ids::EntryId;
use crate::model::severity::Category;
use crate::store::record::{self, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::desk::Desk;
use crate::worker::enroll::Place;
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
    /// Only what this lexicon entry alone speaks for; such a message is listed and alerts nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryId>,
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

    fn covers(&self, place: &Place<'_>, categories: &[Category]) -> bool {
        let fits = |wanted: &Option<String>, known: &str| wanted.as_deref().is_none_or(|wanted| wanted == known);
        let by_category = self.category.is_none_or(|only| categories.iter().all(|one| *one == only));
        fits(&self.tenant, place.tenant.as_str()) && fits(&self.queue, place.queue.as_str()) && by_category
    }

    fn why(&self) -> String {
        format!("{}({}): {}", self.by, self.id, self.reason)
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

    /// Notes in a message of this place what is silenced of it.
    pub(crate) async fn hush(&self, place: &Place<'_>, joining: &mut Joining) -> Result<(), StoreError> {
        let silences = self.silences(Timestamp::now()).await?;
        let here: Vec<&Silence> = silences.iter().filter(|silence| silence.covers(place, &joining.categories)).collect();
        // The one that lasts longest.
        joining.quiet = here.iter().rfind(|one| one.entry.is_none()).map(|one| (one.until, one.why()));
        let of_entry = |entry: &EntryId| here.iter().find(|one| one.entry.as_ref() == Some(entry));
        let by_entry: Option<Vec<&&Silence>> = joining.entries.iter().map(of_entry).collect();
        joining.muted = by_entry.and_then(|all| all.first().map(|one| format!("語句の通知停止 {}", one.why())));
        Ok(())
    }
}

fn key(id: &str) -> Key {
    Key::new(Bucket::System, &[SEGMENT, id])
}
