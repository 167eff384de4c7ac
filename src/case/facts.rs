//! What a case says of itself: its id, what routing looks at, its newest events.

use crate::case::{CaseEvent, CaseRecord};
use crate::model::digest::Digest;
use crate::model::ids::{CaseId, Tenant};
use crate::model::message::Channel;
use crate::policy::{Facts, Track};

impl CaseRecord {
    /// The id of a case: eight characters of the digest of tenant, scope and generation.
    pub fn id_of(tenant: &Tenant, scope: &str, generation: u32) -> CaseId {
        let digest = Digest::of_fields(&[tenant.as_str().as_bytes(), scope.as_bytes(), &generation.to_be_bytes()]);
        let letters: String = digest.key().to_uppercase().chars().take(8).collect();
        CaseId(format!("C-{letters}"))
    }

    /// All messages counted.
    pub fn message_count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// What routing looks at.
    pub fn facts(&self, track: Track) -> Facts {
        Facts {
            track,
            level: self.level,
            tenant: Some(self.tenant.as_str().to_owned()),
            queue: Some(self.queue.as_str().to_owned()),
            channel: self.channel(),
            customer: self.customer.clone(),
            categories: self.categories.clone(),
            lanes: self.lanes.clone(),
        }
    }

    /// Events after number `seen` that the record still holds, with their numbers.
    pub fn events_after(&self, seen: u64) -> impl Iterator<Item = (u64, &CaseEvent)> {
        let first = self.event_count.saturating_sub(self.events.len() as u64) + 1;
        (first..).zip(&self.events).filter(move |(n, _)| *n > seen)
    }

    /// The newest message's channel.
    pub fn channel(&self) -> Option<Channel> {
        self.messages.last().map(|message| message.channel)
    }
}
