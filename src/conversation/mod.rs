//! Conversation memory: what earlier messages of the same conversation, or of the same customer, tell about a new one.
//!
//! A record is a bounded set of contributions keyed by message identity. Everything it says is a pure function of that
//! set, sorted by (time, identity): redelivery, reordering and many workers give the same record and the same level. The
//! bound is a choice by value too (warnings first, then the newest), never by arrival. It keeps fingerprints, not text;
//! see [`fragments`] for the one exception. Cost: linear in the record, a few dozen messages.

pub mod assessment;
pub mod contribution;
pub mod cue;
pub mod fingerprint;
pub mod fragments;
pub mod limits;
mod repeats;
mod rules;
mod view;

pub use assessment::{Assessment, LedgerEvidence};
pub use contribution::{Contribution, Reading};
pub use fragments::JudgeText;
pub use limits::LedgerLimits;

use crate::decode::parts::KnownLines;
use crate::model::digest::Digest;
use crate::model::ids::{CustomerId, Tenant};
use crate::model::message::Message;
use crate::store::record::Versioned;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Most contributions kept. With [`contribution::LINES_MAX`] a record of nothing but long letters stays below a quarter
/// of the store's value limit; every rule is satisfied by far fewer.
pub const CONTRIBUTIONS_MAX: usize = 64;

/// Most of our refusals and cautions that outlive the bound: the newest ones are what counts.
pub const WARNINGS_MAX: usize = 8;

/// The memory of one conversation or customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conversation {
    /// Sorted by (time, identity), without duplicates.
    pub contributions: Vec<Contribution>,
    /// Whether contributions had to leave.
    #[serde(default)]
    pub truncated: bool,
}

impl Versioned for Conversation {
    const VERSION: u32 = 2;
}

impl Conversation {
    /// Lines of earlier messages, as seen by the message `identity` at `at`.
    pub fn known_to(&self, at: Timestamp, identity: &str) -> KnownLines {
        let earlier = self.contributions.iter().filter(|one| one.place() < (at, identity));
        KnownLines::new(earlier.flat_map(Contribution::known_lines))
    }

    /// Adds a contribution and reads fragments together; false if it was there already, or is older than all that is kept.
    pub fn add(&mut self, contribution: Contribution, limits: &LedgerLimits, judge: &mut JudgeText<'_>) -> bool {
        let found = self.contributions.binary_search_by(|one| one.place().cmp(&contribution.place()));
        let Err(index) = found else { return false };
        let identity = contribution.identity.clone();
        self.contributions.insert(index, contribution);
        if self.contributions.len() > CONTRIBUTIONS_MAX {
            let leaves = self.leaves();
            self.truncated = true;
            if self.contributions.remove(leaves).identity == identity {
                return false;
            }
        }
        fragments::join(&mut self.contributions, limits.join_seconds, judge);
        true
    }

    /// What the record says at the message `identity`; and, of what it says at later messages, only what it would not say
    /// without this one: a message that comes late may complete what later ones began, but is not blamed for them.
    /// Nothing for a message that is not kept.
    pub fn assess(&self, at: Timestamp, identity: &str, limits: &LedgerLimits) -> Assessment {
        let Ok(index) = self.contributions.binary_search_by(|one| one.place().cmp(&(at, identity))) else {
            return Assessment::default();
        };
        let counted = self.counted();
        let mut whole = rules::assess(&counted, index, limits);
        if index + 1 < counted.len() {
            let mut without = counted.clone().into_owned();
            without.remove(index);
            let mut completed = reached(&counted, index + 1, limits);
            completed.leave_out(&reached(&without, index, limits));
            whole.absorb(completed);
        }
        whole
    }

    /// Takes the weight of these messages out (a person found that they were mistaken for harassment), or puts it back. False if
    /// nothing changes.
    pub fn excuse(&mut self, identities: &BTreeSet<String>, is_excused: bool) -> bool {
        let mut changed = false;
        for one in self.contributions.iter_mut().filter(|one| identities.contains(&one.identity)) {
            changed |= one.excused != is_excused;
            one.excused = is_excused;
        }
        changed
    }

    /// The contributions as rules see them: of an excused message only that it came.
    fn counted(&self) -> Cow<'_, [Contribution]> {
        if !self.contributions.iter().any(|one| one.excused) {
            return Cow::Borrowed(&self.contributions);
        }
        let mut counted = self.contributions.clone();
        for one in counted.iter_mut().filter(|one| one.excused) {
            one.reading = None;
        }
        Cow::Owned(counted)
    }

    /// Which contribution leaves: the oldest that is not one of the newest warnings.
    fn leaves(&self) -> usize {
        let warnings = self.contributions.iter().filter(|one| one.is_warning()).count();
        let is_kept = |one: &Contribution| one.is_warning() && warnings <= WARNINGS_MAX;
        self.contributions.iter().position(|one| !is_kept(one)).unwrap_or(0)
    }
}

/// What is said at any of the contributions from `first` on.
fn reached(all: &[Contribution], first: usize, limits: &LedgerLimits) -> Assessment {
    let mut whole = Assessment::default();
    for index in first..all.len() {
        whole.absorb(rules::assess(all, index, limits));
    }
    whole
}

/// Key of the ledger of a message's customer, across conversations and channels; none where no customer is known, or
/// where the conversation is the customer's own anyway.
pub fn customer_key(message: &Message) -> Option<String> {
    let customer = message.customer.as_ref().filter(|_| message.conversation.is_some())?;
    Some(key_of_customer(&message.tenant, customer))
}

/// Key of the ledger of a customer.
pub fn key_of_customer(tenant: &Tenant, customer: &CustomerId) -> String {
    Digest::of_fields(&[tenant.as_str().as_bytes(), b"customer", customer.as_str().as_bytes()]).key()
}

/// Keys of the records in which this message leaves something: its customer's, where one is known, and its conversation's. None
/// where nothing later can refer to it.
pub fn keys(message: &Message) -> Vec<String> {
    if message.conversation.is_none() && message.customer.is_none() {
        return vec![];
    }
    customer_key(message).into_iter().chain([message.conversation_key()]).collect()
}
