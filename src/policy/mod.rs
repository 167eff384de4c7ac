//! Policy: who is told, how soon, and what they are advised to do.
//!
//! Pure: a parsed file, a decision from a verdict, and ladders climbed on a clock that is an argument. The file is the
//! company's written 対処方針, so its version and digest travel into every case. A routing tree leads every track and level
//! to a ladder of people; the reader refuses a file in which one leads nowhere.

use crate::diag::{Diagnostic, SourceText};
use crate::model::digest::Digest;
use crate::model::severity::{Lane, Level};
use crate::model::verdict::Verdict;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

pub mod calendar;
pub mod climb;
pub mod digest;
pub mod exposure;
pub mod hours;
pub mod ladder;
pub mod people;
pub mod read;
pub mod roster;
pub mod rota;
pub mod route;
pub mod throttle;
pub mod timeline;

pub use crate::policy::calendar::Calendar;
pub use crate::policy::hours::Hours;
pub use crate::policy::ladder::Ladder;
pub use crate::policy::people::{Channel, Person, Recipient, Team};
pub use crate::policy::rota::Rota;
pub use crate::policy::route::{Facts, Route};

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
    /// An operator asks for somebody other than the supervisor.
    Consult,
    /// Messages that could not be judged.
    Unchecked,
}

impl Track {
    /// Every track, the leading one first.
    pub const ALL: [Self; 5] = [Self::Care, Self::Safety, Self::Harassment, Self::Consult, Self::Unchecked];

    /// The id used in files, records and metrics.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Care => "care",
            Self::Safety => "safety",
            Self::Harassment => "harassment",
            Self::Consult => "consult",
            Self::Unchecked => "unchecked",
        }
    }

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Care => "ケア",
            Self::Safety => "製品事故",
            Self::Harassment => "カスハラ疑い",
            Self::Consult => "相談窓口",
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
            Self::Consult | Self::Unchecked => false,
        }
    }
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
    /// Domains that mail may go to, in lower case.
    pub own_domains: Vec<String>,
    /// Ways out, in the order of their keys.
    pub channels: Vec<Channel>,
    /// Everybody, in the order of their keys.
    pub people: Vec<Person>,
    /// Groups, in the order of their keys.
    pub teams: Vec<Team>,
    /// Days on which nobody works.
    pub calendar: Calendar,
    /// Working hours, in the order of their keys.
    pub hours: Vec<Hours>,
    /// Ladders, in the order of their keys.
    pub ladders: Vec<Ladder>,
    /// Routes in the order of the file; the first that fits serves.
    pub routes: Vec<Route>,
    /// Help desks shown in care alerts, one line each.
    pub care_desks: Vec<String>,
    /// Lists sent at fixed times, in the order of their keys.
    pub digests: Vec<digest::Digest>,
    /// A message that has waited longer before it was judged (an outage, an import) pages nobody unless it is urgent.
    pub max_alert_age: Duration,
    /// File of the rota, relative to the policy's own folder.
    pub rota_file: Option<String>,
    /// Who is on duty, for teams with a rota.
    pub rota: Rota,
    /// Exceptions to members and rota.
    pub overrides: Rota,
    /// How queues are watched; the first that fits decides, live where none does.
    pub modes: Vec<digest::Mode>,
    /// What people with a daily limit have been sent today; nothing in a file.
    pub exposures: exposure::Exposures,
    /// How many alerts one person is sent before the rest comes as one list.
    pub throttle: throttle::Throttle,
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

    /// The ladder that serves. The reader made sure that there is one for every track and level that can occur.
    pub fn ladder_for(&self, facts: &Facts) -> &Ladder {
        let routed = self.routes.iter().find_map(|route| route.ladder_for(facts)).and_then(|id| self.ladder(id));
        // A level without a route of its own cannot rest on this track, and must not fall through if it did.
        let near = |route: &&Route| route.conditions.tracks.contains(&facts.track);
        let any = || self.routes.iter().find(near).and_then(|route| self.ladder(&route.ladder));
        routed.or_else(any).or(self.ladders.first()).expect("a checked policy has ladders")
    }

    /// The ladder of that key.
    pub fn ladder(&self, id: &str) -> Option<&Ladder> {
        self.ladders.iter().find(|ladder| ladder.id == id)
    }

    /// When a wait on that ladder ends: where it has working hours, only they count. Never early; where no open hour is in
    /// sight, the clock on the wall decides, because late is worse than at night.
    pub fn wait(&self, ladder: &Ladder, from: Timestamp, wait: Duration) -> Timestamp {
        let hours = ladder.hours.as_ref().and_then(|id| self.hours.iter().find(|hours| hours.id == *id));
        let counted = hours.and_then(|hours| hours.after(from, wait, &self.calendar, &self.time_zone));
        counted
            .unwrap_or_else(|| from.saturating_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX))
    }

    /// The person of that key.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    /// The person of that key or, if it is nobody else's, that name.
    pub fn person_called(&self, text: &str) -> Option<&Person> {
        self.person(text).or_else(|| {
            let mut found = self.people.iter().filter(|person| person.name == text);
            found.next().filter(|_| found.next().is_none())
        })
    }

    /// How a person or team is called; the key where there is none.
    pub fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        let team = || self.teams.iter().find(|team| team.id == id).map(|team| team.name.as_str());
        self.person(id).map(|person| person.name.as_str()).or_else(team).unwrap_or(id)
    }

    /// Keys of the people behind keys of people and teams, in order; one may appear twice.
    pub fn members<'a>(&'a self, names: &'a [String]) -> Vec<&'a str> {
        let team = |name: &str| self.teams.iter().find(|team| team.id == name);
        names
            .iter()
            .flat_map(|name| team(name).map_or_else(|| vec![name.as_str()], |team| team.members.iter().map(String::as_str).collect()))
            .collect()
    }

    /// Which part of a shared acknowledgement this person gives: the first of theirs that is still missing.
    pub fn slot_of<'s>(&self, by: &str, slots: &'s [String], is_filled: &dyn Fn(&str) -> bool) -> Option<&'s str> {
        let person = self.person_called(by)?;
        let theirs = |slot: &&String| self.members(std::slice::from_ref(*slot)).contains(&person.id.as_str());
        slots.iter().filter(theirs).find(|slot| !is_filled(slot)).map(String::as_str)
    }

    /// Whether a person has nothing left to acknowledge: belongs to some part, and all of theirs are given.
    pub fn is_done(&self, person: &str, slots: &[String], is_filled: &dyn Fn(&str) -> bool) -> bool {
        let mut theirs = slots.iter().filter(|slot| self.members(std::slice::from_ref(*slot)).contains(&person)).peekable();
        theirs.peek().is_some() && theirs.all(|slot| is_filled(slot))
    }
}
