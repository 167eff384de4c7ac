//! Counts what people with a daily limit are sent, for every worker alike.
//!
//! One record for the day that is. A case counts once for a person however often it is told, and only what was accepted for
//! delivery counts; so alerts planned in the same second may go beyond the limit by what was planned. Written only for people
//! who have set a limit; what it says reaches every worker within a second. Nothing is kept of the day before.

use crate::case::{CaseRecord, Intent};
use crate::policy::exposure::Exposures;
use crate::policy::{Policy, Track};
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::Worker;
use crate::worker::desk::Desk;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who was sent which cases today.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Day {
    day: Option<Date>,
    /// Ids of cases by key of the person, no more than their limit.
    people: BTreeMap<String, BTreeSet<String>>,
}

impl Versioned for Day {
    const VERSION: u32 = 1;
}

impl Day {
    fn exposures(&self) -> Exposures {
        let count = |cases: &BTreeSet<String>| u32::try_from(cases.len()).unwrap_or(u32::MAX);
        Exposures { day: self.day, cases: self.people.iter().map(|(person, cases)| (person.clone(), count(cases))).collect() }
    }
}

fn key() -> Key {
    Key::new(Bucket::System, &["exposure"])
}

impl Desk {
    /// What people with a limit have been sent today. Reads nothing where nobody has one.
    pub(crate) async fn exposures(&self, policy: &Policy) -> Result<Exposures, StoreError> {
        if policy.people.iter().all(|person| person.exposure_max_per_day.is_none()) {
            return Ok(Exposures::default());
        }
        Ok(record::load::<Day>(&*self.store, &key()).await?.map(|(day, _)| day.exposures()).unwrap_or_default())
    }
}

impl Worker {
    /// Counts an alert that has left. A count that is lost means one case more, not an alert less.
    pub(crate) async fn count_exposure(&self, case: &CaseRecord, intent: &Intent, now: Timestamp) {
        let policy = self.policy();
        let limit = policy.person(&intent.to.person).and_then(|person| person.exposure_max_per_day);
        let Some(limit) = limit.filter(|_| intent.track == Track::Harassment && case.occasion.is_real()) else { return };
        let (today, person, id) = (policy.day(now), &intent.to.person, case.id.to_string());
        let add = |known: Option<Day>| {
            let known = known.unwrap_or_default();
            let mut day = if known.day == Some(today) { known.clone() } else { Day { day: Some(today), ..Day::default() } };
            let cases = day.people.entry(person.clone()).or_default();
            if cases.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
                cases.insert(id.clone());
            }
            let exposures = day.exposures();
            if day == known { Change::Keep(exposures) } else { Change::Write(day, exposures) }
        };
        match self.desk.change::<Day, Exposures>(&key(), add).await {
            Ok(exposures) => self.desk.set_policy(Arc::new(self.policy().exposed(exposures))),
            Err(error) => tracing::warn!(%error, "a case sent to somebody with a daily limit could not be counted"),
        }
    }
}
