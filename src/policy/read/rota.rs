//! `rota.csv` (date,team,from,to,person,role) and `[[override]]`: every fault at once, each in its line.
//!
//! The table comes from a spreadsheet: UTF-8 with or without a mark, or CP932, with the columns in any order. Its people are
//! named by key or by a name that only one has; the role is for those who read it.

use crate::diag::{Diagnostic, Grave, SourceText};
use crate::policy::Policy;
use crate::policy::hours::{Stretch, instant};
use crate::policy::read::known;
use crate::policy::read::people::Names;
use crate::policy::rota::{Rota, SHIFT_HOURS_MAX, Shift};
use crate::sheet::{Faults, Placed, Table};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;

/// Columns that must be there.
const COLUMNS: [&str; 5] = ["date", "team", "from", "to", "person"];

/// A column that may be there.
const ROLE: &str = "role";

/// Largest table, in bytes: 300 seats × 3 shifts × a year are 20 MB.
pub const ROTA_BYTES_MAX: u64 = 32 << 20;

/// Most faults that are listed: a wrong column is wrong in every line.
const FAULTS_MAX: usize = 50;

/// The table as text: UTF-8 (a mark is dropped) or, where it is not, CP932. `None` if it is neither.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let (text, had_errors) = encoding_rs::SHIFT_JIS.decode_without_bom_handling(bytes);
    (!had_errors).then(|| text.into_owned())
}

/// Reads the table for this policy; nothing if there is any error.
pub fn rota(source: &SourceText, policy: &Policy) -> (Option<Rota>, Vec<Diagnostic>) {
    let faults = Faults::new(&source.name);
    let mut lines = lines(&source.text);
    let Some(columns) = lines.next().and_then(|head| columns(&faults, &head)) else {
        return (None, faults.into_list());
    };
    let mut rota = Rota::default();
    for line in lines.filter(|line| line.iter().any(|cell| !cell.value.is_empty())) {
        if faults.count() >= FAULTS_MAX {
            break;
        }
        if let Some((team, shift)) = row(&faults, &columns, &line, policy) {
            rota.add(&team, shift);
        }
    }
    let listed = faults.into_list();
    let sound = listed.iter().all(|fault| fault.grave != Grave::Error);
    (sound.then(|| rota.seal()), listed)
}

/// The cells of each line. Quotes around a cell are dropped; no cell of this table needs a comma or a line break within.
fn lines(text: &str) -> impl Iterator<Item = Vec<Placed<String>>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let mut at = start;
        start += line.len();
        line.trim_end_matches(['\r', '\n'])
            .split(',')
            .map(|cell| {
                let span = at..at + cell.len();
                at = span.end + 1;
                Placed { value: cell.trim().trim_matches('"').trim().to_owned(), span }
            })
            .collect()
    })
}

/// Where each of [`COLUMNS`] stands.
fn columns(faults: &Faults, head: &[Placed<String>]) -> Option<[usize; 5]> {
    let place = |name: &str| head.iter().position(|cell| cell.value.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = COLUMNS.into_iter().filter(|name| place(name).is_none()).collect();
    for cell in head.iter().filter(|cell| !COLUMNS.iter().chain([&ROLE]).any(|name| cell.value.eq_ignore_ascii_case(name))) {
        let title = format!("column `{}` is not known and not read", cell.value);
        faults.warning("rota.column", cell.span.clone(), title, "not read", "columns: date,team,from,to,person,role");
    }
    if !missing.is_empty() {
        let title = format!("columns are missing: {}", missing.join(", "));
        faults.error("rota.column", whole(head), title, "the first line names the columns", "write date,team,from,to,person,role");
        return None;
    }
    Some(COLUMNS.map(|name| place(name).unwrap_or_default()))
}

fn whole(line: &[Placed<String>]) -> Range<usize> {
    line.first().map_or(0, |cell| cell.span.start)..line.last().map_or(0, |cell| cell.span.end)
}

fn row(faults: &Faults, columns: &[usize; 5], line: &[Placed<String>], policy: &Policy) -> Option<(String, Shift)> {
    let cells: Vec<&Placed<String>> = columns.iter().filter_map(|index| line.get(*index)).collect();
    let [date, team, from, to, person] = cells.as_slice() else {
        faults.error("rota.cells", whole(line), "a line with too few cells", "", "write date,team,from,to,person");
        return None;
    };
    let day = day(&date.value);
    if day.is_none() {
        let title = format!("`{}` is not a date", date.value);
        faults.error("rota.date", date.span.clone(), title, "not understood", "write 2026-12-01 or 2026/12/1");
    }
    let stretch = Stretch::parse(&format!("{}-{}", from.value, to.value));
    if stretch.is_none() {
        let title = format!("`{}` to `{}` is no stretch of time", from.value, to.value);
        faults.error("rota.time", from.span.start..to.span.end, title, "not understood", "write 22:00 and 07:00");
    }
    let team = team_of(faults, team, policy);
    let person = person_of(faults, person, team.as_deref(), policy);
    let (day, stretch, team, person) = (day?, stretch?, team?, person?);
    let zone = &policy.time_zone;
    let (from, to) = instant(day, stretch.from, zone).zip(instant(day, stretch.to, zone))?;
    Some((team, Shift { from, to, people: vec![person] }))
}

/// `2026-12-01`, or as spreadsheets write it: `2026/12/1`.
fn day(text: &str) -> Option<Date> {
    text.parse().ok().or_else(|| {
        let mut parts = text.split('/');
        let (year, month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then(|| Date::new(year, month, day).ok())?
    })
}

fn team_of(faults: &Faults, cell: &Placed<String>, policy: &Policy) -> Option<String> {
    let named = policy.teams.iter().find(|team| team.id == cell.value || team.name == cell.value);
    let given = Placed { value: named.map_or_else(|| cell.value.clone(), |team| team.id.clone()), span: cell.span.clone() };
    let id = known(faults, "rota.unknown-team", "team", given, policy.teams.iter().map(|team| team.id.as_str()))?;
    let has_rota = policy.teams.iter().any(|team| team.id == id && team.has_rota);
    if !has_rota {
        let help = format!("write `rota = true` under [teams.{id}] of the policy");
        faults.error("rota.team", cell.span.clone(), format!("team `{id}` has no rota"), "all its members are always told", help);
    }
    has_rota.then_some(id)
}

fn person_of(faults: &Faults, cell: &Placed<String>, team: Option<&str>, policy: &Policy) -> Option<String> {
    let value = policy.person_called(&cell.value).map_or_else(|| cell.value.clone(), |person| person.id.clone());
    let given = Placed { value, span: cell.span.clone() };
    let id = known(faults, "rota.unknown-person", "person", given, policy.people.iter().map(|person| person.id.as_str()))?;
    let team = policy.teams.iter().find(|one| Some(one.id.as_str()) == team)?;
    let belongs = team.members.contains(&id);
    if !belongs {
        let help = format!("add them to `members` of [teams.{}], or correct the line", team.id);
        faults.error("rota.stranger", cell.span.clone(), format!("`{id}` is not a member of team `{}`", team.id), "not a member", help);
    }
    belongs.then_some(id)
}

/// `[[override]]`: for so long, these people are the team.
pub(crate) fn overrides(root: &Table<'_>, names: &Names, teams: &[String], zone: Option<&TimeZone>) -> Rota {
    let mut rota = Rota::default();
    let mut seen: Vec<(String, Shift)> = vec![];
    for table in root.tables("override") {
        let faults = table.faults();
        let ids = || teams.iter().map(String::as_str);
        let team = table.text_required("team").and_then(|given| known(faults, "policy.unknown-team", "team", given, ids()));
        let moment = |key: &'static str| {
            let given = table.text_required(key)?;
            let at = wall(&given.value).zip(zone).and_then(|(wall, zone)| zone.to_timestamp(wall).ok());
            if at.is_none() && zone.is_some() {
                let title = format!("`{key}` is not a time of day");
                faults.error("policy.date", given.span, title, "not understood", "write \"2026-12-31T18:00\"");
            }
            at
        };
        let (from, to) = (moment("from"), moment("to"));
        let people: Vec<String> = table
            .texts("people")
            .into_iter()
            .filter_map(|given| known(faults, "policy.unknown-person", "person", given, names.people.iter().map(String::as_str)))
            .collect();
        if people.is_empty() && !table.has("people") {
            faults.error("policy.nobody", table.span(), "an exception without people", "nobody is on duty", "write people = [\"…\"]");
        }
        table.finish();
        let (Some(team), Some(from), Some(to)) = (team, from, to) else { continue };
        if let Some(shift) = checked(&table, &team, Shift { from, to, people }, &seen) {
            seen.push((team.clone(), shift.clone()));
            rota.add(&team, shift);
        }
    }
    rota.seal()
}

fn wall(text: &str) -> Option<DateTime> {
    text.parse().ok()
}

fn checked(table: &Table<'_>, team: &str, shift: Shift, seen: &[(String, Shift)]) -> Option<Shift> {
    let faults = table.faults();
    let length = shift.to.duration_since(shift.from);
    if length <= SignedDuration::ZERO || length > SignedDuration::from_hours(SHIFT_HOURS_MAX) {
        let title = format!("an exception lasts up to {SHIFT_HOURS_MAX} hours");
        faults.error("policy.date", table.span(), title, "too long, or ends before it begins", "write several, or change the rota");
        return None;
    }
    let meets = |known: &&(String, Shift)| known.0 == team && known.1.from < shift.to && shift.from < known.1.to;
    if seen.iter().find(meets).is_some() {
        let title = format!("two exceptions of team `{team}` overlap");
        faults.error("policy.hours", table.span(), title, "overlaps an earlier one", "shorten one of them");
        return None;
    }
    Some(shift)
}

impl Policy {
    /// The end of the rota, if any team has one.
    pub fn rota_ends_at(&self) -> Option<Timestamp> {
        self.rota.ends_at()
    }
}
