//! Lexicon forms in loose characters, and what a hit needed beyond the form as written.

use crate::engine::text::fold::{Folded, fold};
use crate::engine::text::script::{Script, script};
use crate::engine::text::via::ViaSet;
use crate::model::verdict::Via;
use std::ops::Range;

/// A lexicon form after the fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    letters: Vec<Letter>,
}

/// One character of a pattern: how the form writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Letter {
    plain: char,
    own: ViaSet,
    gap: ViaSet,
}

impl Pattern {
    /// The loose characters, for the automaton. Never empty.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Number of loose characters, at least 1.
    #[allow(clippy::len_without_is_empty)] // a pattern is never empty
    pub fn len(&self) -> usize {
        self.letters.len()
    }
}

/// Folds a lexicon form exactly as a message is folded. `None` if nothing is left to match (empty, or marks only).
pub fn fold_pattern(form: &str) -> Option<Pattern> {
    let folded = fold(form);
    let letters: Vec<_> = folded.cells().iter().map(|c| Letter { plain: c.plain, own: c.own, gap: c.gap }).collect();
    (!letters.is_empty()).then(|| Pattern { text: folded.text().to_owned(), letters })
}

/// The folds that the hit of `pattern` on the cells `range` needed: nothing if the text is written as the form is.
/// Marks before the first character do not count; what a variant pattern stands for is added by the caller.
pub fn via_of(folded: &Folded, range: Range<usize>, pattern: &Pattern) -> ViaSet {
    let cells = folded.cells().get(range).unwrap_or_default();
    let mut needed = ViaSet::EMPTY;
    for (index, (cell, letter)) in cells.iter().zip(&pattern.letters).enumerate() {
        needed = needed.union(difference(cell.own, letter.own));
        if index > 0 {
            needed = needed.union(difference(cell.gap, letter.gap));
        }
        if kana_script(cell.plain).is_some_and(|kana| kana_script(letter.plain).is_some_and(|form| form != kana)) {
            needed.insert(Via::Kana);
        }
    }
    needed
}

/// What the text did and the form did not. A small kana or long mark missing from the text was as much a fold as one added.
fn difference(text: ViaSet, form: ViaSet) -> ViaSet {
    let small = ViaSet::of(&[Via::Small]);
    text.difference(form).union(form.difference(text).intersection(small))
}

fn kana_script(c: char) -> Option<Script> {
    Some(script(c)).filter(|script| matches!(script, Script::Hiragana | Script::Katakana))
}
