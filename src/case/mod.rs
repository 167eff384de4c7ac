//! Cases: the record of one flagged conversation and its pure transitions.
//!
//! One record per (tenant, conversation scope, generation). Every transition takes the time as an argument, may be
//! repeated without harm and says what it changed; the caller stores the result by compare-and-set. Alerts are *intents*
//! inside the record: durable before anything is sent, so a crash between intent and outcome only sends the same
//! message, with the same Message-ID, again.

use crate::model::digest::Digest;
use crate::model::ids::{CaseId, MessageId, QueueName, Tenant};
use crate::model::message::Channel;
use crate::model::severity::{Category, Lane, Level};
use crate::policy::climb::Climb;
use crate::policy::{Recipient, Track};
use crate::store::record::Versioned;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub mod ascent;
pub mod bundle;
pub mod countdown;
pub mod facts;
pub mod forecast;
pub mod gate;
pub mod hold;
pub mod intents;
pub mod mistake;
pub mod outward;
pub mod pass;
pub mod people;
pub mod sheet;
pub mod summary;
pub mod token;
pub mod transitions;

use crate::case::hold::Hold;
use crate::case::mistake::Mistake;
use crate::case::sheet::Sheet;
use crate::case::summary::Summary;

/// Messages listed in a record; older ones leave the list but stay counted, and stay in the membership records.
pub const MESSAGES_MAX: usize = 200;

/// Events listed in a record.
pub const EVENTS_MAX: usize = 100;

/// Intents kept in a record: recipients × steps of a long case; the oldest finished ones leave first.
pub const INTENTS_MAX: usize = 100;

/// One case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// As people see it.
    pub id: CaseId,
    /// Whose case.
    pub tenant: Tenant,
    /// Queue of the first message.
    pub queue: QueueName,
    /// Key of the conversation (a hash).
    pub scope: String,
    /// Key of the customer (a hash), for routes that name customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// 1 for the first case of the conversation, then rising: flagged again after close is the next generation.
    pub generation: u32,
    /// Open, taken or closed.
    pub state: CaseState,
    /// Highest level so far.
    pub level: Level,
    /// All categories so far.
    pub categories: Vec<Category>,
    /// All lanes so far.
    pub lanes: Vec<Lane>,
    /// The roads taken so far, the leading one first.
    pub tracks: Vec<Track>,
    /// Messages per level, by level number.
    pub counts: BTreeMap<u8, u64>,
    /// Reasons of what could not be judged, with counts (track `unchecked`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, u64>,
    /// The newest messages, at most [`MESSAGES_MAX`], sorted by (received, identity).
    pub messages: Vec<CaseMessage>,
    /// What alerts say: the gravest message's evidence, per track.
    pub summaries: BTreeMap<Track, Summary>,
    /// Where each track stands on its ladder.
    #[serde(default)]
    pub climbs: BTreeMap<Track, Climb>,
    /// Parts of a shared acknowledgement that were given, by key of the team or person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken: BTreeMap<String, Taken>,
    /// People (keys) who are not told any more: they gave their part, or asked that somebody else does.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub spared: BTreeSet<String>,
    /// When a taken case that nobody touches comes back.
    #[serde(default)]
    pub return_at: Option<Timestamp>,
    /// What a person found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// Up to when its messages have left the ledgers; what should be is [`CaseRecord::excused_until`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excused: Option<Timestamp>,
    /// Nobody should answer this customer yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// What people wrote down and ticked.
    #[serde(default, skip_serializing_if = "Sheet::is_empty")]
    pub sheet: Sheet,
    /// Whether it is real.
    #[serde(default, skip_serializing_if = "Occasion::is_real")]
    pub occasion: Occasion,
    /// Alerts to send, being sent, sent.
    pub intents: Vec<Intent>,
    /// Number of the next intent.
    pub next_intent: u32,
    /// When something is due: an alert, a rung, a return.
    pub next_due: Option<Timestamp>,
    /// What happened, newest last, at most [`EVENTS_MAX`].
    pub events: Vec<CaseEvent>,
    /// Number of the newest event, counted from 1 over the whole life of the case; older ones are in the history stream.
    #[serde(default)]
    pub event_count: u64,
    /// Version of the policy in force when it was opened or last raised.
    pub policy_version: String,
    /// Its digest.
    pub policy_digest: Digest,
    /// Receipt of the first message.
    pub opened_at: Timestamp,
    /// Receipt of the newest message.
    pub last_at: Timestamp,
}

impl Versioned for CaseRecord {
    const VERSION: u32 = 1;
}

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CaseState {
    /// Nobody has it.
    Open,
    /// A named person has it.
    Acknowledged {
        /// Who.
        by: String,
        /// Since when.
        at: Timestamp,
    },
    /// Done.
    Closed {
        /// By whom.
        by: String,
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

impl CaseState {
    /// The Japanese name shown to people.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "未受領",
            Self::Acknowledged { .. } => "対応中",
            Self::Closed { .. } => "終了",
        }
    }

    /// Whether somebody has it, or has had it to the end.
    pub const fn is_taken(&self) -> bool {
        !matches!(self, Self::Open)
    }

    /// Whether no more messages may join.
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

/// Whether a case is real, or made to see that the chain works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Occasion {
    /// Customers wrote.
    #[default]
    Real,
    /// 【訓練】 the real ladder, outside the figures.
    Drill,
    /// 【到達確認】 everybody is told once and confirms.
    Check {
        /// Keys of the people who were told.
        people: Vec<String>,
    },
}

impl Occasion {
    /// Customers wrote.
    pub const fn is_real(&self) -> bool {
        matches!(self, Self::Real)
    }
}

/// A part of a shared acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What a person found; stands beside the machine's level and never replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The finding.
    pub finding: Finding,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What the machine took for harassment (誤検知), where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mistake: Option<Mistake>,
    /// Who agreed, where one person is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconded: Option<String>,
}

/// Findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is harassment.
    Applies,
    /// It is not.
    DoesNotApply,
    /// Not decided yet.
    Undecided,
}

impl Finding {
    /// Every finding.
    pub const ALL: [Self; 3] = [Self::Applies, Self::DoesNotApply, Self::Undecided];

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applies => "該当",
            Self::DoesNotApply => "非該当",
            Self::Undecided => "判断保留",
        }
    }
}

/// A message of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseMessage {
    /// Identity key.
    pub identity: String,
    /// The id printed everywhere.
    pub id: MessageId,
    /// Its level.
    pub level: Level,
    /// How the customer reached us.
    pub channel: Channel,
    /// Receipt.
    pub received_at: Timestamp,
    /// The kept original.
    pub evidence: Digest,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
    /// A named person, or `mimamori`.
    pub by: String,
    /// More, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Happening {
    Opened,
    Raised,
    Grown,
    Flagged,
    Observed,
    Listed,
    Silenced,
    SheetFilled,
    HoldSet,
    HoldReleased,
    AlertHeld,
    AlertSent,
    AlertRetried,
    AlertFailed,
    PassedOver,
    Acknowledged,
    PartlyAcknowledged,
    HandedOver,
    Returned,
    Judged,
    Noted,
    Closed,
}

impl Happening {
    /// The id used in the history and in events to other systems.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "raised",
            Self::Grown => "grown",
            Self::Flagged => "flagged",
            Self::Observed => "observed",
            Self::Listed => "listed",
            Self::Silenced => "silenced",
            Self::SheetFilled => "sheet_filled",
            Self::HoldSet => "hold_set",
            Self::HoldReleased => "hold_released",
            Self::AlertHeld => "alert_held",
            Self::AlertSent => "alert_sent",
            Self::AlertRetried => "alert_retried",
            Self::AlertFailed => "alert_failed",
            Self::PassedOver => "passed_over",
            Self::Acknowledged => "acknowledged",
            Self::PartlyAcknowledged => "partly_acknowledged",
            Self::HandedOver => "handed_over",
            Self::Returned => "returned",
            Self::Judged => "judged",
            Self::Noted => "noted",
            Self::Closed => "closed",
        }
    }

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "発生",
            Self::Raised => "レベル上昇",
            Self::Grown => "件数増加",
            Self::Flagged => "担当者の申出",
            Self::Observed => "一覧のみ(通知なし)",
            Self::Listed => "一覧で通知",
            Self::Silenced => "通知の停止中",
            Self::SheetFilled => "対応記録",
            Self::HoldSet => "返信保留",
            Self::HoldReleased => "返信保留の解除",
            Self::AlertHeld => "まとめて通知",
            Self::AlertSent => "通知済み",
            Self::AlertRetried => "通知再試行",
            Self::AlertFailed => "通知失敗",
            Self::PassedOver => "通知対象外",
            Self::Acknowledged => "受領",
            Self::PartlyAcknowledged => "一部受領",
            Self::HandedOver => "交代希望",
            Self::Returned => "未対応のため再開",
            Self::Judged => "判断",
            Self::Noted => "記録",
            Self::Closed => "終了",
        }
    }
}

/// Why somebody is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The case was opened, or the track joined it.
    First,
    /// The level rose.
    Raised,
    /// Many more messages of the same kind came.
    Grown,
    /// Nobody took it in time: the same people again.
    Repeat,
    /// Nobody took it in time, could be reached, or wanted it: the next rung.
    Next,
    /// Somebody took it and then did nothing.
    Returned,
}

impl Step {
    /// The id used in Message-IDs.
    pub const fn id(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Raised => "raised",
            Self::Grown => "grown",
            Self::Repeat => "repeat",
            Self::Next => "next",
            Self::Returned => "returned",
        }
    }
}

/// One alert to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number in the case.
    pub number: u32,
    /// The road.
    pub track: Track,
    /// The rung.
    pub step: Step,
    /// Which point of the ladder it belongs to.
    pub moment: u32,
    /// The level it announces.
    pub level: Level,
    /// To whom.
    pub to: Recipient,
    /// The same for every attempt, so that a repeated delivery can be recognised.
    pub message_id: String,
    /// Not before this.
    pub due_at: Timestamp,
    /// By when somebody must have taken the case.
    pub deadline: Timestamp,
    /// Where it stands.
    pub state: IntentState,
    /// Too many went to this person: it waits until then, and leaves with the others that wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Timestamp>,
    /// Message-ID of the list in which it leaves, from the moment at which it was put there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
}

/// Where an alert stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum IntentState {
    /// To be sent when due.
    Pending {
        /// Failed attempts so far.
        failed: u32,
    },
    /// Handed to the notifier; the outcome is not recorded yet.
    Sending {
        /// Failed attempts before this one.
        failed: u32,
        /// Since when.
        since: Timestamp,
    },
    /// The mail server (or the folder) has it.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// Given up: refused for good.
    Failed {
        /// Why.
        reason: String,
    },
    /// No longer needed: somebody took the case first.
    Cancelled,
}

impl IntentState {
    /// Whether it still has to be sent.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Pending { .. } | Self::Sending { .. })
    }

    /// Whether it was accepted.
    pub const fn is_sent(&self) -> bool {
        matches!(self, Self::Sent { .. })
    }
}
