//! Holds: 「返信を保留」, a sign for the desk's own system that nobody should answer this customer yet.
//!
//! Set when a case reaches the level of a suspected grave act, because the first answer decides how it goes on; released
//! when somebody takes or judges the case, closes it, or decides so by name. Time alone never releases it.

use crate::case::transitions::{MACHINE, bounded};
use crate::case::{CaseRecord, Happening};
use crate::model::severity::Level;
use crate::policy::{Policy, Track};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// Why, for people.
    pub reason: String,
}

impl CaseRecord {
    /// Sets the hold that this case calls for; a hold that stands keeps its time.
    pub(crate) fn hold_if_grave(&mut self, policy: &Policy, now: Timestamp) {
        let is_grave =
            self.tracks.contains(&Track::Harassment) && self.ladder(Track::Harassment, policy).hold.unwrap_or(self.level >= Level::Severe);
        if !is_grave || !self.occasion.is_real() || self.hold.is_some() || self.state.is_closed() {
            return;
        }
        let reason = format!("レベル{} {}", self.level, self.level.name());
        self.note(now, Happening::HoldSet, MACHINE, &reason);
        self.hold = Some(Hold { since: now, reason });
    }

    /// Lets the desk answer again. False if there is no hold.
    pub fn release(&mut self, by: &str, reason: &str, now: Timestamp) -> bool {
        if self.hold.take().is_none() {
            return false;
        }
        self.note(now, Happening::HoldReleased, &bounded(by), reason);
        true
    }
}
