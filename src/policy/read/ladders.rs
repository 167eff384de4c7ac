//! `[ladders]`: rungs, their end, and whether time only runs forward.

use crate::policy::ladder::{Finally, Ladder, Rung};
use crate::policy::read::people::Names;
use crate::policy::read::{At, known, missing, one_line};
use crate::sheet::{Placed, Table};
use std::time::Duration;

/// Longest wait a ladder may name, in minutes: a week; more is a mistake in the unit.
const MINUTES_MAX: i64 = 7 * 24 * 60;

/// Most repeats of one rung: more belongs into `finally`.
const REPEATS_MAX: i64 = 20;

/// Most lines of advice in an alert: three things can be done at once, seven cannot be read.
const ADVICE_MAX: usize = 3;

/// A case that was taken and then not touched for so long comes back (minutes), where the file says nothing.
const RETURN_MINUTES_DEFAULT: i64 = 60;

/// `[ladders.…]`.
pub(crate) fn ladders(root: &Table<'_>, names: &Names) -> Vec<At<Ladder>> {
    if !root.has("ladders") {
        missing(root, "`[ladders]`", "add a ladder: who is told, after how long");
    }
    let rows = root.table("ladders").map(|table| table.named_tables()).unwrap_or_default();
    rows.into_iter().map(|(key, table)| ladder(key, &table, names)).collect()
}

fn ladder(key: Placed<String>, table: &Table<'_>, names: &Names) -> At<Ladder> {
    let rungs: Vec<At<Rung>> = table.tables("step").iter().map(|row| At { span: row.span(), it: rung(row, names) }).collect();
    if rungs.is_empty() {
        let title = format!("ladder `{}` has no step", key.value);
        let help = format!("add `[[ladders.{}.step]]` with `to` and `by`", key.value);
        table.faults().error("policy.nobody", key.span.clone(), title, "tells nobody", help);
    }
    in_order(table, &rungs);
    let last = rungs.last().map_or(Duration::ZERO, |rung| rung.it.after);
    let finally = table.table("finally").map(|row| finally(&row, names, last));
    if !table.has("finally") {
        let title = format!("ladder `{}` ends with nobody", key.value);
        let help = format!("add `[ladders.{}.finally]`: who is told until somebody takes the case", key.value);
        table.faults().error("policy.ends-nowhere", key.span.clone(), title, "no `finally`", help);
    }
    let acknowledge_by = callees(table, "acknowledge_by", names);
    let ids = names.hours.iter().map(String::as_str);
    let hours = table.text("hours").and_then(|given| known(table.faults(), "policy.unknown-hours", "set of hours", given, ids));
    let return_after = minutes(table, "return_after_minutes", 1).unwrap_or(from_minutes(RETURN_MINUTES_DEFAULT));
    let advice = advice(table);
    let hold = table.boolean("hold").map(|given| given.value);
    table.finish();
    let nobody = Finally { to: vec![], by: vec![], after: last, every: from_minutes(1) };
    let rungs = rungs.into_iter().map(|rung| rung.it).collect();
    let mut ladder = Ladder::new(key.value, rungs, finally.unwrap_or(nobody), acknowledge_by, hours, return_after, advice);
    ladder.hold = hold;
    At { span: key.span, it: ladder }
}

fn in_order(table: &Table<'_>, rungs: &[At<Rung>]) {
    for pair in rungs.windows(2) {
        let [earlier, later] = pair else { continue };
        if later.it.after <= earlier.it.after {
            let title = "a step that comes no later than the one before";
            table.faults().error(
                "policy.order",
                later.span.clone(),
                title,
                "`after_minutes` must rise",
                "put the steps in the order of time",
            );
        }
    }
}

fn rung(table: &Table<'_>, names: &Names) -> Rung {
    let (to, by) = (told(table, names), ways(table, names));
    let after = minutes(table, "after_minutes", 0).unwrap_or_default();
    let pause = minutes(table, "repeat_minutes", 1);
    let times = table.integer_in("repeat_max", 1..=REPEATS_MAX).and_then(|given| u32::try_from(given.value).ok());
    let is_listed = table.boolean("listed").is_some_and(|given| given.value);
    table.finish();
    Rung { to, by, after, repeat: pause.map(|pause| (pause, times.unwrap_or(1))), is_listed }
}

fn finally(table: &Table<'_>, names: &Names, last: Duration) -> Finally {
    let (to, by) = (told(table, names), ways(table, names));
    let after = minutes(table, "after_minutes", 1);
    if !table.has("after_minutes") {
        missing(table, "`after_minutes`", "add `after_minutes = 30`");
    }
    if after.is_some_and(|after| after <= last) {
        let title = "the end of a ladder that comes no later than its last step";
        table.faults().error("policy.order", table.span(), title, "`after_minutes` must rise", "name a later time");
    }
    let every = minutes(table, "every_minutes", 1);
    if !table.has("every_minutes") {
        missing(table, "`every_minutes`", "add `every_minutes = 30`: it repeats until somebody takes the case");
    }
    table.finish();
    Finally { to, by, after: after.unwrap_or(last), every: every.unwrap_or(from_minutes(1)) }
}

/// Whom a table names, and over what.
pub(crate) fn callees_of(table: &Table<'_>, names: &Names) -> (Vec<String>, Vec<String>) {
    (told(table, names), ways(table, names))
}

fn told(table: &Table<'_>, names: &Names) -> Vec<String> {
    if table.texts("to").is_empty() {
        let help = "name people or teams: to = [\"…\"]";
        table.faults().error("policy.nobody", table.span(), "this step tells nobody", "`to` is missing or empty", help);
    }
    callees(table, "to", names)
}

fn callees(table: &Table<'_>, key: &'static str, names: &Names) -> Vec<String> {
    let ids = || names.callees.iter().map(String::as_str);
    let given = table.texts(key).into_iter();
    given.filter_map(|one| known(table.faults(), "policy.unknown-person", "person or team", one, ids())).collect()
}

fn ways(table: &Table<'_>, names: &Names) -> Vec<String> {
    let given = table.texts("by");
    if given.is_empty() {
        let help = "name channels: by = [\"mail\"]";
        table.faults().error("policy.nobody", table.span(), "this step uses no channel", "`by` is missing or empty", help);
    }
    let ids = || names.channels.iter().map(String::as_str);
    given.into_iter().filter_map(|one| known(table.faults(), "policy.unknown-channel", "channel", one, ids())).collect()
}

fn minutes(table: &Table<'_>, key: &'static str, least: i64) -> Option<Duration> {
    table.integer_in(key, least..=MINUTES_MAX).map(|given| from_minutes(given.value))
}

fn from_minutes(minutes: i64) -> Duration {
    Duration::from_secs(u64::try_from(minutes).unwrap_or_default() * 60)
}

fn advice(table: &Table<'_>) -> Vec<String> {
    let lines = table.texts("advice");
    if let Some(extra) = lines.get(ADVICE_MAX) {
        let help = "keep the three that must be done now";
        let title = format!("at most {ADVICE_MAX} lines of advice");
        table.faults().error("policy.advice", extra.span.clone(), title, "one too many", help);
    }
    lines.into_iter().filter_map(|line| one_line(table.faults(), line)).collect()
}
