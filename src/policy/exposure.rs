//! How many cases of suspected harassment one person is sent in a day, where that person has set a limit.
//!
//! The counts are facts, laid over the policy by whoever has read them from the store; a file holds none. Whoever has had
//! enough is passed over like somebody who avoids a kind, and others cannot tell the two apart. Never for what is urgent,
//! and never if nobody else is left.

use crate::policy::people::Person;
use crate::policy::route::Facts;
use crate::policy::{Policy, Track};
use jiff::civil::Date;
use jiff::{Timestamp, ZonedDateTime};
use std::collections::BTreeMap;

/// Cases sent on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exposures {
    /// The day, in the policy's time zone; counts of another day say nothing.
    pub day: Option<Date>,
    /// By key of the person.
    pub cases: BTreeMap<String, u32>,
}

impl Policy {
    /// The company's day at that moment.
    pub fn day(&self, now: Timestamp) -> Date {
        ZonedDateTime::new(now, self.time_zone.clone()).date()
    }

    /// Whether this person has set a limit, and today has reached it.
    pub(crate) fn has_had_enough(&self, person: &Person, facts: &Facts, now: Timestamp) -> bool {
        let may_wait = facts.track == Track::Harassment && !facts.is_urgent() && self.exposures.day == Some(self.day(now));
        let count = || self.exposures.cases.get(&person.id).copied().unwrap_or_default();
        may_wait && person.exposure_max_per_day.is_some_and(|most| count() >= most)
    }

    /// The policy with these counts.
    #[must_use]
    pub fn exposed(&self, exposures: Exposures) -> Self {
        Self { exposures, ..self.clone() }
    }
}
