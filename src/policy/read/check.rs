//! What can only be seen in the whole: every road ends at a human, urgent ones over two independent transports.

use crate::model::severity::{Category, Level};
use crate::policy::ladder::Ladder;
use crate::policy::read::At;
use crate::policy::read::digests;
use crate::policy::read::trial::{self, Trial};
use crate::policy::route::{Facts, Route};
use crate::policy::{Channel, Policy, Track};
use crate::sheet::{Faults, Table};
use std::collections::BTreeSet;

/// Independent transports that an urgent alert must leave by: one may be down.
const TRANSPORTS_MIN: usize = 2;

/// People who may be told of a kind on each ladder: with one alone, 「代わってもらう」 leads nowhere.
const READERS_MIN: usize = 2;

/// Completes the policy and notes every fault that needs more than one table.
pub(crate) fn whole(root: &Table<'_>, mut policy: Policy, ladders: &[At<Ladder>], routes: Vec<Route>, trials: &[Trial]) -> Option<Policy> {
    policy.routes = routes;
    substitutes_end(root, &policy);
    policy.ladders = ladders.iter().map(|ladder| ladder.it.clone()).collect();
    if policy.ladders.is_empty() || policy.routes.is_empty() {
        return None;
    }
    everybody_is_reachable(root, &policy, ladders);
    urgent_ladders_are_safe(root, &policy, ladders);
    nobody_reads_alone(root, &policy, ladders);
    digests::listed_steps_are_listed(root, &policy, ladders);
    if ladders.iter().all(|ladder| !ladder.it.rungs.is_empty()) {
        trial::run(root, &policy, trials);
    }
    // Last, and only for a file that is sound otherwise: who has mended it needs no list of lanes before.
    if !root.faults().has_errors() {
        digests::check(root, &policy.digests, &policy.modes);
    }
    Some(policy)
}

/// Every track and level that can occur, with nothing else known.
fn cases() -> impl Iterator<Item = Facts> {
    let harassment = [Level::Suspected, Level::Severe, Level::Emergency].map(|level| Facts::of(Track::Harassment, level));
    let others = [Track::Care, Track::Safety, Track::Unchecked].map(|track| Facts::of(track, Level::Ordinary));
    others.into_iter().chain(harassment)
}

/// A track or level without a route would reach nobody.
pub(crate) fn every_case_has_a_ladder(root: &Table<'_>, routes: &[Route]) -> bool {
    let mut all = true;
    for facts in cases() {
        let (track, level) = (facts.track, facts.level);
        if routes.iter().any(|route| route.ladder_for(&facts).is_some()) {
            continue;
        }
        all = false;
        let (title, help) = if track == Track::Harassment {
            let help = format!("add a `[[route]]` with `track = \"harassment\"`, `levels = [{level}]`");
            (format!("level {level} {} has no route", level.name()), help)
        } else {
            let help = format!("add a `[[route]]` with `track = \"{}\"`", track.id());
            (format!("{} has no route: such alerts would reach nobody", track.name()), help)
        };
        root.faults().error("policy.no-owner", root.span(), title, "", help);
    }
    all
}

/// Substitutes that stand in for each other would pass a case around until nobody is told.
fn substitutes_end(root: &Table<'_>, policy: &Policy) {
    for person in &policy.people {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&str> = vec![&person.id];
        while let Some(id) = waiting.pop() {
            for next in policy.person(id).into_iter().flat_map(|one| &one.absences).filter_map(|away| away.substitute.as_deref()) {
                if next == person.id {
                    let title = format!("the substitutes of `{}` lead back to the same person", person.id);
                    let help = "let the chain end at somebody who is there";
                    root.faults().error("policy.loop", place(root, &person.id), title, "a loop", help);
                    waiting.clear();
                    break;
                }
                if seen.insert(next) {
                    waiting.push(next);
                }
            }
        }
    }
}

fn place(root: &Table<'_>, person: &str) -> std::ops::Range<usize> {
    let rows = root.table("people").map(|table| table.named_tables()).unwrap_or_default();
    rows.into_iter().find(|(key, _)| key.value == person).map_or(root.span(), |(key, _)| key.span)
}

/// Each rung must reach somebody who has not left; each member of it should be reachable over one of its channels.
fn everybody_is_reachable(root: &Table<'_>, policy: &Policy, ladders: &[At<Ladder>]) {
    for ladder in ladders {
        for (to, by) in ladder.it.names().filter(|(to, by)| !to.is_empty() && !by.is_empty()) {
            let reached =
                |id: &&str| policy.person(id).is_some_and(|one| !one.disabled && by.iter().any(|way| one.reach.contains_key(way)));
            let members = policy.members(to);
            let missing: Vec<&str> = members.iter().filter(|id| !reached(id)).copied().collect();
            if !members.is_empty() && missing.len() == members.len() {
                let title = format!("a step of ladder `{}` reaches nobody", ladder.it.id);
                let label = format!("{} over {}", missing.join(", "), by.join(", "));
                root.faults().error("policy.unreachable", ladder.span.clone(), title, label, "give them an address on that channel");
            } else if !missing.is_empty() {
                let title = format!("not everybody on ladder `{}` can be reached", ladder.it.id);
                let label = format!("{} over {}", missing.join(", "), by.join(", "));
                root.faults().warning("policy.unreachable", ladder.span.clone(), title, label, "give them an address on that channel");
            }
        }
    }
}

/// A ladder that serves urgent cases must leave by two transports that do not fail together, and one of them must wake somebody.
fn urgent_ladders_are_safe(root: &Table<'_>, policy: &Policy, ladders: &[At<Ladder>]) {
    let mut urgent = BTreeSet::new();
    for facts in cases().filter(Facts::is_urgent) {
        collect(&policy.routes, &facts, &mut urgent);
    }
    for ladder in ladders.iter().filter(|ladder| urgent.contains(ladder.it.id.as_str())) {
        if let Some(hours) = &ladder.it.hours {
            let title = format!("urgent ladder `{}` sleeps", ladder.it.id);
            let label = format!("its time counts only in the hours `{hours}`");
            root.faults().error(
                "policy.urgent",
                ladder.span.clone(),
                title,
                label,
                "remove `hours`, or give urgent cases a ladder of their own",
            );
        }
        if ladder.it.rungs.iter().any(|rung| rung.is_listed) {
            let title = format!("urgent ladder `{}` waits for a list", ladder.it.id);
            root.faults().error("policy.urgent", ladder.span.clone(), title, "`listed = true`", "alert somebody at once");
        }
        let Some(first) = ladder.it.rungs.first() else { continue };
        let people = policy.members(&first.to);
        let used = first.by.iter().filter(|way| people.iter().any(|id| policy.person(id).is_some_and(|one| one.reach.contains_key(*way))));
        let channels: Vec<&Channel> = used.filter_map(|way| policy.channels.iter().find(|one| one.id == *way)).collect();
        let transports: BTreeSet<&str> = channels.iter().map(|channel| channel.transport.as_str()).collect();
        if transports.len() < TRANSPORTS_MIN || !channels.iter().any(|channel| channel.wakes) {
            let title = format!("urgent ladder `{}` hangs on one thread", ladder.it.id);
            let label = "its first step needs two independent transports, one of which wakes";
            let help = "add a channel with `wakes = true` over another transport to `by` and to `reach`";
            root.faults().error("policy.urgent", ladder.span.clone(), title, label, help);
        }
    }
}

/// Whoever need not read a kind is passed over, so a ladder needs two who read it: one alone can never be spared.
fn nobody_reads_alone(root: &Table<'_>, policy: &Policy, ladders: &[At<Ladder>]) {
    let avoided: BTreeSet<Category> = policy.people.iter().flat_map(|person| person.avoid.iter().copied()).collect();
    for ladder in ladders {
        let people: BTreeSet<&str> = ladder.it.names().flat_map(|(to, _)| policy.members(to)).collect();
        for category in &avoided {
            let reads = |id: &&&str| policy.person(id).is_some_and(|one| !one.disabled && !one.avoid.contains(category));
            let left = people.iter().filter(reads).count();
            if left >= READERS_MIN || left == people.len() {
                continue;
            }
            let title = format!("ladder `{}` has {left} who may be told of `{}`", ladder.it.id, category.id());
            let label = "the others asked to be spared";
            let help = "add somebody to a step who has not asked to be spared it, such as the manager";
            let say = if left == 0 { Faults::error } else { Faults::warning };
            say(root.faults(), "policy.avoid", ladder.span.clone(), title, label, help);
        }
    }
}

/// Ladders that some case of that track and level may meet, whatever else is true of it. A route that asks for nothing
/// else takes all that is left.
fn collect<'r>(siblings: &'r [Route], facts: &Facts, found: &mut BTreeSet<&'r str>) {
    for route in siblings {
        let conditions = &route.conditions;
        let by_track = conditions.tracks.is_empty() || conditions.tracks.contains(&facts.track);
        let by_level = facts.track != Track::Harassment || conditions.levels.is_empty() || conditions.levels.contains(&facts.level);
        if by_track && by_level {
            found.insert(&route.ladder);
            collect(&route.routes, facts, found);
        }
        if conditions.hold(facts) {
            return;
        }
    }
}
