//! `[channels]`, `[people]`, `[teams]`.

use crate::model::severity::Category;
use crate::policy::hours::Hours;
use crate::policy::people::{Absence, Channel, ChannelKind, Person, Team};
use crate::policy::read::{At, address, date, known, missing, one_line};
use crate::sheet::{Placed, Table};
use std::collections::BTreeMap;

/// Bounds of `exposure_max_per_day`: whoever wants none at all is taken off the steps, and more than the upper one is no limit.
const EXPOSURE: std::ops::RangeInclusive<i64> = 1..=1_000;

/// Every name that a ladder may use.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Keys of people.
    pub(crate) people: Vec<String>,
    /// Keys of people and teams.
    pub(crate) callees: Vec<String>,
    /// Keys of channels.
    pub(crate) channels: Vec<String>,
    /// Keys of working hours.
    pub(crate) hours: Vec<String>,
}

/// Collects the names.
pub(crate) fn names(channels: &[At<Channel>], people: &[At<Person>], teams: &[At<Team>], hours: &[At<Hours>]) -> Names {
    let of_people = people.iter().map(|person| person.it.id.clone());
    Names {
        people: people.iter().map(|person| person.it.id.clone()).collect(),
        callees: of_people.chain(teams.iter().map(|team| team.it.id.clone())).collect(),
        channels: channels.iter().map(|channel| channel.it.id.clone()).collect(),
        hours: hours.iter().map(|hours| hours.it.id.clone()).collect(),
    }
}

/// `[channels.…]`.
pub(crate) fn channels(root: &Table<'_>) -> Vec<At<Channel>> {
    if !root.has("channels") {
        missing(root, "`[channels]`", "add `[channels.mail]` with `kind = \"mail\"`");
    }
    let rows = root.table("channels").map(|table| table.named_tables()).unwrap_or_default();
    rows.into_iter().map(|(key, table)| channel(key, &table)).collect()
}

fn channel(key: Placed<String>, table: &Table<'_>) -> At<Channel> {
    let kind = table.text_required("kind").and_then(|given| {
        let kinds = ChannelKind::ALL;
        let id = known(table.faults(), "policy.channel-kind", "kind of channel", given, kinds.iter().map(|kind| kind.id()))?;
        kinds.into_iter().find(|kind| kind.id() == id)
    });
    let wakes = table.boolean("wakes").is_some_and(|given| given.value);
    let transport = table.text("transport").map(|given| given.value);
    let leaves_site = leaves_site(table, kind);
    table.finish();
    // A channel at fault is still known by name: one mistake, one message.
    let kind = kind.unwrap_or(ChannelKind::Mail);
    let transport = transport.unwrap_or_else(|| kind.id().to_owned());
    At { span: key.span, it: Channel { id: key.value, kind, wakes, transport, leaves_site } }
}

/// Whether a channel ends outside: everything but mail does unless somebody decided otherwise, by name and for a reason.
fn leaves_site(table: &Table<'_>, kind: Option<ChannelKind>) -> bool {
    let by_kind = kind.is_some_and(|kind| kind != ChannelKind::Mail);
    let given = table.boolean("leaves_site");
    let (who, why) = (table.text("decided_by"), table.text("reason"));
    let Some(given) = given else { return by_kind };
    let is_widened = by_kind && !given.value;
    if is_widened && (who.is_none() || why.is_none()) {
        let help = "add decided_by = \"…\" and reason = \"…\": whoever lets the words of customers out answers for it";
        table.faults().error("policy.leaves-site", given.span, "a channel that carries text, without a decision", "who decided?", help);
    }
    given.value
}

/// `[people.…]`.
pub(crate) fn people(root: &Table<'_>, channels: &[At<Channel>], domains: &[String]) -> Vec<At<Person>> {
    let rows = root.table("people").map(|table| table.named_tables()).unwrap_or_default();
    let ids: Vec<String> = rows.iter().map(|(key, _)| key.value.clone()).collect();
    rows.into_iter().map(|(key, table)| person(key, &table, channels, domains, &ids)).collect()
}

fn person(key: Placed<String>, table: &Table<'_>, channels: &[At<Channel>], domains: &[String], ids: &[String]) -> At<Person> {
    let name = table.text_required("name").and_then(|name| one_line(table.faults(), name)).unwrap_or_default();
    let reach = table.table("reach").map(|reach| addresses(&reach, channels, domains)).unwrap_or_default();
    if !table.has("reach") {
        table.faults().error(
            "policy.unreachable",
            key.span.clone(),
            format!("`{}` cannot be reached", key.value),
            "no `reach`",
            "add `reach = { mail = \"name@example.jp\" }`",
        );
    }
    let absences = table.tables("absent").iter().filter_map(|row| absence(row, ids)).collect();
    let avoid = table.texts("avoid").into_iter().filter_map(|given| category(table, given)).collect();
    let exposure = table.integer_in("exposure_max_per_day", EXPOSURE).and_then(|given| u32::try_from(given.value).ok());
    let disabled = table.boolean("disabled").is_some_and(|given| given.value);
    table.finish();
    At { span: key.span, it: Person { id: key.value, name, reach, absences, avoid, exposure_max_per_day: exposure, disabled } }
}

fn addresses(reach: &Table<'_>, channels: &[At<Channel>], domains: &[String]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, given) in reach.named_texts() {
        let ids = channels.iter().map(|channel| channel.it.id.as_str());
        let Some(id) = known(reach.faults(), "policy.unknown-channel", "channel", key, ids) else { continue };
        let is_mail = channels.iter().any(|channel| channel.it.id == id && channel.it.kind == ChannelKind::Mail);
        let span = given.span.clone();
        let written = given.value.clone();
        let sound = if is_mail { address(reach.faults(), given) } else { one_line(reach.faults(), given) };
        let Some(sound) = sound else {
            // One mistake, one message: this person has an address, only a wrong one.
            found.insert(id, written);
            continue;
        };
        let domain = sound.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        let is_outside = channels.iter().any(|channel| channel.it.id == id && channel.it.leaves_site);
        if is_mail && !is_outside && !domains.is_empty() && !domains.contains(&domain) {
            let help = format!(
                "alerts stay with us: allowed are {}; widen `own_domains`, or use a mail channel with `leaves_site = true`",
                domains.join(", ")
            );
            reach.faults().error("policy.domain", span, "an address outside our own domains", "would leave the company", help);
        }
        found.insert(id, sound);
    }
    found
}

fn absence(table: &Table<'_>, ids: &[String]) -> Option<Absence> {
    let read = |key: &'static str| {
        let given = table.text_required(key)?;
        date(table.faults(), key, &given).map(|date| (date, given.span))
    };
    let (from, to) = (read("from"), read("to"));
    let given = table.text("substitute");
    let substitute =
        given.and_then(|given| known(table.faults(), "policy.unknown-person", "person", given, ids.iter().map(String::as_str)));
    table.finish();
    let ((from, _), (to, span)) = (from?, to?);
    if to < from {
        table.faults().error("policy.date", span, "an absence that ends before it begins", "before `from`", "exchange the dates");
    }
    Some(Absence { from, to, substitute })
}

pub(crate) fn category(table: &Table<'_>, given: Placed<String>) -> Option<Category> {
    let id = known(table.faults(), "policy.category", "category", given, Category::ALL.iter().map(|one| one.id()))?;
    Category::parse(&id)
}

/// `[teams.…]`.
pub(crate) fn teams(root: &Table<'_>, people: &[At<Person>], hours: &[At<Hours>]) -> Vec<At<Team>> {
    let rows = root.table("teams").map(|table| table.named_tables()).unwrap_or_default();
    rows.into_iter().map(|(key, table)| team(key, &table, people, hours)).collect()
}

fn team(key: Placed<String>, table: &Table<'_>, people: &[At<Person>], hours: &[At<Hours>]) -> At<Team> {
    if people.iter().any(|person| person.it.id == key.value) {
        let title = format!("`{}` is a person and a team", key.value);
        table.faults().error("policy.duplicate", key.span.clone(), title, "named twice", "give the team another name");
    }
    let name = table.text("name").and_then(|name| one_line(table.faults(), name));
    let ids = || people.iter().map(|person| person.it.id.as_str());
    let given = table.texts("members");
    if given.is_empty() {
        let title = format!("team `{}` has no members", key.value);
        table.faults().error("policy.nobody", key.span.clone(), title, "tells nobody", "name people: members = [\"…\"]");
    }
    let members = given.into_iter().filter_map(|one| known(table.faults(), "policy.unknown-person", "person", one, ids())).collect();
    let has_rota = table.boolean("rota").is_some_and(|given| given.value);
    let open = || hours.iter().map(|hours| hours.it.id.as_str());
    let hours = table.text("hours").and_then(|given| known(table.faults(), "policy.unknown-hours", "set of hours", given, open()));
    table.finish();
    let name = name.unwrap_or_else(|| key.value.clone());
    At { span: key.span, it: Team { id: key.value, name, members, has_rota, hours } }
}
