//! `[throttle]`.

use crate::policy::throttle::Throttle;
use crate::sheet::Table;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Bounds of `alerts_max`; 0 turns it off, more than the upper one holds nothing that a person could read.
const ALERTS: RangeInclusive<i64> = 0..=1_000;

/// Bounds of `window_minutes`: a non-urgent alert may wait so long.
const WINDOW_MINUTES: RangeInclusive<i64> = 1..=60;

/// `[throttle]`; without it, the defaults.
pub(crate) fn throttle(root: &Table<'_>) -> Throttle {
    let mut throttle = Throttle::default();
    let Some(table) = root.table("throttle") else { return throttle };
    if let Some(alerts) = table.integer_in("alerts_max", ALERTS).and_then(|given| u32::try_from(given.value).ok()) {
        throttle.alerts_max = alerts;
    }
    if let Some(minutes) = table.integer_in("window_minutes", WINDOW_MINUTES).and_then(|given| u64::try_from(given.value).ok()) {
        throttle.window = Duration::from_mins(minutes);
    }
    table.finish();
    throttle
}
