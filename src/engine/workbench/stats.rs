//! What a lexicon is made of, in numbers.

use crate::engine::lexicon::compiled::{Lexicon, Owner};
use crate::engine::lexicon::object::Status;
use crate::model::verdict::Via;
use serde::Serialize;
use std::collections::BTreeMap;

/// Numbers of one lexicon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Entries and combinations by what they say (`threat 3`, `lane self_harm`, `cue`), live ones only.
    pub claims: BTreeMap<String, usize>,
    /// Entries and combinations by status.
    pub status: BTreeMap<String, usize>,
    /// Combinations among them.
    pub combinations: usize,
    /// Frames.
    pub frames: usize,
    /// Neutral forms.
    pub neutrals: usize,
    /// `hit` and `miss` sentences.
    pub examples: usize,
    /// Distinct texts searched for, by what asks for them; one text may be asked for by several.
    pub patterns: BTreeMap<String, usize>,
    /// Spellings of entries by the folds that generated them (`plain`: none).
    pub spellings: BTreeMap<String, usize>,
}

/// Counts `lexicon`. Linear in its patterns.
pub fn stats(lexicon: &Lexicon) -> Stats {
    let mut stats = Stats {
        combinations: lexicon.combinations.len(),
        frames: lexicon.frames.len(),
        examples: lexicon.examples.len(),
        ..Stats::default()
    };
    let claims = lexicon.entries.iter().map(|entry| &entry.claim).chain(lexicon.combinations.iter().map(|combination| &combination.claim));
    for claim in claims {
        let standing = match claim.status {
            Status::Live => "live",
            Status::Shadow => "shadow",
            Status::Retired => "retired",
        };
        *stats.status.entry(standing.to_owned()).or_default() += 1;
        if claim.status == Status::Live {
            let says = match (claim.category, claim.lane) {
                (Some(category), _) if claim.speaks() => format!("{} {}", category.id(), claim.level),
                (_, Some(lane)) => format!("lane {}", lane.id()),
                _ => "cue".to_owned(),
            };
            *stats.claims.entry(says).or_default() += 1;
        }
    }
    for pattern in &lexicon.patterns {
        let mut askers: Vec<&str> = vec![];
        for wanted in &pattern.uses {
            let asker = match &wanted.owner {
                Owner::Entry(_) => "entries",
                Owner::Neutral(..) => "neutral",
                Owner::Word(_) => "guards",
            };
            if !askers.contains(&asker) {
                askers.push(asker);
                *stats.patterns.entry(asker.to_owned()).or_default() += 1;
            }
            if matches!(wanted.owner, Owner::Entry(_)) {
                let folds: Vec<&str> = wanted.via.iter().map(Via::id).collect();
                let folds = if folds.is_empty() { "plain".to_owned() } else { folds.join("+") };
                *stats.spellings.entry(folds).or_default() += 1;
            }
        }
        stats.neutrals += pattern.uses.iter().filter(|wanted| matches!(wanted.owner, Owner::Neutral(..))).count();
    }
    stats
}
