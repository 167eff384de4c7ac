//! What people do with a case: take it, pass it on, judge it, note something, close it.

use crate::case::intents::{after, cancel, refresh};
use crate::case::mistake::Mistake;
use crate::case::transitions::bounded;
use crate::case::{CaseRecord, CaseState, Finding, Happening, Judgement, Occasion, Taken};
use crate::model::severity::Level;
use crate::policy::Policy;
use jiff::Timestamp;

/// What an acknowledgement did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taking {
    /// The case is taken; nobody else is told.
    Whole,
    /// One part is given; the others (keys of teams or people) are still called.
    Partly {
        /// Whose part is missing.
        missing: Vec<String>,
    },
    /// Several named roles must acknowledge this case, and this person belongs to none that is missing.
    NotTheirs {
        /// Whose part is missing.
        missing: Vec<String>,
    },
    /// It was theirs already, or it is closed.
    Unchanged,
}

/// What a judgement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judging {
    /// It counts.
    Stands,
    /// A second person must say the same.
    NeedsSecond,
    /// The case is closed.
    Closed,
}

/// What closing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// It is closed.
    Closed,
    /// It was closed before.
    Already,
    /// A level 4 must be judged first.
    NeedsJudgement,
}

impl Taking {
    /// Whether the record changed.
    pub const fn is_new(&self) -> bool {
        matches!(self, Self::Whole | Self::Partly { .. })
    }
}

impl CaseRecord {
    /// A named person (by key or name) takes the case; what was not sent yet is cancelled. Where several roles must
    /// acknowledge, the ladder runs on for whoever is missing.
    pub fn acknowledge(&mut self, by: &str, policy: &Policy, now: Timestamp) -> Taking {
        let name = bounded(policy.person_called(by).map_or(by, |person| person.name.as_str()));
        let theirs = matches!(&self.state, CaseState::Acknowledged { by: holder, .. } if *holder == name);
        if self.state.is_closed() || theirs {
            return Taking::Unchanged;
        }
        let slots = self.slots(policy);
        if self.state == CaseState::Open && !slots.is_empty() {
            let taken = &self.taken;
            let missing = |taken: &std::collections::BTreeMap<String, Taken>| -> Vec<String> {
                slots.iter().filter(|slot| !taken.contains_key(*slot)).cloned().collect()
            };
            let Some(slot) = policy.slot_of(by, &slots, &|slot| taken.contains_key(slot)) else {
                let gave = taken.values().any(|part| part.by == name);
                return if gave { Taking::Unchanged } else { Taking::NotTheirs { missing: missing(taken) } };
            };
            self.taken.insert(slot.to_owned(), Taken { by: name.clone(), at: now });
            let missing = missing(&self.taken);
            if !missing.is_empty() {
                self.spare_done(&slots, policy);
                let names: Vec<&str> = missing.iter().map(|slot| policy.name_of(slot)).collect();
                self.note(now, Happening::PartlyAcknowledged, &name, &format!("残り: {}", names.join("、")));
                refresh(self);
                return Taking::Partly { missing };
            }
        }
        self.note(now, Happening::Acknowledged, &name, "");
        self.release(&name, "受領", now);
        self.state = CaseState::Acknowledged { by: name, at: now };
        self.touched(policy, now);
        cancel(self, |_| true);
        refresh(self);
        Taking::Whole
    }

    /// Every role that must acknowledge, over all ladders of the case.
    pub fn slots(&self, policy: &Policy) -> Vec<String> {
        if let Occasion::Check { people } = &self.occasion {
            return people.clone();
        }
        let mut slots: Vec<String> = self.tracks.iter().flat_map(|track| self.ladder(*track, policy).acknowledge_by.clone()).collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    fn spare_done(&mut self, slots: &[String], policy: &Policy) {
        let is_filled = |slot: &str| self.taken.contains_key(slot);
        let done: Vec<String> =
            policy.people.iter().filter(|person| policy.is_done(&person.id, slots, &is_filled)).map(|person| person.id.clone()).collect();
        self.spared.extend(done);
        let spared = self.spared.clone();
        cancel(self, |intent| spared.contains(&intent.to.person));
    }

    /// 「ほかの人に代わってもらう」: needs no reason, fires the next rung at once, and does not come back to the same person. False if
    /// the case is closed.
    pub fn hand_over(&mut self, by: &str, policy: &Policy, now: Timestamp) -> bool {
        if self.state.is_closed() {
            return false;
        }
        let person = policy.person_called(by);
        let name = bounded(person.map_or(by, |person| person.name.as_str()));
        self.note(now, Happening::HandedOver, &name, "");
        self.state = CaseState::Open;
        self.return_at = None;
        self.taken.retain(|_, part| part.by != name);
        self.spared.extend(person.map(|person| person.id.clone()));
        let spared = self.spared.clone();
        cancel(self, |intent| spared.contains(&intent.to.person));
        for climb in self.climbs.values_mut() {
            climb.due = climb.due.min(now);
        }
        self.advance(policy, now);
        true
    }

    /// What a person found. The case goes on. Saying that a level 4 is none needs two people; until the second agrees, it
    /// stands as it was.
    pub fn judge(&mut self, finding: Finding, by: &str, reason: &str, policy: &Policy, now: Timestamp) -> Judging {
        self.judge_as(finding, None, by, reason, policy, now)
    }

    /// The same, with what the machine took for harassment; it belongs to 非該当 alone and is left out elsewhere.
    pub fn judge_as(
        &mut self,
        finding: Finding,
        mistake: Option<Mistake>,
        by: &str,
        reason: &str,
        policy: &Policy,
        now: Timestamp,
    ) -> Judging {
        if self.state.is_closed() {
            return Judging::Closed;
        }
        let (by, reason, mistake) = (bounded(by), bounded(reason), mistake.filter(|_| finding == Finding::DoesNotApply));
        let kind = mistake.map(|mistake| format!("(誤検知: {})", mistake.name())).unwrap_or_default();
        self.note(now, Happening::Judged, &by, &format!("{}{kind}: {reason}", finding.name()));
        let judgement = match self.judgement.take() {
            // The second who says so agrees; the first one's words stay.
            Some(first) if self.needs_two(finding) && first.finding == finding && first.by != by => {
                Judgement { seconded: Some(by.clone()), mistake: first.mistake.or(mistake), ..first }
            }
            _ => Judgement { finding, by: by.clone(), at: now, reason, mistake, seconded: None },
        };
        let stands = self.stands(&judgement);
        self.judgement = Some(judgement);
        if stands {
            self.release(&by, finding.name(), now);
        }
        self.touched(policy, now);
        refresh(self);
        if stands { Judging::Stands } else { Judging::NeedsSecond }
    }

    /// Whether a finding counts: lowering a level 4 needs two people.
    pub(crate) fn stands(&self, judgement: &Judgement) -> bool {
        !self.needs_two(judgement.finding) || judgement.seconded.is_some()
    }

    fn needs_two(&self, finding: Finding) -> bool {
        self.level == Level::Emergency && self.occasion.is_real() && finding == Finding::DoesNotApply
    }

    /// Something a person wants to have on record. Allowed on a closed case, too.
    pub fn remark(&mut self, by: &str, text: &str, policy: &Policy, now: Timestamp) {
        self.note(now, Happening::Noted, &bounded(by), text);
        self.touched(policy, now);
        refresh(self);
    }

    /// A named person closes the case, with a reason. A real level 4 must have been judged, and by two people if it was none.
    pub fn close(&mut self, by: &str, reason: &str, now: Timestamp) -> Closing {
        if self.state.is_closed() {
            return Closing::Already;
        }
        let is_grave = self.level == Level::Emergency && self.occasion.is_real();
        let is_judged = self.judgement.as_ref().is_some_and(|known| known.finding != Finding::Undecided && self.stands(known));
        if is_grave && !is_judged {
            return Closing::NeedsJudgement;
        }
        let (by, reason) = (bounded(by), bounded(reason));
        self.note(now, Happening::Closed, &by, &reason);
        self.release(&by, "終了", now);
        self.state = CaseState::Closed { by, at: now, reason };
        cancel(self, |_| true);
        refresh(self);
        Closing::Closed
    }

    /// Key of the person who has it.
    fn holder<'p>(&self, policy: &'p Policy) -> Option<&'p str> {
        let CaseState::Acknowledged { by, .. } = &self.state else { return None };
        policy.person_called(by).map(|person| person.id.as_str())
    }

    /// Somebody worked on a taken case: its return is put off.
    fn touched(&mut self, policy: &Policy, now: Timestamp) {
        if matches!(self.state, CaseState::Acknowledged { .. }) {
            let pause = self.return_after(policy).map(|pause| after(now, pause));
            // What somebody took goes to the next shift when theirs ends.
            let off_duty = self.holder(policy).and_then(|person| policy.off_duty_at(person, now));
            self.return_at = pause.into_iter().chain(off_duty).min();
        }
    }
}
