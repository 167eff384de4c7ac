//! Which entries fire inside ordinary words: where a lexicon needs a neutral span or a guard.
//!
//! Each word is judged as a message of its own, by the lexicon alone. A *collision* is evidence that covers less than the word; evidence
//! that is the word says only that the word is listed. Cost: one judgement a word.

use crate::engine::Engine;
use crate::engine::lexicon::examples;
use crate::engine::scan::Scratch;
use crate::model::verdict::EvidenceKind;
use serde::Serialize;
use std::collections::BTreeMap;

/// What one entry does inside words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Collision {
    /// The entry.
    pub entry: String,
    /// Words in which it fires, in the order given.
    pub words: Vec<String>,
    /// Words in which a neutral span or a frame set it aside.
    pub absorbed: usize,
}

/// Judges every word; the entry that collides most comes first.
pub fn collisions(engine: &Engine, words: impl IntoIterator<Item = String>) -> Vec<Collision> {
    let mut found: BTreeMap<String, Collision> = BTreeMap::new();
    let mut scratch = Scratch::default();
    for word in words {
        let length = word.chars().count();
        let draft = engine.draft(&examples::chat(&word), &mut scratch);
        let mut seen: Vec<&str> = vec![];
        for row in draft.evidence.iter().filter(|row| row.kind == EvidenceKind::Entry && row.text.chars().count() < length) {
            if !seen.contains(&row.entry.as_str()) {
                seen.push(row.entry.as_str());
                of(&mut found, row.entry.as_str()).words.push(word.clone());
            }
        }
        for row in &draft.suppressed {
            of(&mut found, row.entry.as_str()).absorbed += 1;
        }
    }
    let mut rows: Vec<Collision> = found.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.words.len()));
    rows
}

fn of<'a>(found: &'a mut BTreeMap<String, Collision>, entry: &str) -> &'a mut Collision {
    found.entry(entry.to_owned()).or_insert_with(|| Collision { entry: entry.to_owned(), ..Collision::default() })
}
