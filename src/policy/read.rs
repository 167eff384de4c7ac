//! Reading `policy.toml`: every fault at once, each at its place.

use crate::diag::{Diagnostic, Grave, SourceText};
use crate::model::digest::Digest;
use crate::model::severity::Level;
use crate::policy::{Policy, Recipient, Route, Sender, Track};
use crate::sheet::{self, Faults, Placed, Table};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::time::Duration;

/// Newest format this program reads.
const FORMAT: i64 = 1;

/// Longest wait a route may name, in minutes: a week; more is a mistake in the unit.
const MINUTES_MAX: i64 = 7 * 24 * 60;

/// Most lines of advice in an alert: three things can be done at once, seven cannot be read.
const ADVICE_MAX: usize = 3;

/// Longest mail address (RFC 5321, 4.5.3.1.3), in bytes.
const ADDRESS_BYTES_MAX: usize = 254;

type People = BTreeMap<String, Vec<Recipient>>;

/// Reads and checks the whole file.
pub fn policy(source: &SourceText) -> (Option<Policy>, Vec<Diagnostic>) {
    let (policy, faults) = sheet::parse(source, |root| root_table(root, source));
    let sound = faults.iter().all(|fault| fault.grave != Grave::Error);
    (policy.filter(|_| sound), faults)
}

fn root_table(root: &Table<'_>, source: &SourceText) -> Option<Policy> {
    if let Some(format) = root.integer("format")
        && format.value != FORMAT
    {
        root.faults().error(
            "policy.format",
            format.span,
            format!("format {} is not known", format.value),
            "",
            format!("this program reads format {FORMAT}"),
        );
    }
    let version = root.text_required("version");
    let effective = root.text_required("effective").and_then(|text| date(root.faults(), &text));
    let time_zone = zone(root);
    let sender = root.table("sender").and_then(|table| sender(&table));
    if !root.has("sender") {
        root.faults().error(
            "toml.missing",
            root.span(),
            "`[sender]` is missing",
            "in this file",
            "add `[sender]` with `address` and `name`",
        );
    }
    let people = people(root);
    let care_desks = root.table("care").map(|table| texts(&table, "desks")).unwrap_or_default();
    let routes = root.tables("route").iter().filter_map(|table| route(table, &people)).collect::<Vec<_>>();
    every_track_has_a_route(root, &routes);
    Some(Policy {
        version: version?.value,
        effective: effective?,
        time_zone: time_zone?,
        sender: sender?,
        routes,
        care_desks,
        digest: Digest::of(source.text.as_bytes()),
    })
}

fn texts(table: &Table<'_>, key: &'static str) -> Vec<String> {
    let texts = table.texts(key).into_iter().map(|text| text.value).collect();
    table.finish();
    texts
}

fn date(faults: &Faults, text: &Placed<String>) -> Option<jiff::civil::Date> {
    let parsed = text.value.parse().ok();
    if parsed.is_none() {
        faults.error(
            "policy.date",
            text.span.clone(),
            "`effective` is not a date",
            "not understood",
            "write a date such as \"2026-10-01\"",
        );
    }
    parsed
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

/// People by their key, and groups by theirs.
fn people(root: &Table<'_>) -> People {
    let mut found = People::new();
    for (key, table) in root.table("people").map(|table| table.named_tables()).unwrap_or_default() {
        let name = table.text_required("name");
        let given = table.text_required("address");
        table.finish();
        let (name, address) =
            (name.and_then(|name| one_line(table.faults(), name)), given.and_then(|given| address(table.faults(), given)));
        // A person at fault is still known by name: one mistake, one message.
        let (name, address) = (name.unwrap_or_default(), address.unwrap_or_default());
        found.insert(key.value.clone(), vec![Recipient { person: key.value, name, address }]);
    }
    let mut groups = People::new();
    for (key, table) in root.table("groups").map(|table| table.named_tables()).unwrap_or_default() {
        if found.contains_key(&key.value) {
            table.faults().error(
                "policy.duplicate",
                key.span,
                format!("`{}` is a person and a group", key.value),
                "named twice",
                "give the group another name",
            );
        }
        let members = resolve(&table, "members", &found);
        table.finish();
        groups.insert(key.value, members);
    }
    found.extend(groups);
    found
}

fn resolve(table: &Table<'_>, key: &'static str, people: &People) -> Vec<Recipient> {
    let mut recipients = vec![];
    for name in table.texts(key) {
        if let Some(known) = people.get(&name.value) {
            recipients.extend(known.iter().cloned());
            continue;
        }
        let near = people
            .keys()
            .map(|known| (strsim::damerau_levenshtein(known, &name.value), known))
            .filter(|(distance, _)| *distance <= 3)
            .min();
        let help = near.map_or_else(|| "add it under [people] or [groups]".to_owned(), |(_, known)| format!("did you mean `{known}`?"));
        table.faults().error(
            "policy.unknown-person",
            name.span,
            format!("nobody is called `{}`", name.value),
            "neither a person nor a group",
            help,
        );
    }
    recipients.sort();
    recipients.dedup();
    recipients
}

fn route(table: &Table<'_>, people: &People) -> Option<Route> {
    let track = table.text_required("track").and_then(|text| track(table.faults(), &text));
    let levels = levels(table);
    let to = resolve(table, "to", people);
    if to.is_empty() && table.texts("to").is_empty() {
        table.faults().error(
            "policy.nobody",
            table.span(),
            "this route tells nobody",
            "`to` is missing or empty",
            "name people or groups: to = [\"…\"]",
        );
    }
    let fallback = resolve(table, "fallback", people);
    let acknowledge_within = minutes(table, "acknowledge_within_minutes");
    if !table.has("acknowledge_within_minutes") {
        table.faults().error(
            "toml.missing",
            table.span(),
            "`acknowledge_within_minutes` is missing",
            "in this route",
            "add `acknowledge_within_minutes = 30`",
        );
    }
    let repeat_after = minutes(table, "repeat_after_minutes");
    let advice = advice(table);
    table.finish();
    Some(Route { track: track?, levels, to, fallback, acknowledge_within: acknowledge_within?, repeat_after, advice })
}

fn track(faults: &Faults, text: &Placed<String>) -> Option<Track> {
    let found = Track::ALL.into_iter().find(|track| track.id() == text.value);
    if found.is_none() {
        let known = Track::ALL.map(Track::id).join(", ");
        faults.error(
            "policy.track",
            text.span.clone(),
            format!("no track is called `{}`", text.value),
            "not known",
            format!("one of: {known}"),
        );
    }
    found
}

fn levels(table: &Table<'_>) -> Vec<Level> {
    let mut levels = vec![];
    for number in table.integers("levels") {
        match u8::try_from(number.value).ok().and_then(|value| Level::try_from(value).ok()) {
            Some(level) => levels.push(level),
            None => table.faults().error(
                "policy.level",
                number.span,
                format!("{} is not a level", number.value),
                "levels are 0 to 4",
                "choose 0 to 4",
            ),
        }
    }
    levels
}

fn minutes(table: &Table<'_>, key: &'static str) -> Option<Duration> {
    let minutes = table.integer_in(key, 1..=MINUTES_MAX)?;
    Some(Duration::from_secs(u64::try_from(minutes.value).ok()? * 60))
}

fn advice(table: &Table<'_>) -> Vec<String> {
    let lines = table.texts("advice");
    if let Some(extra) = lines.get(ADVICE_MAX) {
        table.faults().error(
            "policy.advice",
            extra.span.clone(),
            format!("at most {ADVICE_MAX} lines of advice"),
            "one too many",
            "keep the three that must be done now",
        );
    }
    lines.into_iter().filter_map(|line| one_line(table.faults(), line)).collect()
}

fn every_track_has_a_route(root: &Table<'_>, routes: &[Route]) {
    for track in Track::ALL {
        let mine: Vec<&Route> = routes.iter().filter(|route| route.track == track).collect();
        if mine.is_empty() {
            let help = format!("add a `[[route]]` with `track = \"{}\"`", track.id());
            root.faults().error(
                "policy.no-owner",
                root.span(),
                format!("{} has no route: such alerts would reach nobody", track.name()),
                "",
                help,
            );
            continue;
        }
        let needed: &[Level] = if track == Track::Harassment { &[Level::Suspected, Level::Severe, Level::Emergency] } else { &[] };
        for level in needed {
            if !mine.iter().any(|route| route.levels.is_empty() || route.levels.contains(level)) {
                let help = format!("add {level} to the `levels` of a harassment route");
                root.faults().error("policy.no-owner", root.span(), format!("level {level} {} has no route", level.name()), "", help);
            }
        }
    }
}

/// An address that can stand in a mail header and an envelope.
fn address(faults: &Faults, given: Placed<String>) -> Option<String> {
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
fn one_line(faults: &Faults, given: Placed<String>) -> Option<String> {
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
