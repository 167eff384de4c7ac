//! What a company may set of the conversation ledger (`[ledger]`). Weights of single cues are not among them: they belong
//! to the program like the levels, and change only with its version.

use std::ops::RangeInclusive;

/// How far back messages count, in days: two weeks hold a weekly pattern twice, and an old quarrel is not held against anybody.
pub const WINDOW_DAYS: u32 = 14;
/// Time after which a contribution weighs half, in days.
pub const HALF_LIFE_DAYS: u32 = 7;
/// Longest pause between fragments that are read together, in seconds: typing one character takes one to ten.
pub const JOIN_SECONDS: u32 = 60;
/// Span of a burst, in minutes.
pub const BURST_MINUTES: u32 = 30;
/// Messages of the same demand within one burst that count as frequent: the published line for repeats is three.
pub const BURST_MESSAGES: u32 = 3;
/// Messages within one hour that block business by their number alone, whatever they say: a desk answers about ten an hour.
/// While nobody answered it takes three times as many.
pub const FLOOD_MESSAGES: u32 = 10;
/// Windows that get the same request before it is called mass contact: two or three is somebody being sent around.
pub const WINDOWS: u32 = 4;
/// Contacts after a dated refusal that make level 3; the first is level 1, the ones between are level 2.
pub const CONTACTS_AFTER_REFUSAL: u32 = 3;
/// Share of the built-in thresholds, in percent: higher is slower to speak.
pub const THRESHOLD_PERCENT: u32 = 100;

/// Bounds of each setting.
pub const DAYS_RANGE: RangeInclusive<i64> = 1..=90;
/// In seconds; beyond five minutes, messages are no longer typed in one go.
pub const JOIN_RANGE: RangeInclusive<i64> = 5..=300;
/// In minutes.
pub const BURST_MINUTES_RANGE: RangeInclusive<i64> = 1..=1_440;
/// Messages, windows and contacts.
pub const COUNT_RANGE: RangeInclusive<i64> = 2..=60;
/// In percent.
pub const PERCENT_RANGE: RangeInclusive<i64> = 50..=400;

/// `[ledger]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerLimits {
    /// How far back messages count, in days.
    pub window_days: u32,
    /// Time after which a contribution weighs half, in days.
    pub half_life_days: u32,
    /// Longest pause between fragments that are read together, in seconds.
    pub join_seconds: u32,
    /// Span of a burst, in minutes.
    pub burst_minutes: u32,
    /// Messages of the same demand that make a burst.
    pub burst_messages: u32,
    /// Messages in an hour that are too many whatever they say.
    pub flood_messages: u32,
    /// Windows that get the same request.
    pub windows: u32,
    /// Contacts after a refusal that make level 3.
    pub contacts_after_refusal: u32,
    /// Share of the built-in thresholds, in percent.
    pub threshold_percent: u32,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self {
            window_days: WINDOW_DAYS,
            half_life_days: HALF_LIFE_DAYS,
            join_seconds: JOIN_SECONDS,
            burst_minutes: BURST_MINUTES,
            burst_messages: BURST_MESSAGES,
            flood_messages: FLOOD_MESSAGES,
            windows: WINDOWS,
            contacts_after_refusal: CONTACTS_AFTER_REFUSAL,
            threshold_percent: THRESHOLD_PERCENT,
        }
    }
}
