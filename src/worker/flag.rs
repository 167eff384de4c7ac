//! The operator's own flag: a person asks for help, and the machine's opinion does not matter.
//!
//! A flag is a message of the case like any other: its bytes are evidence, it joins exactly one case, and sending it again
//! adds nothing. It is never counted in any figure about its operator.

use crate::case::summary::{Origin, Reason, Summary};
use crate::case::transitions::Joining;
use crate::case::{CaseMessage, CaseRecord};
use crate::edge::evidence::EvidenceReason;
use crate::edge::http::desk::{DeskError, FlagKind, FlagRequest, FlagView};
use crate::model::digest::Digest;
use crate::model::envelope::Identity;
use crate::model::ids::{ConversationId, CustomerId, ID_BYTES_MAX, MessageId, QueueName, Tenant};
use crate::model::message::{Channel, conversation_key};
use crate::model::severity::Level;
use crate::policy::Track;
use crate::policy::route::Facts;
use crate::store::record;
use crate::store::{Bucket, Key};
use crate::worker::answer::{holder, tenant_of};
use crate::worker::desk::Desk;
use crate::worker::enroll::{Membership, Place, case_key};
use jiff::Timestamp;

/// Longest name of an operator, in characters.
const OPERATOR_CHARS_MAX: usize = 100;

/// Longest note, in characters: as much as an alert shows.
const NOTE_CHARS_MAX: usize = 1_000;

impl Desk {
    /// Brings a flag into the case of its conversation, or opens one.
    pub(crate) async fn take_flag(&self, flag: FlagRequest) -> Result<FlagView, DeskError> {
        let flag = Checked::of(flag)?;
        let policy = self.policy();
        if flag.track() == Track::Consult && !policy.routes.iter().any(|route| route.ladder_for(&flag.facts()).is_some()) {
            let why = "the policy has no route for `track = \"consult\"`: nobody other than the supervisors could be told";
            return Err(DeskError::Invalid(why.to_owned()));
        }
        let now = Timestamp::now();
        let body = serde_json::to_vec(&flag.request).map_err(|error| DeskError::Invalid(error.to_string()))?;
        let identity = flag.identity();
        let receipt = self.evidence.keep(&identity, &body.into(), now, EvidenceReason::AlertDue).await?;
        let message = CaseMessage {
            identity: identity.key(),
            id: identity.id.clone(),
            level: flag.level,
            channel: flag.channel,
            received_at: now,
            evidence: receipt.digest,
        };
        let asked = Some((flag.request.operator.clone(), format!("{} {}", flag.kind_name(), flag.request.note)));
        let joining = Joining { asked, ..Joining::new(message, [(flag.track(), flag.summary())].into()) };
        let place = Place { tenant: &flag.tenant, queue: &flag.queue, scope: flag.scope() };
        let case = self.join(&place, joining).await?;
        tracing::info!(case = %case.id, kind = ?flag.request.kind, "flagged by an operator");
        Ok(seen(&flag.id, &case))
    }

    /// What became of a flag.
    pub(crate) async fn flag_state(&self, tenant: &Tenant, id: &str) -> Result<FlagView, DeskError> {
        let key = Key::new(Bucket::Membership, &[&identity(tenant, id).key()]);
        let unknown = || DeskError::Unknown(format!("there is no flag `{id}`"));
        let (member, _) = record::load::<Membership>(&*self.store, &key).await?.ok_or_else(unknown)?;
        let found = record::load::<CaseRecord>(&*self.store, &case_key(&member.scope, member.generation)).await?;
        found.map(|(case, _)| seen(id, &case)).ok_or_else(unknown)
    }
}

/// A flag whose every field is what it should be.
struct Checked {
    request: FlagRequest,
    id: String,
    tenant: Tenant,
    queue: QueueName,
    channel: Channel,
    level: Level,
}

impl Checked {
    fn of(mut request: FlagRequest) -> Result<Self, DeskError> {
        let invalid = |why: &str| DeskError::Invalid(why.to_owned());
        let tenant = tenant_of(request.tenant.as_deref())?;
        let queue = match request.queue.as_deref() {
            None => QueueName::default(),
            Some(name) => QueueName::new(name).map_err(|why| DeskError::Invalid(why.to_string()))?,
        };
        let channel = request.channel.as_deref().unwrap_or("chat");
        let channel = Channel::ALL
            .into_iter()
            .find(|known| known.id() == channel)
            .ok_or_else(|| invalid("`channel` is none of chat, email, phone, sns, letter, visit"))?;
        let least = if request.kind == FlagKind::SwapNow { Level::Severe } else { Level::Suspected };
        let level = match request.level {
            None => least,
            Some(given @ 2..=4) => Level::try_from(given).map_or(least, |level| level.max(least)),
            Some(_) => return Err(invalid("`level` must be 2, 3 or 4")),
        };
        request.operator = request.operator.trim().to_owned();
        if request.operator.is_empty() || request.operator.chars().count() > OPERATOR_CHARS_MAX {
            return Err(invalid("`operator` must be 1 to 100 characters"));
        }
        if request.note.chars().count() > NOTE_CHARS_MAX {
            return Err(invalid("`note` must be at most 1000 characters"));
        }
        let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.is_empty() || text.len() > ID_BYTES_MAX);
        if too_long(&request.id) || too_long(&request.conversation) || too_long(&request.customer) {
            return Err(invalid("`id`, `conversation` and `customer` must be 1 to 255 bytes"));
        }
        let made = || {
            let text = serde_json::to_string(&request).unwrap_or_default();
            format!(
                "F-{}",
                Digest::of_fields(&[text.as_bytes(), &Timestamp::now().as_nanosecond().to_be_bytes()]).key().get(..12).unwrap_or("0")
            )
        };
        let id = request.id.clone().unwrap_or_else(made);
        Ok(Self { request, id, tenant, queue, channel, level })
    }

    fn track(&self) -> Track {
        if self.request.kind == FlagKind::OtherThanSupervisor { Track::Consult } else { Track::Harassment }
    }

    fn facts(&self) -> Facts {
        Facts {
            customer: None,
            tenant: Some(self.tenant.as_str().to_owned()),
            queue: Some(self.queue.as_str().to_owned()),
            ..Facts::of(self.track(), self.level)
        }
    }

    fn kind_name(&self) -> &'static str {
        match self.request.kind {
            FlagKind::Flag => "担当者がカスハラと感じています",
            FlagKind::SwapNow => "今すぐ代わってほしい",
            FlagKind::OtherThanSupervisor => "上司以外に相談したい",
        }
    }

    fn identity(&self) -> Identity {
        identity(&self.tenant, &self.id)
    }

    /// A talk past the supervisor never lands in a case that supervisors read.
    fn scope(&self) -> String {
        let message = MessageId(format!("flag {}", self.id));
        if self.track() == Track::Consult {
            return conversation_key(&self.tenant, None, None, &message);
        }
        let conversation = self.request.conversation.clone().map(ConversationId);
        let customer = self.request.customer.clone().map(CustomerId);
        conversation_key(&self.tenant, conversation.as_ref(), customer.as_ref(), &message)
    }

    fn summary(&self) -> Summary {
        let note: String = self.request.note.chars().filter(|c| !c.is_control()).collect();
        let reason = Reason {
            categories: vec![],
            lanes: vec![],
            level: self.level,
            entries: vec![],
            place: Some(format!("{}: {}", Origin::Operator.name(), self.kind_name())),
            excerpt: note,
        };
        Summary { message_id: self.id.clone(), level: self.level, reasons: vec![reason], ..Summary::default() }
    }
}

/// A flag is known by its id alone, so that sending it again with other words adds nothing.
fn identity(tenant: &Tenant, id: &str) -> Identity {
    Identity { tenant: tenant.clone(), id: MessageId(format!("flag:{id}")), content: Digest::of(b"flag") }
}

/// What the operator may see: no word about anybody else's work on it.
fn seen(id: &str, case: &CaseRecord) -> FlagView {
    use crate::case::CaseState;
    let judged = case.judgement.as_ref();
    let closed = if let CaseState::Closed { reason, .. } = &case.state { Some(reason.clone()) } else { None };
    let state = match (&case.state, judged) {
        (CaseState::Closed { .. }, _) | (_, Some(_)) => "結果",
        (CaseState::Acknowledged { .. }, _) => "対応中",
        (CaseState::Open, _) => "受付",
    };
    FlagView {
        flag: id.to_owned(),
        case: case.id.to_string(),
        state: state.to_owned(),
        by: holder(case),
        finding: judged.map(|judgement| judgement.finding.name().to_owned()),
        reason: judged.map(|judgement| judgement.reason.clone()).or(closed),
    }
}
