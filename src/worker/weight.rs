//! What people decide about the memory: the weight of a mistake leaves it, and a customer's can be forgotten.
//!
//! A finding 「誤検知」 is first a word in the case record; taking the weight out of the ledgers follows and is repeated by
//! whoever sees the case next until the record says that it is done. A finding that is taken back brings the weight back.

use crate::case::CaseRecord;
use crate::conversation::{Conversation, key_of_customer};
use crate::model::digest::Digest;
use crate::model::ids::{ConversationId, CustomerId, MessageId, Tenant};
use crate::model::message::conversation_key;
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::desk::Desk;
use crate::worker::enroll::Membership;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Beginning of the ids of ledger rows in the reasons of a case.
const LEDGER_HEAD: &str = "ledger.";

/// Segment of the records of what was forgotten.
const FORGOTTEN: &str = "forgotten";

/// Whose memory is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// A customer's, over conversations and channels.
    Customer(&'a str),
    /// A conversation's.
    Conversation(&'a str),
}

/// That a memory was forgotten: who, why. It names nobody but by a hash, because the customer may have asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// When.
    pub at: Timestamp,
    /// Tenant.
    pub tenant: Tenant,
    /// `customer` or `conversation`.
    pub whose: String,
    /// Key of the ledger.
    pub ledger: String,
    /// Messages that counted.
    pub messages: usize,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Versioned for Forgotten {
    const VERSION: u32 = 1;
}

impl Desk {
    /// Makes the ledgers say what the finding of this case asks for. Repeating is harmless. Cost: one read for each listed message
    /// of the case and one write for each ledger, and nothing for a case whose ledgers say it already.
    pub async fn settle_weight(&self, case: &CaseRecord) -> Result<(), StoreError> {
        let wanted = case.excused_until();
        let Some(until) = wanted.or(case.excused).filter(|_| wanted != case.excused) else { return Ok(()) };
        for (ledger, identities) in self.ledgers_of(case, until).await? {
            let decide = |memory: Option<Conversation>| {
                let mut memory = memory.unwrap_or_default();
                if memory.excuse(&identities, wanted.is_some()) { Change::Write(memory, ()) } else { Change::Keep(()) }
            };
            self.change(&Key::new(Bucket::Conversation, &[&ledger]), decide).await?;
        }
        let done = |case: &mut CaseRecord| {
            // Somebody may have judged again meanwhile: then that is still to be done.
            (case.excused_until() == wanted).then(|| case.excused = wanted)
        };
        self.act(case, done).await.map(|_| ())
    }

    /// The ledgers in which this case weighs, with the messages that do.
    async fn ledgers_of(&self, case: &CaseRecord, until: Timestamp) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for message in case.messages.iter().filter(|message| message.received_at <= until) {
            let member = record::load::<Membership>(&*self.store, &Key::new(Bucket::Membership, &[&message.identity])).await?;
            for ledger in member.map(|(member, _)| member.ledgers).unwrap_or_default() {
                found.entry(ledger).or_default().insert(message.identity.clone());
            }
        }
        // Where the course of the conversation made the case, it is the course that was mistaken, not its last message alone.
        let by_course = case.summaries.values().flat_map(|summary| &summary.reasons).flat_map(|reason| &reason.entries);
        if by_course.into_iter().any(|entry| entry.starts_with(LEDGER_HEAD)) {
            let course = record::load::<Conversation>(&*self.store, &Key::new(Bucket::Conversation, &[&case.scope])).await?;
            let earlier = course.into_iter().flat_map(|(course, _)| course.contributions).filter(|one| one.at <= until);
            let earlier: BTreeSet<String> = earlier.map(|one| one.identity).collect();
            for identities in found.values_mut() {
                identities.extend(earlier.iter().cloned());
            }
        }
        Ok(found)
    }

    /// Forgets what earlier messages said, for a named reason; cases stay as they are. `None` if there was nothing.
    pub async fn forget(&self, tenant: &Tenant, whose: Whose<'_>, by: &str, reason: &str) -> Result<Option<Forgotten>, StoreError> {
        let nothing = MessageId(String::new());
        let (kind, ledgers) = match whose {
            Whose::Customer(name) => {
                let customer = CustomerId(name.to_owned());
                // A customer whose messages name no conversation has one that is the customer's own.
                ("customer", vec![key_of_customer(tenant, &customer), conversation_key(tenant, None, Some(&customer), &nothing)])
            }
            Whose::Conversation(name) => {
                ("conversation", vec![conversation_key(tenant, Some(&ConversationId(name.to_owned())), None, &nothing)])
            }
        };
        let (mut messages, mut known) = (0, false);
        for ledger in &ledgers {
            let count = self.empty(&Key::new(Bucket::Conversation, &[ledger])).await?;
            known |= count.is_some();
            messages += count.unwrap_or(0);
        }
        let Some(ledger) = ledgers.into_iter().next().filter(|_| known) else { return Ok(None) };
        let (by, reason, at) = (by.to_owned(), reason.to_owned(), Timestamp::now());
        let forgotten = Forgotten { at, tenant: tenant.clone(), whose: kind.to_owned(), ledger, messages, by, reason };
        let bytes = record::encode(&forgotten)?;
        let key = Key::new(Bucket::System, &[FORGOTTEN, &Digest::of(&bytes).key()]);
        match self.store.create(&key, bytes).await {
            Ok(_) | Err(StoreError::Exists) => Ok(Some(forgotten)),
            Err(error) => Err(error),
        }
    }

    /// Empties a ledger; answers how many contributions it had, if it was there.
    async fn empty(&self, key: &Key) -> Result<Option<usize>, StoreError> {
        let decide = |memory: Option<Conversation>| match memory {
            Some(memory) if !memory.contributions.is_empty() => Change::Write(Conversation::default(), Some(memory.contributions.len())),
            _ => Change::Keep(None),
        };
        self.change(key, decide).await
    }

    /// What was forgotten, newest first.
    pub async fn forgotten(&self) -> Result<Vec<Forgotten>, StoreError> {
        let rows = self.store.scan(&Key::new(Bucket::System, &[FORGOTTEN])).await?;
        let mut all: Vec<Forgotten> = rows.iter().map(|row| record::decode(&row.value)).collect::<Result<_, _>>()?;
        all.sort_by_key(|one| std::cmp::Reverse(one.at));
        Ok(all)
    }
}
