//! What happened to each candidate, for `explain`, `why-not` and the examples of a lexicon.
//!
//! The matcher tells a [`Trace`]; on the hot path that is `()`, which the compiler removes. So explanations come from the very
//! code that judges, and cannot drift from it.

use crate::engine::text::ViaSet;
use crate::model::message::FieldName;
use serde::Serialize;
use std::fmt;

/// Where a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Which field.
    pub field: FieldName,
    /// First character of the field.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Folds it needed.
    pub via: ViaSet,
}

/// Who is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An entry, by number.
    Entry(u32),
    /// A combination, by number.
    Combination(u32),
}

/// Listens to the matcher.
pub trait Trace {
    /// Whether anybody listens. If not, texts in which nothing can be found need not be looked at closely.
    const LISTENS: bool = true;

    /// A candidate of `subject` at `spot` came to `outcome`. `outcome` is built only if somebody listens.
    fn note(&mut self, subject: Subject, spot: Spot, outcome: impl FnOnce() -> Outcome);
}

impl Trace for () {
    const LISTENS: bool = false;

    #[inline]
    fn note(&mut self, _: Subject, _: Spot, _: impl FnOnce() -> Outcome) {}
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "code", content = "detail")]
pub enum Outcome {
    /// It is evidence, or a live cue.
    Fired,
    /// It would be evidence, but its entry is on trial.
    Shadow,
    /// It lies inside a longer hit of the same category.
    Covered,
    /// It needs a fold that the entry does not accept.
    Folds(String),
    /// A form in a mood that does not fire stands here, and hides shorter ones.
    Quiet,
    /// A longer form of the same entry stands here.
    Shorter,
    /// It is not a word of its own on that side.
    Boundary(String),
    /// A forbidden word stands directly left.
    NotLeft(String),
    /// A forbidden word stands directly right.
    NotRight(String),
    /// No wanted word stands directly left.
    NeedLeft,
    /// No wanted word stands directly right.
    NeedRight,
    /// No wanted word stands near.
    Near,
    /// A forbidden word stands near.
    NotNear(String),
    /// It is part of a longer Latin word.
    Token,
    /// Digits continue beside it.
    Digits,
    /// Its mask is a template blank, as in ○○さん.
    Template,
    /// Only one letter is unmasked, and nothing else points the same way.
    Weak,
    /// Set aside; printed as in the verdict.
    Suppressed(String),
}

impl Outcome {
    /// Whether the entry did its work: examples count that, whatever wins over it afterwards.
    pub fn has_fired(&self) -> bool {
        matches!(self, Self::Fired | Self::Shadow | Self::Covered)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fired => f.write_str("fired"),
            Self::Shadow => f.write_str("fired, but its status is shadow"),
            Self::Covered => f.write_str("lies inside a longer hit of the same category"),
            Self::Folds(folds) => write!(f, "needs the folds {folds}, which the entry does not accept"),
            Self::Quiet => f.write_str("a form in a mood that does not fire"),
            Self::Shorter => f.write_str("a longer form of the same entry stands here"),
            Self::Boundary(side) => write!(f, "not a word of its own on the {side}"),
            Self::NotLeft(word) => write!(f, "`{word}` stands directly left (not_left)"),
            Self::NotRight(word) => write!(f, "`{word}` stands directly right (not_right)"),
            Self::NeedLeft => f.write_str("none of need_left stands directly left"),
            Self::NeedRight => f.write_str("none of need_right stands directly right"),
            Self::Near => f.write_str("none of near stands near"),
            Self::NotNear(word) => write!(f, "`{word}` stands near (not_near)"),
            Self::Token => f.write_str("part of a longer Latin word"),
            Self::Digits => f.write_str("digits continue beside it"),
            Self::Template => f.write_str("the mask is a template blank"),
            Self::Weak => f.write_str("too much is masked, and no other cue stands by"),
            Self::Suppressed(by) => write!(f, "set aside by {by}"),
        }
    }
}
