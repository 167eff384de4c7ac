//! `[audit]`, `[canary]` and `[watchdog]`.

use crate::config::guard::{AuditSettings, CanarySettings, WatchdogSettings};
use crate::config::layers::{Given, Section};
use crate::config::read::path_or;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Bounds of a pause, in seconds: below, the machine watches itself more than the mail; above, an outage lasts an hour unseen.
const EVERY_RANGE: RangeInclusive<i64> = 1..=3_600;

/// Bounds of the time after which people are told, in seconds.
const LATE_RANGE: RangeInclusive<i64> = 2..=86_400;

pub(in crate::config) fn audit(section: &Section<'_>) -> AuditSettings {
    let every = section.integer_in("every_seconds", None, 0..=*EVERY_RANGE.end());
    AuditSettings { every: seconds(every.as_ref(), AuditSettings::default().every) }
}

pub(in crate::config) fn canary(section: &Section<'_>) -> CanarySettings {
    let default = CanarySettings::default();
    let every = section.integer_in("every_seconds", None, 0..=*EVERY_RANGE.end());
    let late = section.integer_in("late_after_seconds", None, LATE_RANGE);
    let (every_value, late_value) = (seconds(every.as_ref(), default.every), seconds(late.as_ref(), default.late_after));
    keep_apart(section, (late.as_ref().or(every.as_ref()), every_value, late_value));
    CanarySettings {
        every: every_value,
        late_after: late_value,
        to: section.text("to", None).map(|given| given.value).filter(|address| !address.is_empty()),
        alarm: section.texts("alarm").into_iter().map(|given| given.value).collect(),
    }
}

pub(in crate::config) fn watchdog(section: &Section<'_>) -> WatchdogSettings {
    let default = WatchdogSettings::default();
    let every = section.integer_in("every_seconds", None, EVERY_RANGE);
    let late = section.integer_in("late_after_seconds", None, LATE_RANGE);
    let (every_value, late_value) = (seconds(every.as_ref(), default.every), seconds(late.as_ref(), default.late_after));
    keep_apart(section, (late.as_ref().or(every.as_ref()), every_value, late_value));
    let url = section.filled("url", None);
    if let Some(given) = url.as_ref().filter(|given| !is_address(&given.value)) {
        let help = "write it as `http://127.0.0.1:8471`: the address of ops.listen, without a path";
        section.reader().error(given, "config.url", "`url` is no address of probes", "not understood", help);
    }
    WatchdogSettings {
        url: url.map_or(default.url, |given| given.value.trim_end_matches('/').to_owned()),
        every: every_value,
        late_after: late_value,
        state_file: path_or(section.filled("state_file", None).as_ref(), default.state_file),
        heartbeat_url_file: section.filled("heartbeat_url_file", None).map(|given| PathBuf::from(given.value)),
        private_hosts: section.texts("private_hosts").into_iter().map(|given| given.value).collect(),
    }
}

fn seconds(given: Option<&Given<i64>>, default: Duration) -> Duration {
    given.and_then(|given| u64::try_from(given.value).ok()).map_or(default, Duration::from_secs)
}

/// One late canary, or one lost answer, is no outage.
fn keep_apart(section: &Section<'_>, (at, every, late): (Option<&Given<i64>>, Duration, Duration)) {
    if let Some(at) = at
        && late < every * 2
    {
        let title = format!("`late_after_seconds` of {} is less than two times `every_seconds`", late.as_secs());
        section.reader().error(at, "config.late", title, "one that is late would be an alarm", "two to three times `every_seconds`");
    }
}

fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default().trim_end_matches('/');
    !rest.is_empty() && !rest.contains(['/', '@', '?', '#', ' '])
}
