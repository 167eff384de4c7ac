//! One message: decode, judge, keep the original, remember, open or raise the case, record, settle last.
//!
//! The order is the promise. Each step is durable before the next begins and may be repeated without harm, so a crash
//! anywhere only repeats: original (content-addressed) → conversation (set of contributions) → case (membership and
//! compare-and-set) → verdict and decision records (dedupe id) → settle.

use crate::case::CaseRecord;
use crate::case::hold::Hold;
use crate::conversation::{self, Assessment, Contribution, Conversation, LedgerEvidence};
use crate::decode::{decode, parts};
use crate::edge::evidence::{EvidenceReason, EvidenceReceipt};
use crate::edge::metrics::labels::{self, DeadCode};
use crate::engine::scan::Scratch;
use crate::model::envelope::{Identity, Purpose};
use crate::model::ids::{CaseId, EntryId, MessageId, QueueName, Tenant};
use crate::model::message::{Channel, Direction, Message};
use crate::model::severity::Level;
use crate::model::verdict::Verdict;
use crate::policy::{Decision, Track};
use crate::store::record::{self, Change};
use crate::store::{Bucket, Key, Leased, Settlement, StoreError, Stream};
use crate::worker::{SETTLE_PAUSE, SETTLE_TRIES, Worker};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// First pause before a message is tried again after a failure of the store; doubled each time up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(200);

/// Longest pause between two tries.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// Messages up to this size are decoded and judged where they are: well below a millisecond, and two changes of thread would
/// cost more than the work. In bytes.
const INLINE_BYTES_MAX: usize = 4 << 10;

/// Times a message may run alone in a worker that dies before it is buried: once may be bad luck, three times is the message.
const SOLO_DEATHS_MAX: u32 = 3;

/// Why a message could not be finished.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It cannot be decoded; trying again cannot help.
    Undecodable {
        /// For metrics.
        kind: DeadCode,
        /// For people.
        code: &'static str,
        /// For people.
        reason: String,
    },
    /// Judging it panicked.
    Panicked,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A decoded and judged message.
pub(crate) struct Judged {
    pub(crate) message: Message,
    pub(crate) verdict: Verdict,
    cues: Vec<EntryId>,
}

impl Worker {
    /// Does the whole message and settles it.
    pub(crate) async fn handle(self: &Arc<Self>, leased: Leased) {
        let _in_work = self.courtesy.enter(leased.share);
        let settlement = match self.finish(&leased).await {
            Ok(()) => Settlement::Done,
            Err(problem) => self.give_up_or_retry(&leased, problem).await,
        };
        for tried in 1..=SETTLE_TRIES {
            match self.queue.settle(leased.ticket, settlement.clone()).await {
                Ok(()) => return,
                Err(error) if error.is_transient() && tried < SETTLE_TRIES => tokio::time::sleep(SETTLE_PAUSE).await,
                // The lease runs out and the message is handed out again; every step before is repeatable.
                Err(error) => tracing::error!(id = %leased.identity.id, %error, "settling failed"),
            }
        }
    }

    pub(crate) async fn finish(self: &Arc<Self>, leased: &Leased) -> Result<(), Problem> {
        if leased.suspect && leased.solo_deliveries > SOLO_DEATHS_MAX {
            return Err(Problem::Undecodable {
                kind: DeadCode::Crash,
                code: "killed_worker",
                reason: "the worker died each time this message ran alone".to_owned(),
            });
        }
        self.courtesy.let_others_go_first(leased.share).await;
        if self.answered(leased).await? {
            return Ok(());
        }
        let message = self.decode(leased).await?;
        if self.is_canary(&leased.identity, &leased.envelope).await? {
            let judged = self.judge(message, &leased.identity, leased.envelope.received_at).await?;
            return Ok(self.canary_judged(&leased.identity, &judged.verdict).await?);
        }
        let at = message.at.unwrap_or(leased.envelope.received_at);
        let identity = leased.identity.key();
        if leased.envelope.purpose == Purpose::History && message.direction == Direction::Inbound {
            // What happened before counts for what comes after, and alerts nobody.
            let judged = self.judge(message, &leased.identity, at).await?;
            self.remember(&judged.message, || Contribution::judged(&judged.message, &identity, at, &judged.verdict, &judged.cues)).await?;
            return Ok(());
        }
        if message.direction != Direction::Inbound {
            self.remember(&message, || Contribution::of(&message, &identity, at)).await?;
            if leased.envelope.purpose != Purpose::History {
                self.note_notice(&message, &identity, at).await?;
            }
            return Ok(());
        }
        let judged = self.judge(message, &leased.identity, at).await?;
        // Before each step that writes; what is urgent stops for nobody.
        let share = leased.share.filter(|_| !judged.verdict.urgent);
        let mut receipt = None;
        if judged.verdict.is_alert_due() {
            self.courtesy.let_others_go_first(share).await;
            receipt = Some(self.keep(leased).await?);
        }
        self.courtesy.let_others_go_first(share).await;
        let contribution = || Contribution::judged(&judged.message, &identity, at, &judged.verdict, &judged.cues);
        let assessment = self.remember(&judged.message, contribution).await?;
        let decision = self.policy().decide(&judged.verdict, assessment.level);
        if receipt.is_none() && !decision.tracks.is_empty() {
            receipt = Some(self.keep(leased).await?);
        }
        self.courtesy.let_others_go_first(share).await;
        let case = match receipt {
            Some(receipt) if !decision.tracks.is_empty() => Some(self.enroll(leased, &judged, &assessment, &decision, &receipt).await?),
            _ => None,
        };
        self.courtesy.let_others_go_first(share).await;
        self.record(leased, &judged, &assessment, &decision, case.as_ref()).await?;
        self.count(leased, &judged, &decision);
        Ok(())
    }

    /// Keeps the original of a message somebody will be told of.
    async fn keep(&self, leased: &Leased) -> Result<EvidenceReceipt, StoreError> {
        let envelope = &leased.envelope;
        self.desk.evidence.keep(&leased.identity, &envelope.payload, envelope.received_at, EvidenceReason::AlertDue).await
    }

    async fn decode(self: &Arc<Self>, leased: &Leased) -> Result<Message, Problem> {
        let (worker, envelope, identity) = (Arc::clone(self), leased.envelope.clone(), leased.identity.clone());
        let _turn = self.judging.acquire().await;
        let bytes = envelope.payload.len();
        match apart(bytes, move || decode(&envelope, &identity, &worker.decode)).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(error)) => Err(Problem::Undecodable { kind: DeadCode::Undecodable, code: error.code.id(), reason: error.message }),
            Err(panicked) => Err(panicked),
        }
    }

    async fn judge(self: &Arc<Self>, mut message: Message, identity: &Identity, at: Timestamp) -> Result<Judged, Problem> {
        if message.conversation.is_some() || message.customer.is_some() {
            let memory = record::load::<Conversation>(&*self.store, &conversation_key(&message)).await?;
            if let Some((memory, _)) = memory {
                parts::resplit(&mut message, &memory.known_to(at, &identity.key()));
            }
        }
        let _turn = self.judging.acquire().await;
        let worker = Arc::clone(self);
        let bytes = message.fields.iter().map(|field| field.text.len()).sum();
        apart(bytes, move || {
            let started = std::time::Instant::now();
            let mut scratch = worker.scratch();
            let engine = worker.engines.engine(&message.tenant, &message.queue);
            let (verdict, cues) = engine.judge_with_cues(&message, &mut scratch);
            worker.give_back(scratch);
            worker.metrics.judged(started.elapsed());
            Judged { message, verdict, cues }
        })
        .await
    }

    /// Writes the contribution into the ledgers of conversation and customer; answers what both say together.
    async fn remember(&self, message: &Message, contribution: impl FnOnce() -> Contribution) -> Result<Assessment, StoreError> {
        let mut whole = Assessment::default();
        if message.conversation.is_none() && message.customer.is_none() {
            return Ok(whole); // a conversation of its own: nothing later can refer to it
        }
        let contribution = contribution();
        if let Some(key) = conversation::customer_key(message) {
            let key = Key::new(Bucket::Conversation, &[&key]);
            whole.absorb(self.contribute(&key, message, contribution.clone().without_lines()).await?);
        }
        whole.absorb(self.contribute(&conversation_key(message), message, contribution).await?);
        Ok(whole)
    }

    async fn contribute(&self, key: &Key, message: &Message, contribution: Contribution) -> Result<Assessment, StoreError> {
        let engine = self.engines.engine(&message.tenant, &message.queue);
        let (message, limits) = (message.clone(), self.ledger);
        // Many messages of one conversation at once are written together.
        let decide = move |memory: Option<Conversation>| {
            let mut memory = memory.unwrap_or_default();
            let mut scratch = Scratch::default();
            let mut judge = |text: &str| engine.judge(&message.with_text(text), &mut scratch);
            let is_new = memory.add(contribution.clone(), &limits, &mut judge);
            let assessment = memory.assess(contribution.at, &contribution.identity, &limits);
            if is_new { Change::Write(memory, assessment) } else { Change::Keep(assessment) }
        };
        self.memories.change(&self.store, key, Box::new(decide)).await
    }

    async fn record(
        &self,
        leased: &Leased,
        judged: &Judged,
        assessment: &Assessment,
        decision: &Decision,
        case: Option<&CaseRecord>,
    ) -> Result<(), StoreError> {
        let key = leased.identity.key();
        let (verdict, policy) = (&judged.verdict, self.policy());
        let scope = format!("{}.{}", leased.envelope.tenant, judged.message.channel.id());
        let entry = VerdictEntry {
            subject: format!("triage.verdict.{scope}.{}", verdict.level),
            at: judged.message.at.unwrap_or(leased.envelope.received_at),
            received_at: leased.envelope.received_at,
            tenant: &judged.message.tenant,
            queue: &judged.message.queue,
            channel: judged.message.channel,
            conversation: judged.message.conversation_key(),
            case: case.map(|case| &case.id),
            policy: &policy.version,
            verdict,
        };
        let decided = Decided {
            id: &verdict.id,
            verdict_digest: crate::model::digest::Digest::of(&bytes(verdict)?),
            conversation_level: verdict.level.max(assessment.level),
            evidence: &assessment.evidence,
            case: case.map(|case| &case.id),
            hold: case.and_then(|case| case.hold.as_ref()),
            policy: policy.digest(),
            tracks: &decision.tracks,
            reasons: &decision.reasons,
        };
        let decision = DecisionEntry { subject: format!("triage.decision.{}", leased.envelope.tenant), decision: decided };
        let (first, second) = tokio::join!(
            self.store.append(Stream::Verdict, &key, None, bytes(&entry)?),
            self.store.append(Stream::Decision, &key, None, bytes(&decision)?),
        );
        first?;
        second?;
        Ok(())
    }

    fn count(&self, leased: &Leased, judged: &Judged, decision: &Decision) {
        self.metrics.verdict(judged.verdict.level, &judged.verdict.categories, &judged.verdict.lanes);
        for track in &decision.tracks {
            self.metrics.alert_due(match track {
                Track::Care => labels::Track::Care,
                Track::Safety => labels::Track::Safety,
                Track::Harassment => labels::Track::Harassment,
                Track::Consult => labels::Track::Consult,
                Track::Unchecked => labels::Track::Unchecked,
            });
        }
        let waited = Timestamp::now().duration_since(leased.envelope.received_at);
        self.metrics.verdict_delay(Duration::try_from(waited).unwrap_or_default());
    }

    async fn give_up_or_retry(self: &Arc<Self>, leased: &Leased, problem: Problem) -> Settlement {
        let hopeless = match &problem {
            Problem::Undecodable { kind, code, reason } => Some((*kind, *code, reason.clone())),
            Problem::Panicked if leased.deliveries >= self.attempts_max => {
                Some((DeadCode::Panic, "panic", "judging this message failed each time".to_owned()))
            }
            Problem::Store(error) if !error.is_transient() && !error.is_race() && leased.deliveries >= self.attempts_max => {
                Some((DeadCode::Attempts, "store", error.to_string()))
            }
            Problem::Panicked | Problem::Store(_) => None,
        };
        if let Some((kind, code, reason)) = hopeless {
            match self.bury(leased, kind, code, &reason).await {
                Ok(()) => return Settlement::Dead,
                Err(error) => tracing::error!(id = %leased.identity.id, %error, "burying failed; trying again"),
            }
        } else {
            tracing::warn!(id = %leased.identity.id, ?problem, deliveries = leased.deliveries, "trying again later");
        }
        Settlement::Retry(RETRY_FIRST.saturating_mul(1 << leased.deliveries.min(9)).min(RETRY_MAX))
    }
}

/// What the verdict stream holds. The subject stands first: a backend that addresses entries finds it without reading on.
#[derive(Serialize)]
struct VerdictEntry<'a> {
    subject: String,
    at: Timestamp,
    received_at: Timestamp,
    tenant: &'a Tenant,
    queue: &'a QueueName,
    channel: Channel,
    conversation: String,
    case: Option<&'a CaseId>,
    policy: &'a str,
    verdict: &'a Verdict,
}

/// What the decision stream holds.
#[derive(Serialize)]
struct DecisionEntry<'a> {
    subject: String,
    decision: Decided<'a>,
}

#[derive(Serialize)]
struct Decided<'a> {
    id: &'a MessageId,
    verdict_digest: crate::model::digest::Digest,
    conversation_level: Level,
    evidence: &'a [LedgerEvidence],
    case: Option<&'a CaseId>,
    hold: Option<&'a Hold>,
    policy: crate::model::digest::Digest,
    tracks: &'a [Track],
    reasons: &'a [String],
}

fn bytes(body: &impl Serialize) -> Result<Bytes, StoreError> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Does something with a message of so many bytes that may take long or panic.
async fn apart<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    if bytes <= INLINE_BYTES_MAX {
        return catch_unwind(AssertUnwindSafe(work)).map_err(|_| Problem::Panicked);
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::Panicked)
}

fn conversation_key(message: &Message) -> Key {
    Key::new(Bucket::Conversation, &[&message.conversation_key()])
}
