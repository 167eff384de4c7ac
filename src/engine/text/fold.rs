//! The loose stream: one pass from any text to the characters that patterns are matched against.
//!
//! Each loose character keeps where it came from, which folds made it, and how it was written before the kana fold.
//! Never panics, never drops a letter unheard: what is left out is marked on the next character. Linear time; buffers
//! are reused.

use crate::engine::text::compat::{self, Raw};
use crate::engine::text::recast::Recast;
use crate::engine::text::via::ViaSet;
use crate::engine::text::{separate, squeeze};
use std::ops::Range;

/// The one character that every mask (○ ● ◯ ■ ＊ …) becomes in the loose stream.
pub const MASK: char = '\u{25CB}';

/// One character of the loose stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Matched against: width, case, kana, small kana and look-alikes folded.
    pub loose: char,
    /// After width and case only; katakana and small kana as written.
    pub plain: char,
    /// First character of the original it stands for (index in Unicode scalar values).
    pub start: u32,
    /// One past the last character of the original; covers what was merged into it.
    pub end: u32,
    /// Byte where it starts in [`Folded::text`].
    pub byte: u32,
    /// Number of the sentence, from 0.
    pub sentence: u32,
    /// Folds that made this character.
    pub own: ViaSet,
    /// Folds that left something out between the character before and this one.
    pub gap: ViaSet,
    /// Spacing between whole words, or a wrapped line, stood directly before it and was left out: a word starts here.
    pub breaks: bool,
}

/// A folded text with its buffers; reuse one per worker.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    cells: Vec<Cell>,
    text: String,
    /// Between the steps.
    raw: Vec<Raw>,
}

impl Folded {
    /// The characters.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The loose characters as UTF-8, for a byte automaton.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Index of the cell that starts at `byte` of [`Folded::text`]; the number of cells for its end. `None` inside a
    /// character. Logarithmic: asked per hit, not per character.
    pub fn index_at(&self, byte: usize) -> Option<usize> {
        if byte == self.text.len() {
            return Some(self.cells.len());
        }
        self.cells.binary_search_by_key(&byte, |cell| cell.byte as usize).ok()
    }

    /// The range of the original, in Unicode scalar values, that the cells `range` stand for; empty for an empty range.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        match self.cells.get(range) {
            Some([first, .., last]) => first.start as usize..last.end as usize,
            Some([only]) => only.start as usize..only.end as usize,
            _ => 0..0,
        }
    }
}

/// Folds `text` into a new value. Prefer [`fold_into`] where many texts are folded.
pub fn fold(text: &str) -> Folded {
    let mut folded = Folded::default();
    fold_into(text, &mut folded);
    folded
}

/// Folds `text` into `out`, which is cleared first. Allocates only when the buffers must grow.
pub fn fold_into(text: &str, out: &mut Folded) {
    out.cells.clear();
    out.text.clear();
    compat::read(text, &mut out.raw);
    squeeze::squeeze(&mut out.raw);
    separate::separate(&out.raw, &mut out.cells, &mut out.text);
}

/// As [`fold_into`], of another reading of the text: places and folds are those of the original.
pub fn fold_recast(recast: &Recast, out: &mut Folded) {
    fold_into(&recast.text, out);
    for cell in &mut out.cells {
        let origin = recast.origin.get(cell.start as usize..cell.end as usize).unwrap_or_default();
        if let (Some(first), Some(last)) = (origin.first(), origin.last()) {
            (cell.start, cell.end) = (first.start, last.end);
        }
        cell.own = origin.iter().fold(cell.own, |own, origin| own.union(origin.via));
    }
}
