//! Hints for the person who acts: what kind of act this is officially called, which articles may be related, what to do.
//!
//! A hint never says that an offence was committed: people judge, the machine points. Who cares for a life gets no law.
//! Plain bounded data, taken from the lexicon profile and kept with the case.

use crate::model::ids::EntryId;
use crate::model::severity::{Lane, Level};
use serde::{Deserialize, Serialize};

/// Most hints for one verdict: what is read within seconds of an alert, with the gravest first.
pub const GUIDANCE_MAX: usize = 5;

/// Most lines of each kind in [`Hints`]: an alert is read on a phone.
pub const HINT_LINES_MAX: usize = 6;

/// Most evidence ids named by one hint; the rest is in the verdict.
pub const BECAUSE_MAX: usize = 4;

/// What is known about one kind of act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guidance {
    /// Id of the guidance in the lexicon.
    pub id: String,
    /// The lane that called for it; absent for harassment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// The highest level of what called for it.
    pub level: Level,
    /// The evidence that called for it, gravest first, at most [`BECAUSE_MAX`]; empty where only the category is known.
    pub because: Vec<EntryId>,
    /// What the ministry's manual (厚労省 2022) or guideline calls it.
    pub mhlw: Vec<String>,
    /// What Tokyo's guideline calls it.
    pub tokyo: Vec<String>,
    /// Articles that may be related (関連しうる条文).
    pub articles: Vec<String>,
    /// What to do, in short imperative lines.
    pub advice: Vec<String>,
    /// Help desks that may be named to the writer.
    pub desks: Vec<String>,
}

/// The hints of one verdict as an alert shows them: merged, without repetition, at most [`HINT_LINES_MAX`] lines of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hints {
    /// Types of the ministry.
    pub mhlw: Vec<String>,
    /// Types of Tokyo.
    pub tokyo: Vec<String>,
    /// Articles that may be related.
    pub articles: Vec<String>,
    /// What to do.
    pub advice: Vec<String>,
    /// Help desks.
    pub desks: Vec<String>,
}

impl Hints {
    /// Merges hints, the gravest first. Advice for acts far milder than the gravest is left out: 「用件には通常どおり」 beside
    /// 「返信しない」 would only confuse.
    pub fn of<'g>(guidance: impl Iterator<Item = &'g Guidance>) -> Self {
        let mut hints = Self::default();
        let mut gravest = Level::Ordinary;
        for one in guidance {
            gravest = gravest.max(one.level);
            add(&mut hints.mhlw, &one.mhlw);
            add(&mut hints.tokyo, &one.tokyo);
            add(&mut hints.articles, &one.articles);
            add(&mut hints.desks, &one.desks);
            if one.lane.is_some() || one.level.number() + 1 >= gravest.number() {
                add(&mut hints.advice, &one.advice);
            }
        }
        hints
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn add(into: &mut Vec<String>, lines: &[String]) {
    for line in lines {
        if into.len() < HINT_LINES_MAX && !into.contains(line) {
            into.push(line.clone());
        }
    }
}
