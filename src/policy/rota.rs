//! Who is on duty: shifts from the company's own table, and exceptions to it.
//!
//! A team with a rota is whoever its table names at that moment; an exception (`[[override]]`) stands above the table. Shifts
//! are moments, not wall times: they are resolved once, in the policy's zone, when the table is read.

use jiff::Timestamp;
use jiff::ToSpan;
use std::collections::BTreeMap;

/// Longest shift, in hours: bounds how far back a search must look. Nobody is on duty for two days.
pub const SHIFT_HOURS_MAX: i64 = 48;

/// One stretch of duty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// First moment.
    pub from: Timestamp,
    /// The moment after the last.
    pub to: Timestamp,
    /// Keys of people.
    pub people: Vec<String>,
}

impl Shift {
    /// Whether that moment is in it.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// Shifts by team.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rota {
    teams: BTreeMap<String, Vec<Shift>>,
}

impl Rota {
    /// Adds a shift; call [`Self::seal`] after the last.
    pub(crate) fn add(&mut self, team: &str, shift: Shift) {
        self.teams.entry(team.to_owned()).or_default().push(shift);
    }

    /// Sorts what was added.
    pub(crate) fn seal(mut self) -> Self {
        for shifts in self.teams.values_mut() {
            shifts.sort_by(|a, b| (a.from, a.to, &a.people).cmp(&(b.from, b.to, &b.people)));
        }
        self
    }

    /// Number of shifts.
    pub fn len(&self) -> usize {
        self.teams.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.teams.is_empty()
    }

    /// The newest end of a shift: after it the table says nothing.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.teams.values().flatten().map(|shift| shift.to).max()
    }

    /// Shifts of a team at a moment. Cost: a binary search, and the shifts of two days.
    pub fn on_duty<'r>(&'r self, team: &str, at: Timestamp) -> impl Iterator<Item = &'r Shift> {
        let shifts = self.teams.get(team).map(Vec::as_slice).unwrap_or_default();
        let oldest = at.checked_sub(SHIFT_HOURS_MAX.hours()).unwrap_or(Timestamp::MIN);
        let first = shifts.partition_point(|shift| shift.from < oldest);
        let last = shifts.partition_point(|shift| shift.from <= at);
        shifts[first..last.max(first)].iter().filter(move |shift| shift.covers(at))
    }

    /// Every shift of a person, team by team.
    pub fn shifts_of<'r>(&'r self, person: &'r str) -> impl Iterator<Item = &'r Shift> {
        self.teams.values().flatten().filter(move |shift| shift.people.iter().any(|id| id == person))
    }

    /// When this person goes off duty, if they are on it now: the latest end of theirs, those that follow without a gap included.
    pub fn off_duty_at(&self, person: &str, now: Timestamp) -> Option<Timestamp> {
        let end = |at: Timestamp| {
            let theirs =
                self.teams.keys().flat_map(|team| self.on_duty(team, at)).filter(|shift| shift.people.iter().any(|id| id == person));
            theirs.map(|shift| shift.to).max()
        };
        let mut until = end(now)?;
        while let Some(later) = end(until) {
            until = later;
        }
        Some(until)
    }

    /// Moments at which somebody comes or goes, of these teams, in order.
    pub(crate) fn changes<'r>(&'r self, teams: &'r [String]) -> impl Iterator<Item = Timestamp> + 'r {
        teams.iter().filter_map(|team| self.teams.get(team)).flatten().flat_map(|shift| [shift.from, shift.to])
    }
}
