//! People who left: disabled within a second, without touching the policy file.
//!
//! What stands here lies over the policy: the person is told nothing any more, their links open nothing, and the cases they
//! had go on. The history keeps the name.

use crate::case::{CaseRecord, CaseState};
use crate::policy::people::Absence;
use crate::policy::route::Facts;
use crate::policy::{Policy, Track};
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, Store, StoreError};
use crate::worker::desk::Desk;
use crate::worker::enroll::read_cases;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who left.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Leavers {
    /// By key of the person.
    pub people: BTreeMap<String, Leaver>,
}

/// One who left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaver {
    /// Who is told instead.
    pub substitute: Option<String>,
    /// Who decided.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Versioned for Leavers {
    const VERSION: u32 = 1;
}

fn key() -> Key {
    Key::new(Bucket::System, &["leavers"])
}

impl Leavers {
    /// Reads them.
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(record::load::<Self>(store, &key()).await?.map(|(leavers, _)| leavers).unwrap_or_default())
    }

    /// The policy without them.
    pub fn over(&self, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        for person in &mut policy.people {
            let Some(leaver) = self.people.get(&person.id) else { continue };
            person.disabled = true;
            if let Some(substitute) = leaver.substitute.clone() {
                person.absences.insert(0, Absence { from: Date::MIN, to: Date::MAX, substitute: Some(substitute) });
            }
        }
        policy
    }
}

/// Steps of ladders that would reach nobody now, for people.
pub fn holes(policy: &Policy, now: Timestamp) -> Vec<String> {
    let facts = Facts::of(Track::Harassment, crate::model::severity::Level::Suspected);
    let mut found = vec![];
    for ladder in &policy.ladders {
        for (n, (to, by)) in ladder.names().enumerate() {
            if policy.reached(to, by, &facts, now).is_empty() {
                found.push(format!("流れ「{}」の{}番目({})は、だれにも届きません", ladder.id, n + 1, to.join("・")));
            }
        }
    }
    found
}

/// What disabling somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// Done; the cases they had are open again.
    Done {
        /// Ids of those cases.
        cases: Vec<String>,
        /// Steps that reach nobody now and did not before either.
        holes: Vec<String>,
    },
    /// Some step would reach nobody: name a substitute.
    Refused {
        /// Those steps.
        holes: Vec<String>,
    },
    /// Nobody is called so.
    Unknown(String),
}

impl Desk {
    /// Takes a person out of service. `policy` is the one of the file.
    pub async fn disable(&self, policy: &Policy, id: &str, leaver: Leaver) -> Result<Leaving, StoreError> {
        for name in std::iter::once(id).chain(leaver.substitute.as_deref()) {
            if policy.person(name).is_none() {
                return Ok(Leaving::Unknown(name.to_owned()));
            }
        }
        let (now, before) = (leaver.at, Leavers::read(&*self.store).await?);
        let mut after = before.clone();
        after.people.insert(id.to_owned(), leaver.clone());
        let (known, all) = (holes(&before.over(policy), now), holes(&after.over(policy), now));
        let new: Vec<String> = all.iter().filter(|hole| !known.contains(hole)).cloned().collect();
        if !new.is_empty() {
            return Ok(Leaving::Refused { holes: new });
        }
        let leavers = self
            .change::<Leavers, Leavers>(&key(), |known| {
                let mut leavers = known.unwrap_or_default();
                leavers.people.insert(id.to_owned(), leaver.clone());
                Change::Write(leavers.clone(), leavers)
            })
            .await?;
        self.set_policy(Arc::new(leavers.over(policy)));
        let cases = self.give_back_cases(id).await?;
        Ok(Leaving::Done { cases, holes: all })
    }

    async fn give_back_cases(&self, id: &str) -> Result<Vec<String>, StoreError> {
        let (policy, now) = (self.policy(), Timestamp::now());
        let name = policy.name_of(id).to_owned();
        let mut given = vec![];
        for case in read_cases(&*self.store).await? {
            let has_it = matches!(&case.state, CaseState::Acknowledged { by, .. } if *by == name);
            if !has_it {
                continue;
            }
            let back = |case: &mut CaseRecord| case.hand_over(id, &policy, now).then_some(());
            if self.act(&case, back).await?.is_some() {
                given.push(case.id.to_string());
            }
        }
        Ok(given)
    }

    /// Applies who left, and what people have been sent today, to the policy of the file; true if it is another one now.
    pub async fn apply_leavers(&self, policy: &Policy) -> Result<bool, StoreError> {
        let mut next = Leavers::read(&*self.store).await?.over(policy);
        next.exposures = self.exposures(policy).await?;
        let before = self.policy();
        let changed = *before != next;
        // A count is no other policy.
        let is_other = changed && before.exposed(next.exposures.clone()) != next;
        if changed {
            self.set_policy(Arc::new(next));
        }
        Ok(is_other)
    }
}
