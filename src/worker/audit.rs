//! The auditor: did everything accepted leave what it owes?
//!
//! It trusts nobody's word that a message was finished: it walks the settled messages and looks for each one's verdict or dead letter,
//! and walks the verdicts and looks for the case of each that must reach a person. What is missing is done again from the original;
//! every step of the work may be repeated. What has no original any more is lost: it is named, counted, and people are told.
//!
//! A message is settled after its verdict, and a verdict written after its case, so what is in work is never a finding. Two cursors in
//! one record say how far everything is proven; one worker at a time makes a pass. Cost: one look at each verdict and each settled
//! message; a question to the store only for what must reach a person, or is not found.

use crate::case::{CaseRecord, CaseState};
use crate::decode::{decode, reply};
use crate::edge::evidence::EvidenceReason;
use crate::edge::http::health::{Component, Health};
use crate::edge::metrics::labels::Finding;
use crate::edge::notify::alarm::Trouble;
use crate::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use crate::model::ids::QueueName;
use crate::model::message::Direction;
use crate::model::verdict::Verdict;
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, Leased, StoreError, Stream};
use crate::worker::Worker;
use crate::worker::announce::OVERDUE_AFTER;
use crate::worker::enroll::{Membership, case_key, read_cases};
use crate::worker::process::Problem;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Name of the alarm about messages that cannot be done again.
const LOST: &str = "lost";

/// Rows read at a time.
const PAGE: usize = 1_000;

/// Pages of one pass: a long backlog is audited in several, so that the cursors are kept in between.
const PAGES_MAX: usize = 20;

/// Verdicts seen and not yet met as settled messages that are remembered: what is in work at all workers, and far more. What is
/// forgotten is only asked for again.
const SEEN_MAX: usize = 50_000;

/// How long one worker has the pass to itself.
const CLAIM: SignedDuration = SignedDuration::from_mins(2);

/// A look at the auditor's own clock.
const LOOK: Duration = Duration::from_secs(1);

/// Time without a whole pass after which the process is not ready (reliability.md 2.2: an auditor was once off, and nobody knew).
const STALE_AFTER: Duration = Duration::from_mins(5);

/// Lost messages whose ids are kept; the count goes on.
const IDS_MAX: usize = 100;

/// How long a loss is shown.
const LOST_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far everything is proven, and what is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    /// Number of the newest settled message that was looked at.
    pub settled: u64,
    /// Number of the newest verdict that was looked at.
    pub verdicts: u64,
    /// End of the last whole pass.
    pub at: Option<Timestamp>,
    /// One worker makes a pass until then.
    claimed_until: Option<Timestamp>,
    /// Ever put right.
    pub repaired: u64,
    /// Lost: ids, newest last, and when that was found.
    pub lost: Vec<(String, Timestamp)>,
    /// How many.
    pub lost_count: u64,
}

impl Versioned for Audited {
    const VERSION: u32 = 1;
}

fn key() -> Key {
    Key::new(Bucket::System, &["audit"])
}

impl Audited {
    /// What the auditor has found.
    pub async fn read(store: &dyn crate::store::Store) -> Result<Self, StoreError> {
        Ok(record::load::<Self>(store, &key()).await?.map(|(audited, _)| audited).unwrap_or_default())
    }
}

/// What became of something missing.
enum Repair {
    Done(Finding),
    Lost(String),
}

/// Audits until `stop`.
pub async fn run(worker: Arc<Worker>, every: Duration, health: Arc<Health>, stop: CancellationToken) {
    let (started, stale) = (Timestamp::now(), STALE_AFTER.max(every * 5));
    let mut seen = BTreeSet::new();
    while !stop.is_cancelled() {
        if let Err(error) = worker.audit(every, &mut seen).await {
            tracing::warn!(%error, "the audit could not be made; it is tried again");
        }
        match Audited::read(&*worker.store).await {
            Ok(audited) => {
                let last = audited.at.map_or(started, |at| at.max(started));
                worker.metrics.audited(audited.at.unwrap_or(Timestamp::UNIX_EPOCH), audited.lost_count);
                is_fresh(&health, last, stale);
            }
            Err(_) => is_fresh(&health, started, stale),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK.min(every)) => {}
        }
    }
}

fn is_fresh(health: &Health, last: Timestamp, stale: Duration) {
    if Timestamp::now().duration_since(last) > SignedDuration::try_from(stale).unwrap_or(SignedDuration::MAX) {
        health.failing(Component::Audit, format!("no whole pass since {last}"));
    } else {
        health.working(Component::Audit);
    }
}

impl Worker {
    /// Makes a pass, if it is time and no other worker is at it.
    async fn audit(self: &Arc<Self>, every: Duration, seen: &mut BTreeSet<String>) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let pause = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
        let claim = |known: Option<Audited>| {
            let mut audited = known.unwrap_or_default();
            let is_early = audited.at.is_some_and(|at| now < at + pause) || audited.claimed_until.is_some_and(|until| now < until);
            if is_early {
                return Change::Keep(None);
            }
            audited.claimed_until = Some(now + CLAIM);
            Change::Write(audited.clone(), Some(audited))
        };
        let Some(begun) = self.desk.change::<Audited, Option<Audited>>(&key(), claim).await? else { return Ok(()) };
        let (verdicts, mut repairs) = self.audit_verdicts(begun.verdicts, seen).await?;
        let (settled, of_messages) = self.audit_settled(begun.settled, seen).await?;
        repairs.extend(of_messages);
        self.audit_deliveries(now).await?;
        self.note_audit((settled, verdicts), &repairs).await?;
        self.queue.forget_settled(settled).await?;
        while seen.len() > SEEN_MAX {
            seen.pop_first();
        }
        Ok(())
    }

    /// Verdicts that must reach a person, and are in no case.
    async fn audit_verdicts(self: &Arc<Self>, mut after: u64, seen: &mut BTreeSet<String>) -> Result<(u64, Vec<Repair>), StoreError> {
        let mut repairs = vec![];
        // A stream made anew begins at the front.
        let newest = self.store.last(Stream::Verdict).await?.map_or(0, |entry| entry.seq);
        after = after.min(newest);
        for _ in 0..PAGES_MAX {
            let page = self.store.read(Stream::Verdict, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in page {
                if is_alert_due(&entry.body) && !self.has_case(&entry.dedupe).await? {
                    tracing::error!(identity = entry.dedupe, "a message that must reach a person is in no case");
                    repairs.push(self.repair_case(&entry.dedupe).await?);
                }
                seen.insert(entry.dedupe);
            }
        }
        Ok((after, repairs))
    }

    /// Settled messages without verdict or dead letter.
    async fn audit_settled(self: &Arc<Self>, mut after: u64, seen: &mut BTreeSet<String>) -> Result<(u64, Vec<Repair>), StoreError> {
        let mut repairs = vec![];
        for _ in 0..PAGES_MAX {
            let page = self.queue.settled(after, PAGE).await?;
            after = after.min(page.newest);
            let Some(last) = page.rows.last() else { break };
            let next = last.number;
            for row in page.rows {
                let Some((identity, envelope)) = row.message else {
                    tracing::error!(number = row.number, "a settled message cannot be read");
                    repairs.push(Repair::Lost(format!("#{}", row.number)));
                    continue;
                };
                if seen.remove(&identity.key()) || self.is_accounted(&identity, &envelope).await? {
                    continue;
                }
                tracing::error!(id = %identity.id, "an accepted message has no verdict; it is judged again");
                repairs.push(self.repair(identity, envelope, Finding::Verdict).await?);
            }
            after = next;
        }
        Ok((after, repairs))
    }

    /// Open cases that wait for nothing, and alerts that are overdue; the announcer has the latter in hand.
    async fn audit_deliveries(&self, now: Timestamp) -> Result<(), StoreError> {
        for case in read_cases(&*self.store).await? {
            let waits_for_nothing = case.state == CaseState::Open && !case.climbs.is_empty() && case.next_due.is_none();
            let is_overdue =
                case.next_due.is_some_and(|at| at < now - SignedDuration::try_from(OVERDUE_AFTER).unwrap_or(SignedDuration::MAX));
            if waits_for_nothing || is_overdue {
                tracing::error!(case = %case.id, waits_for_nothing, "an open case is not on its way to a person");
                self.desk.touch(case);
            }
        }
        Ok(())
    }

    async fn has_case(&self, identity: &str) -> Result<bool, StoreError> {
        let member = record::load::<Membership>(&*self.store, &Key::new(Bucket::Membership, &[identity])).await?;
        let Some((member, _)) = member else { return Ok(false) };
        Ok(record::load::<CaseRecord>(&*self.store, &case_key(&member.scope, member.generation)).await?.is_some())
    }

    /// Whether a settled message left what it owes, or owes nothing.
    async fn is_accounted(&self, identity: &Identity, envelope: &Envelope) -> Result<bool, StoreError> {
        if envelope.purpose != Purpose::Live {
            return Ok(true);
        }
        for stream in [Stream::Verdict, Stream::Dead] {
            if self.store.find(stream, &identity.key()).await?.is_some() {
                return Ok(true);
            }
        }
        // Our own side is never judged, and an answer to an alert is an act, no message.
        let is_answer = envelope.kind == ContentKind::Rfc822
            && self.ways.reply_address.as_ref().is_some_and(|address| reply::read(&envelope.payload, address, &self.decode).is_some());
        let is_ours = || decode(envelope, identity, &self.decode).is_ok_and(|message| message.direction != Direction::Inbound);
        Ok(is_answer || is_ours())
    }

    /// Does a message again from its original.
    async fn repair(self: &Arc<Self>, identity: Identity, envelope: Envelope, finding: Finding) -> Result<Repair, StoreError> {
        let id = identity.id.to_string();
        let leased = Leased { ticket: 0, deliveries: 1, suspect: false, solo_deliveries: 0, share: None, identity, envelope };
        match self.finish(&leased).await {
            Ok(()) => Ok(Repair::Done(finding)),
            Err(Problem::Undecodable { kind, code, reason }) => {
                self.bury(&leased, kind, code, &reason).await?;
                Ok(Repair::Done(finding))
            }
            Err(Problem::Panicked) => Ok(Repair::Lost(id)),
            Err(Problem::Store(error)) => Err(error),
        }
    }

    /// Does a message again from the original in the evidence: it was kept before anything else.
    async fn repair_case(self: &Arc<Self>, identity: &str) -> Result<Repair, StoreError> {
        let dedupe = format!("{identity}.{}", EvidenceReason::AlertDue.id());
        let lost = || Repair::Lost(identity.to_owned());
        let Some(entry) = self.store.find(Stream::Evidence, &dedupe).await? else { return Ok(lost()) };
        let Ok(kept) = record::decode::<crate::edge::evidence::EvidenceEntry>(&entry.body) else { return Ok(lost()) };
        let Some(payload) = self.store.get_blob(&kept.sha256).await? else { return Ok(lost()) };
        let kind = if payload.trim_ascii_start().starts_with(b"{") { ContentKind::JsonLine } else { ContentKind::Rfc822 };
        let envelope = Envelope {
            kind,
            given_id: Some(kept.identity.id.to_string()),
            tenant: kept.identity.tenant.clone(),
            queue: QueueName::default(),
            received_at: kept.received_at,
            source: Source::Replay,
            purpose: Purpose::Live,
            payload,
        };
        self.repair(kept.identity, envelope, Finding::Case).await
    }

    async fn note_audit(&self, (settled, verdicts): (u64, u64), repairs: &[Repair]) -> Result<(), StoreError> {
        let now = Timestamp::now();
        for repair in repairs {
            if let Repair::Done(finding) = repair {
                self.metrics.audit_repaired(*finding);
            }
        }
        let lost: Vec<&String> = repairs.iter().filter_map(|repair| if let Repair::Lost(id) = repair { Some(id) } else { None }).collect();
        let done = |known: Option<Audited>| {
            let mut audited = known.unwrap_or_default();
            (audited.settled, audited.verdicts, audited.at, audited.claimed_until) = (settled, verdicts, Some(now), None);
            audited.repaired += (repairs.len() - lost.len()) as u64;
            audited.lost_count += lost.len() as u64;
            audited.lost.extend(lost.iter().map(|id| ((*id).clone(), now)));
            audited.lost.retain(|(_, at)| *at + LOST_KEPT > now);
            let more = audited.lost.len().saturating_sub(IDS_MAX);
            audited.lost.drain(..more);
            if audited.lost.is_empty() {
                audited.lost_count = 0;
            }
            Change::Write(audited.clone(), audited)
        };
        let audited = self.desk.change::<Audited, Audited>(&key(), done).await?;
        if audited.lost.is_empty() {
            return self.clear(LOST, now, None).await;
        }
        let ids = audited.lost.iter().rev().map(|(id, _)| id.clone()).collect();
        self.raise(LOST, Trouble::Lost { count: audited.lost_count, ids }, now).await
    }
}

/// Whether a verdict of the stream must reach a person; one that cannot be read must be looked at.
fn is_alert_due(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Row {
        verdict: Verdict,
    }
    serde_json::from_slice::<Row>(body).map_or(true, |row| row.verdict.is_alert_due())
}
