//! What the rules look at: one message and the contributions before it that still count.

use crate::conversation::contribution::{Contribution, Reading};
use crate::conversation::cue::Cue;
use crate::conversation::limits::LedgerLimits;
use crate::model::message::{Direction, Event};
use crate::model::severity::{Lane, Level};
use jiff::{SignedDuration, Timestamp};

/// Hours of a day.
const DAY_HOURS: i64 = 24;

/// How much every count and style threshold grows once accommodation was asked for.
pub const ACCOMMODATION_FACTOR: u32 = 2;

/// One message with those before it.
pub struct View<'a> {
    /// The message.
    pub now: &'a Contribution,
    /// What was read in it.
    pub reading: &'a Reading,
    /// Everything up to and with the message, oldest first.
    pub all: &'a [Contribution],
    /// Settings.
    pub limits: &'a LedgerLimits,
    /// Accommodation was asked for.
    pub accommodation: bool,
    /// One of our replies was seen.
    pub reply_seen: bool,
}

/// A judged message of the window.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// When.
    pub at: Timestamp,
    /// What was read.
    pub reading: &'a Reading,
}

impl<'a> View<'a> {
    /// The view of the message at `index`; none of what is not judged.
    pub fn of(all: &'a [Contribution], index: usize, limits: &'a LedgerLimits) -> Option<Self> {
        let all = all.get(..=index)?;
        let now = all.last()?;
        let reading = now.reading.as_ref()?;
        let readings = || all.iter().filter_map(|one| one.reading.as_ref());
        Some(Self {
            now,
            reading,
            all,
            limits,
            accommodation: readings().any(|reading| reading.lanes.contains(&Lane::Accommodation)),
            reply_seen: all.iter().any(is_reply),
        })
    }

    /// Judged messages within the window, oldest first, the present one last.
    pub fn window(&self) -> impl DoubleEndedIterator<Item = Past<'a>> + use<'a, '_> {
        let reach = SignedDuration::from_hours(i64::from(self.limits.window_days) * DAY_HOURS);
        self.within(reach)
    }

    /// Judged messages at most `reach` ago, oldest first, the present one last.
    pub fn within(&self, reach: SignedDuration) -> impl DoubleEndedIterator<Item = Past<'a>> + use<'a, '_> {
        let now = self.now.at;
        let recent = self.all.iter().filter(move |one| now.duration_since(one.at) <= reach);
        recent.filter_map(|one| one.reading.as_ref().map(|reading| Past { at: one.at, reading }))
    }

    /// Whether an answer was given: we replied, or the customer says so.
    pub fn is_answered(&self) -> bool {
        self.reply_seen || self.window().any(|past| past.reading.cues.has(Cue::Answered))
    }

    /// `weight` after what time took of it.
    pub fn decayed(&self, weight: u32, at: Timestamp) -> u32 {
        let half_life = i64::from(self.limits.half_life_days.max(1)) * DAY_HOURS;
        let halves = self.now.at.duration_since(at).as_hours() / half_life;
        weight >> halves.clamp(0, 31)
    }

    /// A threshold as the company and the customer's needs set it.
    pub fn threshold(&self, hundredths: u32, doubles: bool) -> u32 {
        let factor = if doubles && self.accommodation { ACCOMMODATION_FACTOR } else { 1 };
        hundredths.saturating_mul(self.limits.threshold_percent).saturating_mul(factor) / 100
    }

    /// A count as the customer's needs set it.
    pub fn count(&self, count: u32) -> usize {
        let factor = if self.accommodation { ACCOMMODATION_FACTOR } else { 1 };
        count.saturating_mul(factor) as usize
    }
}

impl Past<'_> {
    /// Whether the message itself was found wanting, short of harassment.
    pub fn is_rude(&self) -> bool {
        self.reading.level >= Level::Watch
    }

    /// Whether it is worded or meant to calm: thanks, apology, a report that was asked for, a lawful next step.
    pub fn soothes(&self) -> bool {
        let calm = self.reading.cues.has_any(&[Cue::Apology, Cue::Thanks, Cue::Asked, Cue::Forgetful]);
        calm || self.reading.lanes.contains(&Lane::RightsAssertion)
    }
}

/// Any of our words to the customer is an answer, whatever the integrator calls it.
fn is_reply(one: &Contribution) -> bool {
    one.direction == Direction::Outbound && !matches!(one.event, Event::Deleted | Event::Closed)
}
