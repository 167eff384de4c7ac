//! Who stands behind names at a moment, and when nobody does.
//!
//! A team is, in this order: the people of an exception, those whom the rota has on duty, all its members. Outside its
//! working hours a team is only told of what is urgent.

use crate::model::severity::Level;
use crate::policy::climb::{Skip, SkipReason, skip};
use crate::policy::people::Team;
use crate::policy::route::Facts;
use crate::policy::{Ladder, Policy, Track};
use jiff::civil::Date;
use jiff::{Span, Timestamp};

/// A step of a ladder that would reach nobody for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// First moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// Key of the ladder.
    pub ladder: String,
    /// Index of the rung; the number of rungs stands for the end.
    pub rung: usize,
}

impl Policy {
    /// Keys of the people behind names now, in order; one may appear twice.
    pub(crate) fn roster<'a>(&'a self, names: &'a [String], facts: &Facts, now: Timestamp, skipped: &mut Vec<Skip>) -> Vec<&'a str> {
        let mut found = vec![];
        for name in names {
            match self.teams.iter().find(|team| team.id == *name) {
                None => found.push(name.as_str()),
                Some(team) => match self.team_now(team, facts, now) {
                    Ok(people) => found.extend(people),
                    Err(why) => skip(skipped, &team.name, why),
                },
            }
        }
        found
    }

    fn team_now<'a>(&'a self, team: &'a Team, facts: &Facts, now: Timestamp) -> Result<Vec<&'a str>, SkipReason> {
        let hours = team.hours.as_ref().and_then(|id| self.hours.iter().find(|hours| hours.id == *id));
        if hours.is_some_and(|hours| !facts.is_urgent() && !hours.is_open(now, &self.calendar, &self.time_zone)) {
            return Err(SkipReason::Closed);
        }
        let mut exceptions = self.overrides.on_duty(&team.id, now).peekable();
        let people: Vec<&str> = if exceptions.peek().is_some() {
            exceptions.flat_map(|shift| shift.people.iter().map(String::as_str)).collect()
        } else if team.has_rota {
            self.rota.on_duty(&team.id, now).flat_map(|shift| shift.people.iter().map(String::as_str)).collect()
        } else {
            team.members.iter().map(String::as_str).collect()
        };
        if people.is_empty() { Err(SkipReason::OffDuty) } else { Ok(people) }
    }

    /// When this person's shift ends, if they are on one: what they took goes to the next shift then.
    pub fn off_duty_at(&self, person: &str, now: Timestamp) -> Option<Timestamp> {
        self.rota.off_duty_at(person, now)
    }

    /// Every stretch from `from` to `until` (both days included) in which a step of a ladder would reach nobody. Cost: steps ×
    /// moments at which anything changes (midnights, shifts, hours).
    pub fn unmanned(&self, from: Date, until: Date) -> Vec<Hole> {
        let mut holes: Vec<Hole> = vec![];
        for ladder in &self.ladders {
            for (rung, (to, by)) in ladder.names().enumerate() {
                let moments = self.moments(ladder, to, from, until);
                for pair in moments.windows(2) {
                    let (begin, end) = (pair[0], pair[1]);
                    if !self.is_hole(ladder, to, by, begin) {
                        continue;
                    }
                    match holes.last_mut() {
                        Some(last) if last.to == begin && last.rung == rung && last.ladder == ladder.id => last.to = end,
                        _ => holes.push(Hole { from: begin, to: end, ladder: ladder.id.clone(), rung }),
                    }
                }
            }
        }
        holes
    }

    fn is_hole(&self, ladder: &Ladder, to: &[String], by: &[String], at: Timestamp) -> bool {
        // A ladder that sleeps tells nobody then, and means to.
        let sleeps = self.wait(ladder, at, std::time::Duration::ZERO) != at;
        let facts = Facts::of(self.track_of(ladder), Level::Suspected);
        !sleeps && self.reached(to, by, &facts, at).is_empty()
    }

    /// The track whose route leads to this ladder: what is urgent ignores the hours of teams.
    fn track_of(&self, ladder: &Ladder) -> Track {
        let route = self.routes.iter().find(|route| route.ladder == ladder.id);
        route.and_then(|route| route.conditions.tracks.first().copied()).unwrap_or(Track::Harassment)
    }

    /// Moments between which nothing changes, in order.
    fn moments(&self, ladder: &Ladder, to: &[String], from: Date, until: Date) -> Vec<Timestamp> {
        let midnight = |date: Date| self.time_zone.to_timestamp(date.at(0, 0, 0, 0)).ok();
        let end = until.tomorrow().ok().and_then(midnight);
        let (Some(first), Some(last)) = (midnight(from), end) else { return vec![] };
        let teams: Vec<&Team> = self.teams.iter().filter(|team| to.contains(&team.id)).collect();
        let hours: Vec<_> = teams.iter().filter_map(|team| team.hours.as_ref()).chain(&ladder.hours).collect();
        let mut moments: Vec<Timestamp> = self.rota.changes(to).chain(self.overrides.changes(to)).collect();
        for date in from.series(Span::new().days(1)).take_while(|date| *date <= until) {
            moments.extend(midnight(date));
            for hours in self.hours.iter().filter(|one| hours.contains(&&one.id)) {
                moments.extend(hours.changes(date, &self.calendar, &self.time_zone));
            }
        }
        moments.push(last);
        moments.retain(|at| first <= *at && *at <= last);
        moments.sort_unstable();
        moments.dedup();
        moments
    }
}
