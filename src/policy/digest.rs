//! Digests: what can wait, as one list at fixed times; and queues that are only observed.
//!
//! Lanes that page nobody (合理的配慮, 第三者からの通報, …) have an owner through a digest; the reader refuses a policy in which one
//! has none.

use crate::model::severity::Lane;
use crate::policy::route::Facts;
use crate::policy::{Policy, Track};
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

/// Lanes that need an owner: the others page (care), or are recorded and concern nobody (machine, mass mail).
pub const OWNED: [Lane; 5] =
    [Lane::SafetyIncident, Lane::RightsAssertion, Lane::ThirdPartyReport, Lane::Accommodation, Lane::StaffMisconduct];

/// What a digest lists beside its lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Cases that nobody has, or that somebody has and has not closed.
    Open,
    /// 「通知していたはずの件」 of queues that are only observed.
    Observed,
    /// Messages of level 1.
    Watch,
    /// Cases whose ladder leaves the telling to a list for now.
    Listed,
}

impl Section {
    /// Every section.
    pub const ALL: [Self; 4] = [Self::Open, Self::Observed, Self::Watch, Self::Listed];

    /// The id used in files.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Observed => "observed",
            Self::Watch => "watch",
            Self::Listed => "listed",
        }
    }
}

/// One digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Key in the policy file.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// Keys of people and teams.
    pub to: Vec<String>,
    /// Keys of channels.
    pub by: Vec<String>,
    /// Times of day, in the policy's time zone, sorted. Never empty.
    pub at: Vec<Time>,
    /// Key of the working hours outside which its times do not count; none: always.
    pub hours: Option<String>,
    /// Nothing is sent where there is nothing to list.
    pub skips_empty: bool,
    /// What it lists.
    pub show: Vec<Section>,
    /// Lanes whose messages it lists.
    pub lanes: Vec<Lane>,
}

/// How a queue is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode {
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only this queue.
    pub queue: Option<String>,
    /// Only what is urgent pages; everything else is listed.
    pub is_observed: bool,
}

impl Policy {
    /// The latest time at or before `now` at which this digest was due. A time that a change of clocks skips counts as the
    /// moment after.
    pub fn slot(&self, digest: &Digest, now: Timestamp) -> Option<Timestamp> {
        let today = jiff::ZonedDateTime::new(now, self.time_zone.clone()).date();
        let days = [Some(today), today.yesterday().ok()];
        let moments = days.into_iter().flatten().flat_map(|day| digest.at.iter().map(move |time| day.to_datetime(*time)));
        let hours = digest.hours.as_ref().and_then(|id| self.hours.iter().find(|hours| hours.id == *id));
        let counts = |at: &Timestamp| hours.is_none_or(|hours| hours.is_open(*at, &self.calendar, &self.time_zone));
        moments.filter_map(|moment| self.time_zone.to_timestamp(moment).ok()).filter(|moment| *moment <= now).filter(counts).max()
    }

    /// Whether cases of these facts only go on a list: the first mode that fits decides, and what is urgent always pages.
    pub fn is_observed(&self, facts: &Facts) -> bool {
        if facts.is_urgent() || facts.track != Track::Harassment {
            return false;
        }
        let fits = |wanted: &Option<String>, known: &Option<String>| wanted.is_none() || wanted == known;
        let mode = self.modes.iter().find(|mode| fits(&mode.tenant, &facts.tenant) && fits(&mode.queue, &facts.queue));
        mode.is_some_and(|mode| mode.is_observed)
    }
}

/// How long after its time a digest is still sent: after a night's outage yes, yesterday's no.
pub const LATE_MAX: SignedDuration = SignedDuration::from_hours(12);
