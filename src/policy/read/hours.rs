//! `[calendar]` and `[hours]`.

use crate::policy::calendar::Calendar;
use crate::policy::hours::{Hours, Stretch};
use crate::policy::read::{At, date};
use crate::sheet::{Placed, Table};
use std::collections::BTreeSet;

/// Keys of the days, Monday first.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Days off at the turn of the year where the file says nothing: most companies close from December 29 to January 3.
const YEAR_END: ((i8, i8), (i8, i8)) = ((12, 29), (1, 3));

/// `[calendar]`; without it, Japanese holidays and the turn of the year.
pub(crate) fn calendar(root: &Table<'_>) -> Calendar {
    let mut calendar = Calendar { is_japanese: true, year_end: Some(YEAR_END), ..Calendar::default() };
    let Some(table) = root.table("calendar") else { return calendar };
    calendar.is_japanese = table.boolean("japanese_holidays").is_none_or(|given| given.value);
    let year_end = table.texts("year_end");
    if table.has("year_end") {
        calendar.year_end = match year_end.as_slice() {
            [first, last] => month_day(first).zip(month_day(last)),
            _ => None,
        };
        if !year_end.is_empty() && calendar.year_end.is_none() {
            let help = "write the first and the last day: year_end = [\"12-29\", \"01-03\"], or [] for none";
            table.faults().error("policy.date", table.span(), "`year_end` is not two days", "not understood", help);
        }
    }
    let days = |key: &'static str| table.texts(key).iter().filter_map(|given| date(table.faults(), key, given)).collect::<BTreeSet<_>>();
    (calendar.closed, calendar.open) = (days("closed"), days("open"));
    table.finish();
    calendar
}

fn month_day(given: &Placed<String>) -> Option<(i8, i8)> {
    let (month, day) = given.value.split_once('-')?;
    let (month, day): (i8, i8) = (month.parse().ok()?, day.parse().ok()?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((month, day))
}

/// `[hours.…]`.
pub(crate) fn hours(root: &Table<'_>) -> Vec<At<Hours>> {
    let rows = root.table("hours").map(|table| table.named_tables()).unwrap_or_default();
    rows.into_iter().map(|(key, table)| one(key, &table)).collect()
}

fn one(key: Placed<String>, table: &Table<'_>) -> At<Hours> {
    let week = DAYS.map(|day| stretches(table, day));
    let holiday = stretches(table, "holiday");
    if week.iter().all(Vec::is_empty) {
        let title = format!("hours `{}` are never open", key.value);
        table.faults().error("policy.hours", key.span.clone(), title, "no open day", "write e.g. mon = [\"09:00-18:00\"]");
    }
    table.finish();
    At { span: key.span, it: Hours { id: key.value, week, holiday } }
}

fn stretches(table: &Table<'_>, day: &'static str) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = vec![];
    for given in table.texts(day) {
        let Some(stretch) = Stretch::parse(&given.value) else {
            let title = format!("`{}` is not a stretch of hours", given.value);
            table.faults().error("policy.hours", given.span, title, "not understood", "write it as \"09:00-18:00\"");
            continue;
        };
        if found.iter().any(|known| known.from < stretch.to && stretch.from < known.to) {
            let title = format!("hours of `{day}` overlap");
            table.faults().error("policy.hours", given.span, title, "overlaps an earlier one", "join the two");
        }
        found.push(stretch);
    }
    found.sort_unstable();
    found
}
