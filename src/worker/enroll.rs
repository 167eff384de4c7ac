//! Bringing an alert-due message into exactly one case.
//!
//! Three writes, each repeatable: claim the message for a case (membership, create-once), join the case record
//! (compare-and-set), mark the claim as joined. A repeat after a crash finds the claim and finishes it; only a claim that
//! never joined moves on to the next generation when its case was closed in between.

use crate::case::summary::{Origin, Reason, summarise};
use crate::case::transitions::{Joined, Joining};
use crate::case::{CaseMessage, CaseRecord, CaseState};
use crate::conversation::{self, Assessment, LedgerEvidence};
use crate::edge::evidence::EvidenceReceipt;
use crate::model::digest::Digest;
use crate::model::guidance::Hints;
use crate::model::ids::{QueueName, Tenant};
use crate::model::message::Channel;
use crate::model::severity::Level;
use crate::policy::route::customer_key;
use crate::policy::{Decision, Track};
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, Leased, Store, StoreError};
use crate::worker::Worker;
use crate::worker::desk::Desk;
use crate::worker::process::Judged;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which case holds a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Key of the conversation.
    pub scope: String,
    /// Generation of the case.
    pub generation: u32,
    /// The case record counts it.
    pub joined: bool,
    /// Keys of the ledgers in which it left something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ledgers: Vec<String>,
}

impl Versioned for Membership {
    const VERSION: u32 = 1;
}

/// As much of a case record as is needed to find the newest: a large one is not taken apart for it.
#[derive(Serialize, Deserialize)]
struct Standing {
    generation: u32,
    state: CaseState,
}

impl Versioned for Standing {
    const VERSION: u32 = CaseRecord::VERSION;
}

/// Key of a case record.
pub fn case_key(scope: &str, generation: u32) -> Key {
    Key::new(Bucket::Case, &[scope, &format!("{generation:08}")])
}

/// Every case of the store, oldest key first.
pub async fn read_cases(store: &dyn Store) -> Result<Vec<CaseRecord>, StoreError> {
    let rows = store.scan(&Key::new(Bucket::Case, &[])).await?;
    rows.iter().map(|row| record::decode(&row.value)).collect()
}

/// Whose conversation, and where.
pub(crate) struct Place<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) queue: &'a QueueName,
    pub(crate) scope: String,
}

impl Worker {
    /// Joins a judged message; answers the case.
    pub(crate) async fn enroll(
        &self,
        leased: &Leased,
        judged: &Judged,
        assessment: &Assessment,
        decision: &Decision,
        receipt: &EvidenceReceipt,
    ) -> Result<CaseRecord, StoreError> {
        let at = judged.message.at.unwrap_or(leased.envelope.received_at);
        let campaign = self.campaign(&judged.message, decision, at).await?;
        let verdict = &judged.verdict;
        let message = &judged.message;
        let level = verdict.level.max(assessment.level);
        let guidance = self.engines.engine(&message.tenant, &message.queue).guidance(verdict, message.channel);
        let summary = |track: Track| {
            let hints = Hints::of(guidance.iter().filter(|one| track.wants(one.lane)));
            let mut summary = summarise(message, verdict, hints, track == Track::Care);
            if track == Track::Harassment {
                summary.add_history(level, assessment.evidence.iter().rev().filter(|row| row.level.is_flagged()).map(reason));
                summary.add_history(level, campaign.iter().map(|campaign| campaign.reason(level)));
            }
            summary
        };
        let mut categories = verdict.categories.clone();
        categories.extend(assessment.categories.iter().filter(|category| !verdict.categories.contains(category)));
        // Only where nothing but entries spoke can an entry be quieted.
        let by_history = assessment.level.is_flagged() || campaign.is_some();
        let spoken = verdict.evidence.iter().filter(|row| row.level > Level::Ordinary && !by_history);
        let member = member(leased, level, judged.message.channel, receipt);
        let joining = Joining {
            categories,
            lanes: verdict.lanes.clone(),
            customer: message.customer.as_ref().map(|customer| customer_key(customer.as_str())),
            entries: spoken.map(|row| row.entry.clone()).collect(),
            ledgers: conversation::keys(message),
            ..Joining::new(member, decision.tracks.iter().map(|track| (*track, summary(*track))).collect())
        };
        let scope = campaign.map_or_else(|| judged.message.conversation_key(), |campaign| campaign.scope);
        let place = Place { tenant: &judged.message.tenant, queue: &judged.message.queue, scope };
        self.desk.join(&place, joining).await
    }

    /// Joins a message that could not be judged: one case per tenant collects them.
    pub(crate) async fn enroll_unchecked(&self, leased: &Leased, code: &str, receipt: &EvidenceReceipt) -> Result<CaseRecord, StoreError> {
        let tenant = &leased.identity.tenant;
        let summary = crate::case::summary::Summary { message_id: leased.identity.id.to_string(), ..Default::default() };
        let member = member(leased, Level::Ordinary, Channel::Email, receipt);
        let joining = Joining { reason: Some(code.to_owned()), ..Joining::new(member, [(Track::Unchecked, summary)].into()) };
        let scope = Digest::of_fields(&[tenant.as_str().as_bytes(), Track::Unchecked.id().as_bytes()]).key();
        self.desk.join(&Place { tenant, queue: &leased.envelope.queue, scope }, joining).await
    }
}

impl Desk {
    /// Brings one message into the newest case of its place, or opens one; answers the case. Repeating is harmless.
    pub(crate) async fn join(&self, place: &Place<'_>, mut joining: Joining) -> Result<CaseRecord, StoreError> {
        let member_key = Key::new(Bucket::Membership, &[&joining.message.identity]);
        let claimed = self.claim(&member_key, place, &joining.ledgers).await?;
        // What was claimed before a crash holds, wherever the message would go now.
        let place = &Place { tenant: place.tenant, queue: place.queue, scope: claimed.scope.clone() };
        let mut generation = claimed.generation;
        if claimed.joined
            && let Some((case, _)) = record::load::<CaseRecord>(&*self.store, &case_key(&place.scope, generation)).await?
        {
            return Ok(case);
        }
        self.hush(place, &mut joining).await?;
        loop {
            let (outcome, case) = self.join_generation(place, generation, &joining).await?;
            if outcome != Joined::Refused {
                if case.message_count() == 1 {
                    self.index(&case).await?;
                }
                self.confirm(&member_key, Membership { generation, joined: true, ..claimed }).await?;
                return Ok(case);
            }
            generation += 1;
        }
    }

    /// The case this message belongs to: the claimed one, else the newest that is not closed, else the next generation.
    async fn claim(&self, member_key: &Key, place: &Place<'_>, ledgers: &[String]) -> Result<Membership, StoreError> {
        if let Some((claimed, _)) = record::load::<Membership>(&*self.store, member_key).await? {
            return Ok(claimed);
        }
        let newest = self.store.scan(&Key::new(Bucket::Case, &[&place.scope])).await?;
        let generation = match newest.last() {
            None => 1,
            Some(row) => {
                let case: Standing = record::decode(&row.value)?;
                if case.state.is_closed() { case.generation + 1 } else { case.generation }
            }
        };
        let claim = Membership { scope: place.scope.clone(), generation, joined: false, ledgers: ledgers.to_vec() };
        self.change::<Membership, Membership>(member_key, |known| match known {
            Some(known) => Change::Keep(known),
            None => Change::Write(claim.clone(), claim.clone()),
        })
        .await
    }

    async fn join_generation(&self, place: &Place<'_>, generation: u32, joining: &Joining) -> Result<(Joined, CaseRecord), StoreError> {
        let key = case_key(&place.scope, generation);
        let (now, policy, joining) = (Timestamp::now(), self.policy(), joining.clone());
        let (tenant, queue, scope) = (place.tenant.clone(), place.queue.clone(), place.scope.clone());
        // Many messages of one case at once are written together.
        let decide = move |case: Option<CaseRecord>| {
            let seen = case.as_ref().map_or(0, |case| case.event_count);
            let mut case = case.unwrap_or_else(|| CaseRecord::open(&tenant, &queue, &scope, generation, &policy, now));
            let outcome = case.join(&joining, &policy, now);
            match outcome {
                Joined::Announced | Joined::Counted => Change::Write(case.clone(), (outcome, case, seen)),
                Joined::Known | Joined::Refused => Change::Keep((outcome, case, seen)),
            }
        };
        let (outcome, case, seen) = self.joins.change(&self.store, &key, Box::new(decide)).await?;
        if matches!(outcome, Joined::Announced | Joined::Counted) {
            self.follow(case.clone(), seen).await;
        }
        Ok((outcome, case))
    }

    async fn confirm(&self, member_key: &Key, confirmed: Membership) -> Result<(), StoreError> {
        self.change::<Membership, ()>(member_key, |known| {
            if known.as_ref() == Some(&confirmed) { Change::Keep(()) } else { Change::Write(confirmed.clone(), ()) }
        })
        .await
    }
}

/// Why the messages before make this one a case, for people.
fn reason(row: &LedgerEvidence) -> Reason {
    Reason {
        categories: row.categories.clone(),
        lanes: vec![],
        level: row.level,
        entries: vec![row.entry.clone()],
        place: Some(Origin::Course.name().to_owned()),
        excerpt: row.text.clone(),
    }
}

fn member(leased: &Leased, level: Level, channel: Channel, receipt: &EvidenceReceipt) -> CaseMessage {
    CaseMessage {
        identity: leased.identity.key(),
        id: leased.identity.id.clone(),
        level,
        channel,
        received_at: leased.envelope.received_at,
        evidence: receipt.digest,
    }
}
