//! Gates: whether one more alert may go to a person now, must wait, or leads out all that wait.
//!
//! One record per person, channel and [`Class`]. It only counts and takes turns; what waits is in the case records, so a gate
//! that is lost or damaged costs a message too many and never an alert. Its claim keeps two workers from putting the same
//! list together at once; a claim whose holder died ends by itself.

use crate::case::intents::{SENDING_MAX, after};
use crate::model::digest::Digest;
use crate::policy::Recipient;
use crate::policy::throttle::Throttle;
use crate::store::record::Versioned;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A clock that was set back leaves times that lie ahead: beyond this they are not believed, because they would hold alerts for days.
const AHEAD_MAX: Duration = Duration::from_mins(1);

/// Kinds of alerts that are counted apart, so that a flood of lesser ones never delays a grave one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Level 3.
    Severe,
    /// Level 2, and what could not be judged.
    Lesser,
}

impl Class {
    const fn id(self) -> &'static str {
        match self {
            Self::Severe => "severe",
            Self::Lesser => "lesser",
        }
    }

    /// The key of the gate through which alerts of this class reach this person over this channel.
    pub fn gate(self, to: &Recipient) -> String {
        Digest::of_fields(&[b"gate", to.person.as_bytes(), to.channel.as_bytes(), self.id().as_bytes()]).key()
    }
}

/// A gate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// What has passed within the window, oldest first, by Message-ID: an alert that comes again passes again.
    passed: Vec<(Timestamp, String)>,
    /// Something waits: the next to pass leads it out.
    is_held: bool,
    /// Who is putting a list together, and until when nobody else may.
    claim: Option<(String, Timestamp)>,
}

impl Versioned for Gate {
    const VERSION: u32 = 1;
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Leaves as it is.
    Alone,
    /// Leaves with everything that waits; the claim is this alert's.
    Lead,
    /// Somebody puts a list together, at most until then.
    Turn(Timestamp),
    /// Not before this.
    Wait(Timestamp),
}

impl Gate {
    /// Asks for one alert. `is_held` tells whether it has been made to wait before.
    pub fn admit(&mut self, message_id: &str, is_held: bool, throttle: Throttle, now: Timestamp) -> Pass {
        let horizon = after(now, AHEAD_MAX);
        self.passed.retain(|(at, _)| *at <= horizon && after(*at, throttle.window) > now);
        let is_known = self.passed.iter().any(|(_, known)| known == message_id);
        if is_known && !is_held {
            return Pass::Alone;
        }
        if let Some(until) = self.claimed(message_id, now).filter(|_| is_held) {
            self.is_held = true;
            return Pass::Turn(until);
        }
        if is_known {
            return self.lead(message_id, now);
        }
        let most = usize::try_from(throttle.alerts_max).unwrap_or(usize::MAX);
        if let Some(over) = self.passed.len().checked_sub(most).filter(|_| most > 0) {
            self.is_held = true;
            return Pass::Wait(self.passed.get(over).map_or(now, |(at, _)| after(*at, throttle.window)));
        }
        self.passed.push((now, message_id.to_owned()));
        if !self.is_held && !is_held {
            return Pass::Alone;
        }
        self.lead(message_id, now)
    }

    fn lead(&mut self, message_id: &str, now: Timestamp) -> Pass {
        self.is_held = false;
        self.claim = Some((message_id.to_owned(), after(now, SENDING_MAX)));
        Pass::Lead
    }

    /// Takes the turn to send a list again whose fate is unknown or that was refused for now; else until when to wait.
    pub fn take(&mut self, holder: &str, now: Timestamp) -> Result<(), Timestamp> {
        // Also against itself: two workers, or a dead one and the next, must not send halves of one list under its id.
        if let Some(until) = self.claimed("", now) {
            return Err(until);
        }
        self.claim = Some((holder.to_owned(), after(now, SENDING_MAX)));
        Ok(())
    }

    /// Ends a turn. `is_more` tells that not everything that waits has found room.
    pub fn release(&mut self, holder: &str, is_more: bool) {
        self.claim.take_if(|(known, _)| known == holder);
        self.is_held |= is_more;
    }

    /// Until when somebody else has the turn.
    fn claimed(&self, holder: &str, now: Timestamp) -> Option<Timestamp> {
        let longest = after(now, SENDING_MAX);
        self.claim.as_ref().filter(|(known, until)| known != holder && now < *until && *until <= longest).map(|(_, until)| *until)
    }
}
