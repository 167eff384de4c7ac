//! What would happen: a ladder climbed on a virtual clock, by the same functions that the worker uses.

use crate::policy::Policy;
use crate::policy::climb::{Climb, SkipReason};
use crate::policy::people::Recipient;
use crate::policy::route::Facts;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

/// Most moments a timeline shows: an end that repeats forever must not.
pub const MOMENTS_MAX: usize = 500;

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// When.
    pub at: Timestamp,
    /// Who, how.
    pub to: Recipient,
    /// Number of the rung, from 1.
    pub rung: usize,
    /// Told before.
    pub is_repeat: bool,
    /// The rungs are over; this repeats until somebody takes the case.
    pub is_final: bool,
    /// A digest tells them at its next time; nothing is sent now.
    pub is_listed: bool,
    /// Who was passed over on the way, and why.
    pub skipped: Vec<String>,
}

/// Somebody who acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledging {
    /// When.
    pub at: Timestamp,
    /// Key or name of the person; nobody in particular fits a ladder that anybody may acknowledge.
    pub by: Option<String>,
}

/// Everybody who would be told of such a case opened at `at`, by an alert or in a list, until `until` or until it is wholly acknowledged.
pub fn timeline(policy: &Policy, facts: &Facts, at: Timestamp, acknowledged: &[Acknowledging], until: Timestamp) -> Vec<Row> {
    let mut climb = Climb::start(policy, facts, at);
    let slots = policy.ladder_for(facts).acknowledge_by.clone();
    let mut rows = vec![];
    for _ in 0..MOMENTS_MAX {
        let now = climb.due;
        let filled = filled(policy, &slots, acknowledged, now);
        let is_taken = acknowledged.iter().any(|one| one.at <= now) && filled.len() == slots.len();
        if now > until || is_taken {
            break;
        }
        let done = |person: &str| policy.is_done(person, &slots, &|slot| filled.contains(slot));
        let Some(fired) = climb.fire(policy, facts, &done, now) else { break };
        let skipped: Vec<String> = fired.skipped.iter().map(|skip| shown(&skip.name, skip.why)).collect();
        for to in fired.calls {
            let (rung, is_repeat, is_final, is_listed) = (fired.rung + 1, fired.is_repeat, fired.is_final, fired.is_listed);
            rows.push(Row { at: now, to, rung, is_repeat, is_final, is_listed, skipped: skipped.clone() });
        }
    }
    rows
}

fn filled(policy: &Policy, slots: &[String], acknowledged: &[Acknowledging], now: Timestamp) -> BTreeSet<String> {
    let mut filled = BTreeSet::new();
    for one in acknowledged.iter().filter(|one| one.at <= now) {
        let by = one.by.as_deref().unwrap_or_default();
        filled.extend(policy.slot_of(by, slots, &|slot| filled.contains(slot)).map(str::to_owned));
    }
    filled
}

fn shown(name: &str, why: SkipReason) -> String {
    // Why somebody is spared is nobody's business.
    if why == SkipReason::Avoids { why.name().to_owned() } else { format!("{name}({})", why.name()) }
}
