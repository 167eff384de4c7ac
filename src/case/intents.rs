//! Alerts of a case: planned, begun, finished; always one stable Message-ID per alert.

use crate::case::{CaseRecord, CaseState, Happening, INTENTS_MAX, Intent, IntentState, Step};
use crate::model::digest::Digest;
use crate::policy::climb::Fired;
use crate::policy::{Policy, Recipient, Track};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Pauses between attempts of one alert, in minutes; the last one repeats. Short at first: most failures are a restart of the mail server.
const BACKOFF_MINUTES: [u64; 6] = [1, 2, 5, 10, 20, 30];

/// Largest random share added to a pause, in percent: many alerts must not return at the same second.
const JITTER_PERCENT_MAX: u64 = 20;

/// A send whose outcome was never recorded counts as lost after this time: twice the longest mail transaction.
pub const SENDING_MAX: Duration = Duration::from_mins(3);

/// Pause before an alert is sent again whose fate is unknown (timeout after the text): the server may still be delivering it.
pub const UNSURE_PAUSE: Duration = Duration::from_mins(2);

/// How an attempt ended, as far as a case cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Accepted.
    Sent,
    /// Try again later; `at_least` is the server's wish.
    Later {
        /// Shortest pause.
        at_least: Duration,
        /// Why, from a closed set.
        reason: String,
    },
    /// This address is refused for good.
    Refused {
        /// Why, from a closed set.
        reason: String,
    },
}

/// Adds one alert of a moment; an older one to the same person over the same channel that has not left is said better by it.
pub(crate) fn push(case: &mut CaseRecord, track: Track, step: Step, to: Recipient, fired: &Fired, policy: &Policy, now: Timestamp) {
    let is_same = |intent: &Intent| intent.track == track && intent.to.person == to.person && intent.to.channel == to.channel;
    for intent in case.intents.iter_mut().filter(|intent| is_same(intent)) {
        if matches!(intent.state, IntentState::Pending { .. }) {
            intent.state = IntentState::Cancelled;
        }
    }
    let number = case.next_intent;
    case.next_intent += 1;
    let domain = policy.sender.address.rsplit('@').next().unwrap_or("localhost");
    let fields =
        [case.tenant.as_str().as_bytes(), case.scope.as_bytes(), to.channel.as_bytes(), to.address.as_bytes(), &number.to_be_bytes()];
    let unique = Digest::of_fields(&fields).key();
    let message_id = format!("{}-{}-{}-{}@{domain}", case.id, step.id(), number, unique.get(..16).unwrap_or(&unique));
    let (state, level, deadline, moment) = (IntentState::Pending { failed: 0 }, case.level, fired.deadline, fired.moment);
    case.intents.push(Intent {
        number,
        track,
        step,
        moment,
        level,
        to,
        message_id,
        due_at: now,
        deadline,
        state,
        held: None,
        bundle: None,
    });
    while case.intents.len() > INTENTS_MAX {
        let Some(oldest) = case.intents.iter().position(|intent| !intent.state.is_live()) else { break };
        case.intents.remove(oldest);
    }
}

/// Cancels what is not in the notifier's hands and fits.
pub(crate) fn cancel(case: &mut CaseRecord, fits: impl Fn(&Intent) -> bool) {
    for intent in case.intents.iter_mut().filter(|intent| fits(intent)) {
        if matches!(intent.state, IntentState::Pending { .. }) {
            intent.state = IntentState::Cancelled;
        }
    }
}

/// Recomputes `next_due`.
pub(crate) fn refresh(case: &mut CaseRecord) {
    let due = |intent: &Intent| match &intent.state {
        IntentState::Pending { .. } => Some(intent.due_at),
        IntentState::Sending { since, .. } => Some(after(*since, SENDING_MAX)),
        _ => None,
    };
    let other = match case.state {
        CaseState::Open => case.climbs.values().map(|climb| climb.due).min(),
        CaseState::Acknowledged { .. } => case.return_at,
        CaseState::Closed { .. } => None,
    };
    case.next_due = case.intents.iter().filter_map(due).chain(other).min();
}

impl CaseRecord {
    /// Numbers of the intents to send now: due ones, and ones whose sender died.
    pub fn due(&self, now: Timestamp) -> Vec<u32> {
        let is_due = |intent: &&Intent| match &intent.state {
            IntentState::Pending { .. } => intent.due_at <= now,
            IntentState::Sending { since, .. } => after(*since, SENDING_MAX) <= now,
            _ => false,
        };
        self.intents.iter().filter(is_due).map(|intent| intent.number).collect()
    }

    /// The intent of that number.
    pub fn intent(&self, number: u32) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.number == number)
    }

    /// Marks an intent as handed to the notifier; nothing if it is not due any more. Only whoever stores this record sends.
    pub fn begin_send(&mut self, number: u32, now: Timestamp) -> Option<Intent> {
        if !self.due(now).contains(&number) {
            return None;
        }
        let spared = &self.spared;
        let is_open = matches!(self.state, CaseState::Open);
        let intent = self.intents.iter_mut().find(|intent| intent.number == number)?;
        let taken = !is_open || spared.contains(&intent.to.person);
        let (IntentState::Pending { failed } | IntentState::Sending { failed, .. }) = intent.state else { return None };
        // A sender that died may have sent or not; once somebody has the case, nobody else needs to be told.
        intent.state = if taken { IntentState::Cancelled } else { IntentState::Sending { failed, since: now } };
        intent.held = None;
        let begun = (!taken).then(|| intent.clone());
        refresh(self);
        begun
    }

    /// Makes every begun send due at once: after a restart no sender of this process's store is alive.
    pub fn recover_sends(&mut self, now: Timestamp) -> bool {
        let mut changed = false;
        for intent in &mut self.intents {
            if let IntentState::Sending { failed, .. } = intent.state {
                intent.state = IntentState::Pending { failed };
                intent.due_at = intent.due_at.min(now);
                changed = true;
            }
        }
        refresh(self);
        changed
    }

    /// Records how a send ended.
    pub fn finish_send(&mut self, number: u32, attempt: &Attempt, policy: &Policy, now: Timestamp) {
        let taken = !matches!(self.state, CaseState::Open);
        let Some(intent) = self.intents.iter_mut().find(|intent| intent.number == number) else { return };
        let IntentState::Sending { failed, .. } = intent.state else { return };
        let (to, track, moment) = (intent.to.clone(), intent.track, intent.moment);
        let (what, detail) = match attempt {
            Attempt::Sent => {
                intent.state = IntentState::Sent { at: now };
                (Happening::AlertSent, to.name.clone())
            }
            Attempt::Later { .. } if taken => {
                intent.state = IntentState::Cancelled;
                (Happening::AlertRetried, to.name.clone())
            }
            Attempt::Later { at_least, reason } => {
                intent.state = IntentState::Pending { failed: failed + 1 };
                intent.due_at = after(now, pause(failed, &intent.message_id).max(*at_least));
                (Happening::AlertRetried, format!("{} {reason}", to.name))
            }
            Attempt::Refused { reason } => {
                intent.state = IntentState::Failed { reason: reason.clone() };
                (Happening::AlertFailed, format!("{} {reason}", to.name))
            }
        };
        self.note(now, what, crate::case::transitions::MACHINE, &detail);
        if matches!(attempt, Attempt::Refused { .. }) && !taken {
            self.bring_forward(track, moment, policy, now);
        }
        refresh(self);
    }

    /// Whether some alert of that track reached a mail server or is still to be sent.
    pub(crate) fn is_announced(&self, track: Track) -> bool {
        self.intents.iter().any(|intent| intent.track == track && (intent.state.is_live() || intent.state.is_sent()))
    }
}

/// The pause after so many failures, with a share derived from the Message-ID: the same on every machine.
fn pause(failed: u32, message_id: &str) -> Duration {
    let index = (failed as usize).min(BACKOFF_MINUTES.len() - 1);
    let base = Duration::from_secs(BACKOFF_MINUTES[index] * 60);
    let share = u64::from(Digest::of_fields(&[message_id.as_bytes(), &failed.to_be_bytes()]).as_bytes()[0]) * JITTER_PERCENT_MAX / 255;
    base + base.mul_f64(f64::from(u32::try_from(share).unwrap_or(0)) / 100.0)
}

pub(crate) fn after(at: Timestamp, pause: Duration) -> Timestamp {
    at.saturating_add(SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
}
