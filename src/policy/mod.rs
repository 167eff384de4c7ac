//! Policy: who is told, how soon, and what they are advised to do.
//!
//! Pure: a parsed file, and a decision from a verdict. The file is the company's written 対処方針, so its version and
//! digest travel into every case. One route per track and level; every track that can occur must have one.

use crate::diag::{Diagnostic, SourceText};
use crate::model::digest::Digest;
use crate::model::severity::{Lane, Level};
use crate::model::verdict::Verdict;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub mod read;

/// The shipped policy: complete, with example people.
pub const SHIPPED: &str = include_str!("../../config/policy.toml");

/// The road an alert takes. Each has its own people, wording and rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Track {
    /// A life may be in danger. Leads where several tracks meet.
    Care,
    /// Injury by a product.
    Safety,
    /// Suspected harassment.
    Harassment,
    /// Messages that could not be judged.
    Unchecked,
}

impl Track {
    /// Every track, the leading one first.
    pub const ALL: [Self; 4] = [Self::Care, Self::Safety, Self::Harassment, Self::Unchecked];

    /// The id used in files, records and metrics.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Care => "care",
            Self::Safety => "safety",
            Self::Harassment => "harassment",
            Self::Unchecked => "unchecked",
        }
    }

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Care => "ケア",
            Self::Safety => "製品事故",
            Self::Harassment => "カスハラ疑い",
            Self::Unchecked => "未判定",
        }
    }

    /// Whether a hint for this lane (`None` = harassment) belongs to alerts of this track: care hears of care alone, and nobody
    /// else is handed advice that only trained people should act on.
    pub fn wants(self, lane: Option<Lane>) -> bool {
        match self {
            Self::Care => lane == Some(Lane::SelfHarm),
            Self::Safety => lane == Some(Lane::SafetyIncident),
            Self::Harassment => lane != Some(Lane::SelfHarm),
            Self::Unchecked => false,
        }
    }
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipient {
    /// Key in the policy file.
    pub person: String,
    /// As it stands in the alert's To.
    pub name: String,
    /// Mail address.
    pub address: String,
}

/// One route: for these levels of this track, these people, this soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The track.
    pub track: Track,
    /// The levels it serves; empty for all.
    pub levels: Vec<Level>,
    /// Who is told. Never empty.
    pub to: Vec<Recipient>,
    /// Who is told instead when an address is refused for good. May be empty.
    pub fallback: Vec<Recipient>,
    /// Time in which somebody must take the case.
    pub acknowledge_within: Duration,
    /// If nobody did: time after the first alert until the one repeat.
    pub repeat_after: Option<Duration>,
    /// What the company's manual says to do now, at most three lines.
    pub advice: Vec<String>,
}

/// Who alerts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Mail address; also the domain of Message-IDs.
    pub address: String,
    /// Display name.
    pub name: String,
}

/// A checked policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// As the company numbers it.
    pub version: String,
    /// In force from this date.
    pub effective: jiff::civil::Date,
    /// The time zone of times in alerts.
    pub time_zone: TimeZone,
    /// Who alerts come from.
    pub sender: Sender,
    /// Routes in the order of the file; the first that fits serves.
    pub routes: Vec<Route>,
    /// Help desks shown in care alerts, one line each.
    pub care_desks: Vec<String>,
    digest: Digest,
}

/// What policy says of one verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The roads to take, the leading one first; empty when nobody is alerted.
    pub tracks: Vec<Track>,
    /// Why, one short sentence each.
    pub reasons: Vec<String>,
}

impl Policy {
    /// Reads a policy; nothing if there is any error. Every fault is returned.
    pub fn parse(source: &SourceText) -> (Option<Self>, Vec<Diagnostic>) {
        read::policy(source)
    }

    /// Digest of the file: which policy a case was handled under.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Which roads a message takes, by its own verdict and by the level its conversation has reached. Alert-due always takes
    /// at least one.
    pub fn decide(&self, verdict: &Verdict, conversation: Level) -> Decision {
        let mut decision = Decision { tracks: vec![], reasons: vec![] };
        let mut take = |track: Track, reason: String| {
            decision.tracks.push(track);
            decision.reasons.push(reason);
        };
        if verdict.lanes.contains(&Lane::SelfHarm) {
            take(Track::Care, "lane self_harm goes to care before everything".to_owned());
        }
        if verdict.urgent && verdict.lanes.contains(&Lane::SafetyIncident) {
            take(Track::Safety, "lane safety_incident with injury is urgent".to_owned());
        }
        if verdict.level.is_flagged() {
            take(Track::Harassment, format!("level {} is flagged", verdict.level));
        } else if conversation.is_flagged() {
            take(Track::Harassment, format!("the conversation has reached level {conversation}"));
        }
        if decision.tracks.is_empty() {
            let why = if verdict.is_alert_due() { "urgent without a lane of its own" } else { "neither flagged nor urgent" };
            decision.reasons.push(why.to_owned());
            if verdict.is_alert_due() {
                decision.tracks.push(Track::Harassment);
            }
        }
        decision
    }

    /// The route of a track at a level. The reader made sure that there is one for every track and level that can occur.
    pub fn route(&self, track: Track, level: Level) -> &Route {
        let fits = |route: &&Route| route.track == track && (route.levels.is_empty() || route.levels.contains(&level));
        let any = || self.routes.iter().find(|route| route.track == track);
        self.routes.iter().find(fits).or_else(any).expect("a checked policy has a route for every track")
    }
}
