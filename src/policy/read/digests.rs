//! `[digests]` and `[[mode]]`.

use crate::model::severity::Lane;
use crate::policy::digest::{Digest, Mode, OWNED, Section};
use crate::policy::read::ladders::callees_of;
use crate::policy::read::people::Names;
use crate::policy::read::{At, known, one_line};
use crate::policy::{Ladder, Policy};
use crate::sheet::{Placed, Table};
use jiff::civil::Time;

/// `[digests.…]`.
pub(crate) fn digests(root: &Table<'_>, names: &Names) -> Vec<Digest> {
    let rows = root.table("digests").map(|table| table.named_tables()).unwrap_or_default();
    rows.into_iter().map(|(key, table)| digest(key, &table, names)).collect()
}

fn digest(key: Placed<String>, table: &Table<'_>, names: &Names) -> Digest {
    let name = table.text("name").and_then(|name| one_line(table.faults(), name));
    let (to, by) = callees_of(table, names);
    let mut at: Vec<Time> = table.texts("at").into_iter().filter_map(|given| time(table, &given)).collect();
    if at.is_empty() {
        let title = format!("digest `{}` has no time", key.value);
        table.faults().error("policy.digest", key.span.clone(), title, "never sent", "write at = [\"07:30\"]");
    }
    at.sort_unstable();
    let section = |given: Placed<String>| {
        let id = known(table.faults(), "policy.digest", "section", given, Section::ALL.iter().map(|one| one.id()))?;
        Section::ALL.into_iter().find(|one| one.id() == id)
    };
    let show = table.texts("show").into_iter().filter_map(section).collect();
    let lane = |given: Placed<String>| {
        let id = known(table.faults(), "policy.lane", "lane", given, Lane::ALL.iter().map(|one| one.id()))?;
        Lane::ALL.iter().copied().find(|one| one.id() == id)
    };
    let lanes = table.texts("lanes").into_iter().filter_map(lane).collect();
    let ids = names.hours.iter().map(String::as_str);
    let hours = table.text("hours").and_then(|given| known(table.faults(), "policy.unknown-hours", "set of hours", given, ids));
    let skips_empty = table.boolean("skip_empty").is_some_and(|given| given.value);
    table.finish();
    let name = name.unwrap_or_else(|| key.value.clone());
    Digest { id: key.value, name, to, by, at, hours, skips_empty, show, lanes }
}

fn time(table: &Table<'_>, given: &Placed<String>) -> Option<Time> {
    let parsed = given.value.split_once(':').and_then(|(hour, minute)| Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok());
    if parsed.is_none() {
        let title = format!("`{}` is not a time of day", given.value);
        table.faults().error("policy.digest", given.span.clone(), title, "not understood", "write it as \"07:30\"");
    }
    parsed
}

/// `[[mode]]`.
pub(crate) fn modes(root: &Table<'_>) -> Vec<Mode> {
    let one = |table: Table<'_>| {
        let (tenant, queue) = (table.text("tenant").map(|given| given.value), table.text("queue").map(|given| given.value));
        let given = table.text_required("mode");
        let mode = given.and_then(|given| known(table.faults(), "policy.mode", "mode", given, ["observe", "live"].into_iter()));
        table.finish();
        Mode { tenant, queue, is_observed: mode.as_deref() == Some("observe") }
    };
    root.tables("mode").into_iter().map(one).collect()
}

/// Whoever a step leaves to a list must be sent a list that shows it.
pub(crate) fn listed_steps_are_listed(root: &Table<'_>, policy: &Policy, ladders: &[At<Ladder>]) {
    let lists = policy.digests.iter().filter(|digest| digest.show.contains(&Section::Listed));
    let readers: Vec<&str> = lists.flat_map(|digest| policy.members(&digest.to)).collect();
    for ladder in ladders {
        let listed = ladder.it.rungs.iter().filter(|rung| rung.is_listed);
        let missing = listed.flat_map(|rung| policy.members(&rung.to)).find(|person| !readers.contains(person));
        let Some(person) = missing else { continue };
        let title = format!("ladder `{}` leaves `{person}` to a list that nobody sends", ladder.it.id);
        let help = "add them to a digest with show = [\"listed\"]";
        root.faults().error("policy.no-owner", ladder.span.clone(), title, "`listed = true`", help);
    }
}

/// Whether every lane that needs an owner has one, and what is only observed is listed somewhere.
pub(crate) fn check(root: &Table<'_>, digests: &[Digest], modes: &[Mode]) {
    for lane in OWNED {
        if digests.iter().any(|digest| digest.lanes.contains(&lane)) {
            continue;
        }
        let title = format!("lane `{}` ({}) has no owner", lane.id(), lane.name());
        let help = format!("list it in a digest: [digests.…] lanes = [\"{}\"]", lane.id());
        root.faults().error("policy.no-owner", root.span(), title, "", help);
    }
    let is_listed = digests.iter().any(|digest| digest.show.contains(&Section::Observed));
    if modes.iter().any(|mode| mode.is_observed) && !is_listed {
        let title = "a queue is only observed, and no digest lists what would have been told";
        root.faults().error("policy.no-owner", root.span(), title, "", "add show = [\"observed\"] to a digest");
    }
}
