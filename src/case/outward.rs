//! Events to other systems, made from what is stored anyway: the history of cases and the verdicts.
//!
//! One stored entry gives at most one event, always the same bytes, whoever makes it and however often: its id is derived from
//! the key of the entry. What leaves is numbers, names of closed sets and keys: no word of a customer, no address, no note, no
//! reason in somebody's own words. Talks past the supervisor and drills are nobody else's business and give no event.

use crate::case::{CaseEvent, CaseRecord, Finding, Happening};
use crate::model::digest::Digest;
use crate::model::event::EventKind;
use crate::model::ids::{QueueName, Tenant};
use crate::model::message::{Channel, Event, Message};
use crate::model::severity::{Category, Lane, Level};
use crate::model::verdict::Verdict;
use crate::policy::{Policy, Track};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Beginning of every id.
const ID_HEAD: &str = "evt_";

/// The history's name of a notice.
const NOTICE: &str = "notice_recorded";

/// An event that may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outward {
    /// The same whenever it is made from the same entry.
    pub id: String,
    /// Its type.
    pub kind: EventKind,
    /// Whose.
    pub tenant: Tenant,
    /// Which queue's.
    pub queue: QueueName,
    /// JSON.
    pub body: String,
}

/// What the history keeps of the `n`-th event of a case.
pub fn entry(case: &CaseRecord, n: u64, event: &CaseEvent, policy: &Policy) -> Value {
    let is_judged = event.what == Happening::Judged;
    let judgement = case.judgement.as_ref().filter(|_| is_judged);
    // An operator who asks for help is in no figure, even if the policy knows them.
    let person = policy.person_called(&event.by).filter(|_| event.what != Happening::Flagged);
    json!({
        "case": case.id, "scope": case.scope, "generation": case.generation, "tenant": case.tenant, "queue": case.queue, "n": n, "event": event.what.id(), "at": event.at, "by": event.by,
        "detail": event.detail, "level": case.level, "tracks": case.tracks, "state": case.state, "policy": case.policy_version,
        "person": person.map(|person| &person.id), "categories": case.categories, "lanes": case.lanes, "messages": case.message_count(),
        "urgent": case.tracks.iter().any(|track| case.facts(*track).is_urgent()), "drill": !case.occasion.is_real(),
        "finding": judgement.map(|known| known.finding), "stands": judgement.map(|known| case.stands(known)),
    })
}

/// What the history keeps of a notice that our side gave; nothing if the message is none.
pub fn notice(message: &Message, at: Timestamp, case: Option<&CaseRecord>) -> Option<Value> {
    let kind = Notice::of(message.event)?;
    Some(json!({
        "event": NOTICE, "notice": kind, "at": at, "tenant": message.tenant, "queue": message.queue, "channel": message.channel, "id": message.id,
        "scope": message.conversation_key(), "case": case.map(|case| &case.id),
    }))
}

/// What our side told a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Notice {
    Caution,
    Refusal,
}

impl Notice {
    const fn of(event: Event) -> Option<Self> {
        match event {
            Event::Caution => Some(Self::Caution),
            Event::Refusal => Some(Self::Refusal),
            _ => None,
        }
    }
}

/// What every event says.
#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    at: Timestamp,
    tenant: &'a Tenant,
    queue: &'a QueueName,
    case: Option<&'a str>,
    conversation: Option<&'a str>,
}

#[derive(Serialize)]
struct CaseBody<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    level: Level,
    categories: &'a [Category],
    lanes: &'a [Lane],
    tracks: &'a [Track],
    urgent: bool,
    state: &'a str,
    cause: &'a str,
    person: Option<&'a str>,
    messages: Option<u64>,
    revision: u64,
    policy: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stands: Option<bool>,
}

#[derive(Serialize)]
struct VerdictBody<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    message: &'a str,
    channel: Option<Channel>,
    received_at: Timestamp,
    level: Level,
    categories: &'a [Category],
    lanes: &'a [Lane],
    urgent: bool,
    policy: Option<&'a str>,
    lexicon: &'a str,
    engine: &'a str,
}

#[derive(Serialize)]
struct NoticeBody<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    message: &'a str,
    channel: Channel,
    notice: Notice,
}

/// The event of an entry of the history with that key, if it makes one. `Err` for an entry that this version cannot read.
pub fn of_history(key: &str, body: &[u8]) -> Result<Option<Outward>, serde_json::Error> {
    let told: Told = serde_json::from_slice(body)?;
    if told.event == NOTICE {
        return of_notice(key, &serde_json::from_slice(body)?).map(Some);
    }
    let entry: CaseEntry = serde_json::from_slice(body)?;
    let Some(kind) = kind_of(&entry).filter(|_| !entry.drill && !entry.tracks.contains(&Track::Consult)) else { return Ok(None) };
    let id = id("history", key);
    let body = CaseBody {
        head: Head {
            id: &id,
            kind: kind.id(),
            at: entry.at,
            tenant: &entry.tenant,
            queue: &entry.queue,
            case: Some(&entry.case),
            conversation: Some(&entry.scope),
        },
        level: entry.level,
        categories: &entry.categories,
        lanes: &entry.lanes,
        tracks: &entry.tracks,
        urgent: entry.urgent,
        state: &entry.state.state,
        cause: &entry.event,
        person: entry.person.as_deref(),
        messages: entry.messages,
        revision: entry.n,
        policy: &entry.policy,
        finding: entry.finding,
        stands: entry.stands,
    };
    let body = serde_json::to_string(&body)?;
    Ok(Some(Outward { id, kind, tenant: entry.tenant, queue: entry.queue, body }))
}

/// The event of a stored verdict with that key, if it must reach a person. `at` is when the store took it.
pub fn of_verdict(key: &str, at: Timestamp, body: &[u8]) -> Result<Option<Outward>, serde_json::Error> {
    let entry: VerdictEntry = serde_json::from_slice(body)?;
    if !entry.verdict.is_alert_due() {
        return Ok(None);
    }
    let (kind, id, message) = (EventKind::VerdictFlagged, id("verdict", key), shown(entry.verdict.id.as_str()));
    let verdict = &entry.verdict;
    let body = VerdictBody {
        head: Head {
            id: &id,
            kind: kind.id(),
            at,
            tenant: &entry.tenant,
            queue: &entry.queue,
            case: entry.case.as_deref(),
            conversation: entry.conversation.as_deref(),
        },
        message: &message,
        channel: entry.channel,
        received_at: entry.received_at,
        level: verdict.level,
        categories: &verdict.categories,
        lanes: &verdict.lanes,
        urgent: verdict.urgent,
        policy: entry.policy.as_deref(),
        lexicon: &verdict.lexicon,
        engine: &verdict.engine,
    };
    let body = serde_json::to_string(&body)?;
    Ok(Some(Outward { id, kind, tenant: entry.tenant, queue: entry.queue, body }))
}

fn of_notice(key: &str, entry: &NoticeEntry) -> Result<Outward, serde_json::Error> {
    let (kind, id, message) = (EventKind::NoticeRecorded, id("history", key), shown(&entry.id));
    let head = Head {
        id: &id,
        kind: kind.id(),
        at: entry.at,
        tenant: &entry.tenant,
        queue: &entry.queue,
        case: entry.case.as_deref(),
        conversation: Some(&entry.scope),
    };
    let body = serde_json::to_string(&NoticeBody { head, message: &message, channel: entry.channel, notice: entry.notice })?;
    Ok(Outward { id, kind, tenant: entry.tenant.clone(), queue: entry.queue.clone(), body })
}

#[derive(Deserialize)]
struct Told {
    event: String,
}

/// An entry of the history; what older versions did not write is empty.
#[derive(Deserialize)]
struct CaseEntry {
    case: String,
    scope: String,
    tenant: Tenant,
    queue: QueueName,
    n: u64,
    event: String,
    at: Timestamp,
    level: Level,
    tracks: Vec<Track>,
    state: Standing,
    policy: String,
    person: Option<String>,
    #[serde(default)]
    categories: Vec<Category>,
    #[serde(default)]
    lanes: Vec<Lane>,
    #[serde(default)]
    urgent: bool,
    messages: Option<u64>,
    finding: Option<Finding>,
    stands: Option<bool>,
    #[serde(default)]
    drill: bool,
}

/// Where a case stands, without who and why.
#[derive(Deserialize)]
struct Standing {
    state: String,
}

#[derive(Deserialize)]
struct VerdictEntry {
    received_at: Timestamp,
    verdict: Verdict,
    #[serde(default)]
    tenant: Tenant,
    #[serde(default)]
    queue: QueueName,
    channel: Option<Channel>,
    conversation: Option<String>,
    case: Option<String>,
    policy: Option<String>,
}

#[derive(Deserialize)]
struct NoticeEntry {
    notice: Notice,
    at: Timestamp,
    tenant: Tenant,
    queue: QueueName,
    channel: Channel,
    id: String,
    scope: String,
    case: Option<String>,
}

fn kind_of(entry: &CaseEntry) -> Option<EventKind> {
    let is = |what: Happening| entry.event == what.id();
    // A case that an operator's flag opened is told as opened, once.
    let asked = is(Happening::Flagged) && entry.messages.is_some_and(|count| count > 1);
    let rows = [
        (is(Happening::Opened), EventKind::CaseOpened),
        (is(Happening::Raised) || asked, EventKind::CaseRaised),
        (is(Happening::Acknowledged), EventKind::CaseAcked),
        (is(Happening::HandedOver) || is(Happening::Returned), EventKind::CaseHandedOver),
        (is(Happening::Judged), EventKind::CaseJudged),
        (is(Happening::Closed), EventKind::CaseClosed),
    ];
    rows.into_iter().find_map(|(fits, kind)| fits.then_some(kind))
}

fn id(source: &str, key: &str) -> String {
    format!("{ID_HEAD}{}", Digest::of_fields(&[b"mimamori event", source.as_bytes(), key.as_bytes()]).key())
}

/// A message's id as it was given; as its digest where it may be an address.
fn shown(id: &str) -> String {
    if id.contains('@') { format!("sha256:{}", Digest::of(id.as_bytes())) } else { id.to_owned() }
}
