//! `[[route]]`: the tree of conditions.

use crate::model::message::Channel;
use crate::model::severity::{Lane, Level};
use crate::policy::Track;
use crate::policy::ladder::Ladder;
use crate::policy::read::people::category;
use crate::policy::read::{At, known};
use crate::policy::route::{Conditions, Route, customer_key};
use crate::sheet::{Faults, Placed, Table};
use std::ops::Range;

/// Deepest nesting of routes: more cannot be followed by a reader of the file.
const DEPTH_MAX: usize = 4;

/// `[[route]]`.
pub(crate) fn routes(root: &Table<'_>, ladders: &[At<Ladder>]) -> Vec<Route> {
    let rows = root.tables("route");
    siblings(&rows, ladders, None, 0)
}

fn siblings(rows: &[Table<'_>], ladders: &[At<Ladder>], inherited: Option<&str>, depth: usize) -> Vec<Route> {
    let mut found: Vec<(Range<usize>, Route)> = vec![];
    for table in rows {
        let Some(route) = route(table, ladders, inherited, depth) else { continue };
        if let Some((_, earlier)) = found.iter().find(|(_, earlier)| earlier.conditions.cover(&route.conditions)) {
            let title = "a route that is never reached";
            let label = format!("an earlier one, to ladder `{}`, takes all of this", earlier.ladder);
            table.faults().error("policy.unreachable-route", table.span(), title, label, "put the finer route first, or remove it");
        }
        found.push((table.span(), route));
    }
    found.into_iter().map(|(_, route)| route).collect()
}

fn route(table: &Table<'_>, ladders: &[At<Ladder>], inherited: Option<&str>, depth: usize) -> Option<Route> {
    let faults = table.faults();
    let conditions = conditions(table);
    let ids = ladders.iter().map(|ladder| ladder.it.id.as_str());
    let named = table.text("ladder").map(|given| known(faults, "policy.unknown-ladder", "ladder", given, ids));
    let ladder = match named {
        Some(known) => known,
        None => inherited.map(str::to_owned),
    };
    if ladder.is_none() && !table.has("ladder") {
        faults.error("policy.ends-nowhere", table.span(), "a route that leads to no ladder", "no `ladder`", "add `ladder = \"…\"`");
    }
    let rows = table.tables("route");
    if depth + 1 >= DEPTH_MAX && !rows.is_empty() {
        let title = format!("routes nested deeper than {DEPTH_MAX}");
        faults.error("policy.depth", table.span(), title, "too deep", "put the conditions side by side");
        return None;
    }
    let routes = siblings(&rows, ladders, ladder.as_deref(), depth + 1);
    table.finish();
    Some(Route { conditions, ladder: ladder?, routes })
}

fn conditions(table: &Table<'_>) -> Conditions {
    let faults = table.faults();
    let one_or_many =
        |one: &'static str, many: &'static str| -> Vec<Placed<String>> { table.text(one).into_iter().chain(table.texts(many)).collect() };
    let names = |one, many| one_or_many(one, many).into_iter().map(|given| given.value).collect();
    Conditions {
        tracks: one_or_many("track", "tracks").into_iter().filter_map(|given| track(faults, given)).collect(),
        levels: table.integers("levels").iter().filter_map(|given| level(faults, given)).collect(),
        tenants: names("tenant", "tenants"),
        queues: names("queue", "queues"),
        channels: one_or_many("channel", "channels").into_iter().filter_map(|given| channel(faults, given)).collect(),
        customers: one_or_many("customer", "customers").iter().map(|given| customer_key(&given.value)).collect(),
        categories: one_or_many("category", "categories").into_iter().filter_map(|given| category(table, given)).collect(),
        lanes: one_or_many("lane", "lanes").into_iter().filter_map(|given| lane(faults, given)).collect(),
    }
}

pub(crate) fn track(faults: &Faults, given: Placed<String>) -> Option<Track> {
    let id = known(faults, "policy.track", "track", given, Track::ALL.iter().map(|track| track.id()))?;
    Track::ALL.into_iter().find(|track| track.id() == id)
}

pub(crate) fn channel(faults: &Faults, given: Placed<String>) -> Option<Channel> {
    let id = known(faults, "policy.channel", "channel of messages", given, Channel::ALL.iter().map(|channel| channel.id()))?;
    Channel::ALL.into_iter().find(|channel| channel.id() == id)
}

fn lane(faults: &Faults, given: Placed<String>) -> Option<Lane> {
    let id = known(faults, "policy.lane", "lane", given, Lane::ALL.iter().map(|lane| lane.id()))?;
    Lane::parse(&id)
}

pub(crate) fn level(faults: &Faults, given: &Placed<i64>) -> Option<Level> {
    let level = u8::try_from(given.value).ok().and_then(|number| Level::try_from(number).ok());
    if level.is_none() {
        let title = format!("{} is not a level", given.value);
        faults.error("policy.level", given.span.clone(), title, "levels are 0 to 4", "choose 0 to 4");
    }
    level
}
