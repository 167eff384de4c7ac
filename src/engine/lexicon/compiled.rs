//! A compiled lexicon: what the matcher looks up, with every id resolved to a number.
//!
//! Plain immutable data, built once by `compile` and shared by all workers. Numbers are positions: entry 3 is `entries[3]`.

use crate::engine::lexicon::Place;
use crate::engine::lexicon::forms::{Edge, Force};
use crate::engine::lexicon::guidance::GuidanceObject;
use crate::engine::lexicon::object::{Claim, Scope};
use crate::engine::lexicon::shape::Shape;
use crate::engine::text::ViaSet;
use crate::model::ids::EntryId;
use crate::model::severity::Category;
use crate::model::verdict::Role;

/// One compiled profile.
#[derive(Debug)]
pub struct Lexicon {
    /// `sha256:` over the sources in stack order.
    pub digest: String,
    /// Ways of speaking, by id.
    pub entries: Vec<Entry>,
    /// Combinations, by id.
    pub combinations: Vec<Combination>,
    /// Contexts, by id.
    pub frames: Vec<Frame>,
    /// Everything searched: one per distinct folded text.
    pub patterns: Vec<Pattern>,
    /// What a guard or frame word means, by word number.
    pub words: Vec<WordRoles>,
    /// For every entry the combinations and slots it can fill.
    pub slots_of: Vec<Vec<(u32, u8)>>,
    /// Every `hit` and `miss`.
    pub examples: Vec<Example>,
    /// Hints by kind of act, by id.
    pub guidance: Vec<GuidanceObject>,
}

/// A compiled entry.
#[derive(Debug)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// What it says.
    pub claim: Claim,
    /// What its span is in a combination.
    pub role: Role,
    /// Folds it accepts.
    pub folds: ViaSet,
    /// May not stand directly left.
    pub not_left: Vec<Vec<char>>,
    /// May not stand directly right.
    pub not_right: Vec<Vec<char>>,
    /// One must stand directly left.
    pub need_left: Vec<Vec<char>>,
    /// One must stand directly right.
    pub need_right: Vec<Vec<char>>,
    /// One must stand near: sorted word numbers.
    pub near: Vec<u32>,
    /// None may stand near: sorted word numbers.
    pub not_near: Vec<u32>,
    /// How near, in characters.
    pub near_within: u32,
    /// Frames that do not set it aside, sorted.
    pub through: Vec<u32>,
    /// Some forms that fire, as written, for measures of the lexicon.
    pub samples: Vec<String>,
}

/// A compiled frame; its markers are found through [`WordRoles`].
#[derive(Debug)]
pub struct Frame {
    /// Printed as `suppressed.by`.
    pub id: String,
    /// How near a marker must be, in characters.
    pub within: u32,
    /// Only for hits inside brackets.
    pub bracketed: bool,
    /// Has markers; without any it holds for every bracketed hit.
    pub marked: bool,
    /// Words call it off.
    pub can_fail: bool,
    /// Only for these; empty = all.
    pub categories: Vec<Category>,
}

/// A compiled combination.
#[derive(Debug)]
pub struct Combination {
    /// Its id.
    pub id: EntryId,
    /// What it says.
    pub claim: Claim,
    /// Longest hull of the required slots, in characters.
    pub within: u32,
    /// Sentence or field.
    pub scope: Scope,
    /// Slots in the order written.
    pub ordered: bool,
    /// Its parts.
    pub slots: Vec<Slot>,
    /// Frames that do not set it aside, sorted.
    pub through: Vec<u32>,
}

/// A compiled slot.
#[derive(Debug)]
pub struct Slot {
    /// What its span is.
    pub role: Role,
    /// Need not be there.
    pub optional: bool,
    /// Levels it adds when there.
    pub raise: u8,
}

/// What a word means to frames, as frame numbers.
#[derive(Debug, Default)]
pub struct WordRoles {
    /// Marker after the hit.
    pub after: Vec<u32>,
    /// Marker before the hit.
    pub before: Vec<u32>,
    /// Calls the frame off.
    pub not_if: Vec<u32>,
}

/// One searched text and everybody who asked for it.
#[derive(Debug)]
pub struct Pattern {
    /// FoldedForm text.
    pub loose: String,
    /// Its length in loose characters.
    pub length: usize,
    /// Who asked.
    pub uses: Vec<Use>,
}

/// Why a text is searched.
#[derive(Debug)]
pub struct Use {
    /// For whom.
    pub owner: Owner,
    /// The folded form, to tell whether a match fits and which folds it needed.
    pub shape: Shape,
    /// Folds that generated the spelling.
    pub via: ViaSet,
    /// What it does.
    pub force: Force,
    /// What may not continue it.
    pub edge: Edge,
    /// Must begin a word.
    pub left: bool,
    /// Must end a word.
    pub right: bool,
}

/// For whom a text is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// An entry.
    Entry(u32),
    /// A neutral form, with the folds it accepts and its text.
    Neutral(ViaSet, String),
    /// A guard or frame word.
    Word(u32),
}

/// A `hit` or `miss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Entry or combination.
    pub id: EntryId,
    /// Whether it must fire.
    pub fires: bool,
    /// The text.
    pub text: String,
    /// File name.
    pub file: String,
    /// Place in it.
    pub place: Place,
}
