//! The same text from many senders: a campaign, not many conversations. From the fifth sender within an hour on, its flagged
//! messages share one case 「同文多数(炎上・電凸の疑い)」, so that supervisors get one alert with a count.
//!
//! Counts senders by hash, never keeps the text. What may concern a life is never put together. Cost: one small record per
//! flagged text; once a campaign is known and its list is full, nothing is written.

use crate::case::summary::{Origin, Reason};
use crate::model::digest::Digest;
use crate::model::message::{FieldName, Message};
use crate::model::severity::Level;
use crate::policy::{Decision, Track};
use crate::store::record::{Change, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::Worker;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Senders of one text within an hour that make a campaign: below, friends or a household may share a wording.
pub const SENDERS_MIN: usize = 5;

/// The time over which senders are counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// How long a campaign goes on gathering after it was seen.
const CAMPAIGN: SignedDuration = SignedDuration::from_hours(24);

/// Shortest text that counts, in characters without spaces: short insults are the same by chance.
const TEXT_CHARS_MIN: usize = 12;

/// Senders remembered: enough to see the fifth, bounded whatever comes.
const SENDERS_MAX: usize = 64;

/// Who sent one text lately.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Crowd {
    senders: Vec<(String, Timestamp)>,
    seen_at: Option<Timestamp>,
}

impl Versioned for Crowd {
    const VERSION: u32 = 1;
}

/// A campaign that a message belongs to.
pub(crate) struct Campaign {
    /// Where its case stands.
    pub(crate) scope: String,
    /// Senders counted, at most [`SENDERS_MAX`].
    senders: usize,
}

impl Campaign {
    /// Why these messages share a case, for people.
    pub(crate) fn reason(&self, level: Level) -> Reason {
        Reason {
            categories: vec![],
            lanes: vec![],
            level,
            entries: vec![],
            place: Some(Origin::Crowd.name().to_owned()),
            excerpt: format!("同じ文面が{}以上の送信元から届いています", self.senders),
        }
    }
}

impl Worker {
    /// The campaign that this flagged message belongs to, if its text came from many.
    pub(crate) async fn campaign(&self, message: &Message, decision: &Decision, at: Timestamp) -> Result<Option<Campaign>, StoreError> {
        // Without a customer nobody knows whether two conversations are two senders.
        let Some(customer) = message.customer.as_ref().filter(|_| decision.tracks == [Track::Harassment]) else { return Ok(None) };
        let Some(text) = plain(message) else { return Ok(None) };
        let tenant = message.tenant.as_str().as_bytes();
        let scope = Digest::of_fields(&[b"crowd", tenant, text.as_bytes()]).key();
        let sender = Digest::of_fields(&[tenant, customer.as_str().as_bytes()]).key();
        let sender: String = sender.chars().take(16).collect();
        let key = Key::new(Bucket::Conversation, &["crowd", &scope]);
        let senders = self
            .desk
            .change::<Crowd, Option<usize>>(&key, |known| {
                let mut crowd = known.unwrap_or_default();
                let is_new = crowd.add(&sender, at);
                let answer = crowd.is_campaign(at).then_some(crowd.senders.len());
                if is_new { Change::Write(crowd, answer) } else { Change::Keep(answer) }
            })
            .await?;
        Ok(senders.map(|senders| Campaign { scope, senders }))
    }
}

impl Crowd {
    /// Adds a sender; true if that changed anything.
    fn add(&mut self, sender: &str, at: Timestamp) -> bool {
        let is_known = self.senders.iter().any(|(known, _)| known == sender);
        if is_known || (self.seen_at.is_some() && self.senders.len() >= SENDERS_MAX) {
            return false;
        }
        self.senders.retain(|(_, since)| *since > at - WINDOW || self.seen_at.is_some());
        self.senders.push((sender.to_owned(), at));
        if self.senders.len() >= SENDERS_MIN && self.seen_at.is_none() {
            self.seen_at = Some(at);
        }
        true
    }

    fn is_campaign(&self, at: Timestamp) -> bool {
        self.seen_at.is_some_and(|seen| at < seen + CAMPAIGN)
    }
}

/// The text as it is compared; none where it is too short to say anything.
fn plain(message: &Message) -> Option<String> {
    let text = &message.field(FieldName::Text)?.text;
    let plain: String = text.nfkc().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    (plain.chars().count() >= TEXT_CHARS_MIN).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_senders_within_an_hour_are_a_campaign() {
        let start: Timestamp = "2026-11-24T09:00:00Z".parse().expect("a time");
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let fill = |times: &[i64]| {
            let mut crowd = Crowd::default();
            for (n, minutes) in times.iter().enumerate() {
                crowd.add(&format!("s{n}"), at(*minutes));
            }
            crowd
        };
        assert!(fill(&[0, 1, 2, 3, 4]).is_campaign(at(5)));
        assert!(!fill(&[0, 1, 2, 3]).is_campaign(at(5)), "four are not");
        assert!(!fill(&[0, 20, 40, 61, 81]).is_campaign(at(82)), "nor five in more than an hour");
        assert!(fill(&[0, 1, 2, 3, 4]).is_campaign(at(600)) && !fill(&[0, 1, 2, 3, 4]).is_campaign(at(1500)), "it ends after a day");
        let mut same = Crowd::default();
        for _ in 0..9 {
            same.add("s", at(0));
        }
        assert!(!same.is_campaign(at(1)), "one sender is none");
        let mut many = fill(&[0, 1, 2, 3, 4]);
        for n in 0..200 {
            many.add(&format!("m{n}"), at(5));
        }
        assert_eq!(many.senders.len(), SENDERS_MAX);
    }
}
