//! Reading `policy.toml`: every fault at once, each at its place.

use crate::diag::{Diagnostic, Grave, SourceText};
use crate::model::digest::Digest;
use crate::policy::exposure::Exposures;
use crate::policy::people::Team;
use crate::policy::{Policy, Rota, Sender};
use crate::sheet::{self, Faults, Placed, Table};
use jiff::tz::TimeZone;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

mod check;
mod digests;
mod hours;
mod ladders;
mod people;
pub mod rota;
mod routes;
mod throttle;
mod trial;

/// Newest format this program reads.
const FORMAT: i64 = 2;

/// Longest mail address (RFC 5321, 4.5.3.1.3), in bytes.
const ADDRESS_BYTES_MAX: usize = 254;

/// Bounds of `max_alert_age_hours`: below, an ordinary backlog would be silent; above, it means never.
const ALERT_AGE_HOURS: RangeInclusive<i64> = 1..=720;

/// A day: whoever worked the shift has gone, and the list of the morning says it better than a page.
const ALERT_AGE_HOURS_DEFAULT: u64 = 24;

/// Largest number of edits at which a name is taken for a misspelt one.
const EDITS_MAX: usize = 3;

/// Something of the file with the place to point at.
#[derive(Debug)]
pub(crate) struct At<T> {
    /// The thing.
    pub(crate) it: T,
    /// Its place.
    pub(crate) span: Range<usize>,
}

/// Reads and checks the whole file.
pub fn policy(source: &SourceText) -> (Option<Policy>, Vec<Diagnostic>) {
    let (policy, faults) = sheet::parse(source, |root| root_table(root, source));
    let sound = faults.iter().all(|fault| fault.grave != Grave::Error);
    (policy.filter(|_| sound), faults)
}

fn root_table(root: &Table<'_>, source: &SourceText) -> Option<Policy> {
    let is_known = format(root);
    let version = root.text_required("version");
    let effective = root.text_required("effective").and_then(|text| date(root.faults(), "effective", &text));
    let time_zone = zone(root);
    let sender = root.table("sender").and_then(|table| sender(&table));
    if !root.has("sender") {
        missing(root, "[sender]", "add `[sender]` with `address` and `name`");
    }
    let domains = own_domains(root, sender.as_ref());
    let channels = people::channels(root);
    let people = people::people(root, &channels, &domains);
    let (calendar, hours) = (hours::calendar(root), hours::hours(root));
    let teams = people::teams(root, &people, &hours);
    let names = people::names(&channels, &people, &teams, &hours);
    let ladders = ladders::ladders(root, &names);
    let care_desks = root.table("care").map(|table| texts(&table, "desks")).unwrap_or_default();
    let routes = routes::routes(root, &ladders);
    let is_owned = !is_known || check::every_case_has_a_ladder(root, &routes);
    let trials = trial::trials(root, &names);
    let max_alert_age = max_alert_age(root);
    let team_ids: Vec<String> = teams.iter().map(|team| team.it.id.clone()).collect();
    let overrides = rota::overrides(root, &names, &team_ids, time_zone.as_ref());
    let rota_file = rota_file(root, &teams);
    let (digests, modes) = (digests::digests(root, &names), digests::modes(root));
    let policy = Policy {
        version: version?.value,
        effective: effective?,
        time_zone: time_zone?,
        sender: sender?,
        own_domains: domains,
        channels: channels.into_iter().map(|channel| channel.it).collect(),
        people: people.into_iter().map(|person| person.it).collect(),
        teams: teams.into_iter().map(|team| team.it).collect(),
        calendar,
        hours: hours.into_iter().map(|hours| hours.it).collect(),
        ladders: vec![],
        routes: vec![],
        care_desks,
        digests,
        max_alert_age,
        rota_file,
        rota: Rota::default(),
        overrides,
        modes,
        exposures: Exposures::default(),
        throttle: throttle::throttle(root),
        digest: Digest::of(source.text.as_bytes()),
    };
    // A file of another format would only be scolded for what it is not.
    (is_known && is_owned).then(|| check::whole(root, policy, &ladders, routes, &trials))?
}

fn format(root: &Table<'_>) -> bool {
    let Some(format) = root.integer("format") else {
        missing(root, "`format`", &format!("add `format = {FORMAT}`"));
        return true;
    };
    if format.value != FORMAT {
        let help = format!("this program reads format {FORMAT}; see the shipped config/policy.toml");
        root.faults().error("policy.format", format.span, format!("format {} is not known", format.value), "", help);
    }
    format.value == FORMAT
}

fn missing(table: &Table<'_>, what: &str, help: &str) {
    table.faults().error("toml.missing", table.span(), format!("{what} is missing"), "in this file", help.to_owned());
}

/// Domains that mail may go to: the sender's, where the file names none.
fn own_domains(root: &Table<'_>, sender: Option<&Sender>) -> Vec<String> {
    let named: Vec<String> = root.texts("own_domains").into_iter().map(|text| text.value.to_ascii_lowercase()).collect();
    let of_sender = sender.and_then(|sender| sender.address.rsplit('@').next()).map(str::to_ascii_lowercase);
    if named.is_empty() { of_sender.into_iter().collect() } else { named }
}

/// A name that must be known; else the fault says which one was probably meant.
pub(crate) fn known<'a>(
    faults: &Faults,
    code: &'static str,
    what: &str,
    given: Placed<String>,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let mut near: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate == given.value {
            return Some(given.value);
        }
        let edits = strsim::damerau_levenshtein(candidate, &given.value);
        if edits <= EDITS_MAX && edits < given.value.chars().count() && near.is_none_or(|(known, _)| edits < known) {
            near = Some((edits, candidate));
        }
    }
    let help = near.map_or_else(|| format!("name a {what} of this file"), |(_, candidate)| format!("did you mean `{candidate}`?"));
    faults.error(code, given.span, format!("no {what} is called `{}`", given.value), "not known", help);
    None
}

fn texts(table: &Table<'_>, key: &'static str) -> Vec<String> {
    let texts = table.texts(key).into_iter().map(|text| text.value).collect();
    table.finish();
    texts
}

pub(crate) fn date(faults: &Faults, key: &str, text: &Placed<String>) -> Option<jiff::civil::Date> {
    let parsed = text.value.parse().ok();
    if parsed.is_none() {
        faults.error(
            "policy.date",
            text.span.clone(),
            format!("`{key}` is not a date"),
            "not understood",
            "write a date such as \"2026-10-01\"",
        );
    }
    parsed
}

/// `rota`: a team with a rota needs the file.
fn rota_file(root: &Table<'_>, teams: &[At<Team>]) -> Option<String> {
    let file = root.text("rota").map(|given| given.value);
    if let Some(team) = teams.iter().find(|team| team.it.has_rota).filter(|_| file.is_none()) {
        let title = format!("team `{}` has a rota, and no file says whose turn it is", team.it.id);
        root.faults().error("policy.no-rota", team.span.clone(), title, "no `rota`", "write `rota = \"rota.csv\"` at the top of the file");
    }
    file
}

/// `max_alert_age_hours`.
fn max_alert_age(root: &Table<'_>) -> Duration {
    let given = root.integer_in("max_alert_age_hours", ALERT_AGE_HOURS);
    Duration::from_hours(given.and_then(|given| u64::try_from(given.value).ok()).unwrap_or(ALERT_AGE_HOURS_DEFAULT))
}

fn zone(root: &Table<'_>) -> Option<TimeZone> {
    let name = root.text("time_zone").unwrap_or(Placed { value: "Asia/Tokyo".to_owned(), span: root.span() });
    let found = TimeZone::get(&name.value).ok();
    if found.is_none() {
        root.faults().error(
            "policy.time-zone",
            name.span,
            format!("no time zone is called `{}`", name.value),
            "not known",
            "write a name such as \"Asia/Tokyo\"",
        );
    }
    found
}

fn sender(table: &Table<'_>) -> Option<Sender> {
    let given = table.text_required("address");
    let name = match table.text("name") {
        Some(name) => one_line(table.faults(), name),
        None => Some("見守り".to_owned()),
    };
    table.finish();
    Some(Sender { address: address(table.faults(), given?)?, name: name? })
}

/// An address that can stand in a mail header and an envelope.
pub(crate) fn address(faults: &Faults, given: Placed<String>) -> Option<String> {
    let text = given.value.as_str();
    let well_formed = text.split_once('@').is_some_and(|(local, domain)| {
        let local_ok = !local.is_empty() && local.chars().all(|c| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c));
        let domain_ok = !domain.is_empty()
            && domain.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
            && !domain.starts_with('.')
            && !domain.ends_with('.');
        local_ok && domain_ok && text.len() <= ADDRESS_BYTES_MAX
    });
    if !well_formed {
        faults.error("policy.address", given.span, "not a mail address", "cannot be sent to", "write it as name@example.jp");
        return None;
    }
    Some(given.value)
}

/// A text that goes into mail headers and one line of an alert: a control character could add a header of its own.
pub(crate) fn one_line(faults: &Faults, given: Placed<String>) -> Option<String> {
    if given.value.chars().any(char::is_control) {
        faults.error(
            "policy.control",
            given.span,
            "a control character or line break",
            "cannot stand in a mail header",
            "write it on one line",
        );
        return None;
    }
    Some(given.value)
}
