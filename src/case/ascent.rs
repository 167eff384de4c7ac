//! A case on its ladders: started, climbed, brought forward, resumed.
//!
//! The record holds one climb per track. Whatever fires becomes intents in the same change of the record, so that a
//! rung is never half told and never told twice.

use crate::case::intents::{cancel, push, refresh};
use crate::case::transitions::MACHINE;
use crate::case::{CaseRecord, CaseState, Happening, Step};
use crate::policy::climb::{Climb, Fired, SkipReason};
use crate::policy::{Ladder, Policy, Track};
use jiff::Timestamp;
use std::time::Duration;

/// Starts the ladder of a track anew and fires what is due at once.
pub(crate) fn start(case: &mut CaseRecord, track: Track, step: Step, quiet: Option<&(Timestamp, String)>, policy: &Policy, now: Timestamp) {
    cancel(case, |intent| intent.track == track);
    let mut climb = Climb::start(policy, &case.facts(track), now);
    if let Some((until, why)) = quiet.filter(|(until, _)| *until > climb.due) {
        climb.due = *until;
        case.note(now, Happening::Silenced, MACHINE, why);
    }
    case.climbs.insert(track, climb);
    climb_on(case, track, step, policy, now);
}

/// Fires whatever is due on one track; `opening` names the foot of the ladder.
fn climb_on(case: &mut CaseRecord, track: Track, opening: Step, policy: &Policy, now: Timestamp) -> bool {
    let facts = case.facts(track);
    let Some(mut climb) = case.climbs.get(&track).cloned() else { return false };
    let spared = case.spared.clone();
    let mut fired_any = false;
    while let Some(fired) = climb.fire(policy, &facts, &|person| spared.contains(person), now) {
        fired_any = true;
        let step = match (fired.moment, fired.is_repeat) {
            (0, _) => opening,
            (_, true) => Step::Repeat,
            (_, false) => Step::Next,
        };
        for to in fired.calls.iter().filter(|_| !fired.is_listed) {
            push(case, track, step, to.clone(), &fired, policy, now);
        }
        if fired.is_listed && !fired.is_repeat {
            let names: Vec<&str> = fired.calls.iter().map(|to| to.name.as_str()).collect();
            case.note(now, Happening::Listed, MACHINE, &names.join("、"));
        }
        let passed: Vec<String> = fired.skipped.iter().filter(|skip| skip.why != SkipReason::Acknowledged).map(shown).collect();
        if !passed.is_empty() && !fired.is_repeat {
            case.note(now, Happening::PassedOver, MACHINE, &passed.join("、"));
        }
    }
    case.climbs.insert(track, climb);
    fired_any
}

fn shown(skip: &crate::policy::climb::Skip) -> String {
    // Why somebody is spared a kind is nobody's business.
    if skip.why == SkipReason::Avoids { skip.why.name().to_owned() } else { format!("{}({})", skip.name, skip.why.name()) }
}

impl CaseRecord {
    /// Does what time asks for: rungs that are due, and the return of a case that was taken and not touched. True if anything changed.
    pub fn advance(&mut self, policy: &Policy, now: Timestamp) -> bool {
        let mut changed = self.come_back(policy, now);
        if self.state == CaseState::Open {
            for track in self.tracks.clone() {
                changed |= climb_on(self, track, Step::First, policy, now);
            }
        }
        refresh(self);
        changed
    }

    fn come_back(&mut self, policy: &Policy, now: Timestamp) -> bool {
        let CaseState::Acknowledged { by, .. } = &self.state else { return false };
        if self.return_at.is_none_or(|at| at > now) {
            return false;
        }
        let by = by.clone();
        self.note(now, Happening::Returned, MACHINE, &by);
        self.open_again();
        for track in self.tracks.clone() {
            start(self, track, Step::Returned, None, policy, now);
        }
        true
    }

    /// Tells those who were told last that the case has grown; the ladder goes on as it stood, so that a flood cannot hold it
    /// up. Nobody is told of a case that somebody has: what rises wakes it, a number does not. False if nobody was told.
    pub(crate) fn tell_growth(&mut self, policy: &Policy, now: Timestamp) -> bool {
        let count = self.message_count();
        self.note(now, Happening::Grown, MACHINE, &format!("{count}通"));
        let (track, spared) = (Track::Harassment, self.spared.clone());
        let facts = self.facts(track);
        let ladder = self.ladder(track, policy);
        let Some(climb) = self.climbs.get(&track).filter(|climb| climb.next > 0 && self.state == CaseState::Open) else { return false };
        let (number, deadline) = (climb.next - 1, climb.due);
        let moment = ladder.moment(number);
        let calls = policy.resolve(moment.to, moment.by, &facts, &|person| spared.contains(person), now, &mut vec![]);
        let (rung, is_final) = (moment.rung, moment.is_final);
        let fired = Fired { moment: number, rung, is_repeat: false, is_final, is_listed: false, calls: vec![], skipped: vec![], deadline };
        for to in &calls {
            push(self, track, Step::Grown, to.clone(), &fired, policy, now);
        }
        !calls.is_empty()
    }

    /// What a colleague asks for waits for no list and no opening hour: the first rung that alerts somebody speaks now.
    pub(crate) fn hurry(&mut self, track: Track, step: Step, policy: &Policy, now: Timestamp) {
        let ladder = self.ladder(track, policy);
        let Some(climb) = self.climbs.get_mut(&track) else { return };
        let waits = climb.next.checked_sub(1).is_none_or(|fired| ladder.moment(fired).is_listed);
        if !waits {
            return;
        }
        while ladder.moment(climb.next).is_listed {
            climb.next += 1;
        }
        climb.due = now;
        climb_on(self, track, step, policy, now);
    }

    /// Whether what was told last on some track was told by a list.
    pub fn is_listed(&self, policy: &Policy) -> bool {
        let by_list = |(track, climb): (&Track, &Climb)| {
            climb.next.checked_sub(1).is_some_and(|fired| self.ladder(*track, policy).moment(fired).is_listed)
        };
        self.state == CaseState::Open && self.climbs.iter().any(by_list)
    }

    /// Open, and everybody may be told.
    pub(crate) fn open_again(&mut self) {
        self.state = CaseState::Open;
        self.return_at = None;
        self.taken.clear();
        self.spared.clear();
    }

    /// The ladder of a track.
    pub fn ladder<'p>(&self, track: Track, policy: &'p Policy) -> &'p Ladder {
        let facts = self.facts(track);
        self.climbs.get(&track).map_or_else(|| policy.ladder_for(&facts), |climb| climb.ladder(policy, &facts))
    }

    /// Time until a taken case that nobody touches comes back: the shortest of its ladders.
    pub(crate) fn return_after(&self, policy: &Policy) -> Option<Duration> {
        self.tracks.iter().map(|track| self.ladder(*track, policy).return_after).min()
    }

    /// After a refusal for good the next rung speaks at once, unless it has spoken already. The end of a ladder keeps its rhythm.
    pub(crate) fn bring_forward(&mut self, track: Track, moment: u32, policy: &Policy, now: Timestamp) {
        let ladder = self.ladder(track, policy);
        let Some(climb) = self.climbs.get_mut(&track) else { return };
        if ladder.moment(moment).is_final || climb.next != moment + 1 {
            return;
        }
        // Asking the same people again is no help.
        while ladder.moment(climb.next).is_repeat {
            climb.next += 1;
        }
        climb.due = climb.due.min(now);
        climb_on(self, track, Step::Next, policy, now);
    }

    /// The waits of tracks that were announced before begin again; one that told nobody is started anew.
    pub(crate) fn resume(&mut self, tracks: &[Track], policy: &Policy, now: Timestamp) {
        for track in tracks {
            if !self.is_announced(*track) {
                start(self, *track, Step::First, None, policy, now);
                continue;
            }
            let ladder = self.ladder(*track, policy);
            if let Some(climb) = self.climbs.get_mut(track) {
                climb.due = climb.due.max(policy.wait(ladder, now, ladder.gap(climb.next.saturating_sub(1))));
            }
        }
    }
}
