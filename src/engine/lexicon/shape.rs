//! A form as it is searched: folded, with what the fold would otherwise forget about it.
//!
//! The fold merges a lengthening into the kana before it, so たーけ and たけ look alike, and it drops a final っ, so シコっ looks like
//! しこ. A shape remembers both and demands them of the text.

use crate::engine::text::{Cell, Folded, Pattern, Script, ViaSet, fold, fold_pattern, script, via_of};
use crate::model::verdict::Via;
use std::ops::Range;

/// A folded form.
#[derive(Debug)]
pub struct Shape {
    pattern: Pattern,
    /// Bit i: something lengthens the i-th character (of the first 64; a longer form is told apart anyway).
    drawn: u64,
    /// Folds that are no disguise here, though the folded text differs.
    forgiven: ViaSet,
}

impl Shape {
    /// The shapes of a form: none if nothing is left of it, two if it ends in っ, which is the end of a word or the middle of one.
    pub fn of(form: &str) -> Vec<Self> {
        let mut shapes: Vec<Self> = Self::one(form, ViaSet::EMPTY).into_iter().collect();
        if let Some(stem) = form.strip_suffix(['っ', 'ッ']) {
            let large = if form.ends_with('ッ') { 'ツ' } else { 'つ' };
            shapes.extend(Self::one(&format!("{stem}{large}"), ViaSet::of(&[Via::Small])));
        }
        shapes
    }

    fn one(form: &str, forgiven: ViaSet) -> Option<Self> {
        let pattern = fold_pattern(form)?;
        let folded = fold(form);
        let cells = folded.cells();
        let drawn = (0..cells.len().min(64)).filter(|at| is_drawn(cells, *at)).fold(0, |bits, at| bits | 1 << at);
        Some(Self { pattern, drawn, forgiven })
    }

    /// The loose characters.
    pub fn text(&self) -> &str {
        self.pattern.text()
    }

    /// Their number, at least 1.
    #[allow(clippy::len_without_is_empty)] // a shape is never empty
    pub fn len(&self) -> usize {
        self.pattern.len()
    }

    /// What tells shapes of the same text apart.
    pub fn key(&self) -> (String, u64, ViaSet) {
        (self.text().to_owned(), self.drawn, self.forgiven)
    }

    /// Whether it is written in kana alone; the loose stream has no katakana.
    pub fn is_kana(&self) -> bool {
        self.text().chars().all(|c| script(c) == Script::Hiragana)
    }

    /// Whether the cells that match its text are lengthened where it is. `after` are the cells behind them. Marks put behind a letter
    /// may hide what lengthens it (う.ぜ.ー, せ え).
    pub fn fits(&self, cells: &[Cell], after: &[Cell]) -> bool {
        let split = |at: usize| cells.get(at + 1).or(after.first()).is_some_and(|next| next.gap.contains(Via::Separator));
        let lengthened = |at: usize, cell: &Cell| cell.end - cell.start > 1 || split(at);
        self.drawn == 0 || cells.iter().take(64).enumerate().all(|(at, cell)| self.drawn >> at & 1 == 0 || lengthened(at, cell))
    }

    /// The folds that a match needed.
    pub fn needs(&self, folded: &Folded, range: Range<usize>) -> ViaSet {
        via_of(folded, range, &self.pattern).difference(self.forgiven)
    }
}

/// Whether a lengthening was merged into a cell, and not half-width voicing or the like.
fn is_drawn(cells: &[Cell], at: usize) -> bool {
    let (Some(cell), next) = (cells.get(at), cells.get(at + 1)) else { return false };
    let merged = cell.end - cell.start > 1;
    merged && next.map_or(!cell.own.contains(Via::Width) && !cell.own.contains(Via::Voicing), |next| next.gap.contains(Via::Small))
}

/// A word as it is compared beside a hit: width and case folded, kana as written; alone, and amid other kana, where a leading ー
/// and a trailing っ fare differently.
pub fn beside(word: &str) -> [Vec<char>; 2] {
    /// Kana that no guard word begins or ends with, two on each side, so that single-letter rules do not apply.
    const AROUND: [&str; 2] = ["をゑ", "ゑを"];
    let [before, after] = AROUND;
    let within = plain(&format!("{before}{word}{after}"));
    let inner: Option<&[char]> = within.strip_prefix(&['を', 'ゑ']).and_then(|rest| rest.strip_suffix(&['ゑ', 'を']));
    [plain(word), inner.unwrap_or_default().to_vec()]
}

fn plain(word: &str) -> Vec<char> {
    fold(word).cells().iter().map(|cell| cell.plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lengthening_is_demanded_where_the_form_has_it() {
        let rows = [
            ("たーけ", "たーけ", true),
            ("たーけ", "たけ", false),
            ("たーけ", "たけー", false),
            ("うぜぇ", "うぜー", true),
            ("うぜぇ", "うぜ", false),
            ("ばか", "ばーかー", true),
            ("シコっ", "シコッた", true),
            ("シコっ", "シコ", false),
            ("シコっ", "シコッ", true),
            ("ﾊﾞｶ", "バカ", true),
        ];
        for (form, text, expected) in rows {
            let folded = fold(text);
            let fits = Shape::of(form).iter().any(|shape| {
                folded.text().starts_with(shape.text()) && shape.fits(&folded.cells()[..shape.len()], &folded.cells()[shape.len()..])
            });
            assert_eq!(fits, expected, "{form} in {text}");
        }
    }

    #[test]
    fn guards_are_compared_as_the_text_beside_them_folds() {
        for (word, expected) in [("ーゲン", "ゲン"), ("菌", "菌"), ("だ", "だ"), ("けっ", "けっ")] {
            assert!(beside(word).iter().any(|plain| plain.iter().collect::<String>() == expected), "{word}: {:?}", beside(word));
        }
    }
}
