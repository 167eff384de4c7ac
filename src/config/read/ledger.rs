//! `[ledger]`: what counts over time.

use crate::config::layers::Section;
use crate::conversation::limits::{BURST_MINUTES_RANGE, COUNT_RANGE, DAYS_RANGE, JOIN_RANGE, LedgerLimits, PERCENT_RANGE};
use std::ops::RangeInclusive;

pub(in crate::config) fn ledger(section: &Section<'_>) -> LedgerLimits {
    let default = LedgerLimits::default();
    let number = |key: &'static str, range: RangeInclusive<i64>, default: u32| {
        crate::config::read::number_or(section.integer_in(key, None, range).as_ref(), default)
    };
    LedgerLimits {
        window_days: number("window_days", DAYS_RANGE, default.window_days),
        half_life_days: number("half_life_days", DAYS_RANGE, default.half_life_days),
        join_seconds: number("join_seconds", JOIN_RANGE, default.join_seconds),
        burst_minutes: number("burst_minutes", BURST_MINUTES_RANGE, default.burst_minutes),
        burst_messages: number("burst_messages", COUNT_RANGE, default.burst_messages),
        flood_messages: number("flood_messages", COUNT_RANGE, default.flood_messages),
        windows: number("windows", COUNT_RANGE, default.windows),
        contacts_after_refusal: number("contacts_after_refusal", COUNT_RANGE, default.contacts_after_refusal),
        threshold_percent: number("threshold_percent", PERCENT_RANGE, default.threshold_percent),
    }
}
