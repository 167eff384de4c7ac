//! From a draft to a verdict: level, categories, lanes and the two scores, from lexicon evidence and whatever other readers add.
//!
//! Pure and total. Rights assertion and accommodation are lanes beside the level: they never lower it.

use crate::engine::draft::Draft;
use crate::engine::tally::Tally;
use crate::model::severity::{Axis, Category, Lane, Level};
use crate::model::verdict::{EVIDENCE_MAX, Evidence, SUPPRESSED_MAX, Score, Verdict};

/// What a level contributes to the score of its axis, in hundredths.
pub const LEVEL_WEIGHT: [u32; 5] = [0, 30, 60, 85, 100];
/// What every further distinct entry on the same axis adds, in hundredths.
pub const FURTHER_WEIGHT: u32 = 2;
/// So many different level 1 insults are one level 2: single rude words do not add up, a torrent of them does.
pub const INSULTS_MAKE_ABUSE: usize = 3;

/// The engine version printed in verdicts.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Makes the verdict. `extra` is evidence of other readers; its axis is that of its category.
pub fn fuse(draft: Draft, extra: &[Evidence]) -> Verdict {
    let Draft { id, mut evidence, mut suppressed, mut more, mut tally, coverage, lexicon, .. } = draft;
    for found in extra {
        tally.add(&found.entry.0, found.category, found.lane, found.level, axis_of(found.category), false);
        evidence.push(found.clone());
    }
    sort(&mut evidence);
    more += evidence.len().saturating_sub(EVIDENCE_MAX) + suppressed.len().saturating_sub(SUPPRESSED_MAX);
    evidence.truncate(EVIDENCE_MAX);
    suppressed.truncate(SUPPRESSED_MAX);
    let level = level(&tally);
    let lanes: Vec<Lane> = Lane::ALL.iter().copied().filter(|lane| tally.lanes.contains(lane)).collect();
    let self_harm = lanes.contains(&Lane::SelfHarm);
    // Beside abuse, a rude word is not worth a category of its own: its evidence stays.
    let least = tally.level.min(Level::Suspected);
    let shown = |category: &Category| {
        tally.categories.get(category).is_some_and(|gravest| *gravest >= least) || (self_harm && *category == Category::SelfHarm)
    };
    Verdict {
        id,
        level,
        level_name: level.name().to_owned(),
        categories: Category::ALL.iter().copied().filter(shown).collect(),
        urgent: level == Level::Emergency || self_harm || tally.urgent_incident,
        demand: score(&tally, Axis::Demand),
        manner: score(&tally, Axis::Manner),
        lanes,
        evidence,
        suppressed,
        more,
        coverage,
        lexicon,
        engine: ENGINE_VERSION.to_owned(),
    }
}

/// Gravest first, then as the reader meets it.
pub fn sort(evidence: &mut [Evidence]) {
    evidence
        .sort_by(|a, b| (b.level, a.field, a.start, a.end, &a.entry, a.kind).cmp(&(a.level, b.field, b.start, b.end, &b.entry, b.kind)));
}

fn level(tally: &Tally) -> Level {
    let mut level = tally.level;
    if level == Level::Watch && tally.mild_insults.len() >= INSULTS_MAKE_ABUSE {
        level = Level::Suspected;
    }
    // Mass extortion mail frightens nobody who gets it daily; a bomb or attack notice is never only spam.
    if tally.lanes.contains(&Lane::ScamSpam) && !tally.attack {
        level = level.min(Level::Watch);
    }
    level
}

fn score(tally: &Tally, axis: Axis) -> Score {
    let distinct = tally.entries.iter().filter(|(_, of)| *of == axis).count();
    let gravest = tally.gravest[axis as usize];
    let further = u32::try_from(distinct.saturating_sub(1)).unwrap_or(u32::MAX).saturating_mul(FURTHER_WEIGHT);
    if gravest == Level::Ordinary {
        Score::default()
    } else {
        Score::new(LEVEL_WEIGHT[usize::from(gravest.number())].saturating_add(further))
    }
}

/// Harassment by what is wanted, otherwise by how it is said.
fn axis_of(category: Option<Category>) -> Axis {
    match category {
        Some(Category::Coercion | Category::Extortion) => Axis::Demand,
        _ => Axis::Manner,
    }
}
