//! What a lexicon file states, as written: objects with their places, ids not yet resolved.
//!
//! The raw half of "raw, then checked": [`crate::engine::lexicon::source`] fills these, `stack` settles which of them hold, and
//! `compile` turns them into what the matcher uses.

use crate::engine::lexicon::Place;
use crate::engine::text::{Class, Mood, ViaSet};
use crate::model::severity::{Axis, Category, Lane, Level};
use crate::model::verdict::Role;

/// A word with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word, or `@set`.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// Which file wins when two define the same id; later beats earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Shipped with the product.
    Base,
    /// An industry pack.
    Pack,
    /// The site's own overlay.
    Site,
}

impl Layer {
    /// Every layer with its id, rising.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Base, "base"), (Self::Pack, "pack"), (Self::Site, "site")];
}

/// Whether an object takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Status {
    /// Judges.
    #[default]
    Live,
    /// Is matched and counted, but gives no evidence.
    Shadow,
    /// Is not compiled; kept for the record.
    Retired,
}

impl Status {
    /// Every status with its id.
    pub const ALL: [(Self, &'static str); 3] = [(Self::Live, "live"), (Self::Shadow, "shadow"), (Self::Retired, "retired")];
}

/// When a hit must be a word of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Boundary {
    /// Both sides for short kana forms, else none.
    #[default]
    Auto,
    /// Never.
    None,
    /// On the left.
    Left,
    /// On the right.
    Right,
    /// On both sides.
    Both,
}

impl Boundary {
    /// Every kind with its id.
    pub const ALL: [(Self, &'static str); 5] =
        [(Self::Auto, "auto"), (Self::None, "none"), (Self::Left, "left"), (Self::Right, "right"), (Self::Both, "both")];
}

/// How far a combination may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Scope {
    /// All slots in one sentence.
    #[default]
    Sentence,
    /// Anywhere in the field, within the distance.
    Field,
}

impl Scope {
    /// Both scopes with their ids.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Sentence, "sentence"), (Self::Field, "field")];
}

/// What an entry or a combination says when it fires, and its examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Dotted id.
    pub id: Word,
    /// Place of the whole table.
    pub place: Place,
    /// Kind of harm.
    pub category: Option<Category>,
    /// Road that is not harassment.
    pub lane: Option<Lane>,
    /// A safety incident with injury or fire.
    pub urgent: bool,
    /// Which score it feeds.
    pub axis: Axis,
    /// Level when it fires alone.
    pub level: Level,
    /// Whether it takes part.
    pub status: Status,
    /// Frames that do not set it aside.
    pub through: Vec<Word>,
    /// Texts in which it must fire.
    pub hit: Vec<Word>,
    /// Texts in which it must not.
    pub miss: Vec<Word>,
}

impl Claim {
    /// Whether it gives evidence by itself; otherwise it is only a cue for combinations.
    pub fn speaks(&self) -> bool {
        self.level > Level::Ordinary || self.lane.is_some()
    }
}

/// A lemma to be conjugated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lemma {
    /// Dictionary form.
    pub lemma: Word,
    /// The same in hiragana.
    pub reading: String,
    /// How it conjugates.
    pub class: Class,
    /// Put before every form, besides nothing.
    pub prefixes: Vec<String>,
    /// Moods that fire.
    pub moods: Vec<Mood>,
}

/// Word lists that forbid or require a neighbourhood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guards {
    /// May not stand directly left.
    pub not_left: Vec<Word>,
    /// May not stand directly right.
    pub not_right: Vec<Word>,
    /// One of them must stand directly left.
    pub need_left: Vec<Word>,
    /// One of them must stand directly right.
    pub need_right: Vec<Word>,
    /// One of them must stand near, in the same sentence.
    pub near: Vec<Word>,
    /// None of them may.
    pub not_near: Vec<Word>,
    /// How near, in characters.
    pub near_within: u32,
}

/// A way of speaking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryObject {
    /// What it says.
    pub claim: Claim,
    /// What its span is in a combination.
    pub role: Role,
    /// Conjugated forms.
    pub lemma: Option<Lemma>,
    /// Fixed forms.
    pub forms: Vec<Word>,
    /// Kana forms.
    pub readings: Vec<Word>,
    /// Folds it accepts.
    pub folds: ViaSet,
    /// Word boundary.
    pub boundary: Boundary,
    /// Guards.
    pub guards: Guards,
}

/// A reusable list of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetObject {
    /// Id without `@`.
    pub id: Word,
    /// Its words.
    pub words: Vec<Word>,
}

/// Words that absorb the hits they cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeutralObject {
    /// Id.
    pub id: Word,
    /// The words.
    pub forms: Vec<Word>,
    /// Folds they accept; `None` = width, and kana for kana forms.
    pub folds: Option<ViaSet>,
}

/// Context that sets hits aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameObject {
    /// Id, printed as `suppressed.by`.
    pub id: Word,
    /// Markers that must begin soon after the hit.
    pub after: Vec<Word>,
    /// Markers that must end shortly before it.
    pub before: Vec<Word>,
    /// How soon, in characters.
    pub within: u32,
    /// Only for hits inside brackets.
    pub bracketed: bool,
    /// Words in the same sentence that call it off.
    pub not_if: Vec<Word>,
    /// Only for these categories; empty = all.
    pub categories: Vec<Category>,
}

/// One part of a combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotObject {
    /// What its span is.
    pub role: Role,
    /// Entry ids or `prefix.*`.
    pub any: Vec<Word>,
    /// Need not be there.
    pub optional: bool,
    /// Levels it adds when there.
    pub raise: u8,
    /// Place of the table.
    pub place: Place,
}

/// Several cues within a distance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombinationObject {
    /// What it says.
    pub claim: Claim,
    /// Longest hull of the required slots, in characters.
    pub within: u32,
    /// Sentence or field.
    pub scope: Scope,
    /// Slots in the order written.
    pub ordered: bool,
    /// The parts.
    pub slots: Vec<SlotObject>,
}
