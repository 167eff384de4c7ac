//! Alerts that wait because their person has been told enough, and leave together as one list.
//!
//! Waiting changes only when an alert leaves: the ladder climbs on, an acknowledgement cancels it, a later alert to the same
//! person replaces it. Which list it leaves in is written into the intent before anything is sent, and no list is ever
//! joined once it may have left: the same Message-ID always stands for the same alerts.

use crate::case::gate::Class;
use crate::case::intents::{SENDING_MAX, after, refresh};
use crate::case::transitions::MACHINE;
use crate::case::{CaseRecord, Happening, Intent, IntentState};
use crate::model::severity::Level;
use crate::policy::{Policy, Recipient, Track};
use jiff::{Timestamp, ZonedDateTime};

/// What is gathered into one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathering<'a> {
    /// Everything that waits at a gate.
    Waiting,
    /// What this list held when it was put together.
    Again(&'a str),
}

impl CaseRecord {
    /// The class in which an alert is counted; none for what is urgent, what a colleague asks for, and what only tests the chain.
    pub fn class(&self, track: Track) -> Option<Class> {
        if !self.occasion.is_real() || self.facts(track).is_urgent() {
            return None;
        }
        match track {
            Track::Harassment if self.level >= Level::Severe => Some(Class::Severe),
            Track::Harassment | Track::Unchecked => Some(Class::Lesser),
            Track::Care | Track::Safety | Track::Consult => None,
        }
    }

    /// Makes a pending alert wait. True the first time, which is noted.
    pub fn hold_alert(&mut self, number: u32, until: Timestamp, policy: &Policy, now: Timestamp) -> bool {
        let Some(intent) = self.intents.iter_mut().find(|intent| intent.number == number) else { return false };
        match intent.state {
            IntentState::Pending { .. } => {}
            // Its sender died.
            IntentState::Sending { failed, since } if after(since, SENDING_MAX) <= now => intent.state = IntentState::Pending { failed },
            _ => return false,
        }
        intent.due_at = until;
        let is_first = intent.held.replace(until).is_none() && intent.bundle.is_none();
        if is_first {
            let time = ZonedDateTime::new(until, policy.time_zone.clone()).strftime("%H:%M");
            let detail = format!("{}({time})", intent.to.name);
            self.note(now, Happening::AlertHeld, MACHINE, &detail);
        }
        refresh(self);
        is_first
    }

    /// Numbers of the alerts that a list of this class to this recipient takes up.
    pub fn gathered(&self, to: &Recipient, class: Class, what: Gathering<'_>, now: Timestamp) -> Vec<u32> {
        let is_free = |intent: &Intent| match &intent.state {
            IntentState::Pending { .. } => true,
            IntentState::Sending { since, .. } => after(*since, SENDING_MAX) <= now,
            _ => false,
        };
        let fits = |intent: &&Intent| match what {
            Gathering::Waiting => intent.bundle.is_none() && intent.held.is_some() && self.class(intent.track) == Some(class),
            Gathering::Again(bundle) => intent.bundle.as_deref() == Some(bundle),
        };
        let is_same = |intent: &&Intent| intent.to == *to && is_free(intent);
        self.intents.iter().filter(is_same).filter(fits).map(|intent| intent.number).collect()
    }

    /// Marks an alert as handed to the notifier in that list; nothing if nobody needs it any more. Only whoever stores this
    /// record sends.
    pub fn begin_bundled(&mut self, number: u32, bundle: &str, now: Timestamp) -> Option<Intent> {
        let intent = self.intents.iter_mut().find(|intent| intent.number == number)?;
        if intent.bundle.as_deref().is_some_and(|known| known != bundle) {
            return None;
        }
        if matches!(intent.state, IntentState::Pending { .. }) {
            intent.due_at = intent.due_at.min(now);
        }
        let begun = self.begin_send(number, now)?;
        let intent = self.intents.iter_mut().find(|intent| intent.number == number)?;
        intent.bundle = Some(bundle.to_owned());
        Some(Intent { bundle: Some(bundle.to_owned()), ..begun })
    }
}
