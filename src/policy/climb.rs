//! Climbing a ladder: a small state that says what is due, and whom to call then.
//!
//! Pure and replayable: the same climb, policy, facts and time give the same calls on every machine. Who is there is
//! resolved when a rung fires, not when the climb begins. Waits count from when the rung before really fired, so after
//! an outage nobody is skipped and nobody is buried under several rungs at once.

use crate::policy::exposure::Exposures;
use crate::policy::people::Recipient;
use crate::policy::route::Facts;
use crate::policy::{Ladder, Policy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest chain of substitutes that is followed; the reader refuses loops, this bounds the walk.
const SUBSTITUTES_MAX: usize = 8;

/// Where a case stands on its ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Climb {
    /// Key of the ladder.
    pub ladder: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Number of the next moment.
    pub next: u32,
    /// When that is due. Absolute, also while nobody looks.
    pub due: Timestamp,
}

/// What a moment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// Number of the moment.
    pub moment: u32,
    /// Index of the rung.
    pub rung: usize,
    /// The same people were told before.
    pub is_repeat: bool,
    /// The rungs are over.
    pub is_final: bool,
    /// A digest tells them; nothing is to be sent.
    pub is_listed: bool,
    /// Whom to tell.
    pub calls: Vec<Recipient>,
    /// Who was passed over, and why, for people.
    pub skipped: Vec<Skip>,
    /// When the next moment comes.
    pub deadline: Timestamp,
}

/// Somebody who was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Name of the person.
    pub name: String,
    /// Why.
    pub why: SkipReason,
}

/// Why somebody is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Left, or disabled for another reason.
    Disabled,
    /// Away, and nobody stands in.
    Absent,
    /// Must not be shown this kind. Others only see that it was assigned elsewhere.
    Avoids,
    /// Their part of the acknowledgement has been given.
    Acknowledged,
    /// Has no address on these channels.
    Unreachable,
    /// The rota names nobody of this team now.
    OffDuty,
    /// The team does not work at this hour.
    Closed,
}

impl SkipReason {
    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "無効",
            Self::Absent => "不在",
            Self::Avoids => "自動割当",
            Self::Acknowledged => "受領済み",
            Self::Unreachable => "宛先なし",
            Self::OffDuty => "当番なし",
            Self::Closed => "受付時間外",
        }
    }
}

impl Climb {
    /// At the foot of the ladder that serves these facts.
    pub fn start(policy: &Policy, facts: &Facts, now: Timestamp) -> Self {
        let ladder = policy.ladder_for(facts);
        Self { ladder: ladder.id.clone(), started_at: now, next: 0, due: policy.wait(ladder, now, ladder.moment(0).after) }
    }

    /// The ladder; where the policy has changed and does not know it any more, the one that serves now.
    pub fn ladder<'p>(&self, policy: &'p Policy, facts: &Facts) -> &'p Ladder {
        policy.ladder(&self.ladder).unwrap_or_else(|| policy.ladder_for(facts))
    }

    /// Fires the next moment if it is due, and moves on. A rung on which nobody can be told does not cost its wait.
    /// `done` tells whose part of the acknowledgement has been given.
    pub fn fire(&mut self, policy: &Policy, facts: &Facts, done: &dyn Fn(&str) -> bool, now: Timestamp) -> Option<Fired> {
        if self.due > now {
            return None;
        }
        let ladder = self.ladder(policy, facts);
        self.ladder.clone_from(&ladder.id);
        let mut skipped = vec![];
        loop {
            let number = self.next;
            let moment = ladder.moment(number);
            let mut calls = policy.resolve(moment.to, moment.by, facts, done, now, &mut skipped);
            if calls.is_empty() && moment.is_final {
                // Everybody has had enough for today: then they are told all the same.
                calls = policy.exposed(Exposures::default()).resolve(moment.to, moment.by, facts, done, now, &mut vec![]);
            }
            if calls.is_empty() && moment.is_final {
                calls = policy.last_resort(moment.to, done);
            }
            self.next = number.saturating_add(1);
            if calls.is_empty() && !moment.is_final {
                continue;
            }
            self.due = policy.wait(ladder, now, ladder.gap(number));
            let (rung, is_repeat, is_final, is_listed) = (moment.rung, moment.is_repeat, moment.is_final, moment.is_listed);
            return Some(Fired { moment: number, rung, is_repeat, is_final, is_listed, calls, skipped, deadline: self.due });
        }
    }
}

impl Policy {
    /// The people behind names, each once per channel, in the order of the names.
    pub(crate) fn resolve(
        &self,
        to: &[String],
        by: &[String],
        facts: &Facts,
        done: &dyn Fn(&str) -> bool,
        now: Timestamp,
        skipped: &mut Vec<Skip>,
    ) -> Vec<Recipient> {
        let mut calls = vec![];
        for id in self.roster(to, facts, now, skipped) {
            match self.available(id, facts, done, now) {
                Ok(person) => {
                    let reached = self.recipients(person, by);
                    if reached.is_empty() {
                        skip(skipped, self.name_of(person), SkipReason::Unreachable);
                    }
                    calls.extend(reached);
                }
                Err(why) => skip(skipped, self.name_of(id), why),
            }
        }
        let mut seen = vec![];
        calls.retain(|call: &Recipient| {
            let is_new = !seen.contains(&(call.person.clone(), call.channel.clone()));
            seen.push((call.person.clone(), call.channel.clone()));
            is_new
        });
        calls
    }

    /// Whom a step reaches now if nobody has acknowledged.
    pub fn reached(&self, to: &[String], by: &[String], facts: &Facts, now: Timestamp) -> Vec<Recipient> {
        self.resolve(to, by, facts, &|_| false, now, &mut vec![])
    }

    /// At the very end a person who is away is better than nobody, and who avoids a kind is told by every channel there is.
    /// Only who left is not called.
    fn last_resort(&self, to: &[String], done: &dyn Fn(&str) -> bool) -> Vec<Recipient> {
        let everywhere: Vec<String> = self.channels.iter().map(|channel| channel.id.clone()).collect();
        let able = |id: &&str| self.person(id).is_some_and(|person| !person.disabled);
        let pending: Vec<&str> = self.members(to).into_iter().filter(able).filter(|id| !done(id)).collect();
        let all = || self.people.iter().filter(|person| !person.disabled).map(|person| person.id.as_str()).collect();
        let people: Vec<&str> = if pending.is_empty() { all() } else { pending };
        people.iter().flat_map(|id| self.recipients(id, &everywhere)).collect()
    }

    /// The person, or whoever stands in.
    fn available<'a>(&'a self, id: &'a str, facts: &Facts, done: &dyn Fn(&str) -> bool, now: Timestamp) -> Result<&'a str, SkipReason> {
        let today = jiff::ZonedDateTime::new(now, self.time_zone.clone()).date();
        let mut id = id;
        for _ in 0..SUBSTITUTES_MAX {
            let Some(person) = self.person(id) else { return Err(SkipReason::Unreachable) };
            let away = person.absences.iter().find(|absence| absence.from <= today && today <= absence.to);
            match away {
                Some(absence) => match &absence.substitute {
                    Some(substitute) => id = substitute,
                    None => return Err(SkipReason::Absent),
                },
                None if person.disabled => return Err(SkipReason::Disabled),
                None if done(id) => return Err(SkipReason::Acknowledged),
                None if person.avoid.iter().any(|category| facts.categories.contains(category)) => return Err(SkipReason::Avoids),
                // Shown as the same: why somebody is spared is nobody's business.
                None if self.has_had_enough(person, facts, now) => return Err(SkipReason::Avoids),
                None => return Ok(id),
            }
        }
        Err(SkipReason::Absent)
    }

    fn recipients(&self, id: &str, by: &[String]) -> Vec<Recipient> {
        let Some(person) = self.person(id) else { return vec![] };
        let reach = |channel: &String| {
            let address = person.reach.get(channel)?;
            Some(Recipient { person: id.to_owned(), name: person.name.clone(), channel: channel.clone(), address: address.clone() })
        };
        by.iter().filter_map(reach).collect()
    }
}

pub(crate) fn skip(skipped: &mut Vec<Skip>, name: &str, why: SkipReason) {
    let skip = Skip { name: name.to_owned(), why };
    if !skipped.contains(&skip) {
        skipped.push(skip);
    }
}
