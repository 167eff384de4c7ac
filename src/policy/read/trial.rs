//! `[[test]]`: what the company expects of its own policy, run whenever the file is read.

use crate::model::severity::Level;
use crate::policy::read::people::{Names, category};
use crate::policy::read::routes::{channel, level, track};
use crate::policy::read::{known, missing};
use crate::policy::route::{Facts, customer_key};
use crate::policy::timeline::{Acknowledging, Row, timeline};
use crate::policy::{Policy, Track};
use crate::sheet::{Placed, Table};
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;

/// Longest time after the opening that a test may ask about, in minutes: a week.
const MINUTES_MAX: i64 = 7 * 24 * 60;

/// One test.
#[derive(Debug)]
pub(crate) struct Trial {
    name: String,
    facts: Facts,
    at: Timestamp,
    acknowledged_after: Option<i64>,
    expected: Vec<Expected>,
}

#[derive(Debug)]
struct Expected {
    span: Range<usize>,
    after: i64,
    person: String,
    channel: Option<String>,
}

/// `[[test]]`.
pub(crate) fn trials(root: &Table<'_>, names: &Names) -> Vec<Trial> {
    root.tables("test").iter().filter_map(|table| trial(table, names)).collect()
}

fn trial(table: &Table<'_>, names: &Names) -> Option<Trial> {
    let faults = table.faults();
    let name = table.text_required("name");
    let at = table.text_required("at").and_then(|given| moment(table, &given));
    let wanted_track = table.text("track").map_or(Some(Track::Harassment), |given| track(faults, given));
    let wanted_level = table.integer("level").map_or(Some(Level::Suspected), |given| level(faults, &given));
    let mut facts = Facts::of(wanted_track?, wanted_level?);
    facts.tenant = table.text("tenant").map(|given| given.value);
    facts.queue = table.text("queue").map(|given| given.value);
    facts.customer = table.text("customer").map(|given| customer_key(&given.value));
    facts.channel = table.text("channel").and_then(|given| channel(faults, given));
    facts.categories = table.texts("categories").into_iter().filter_map(|given| category(table, given)).collect();
    let acknowledged_after = table.integer_in("acknowledged_after_minutes", 0..=MINUTES_MAX).map(|given| given.value);
    let rows = table.tables("expect");
    if rows.is_empty() {
        missing(table, "`[[test.expect]]`", "say who must be told: after_minutes, person");
    }
    let expected = rows.iter().filter_map(|row| expectation(row, names)).collect();
    table.finish();
    Some(Trial { name: name?.value, facts, at: at?, acknowledged_after, expected })
}

fn moment(table: &Table<'_>, given: &Placed<String>) -> Option<Timestamp> {
    let parsed = given.value.parse().ok();
    if parsed.is_none() {
        let help = "write it as \"2026-12-31T02:00:00+09:00\"";
        table.faults().error("policy.date", given.span.clone(), "`at` is not a time", "not understood", help);
    }
    parsed
}

fn expectation(table: &Table<'_>, names: &Names) -> Option<Expected> {
    let after = table.integer_in("after_minutes", 0..=MINUTES_MAX);
    let callees = names.callees.iter().map(String::as_str);
    let person = table.text_required("person").and_then(|given| known(table.faults(), "policy.unknown-person", "person", given, callees));
    let ways = names.channels.iter().map(String::as_str);
    let channel = table.text("channel").map(|given| known(table.faults(), "policy.unknown-channel", "channel", given, ways));
    table.finish();
    Some(Expected { span: table.span(), after: after.map_or(0, |given| given.value), person: person?, channel: channel.flatten() })
}

/// Runs all tests; every expectation that fails is a fault at its place.
pub(crate) fn run(root: &Table<'_>, policy: &Policy, trials: &[Trial]) {
    for trial in trials {
        let acknowledged: Vec<Acknowledging> =
            trial.acknowledged_after.map(|minutes| Acknowledging { at: later(trial.at, minutes), by: None }).into_iter().collect();
        for expected in &trial.expected {
            let rows = timeline(policy, &trial.facts, trial.at, &acknowledged, later(trial.at, expected.after));
            let fits = |row: &Row| {
                !row.is_listed
                    && row.at == later(trial.at, expected.after)
                    && row.to.person == expected.person
                    && expected.channel.as_ref().is_none_or(|channel| *channel == row.to.channel)
            };
            if !rows.iter().any(fits) {
                let title = format!("test `{}` fails: {} is not told after {} minutes", trial.name, expected.person, expected.after);
                root.faults().error("policy.test", expected.span.clone(), title, "does not happen", told(policy, &rows, trial.at));
            }
        }
    }
}

fn told(policy: &Policy, rows: &[Row], at: Timestamp) -> String {
    let minutes = |row: &Row| row.at.duration_since(at).as_mins();
    let mut lines: Vec<String> = rows
        .iter()
        .filter(|row| !row.is_listed)
        .map(|row| format!("{} min {}/{}", minutes(row), policy.name_of(&row.to.person), row.to.channel))
        .collect();
    lines.dedup();
    if lines.is_empty() { "nobody is told until then".to_owned() } else { format!("told until then: {}", lines.join(", ")) }
}

fn later(at: Timestamp, minutes: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MAX)
}
