//! One pass over one folded field: every pattern of every entry, neutral span and guard word, checked against its closest guards.
//!
//! Leaves candidates in a [`Scratch`] that is reused from message to message. Allocates nothing on a text without candidates
//! once the buffers have grown. Cost: linear in text and matches.

use crate::engine::gate::{Gate, Pass, Seen};
use crate::engine::lexicon::compiled::{Entry, Lexicon, Owner, Use};
use crate::engine::lexicon::forms::{Edge, Force};
use crate::engine::reader::Reading;
use crate::engine::text::{
    Cell, Folded, Heads, MASK, Quick, Recast, Script, Side, ViaSet, fold_into, fold_recast, has_boundary, script, skim,
};
use crate::engine::trace::{Outcome, Spot, Subject, Trace};
use crate::model::message::FieldName;
use crate::model::verdict::Via;
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};

/// After a mask these make it a template blank: ○○さん, ○月○日, ◯◯様.
const TEMPLATE_TAILS: &str = "さ様氏月日年時分円番号歳才市区町村県都府社店殿君課部駅線個本名回階";

/// Everything needed to look at one message, reused for the next. One per worker.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The field being looked at.
    pub folded: Folded,
    /// Spellings found that passed their closest guards.
    pub candidates: Vec<Candidate>,
    /// Guard and frame words found.
    pub words: Vec<WordHit>,
    /// Neutral spans found.
    pub neutrals: Vec<NeutralHit>,
    /// Bracketed stretches.
    pub brackets: Vec<(u32, u32)>,
    /// Hits of the field that passed every guard.
    pub hits: Vec<Hit>,
    /// What fills the slots of combinations.
    pub fillers: Vec<Filler>,
    /// Buffers of the second reader.
    pub reading: Reading,
    /// The skeleton of the field.
    pub quick: Quick,
    /// Cues seen by the gate.
    pub seen: Seen,
    /// What the heads of lines say.
    pub heads: Heads,
}

/// A spelling of an entry, in loose characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Entry number.
    pub entry: u32,
    /// First loose character.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Folds it needed.
    pub via: ViaSet,
    /// What it does.
    pub force: Force,
}

/// A guard or frame word, in loose characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WordHit {
    /// First loose character.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Word number.
    pub word: u32,
}

/// A neutral span, in loose characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeutralHit {
    /// First loose character.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Pattern number and use, to find its text.
    pub pattern: (u32, u32),
}

/// A candidate that passed every guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// What and where.
    pub candidate: Candidate,
    /// Whether, and why, it was set aside.
    pub aside: Option<Aside>,
}

/// Why a hit was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// Inside a neutral span: pattern number and use.
    Neutral((u32, u32)),
    /// In an earlier message that is shown below.
    Quoted,
    /// In somebody else's message.
    Forwarded,
    /// By a frame.
    Frame(u32),
}

/// A hit that may fill a slot of a combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Filler {
    /// Combination number.
    pub combination: u32,
    /// 0 own words, 1 quoted, 2 forwarded: a combination never mixes them.
    pub part: u8,
    /// First loose character.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Which slot.
    pub slot: u8,
    /// Position in [`Scratch::hits`].
    pub hit: u32,
}

/// The automaton over every pattern of a lexicon.
#[derive(Debug)]
pub struct Scanner {
    automaton: AhoCorasick,
    gate: Gate,
}

impl Scanner {
    /// Builds the automaton. Fails only if the patterns outgrow its 32-bit state ids.
    pub fn new(lexicon: &Lexicon) -> Result<Self, BuildError> {
        let patterns = lexicon.patterns.iter().map(|pattern| pattern.loose.as_str());
        let automaton =
            AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).match_kind(MatchKind::Standard).build(patterns)?;
        Ok(Self { automaton, gate: Gate::new(lexicon) })
    }

    /// Memory of the automaton, in bytes.
    pub fn memory(&self) -> usize {
        self.automaton.memory_usage()
    }

    /// Why `text` must be scanned; `None` if nothing would come of it. Leaves its skeleton in `scratch`.
    pub fn look(&self, text: &str, scratch: &mut Scratch) -> Option<Pass> {
        skim(text, &mut scratch.quick);
        self.gate.look(&scratch.quick, &mut scratch.seen)
    }

    /// Folds `text` and leaves candidates, words and neutral spans in `scratch`.
    pub fn scan(&self, lexicon: &Lexicon, field: FieldName, text: &str, scratch: &mut Scratch, trace: &mut impl Trace) {
        fold_into(text, &mut scratch.folded);
        self.search(lexicon, field, scratch, trace);
    }

    /// As [`Scanner::scan`], of another reading of the field.
    pub fn scan_recast(&self, lexicon: &Lexicon, field: FieldName, recast: &Recast, scratch: &mut Scratch, trace: &mut impl Trace) {
        fold_recast(recast, &mut scratch.folded);
        self.search(lexicon, field, scratch, trace);
    }

    fn search(&self, lexicon: &Lexicon, field: FieldName, scratch: &mut Scratch, trace: &mut impl Trace) {
        scratch.candidates.clear();
        scratch.words.clear();
        scratch.neutrals.clear();
        let Scratch { folded, candidates, words, neutrals, .. } = scratch;
        let cells = folded.cells();
        let mut until = 0;
        for found in self.automaton.find_overlapping_iter(folded.text()) {
            // Overlapping matches come in the order of their ends, so one finger moves along the characters.
            until += cells[until..].iter().take_while(|cell| (cell.byte as usize) < found.end()).count();
            let pattern = &lexicon.patterns[found.pattern().as_usize()];
            let (start, end) = (index(until - pattern.length), index(until));
            let matched = &cells[until - pattern.length..until];
            for (number, wanted) in pattern.uses.iter().enumerate().filter(|(_, wanted)| wanted.shape.fits(matched, &cells[until..])) {
                match &wanted.owner {
                    Owner::Word(word) => words.push(WordHit { start, end, word: *word }),
                    Owner::Neutral(accepted, _) => {
                        if wanted.shape.needs(folded, start as usize..until).is_subset(*accepted) {
                            neutrals.push(NeutralHit { start, end, pattern: (found.pattern().as_u32(), index(number)) });
                        }
                    }
                    Owner::Entry(entry) => {
                        let via = wanted.shape.needs(folded, start as usize..until).union(wanted.via);
                        let found = Candidate { entry: *entry, start, end, via, force: wanted.force };
                        match refuse(folded, &lexicon.entries[*entry as usize], wanted, &found) {
                            None => candidates.push(found),
                            Some(refusal) => trace.note(Subject::Entry(*entry), spot(field, folded, &found), || refusal.into()),
                        }
                    }
                }
            }
        }
    }
}

/// Where a candidate stands in the original text.
pub fn spot(field: FieldName, folded: &Folded, found: &Candidate) -> Spot {
    let (start, end) = original(folded, found.start, found.end);
    Spot { field, start, end, via: found.via }
}

/// Original characters of a loose stretch.
pub fn original(folded: &Folded, start: u32, end: u32) -> (u32, u32) {
    let origin = folded.origin(start as usize..end as usize);
    (index(origin.start), index(origin.end))
}

/// Why the closest guards refuse a candidate; borrowed, so that nothing is built unless somebody listens.
enum Refusal<'a> {
    Folds(ViaSet, ViaSet),
    Token,
    Digits,
    Template,
    Boundary(Side),
    NotLeft(&'a [char]),
    NotRight(&'a [char]),
    NeedLeft,
    NeedRight,
}

impl From<Refusal<'_>> for Outcome {
    fn from(refusal: Refusal<'_>) -> Self {
        match refusal {
            Refusal::Folds(needed, accepted) => {
                let missing: Vec<&str> = needed.iter().filter(|via| !accepted.contains(*via)).map(Via::id).collect();
                Self::Folds(missing.join(", "))
            }
            Refusal::Token => Self::Token,
            Refusal::Digits => Self::Digits,
            Refusal::Template => Self::Template,
            Refusal::Boundary(Side::Left) => Self::Boundary("left".to_owned()),
            Refusal::Boundary(Side::Right) => Self::Boundary("right".to_owned()),
            Refusal::NotLeft(word) => Self::NotLeft(word.iter().collect()),
            Refusal::NotRight(word) => Self::NotRight(word.iter().collect()),
            Refusal::NeedLeft => Self::NeedLeft,
            Refusal::NeedRight => Self::NeedRight,
        }
    }
}

fn refuse<'a>(folded: &Folded, entry: &'a Entry, wanted: &Use, found: &Candidate) -> Option<Refusal<'a>> {
    let (cells, start, end) = (folded.cells(), found.start as usize, found.end as usize);
    if !found.via.is_subset(entry.folds) {
        return Some(Refusal::Folds(found.via, entry.folds));
    }
    if wanted.edge == Edge::Token && !is_token(cells, start, end) {
        return Some(Refusal::Token);
    }
    if wanted.edge == Edge::Digits && touches(cells, start, end, |c| script(c) == Script::Digit) {
        return Some(Refusal::Digits);
    }
    if wanted.via.contains(Via::Mask) && is_template(cells, start, end) {
        return Some(Refusal::Template);
    }
    // A quiet form only blocks: its surroundings are the business of the forms that fire.
    if wanted.force == Force::Quiet {
        return None;
    }
    let (left, right) = if found.via.contains(Via::Kana) { cuts(cells, start, end) } else { (false, false) };
    if (left || wanted.left) && !has_boundary(cells, start..end, Side::Left) {
        return Some(Refusal::Boundary(Side::Left));
    }
    if (right || wanted.right) && !has_boundary(cells, start..end, Side::Right) {
        return Some(Refusal::Boundary(Side::Right));
    }
    let (left, right) = (cells.get(..start).unwrap_or(&[]), cells.get(end..).unwrap_or(&[]));
    if let Some(word) = entry.not_left.iter().find(|word| ends_with(left, word)) {
        return Some(Refusal::NotLeft(word));
    }
    if let Some(word) = entry.not_right.iter().find(|word| starts_with(right, word)) {
        return Some(Refusal::NotRight(word));
    }
    if !entry.need_left.is_empty() && !entry.need_left.iter().any(|word| ends_with(left, word)) {
        return Some(Refusal::NeedLeft);
    }
    if !entry.need_right.is_empty() && !entry.need_right.iter().any(|word| starts_with(right, word)) {
        return Some(Refusal::NeedRight);
    }
    None
}

/// Whether a match in another kana than its form cuts into a run of katakana, left and right: ムー|ニーが, ラジ|オ局. Such runs are
/// mostly words.
fn cuts(cells: &[Cell], start: usize, end: usize) -> (bool, bool) {
    let katakana = |at: usize| cells.get(at).is_some_and(|cell| script(cell.plain) == Script::Katakana);
    let before = start.checked_sub(1).is_some_and(katakana);
    let last = end.checked_sub(1).is_some_and(katakana);
    (before && katakana(start), last && katakana(end))
}

fn ends_with(cells: &[Cell], word: &[char]) -> bool {
    cells.len().checked_sub(word.len()).is_some_and(|from| starts_with(&cells[from..], word))
}

fn starts_with(cells: &[Cell], word: &[char]) -> bool {
    cells.len() >= word.len() && cells.iter().zip(word).all(|(cell, c)| cell.plain == *c)
}

fn touches(cells: &[Cell], start: usize, end: usize, is: impl Fn(char) -> bool) -> bool {
    let before = start.checked_sub(1).and_then(|at| cells.get(at));
    before.is_some_and(|cell| is(cell.loose)) || cells.get(end).is_some_and(|cell| is(cell.loose))
}

fn is_token(cells: &[Cell], start: usize, end: usize) -> bool {
    !touches(cells, start, end, |c| matches!(script(c), Script::Latin | Script::Digit) || c == '-' || c == '_')
}

/// Whether a masked match is really a blank to be filled in: its circles go on outside it, or a counter or honorific follows.
fn is_template(cells: &[Cell], start: usize, end: usize) -> bool {
    let last_masked = end.checked_sub(1).and_then(|last| cells.get(last)).is_some_and(|cell| cell.loose == MASK);
    touches(cells, start, end, |c| c == MASK) || (last_masked && cells.get(end).is_some_and(|cell| TEMPLATE_TAILS.contains(cell.loose)))
}

fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
