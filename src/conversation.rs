//! Conversation memory: what earlier messages of the same conversation tell about a new one.
//!
//! A record is a bounded set of contributions keyed by message identity. What a message sees is a pure function of the
//! contributions that sort before it by (time, identity), so redelivery and reordering give the same answer.
//! It keeps fingerprints of lines, never text.

use crate::decode::parts::{KnownLines, fingerprints};
use crate::model::message::{Direction, Event, FieldName, Message};
use crate::store::record::Versioned;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most contributions kept; the oldest leave first. With [`LINES_MAX`] a record stays below half of the store's value limit.
pub const CONTRIBUTIONS_MAX: usize = 64;

/// Most line fingerprints of one message: quotes repeat the beginning of a message, not its hundredth line.
pub const LINES_MAX: usize = 100;

/// Characters of one fingerprint in [`Contribution::lines`]: 8 bytes in unpadded base64.
const FINGERPRINT_CHARS: usize = 11;

/// What one message left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Identity key of the message.
    pub identity: String,
    /// When it happened.
    pub at: Timestamp,
    /// Who wrote it.
    pub direction: Direction,
    /// What happened.
    pub event: Event,
    /// Fingerprints of its lines, joined.
    pub lines: String,
}

/// The memory of one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conversation {
    /// Sorted by (time, identity), without duplicates.
    pub contributions: Vec<Contribution>,
    /// Contributions that had to leave.
    pub forgotten: u64,
}

impl Versioned for Conversation {
    const VERSION: u32 = 1;
}

impl Conversation {
    /// Lines of earlier messages, as seen by the message `identity` at `at`.
    pub fn known_to(&self, at: Timestamp, identity: &str) -> KnownLines {
        let earlier = self.contributions.iter().filter(|one| (one.at, one.identity.as_str()) < (at, identity));
        KnownLines::new(earlier.flat_map(|one| unpack(&one.lines)))
    }

    /// Whether one of our own replies was ever seen.
    pub fn has_outbound(&self) -> bool {
        self.contributions.iter().any(|one| one.direction == Direction::Outbound)
    }

    /// Adds a contribution; false if it was there already.
    pub fn add(&mut self, contribution: Contribution) -> bool {
        let place = |one: &Contribution| (one.at, one.identity.clone());
        let found = self.contributions.binary_search_by_key(&place(&contribution), place);
        let Err(index) = found else { return false };
        self.contributions.insert(index, contribution);
        while self.contributions.len() > CONTRIBUTIONS_MAX {
            self.contributions.remove(0);
            self.forgotten += 1;
        }
        true
    }
}

impl Contribution {
    /// What `message` leaves behind.
    pub fn of(message: &Message, identity: &str, at: Timestamp) -> Self {
        let text = message.field(FieldName::Text).map_or("", |field| field.text.as_str());
        let lines = fingerprints(text).into_iter().take(LINES_MAX).map(|line| BASE64URL_NOPAD.encode(&line.to_be_bytes())).collect();
        Self { identity: identity.to_owned(), at, direction: message.direction, event: message.event, lines }
    }
}

fn unpack(lines: &str) -> Vec<u64> {
    lines
        .as_bytes()
        .chunks(FINGERPRINT_CHARS)
        .filter_map(|chunk| BASE64URL_NOPAD.decode(chunk).ok()?.try_into().ok().map(u64::from_be_bytes))
        .collect()
}
