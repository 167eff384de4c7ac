//! Folding: text to matchable characters, each mapped back to the original; and the forms a lexicon word can take.
//!
//! A field is folded once into a *loose* stream ([`fold_into`]); every lexicon form goes through the same fold
//! ([`fold_pattern`]), so one automaton over the folded forms finds plain and disguised writing in one pass. What a hit
//! really needed is asked afterwards ([`via_of`]). Disguises with more than one reading (masks, homophones, digits,
//! Latin letters, kanji taken apart) are generated from the form as extra patterns ([`variants`]); inflected forms come
//! from [`inflect()`](inflect::inflect); [`has_boundary`] weighs whether a kana hit is a word of its own.
//!
//! Pure; never fails on any Unicode; linear in the text.

mod boundary;
mod compat;
mod drawn;
mod fold;
mod inflect;
mod mood;
mod paradigm;
mod pattern;
mod quick;
mod recast;
mod romaji;
mod script;
mod separate;
mod spelling;
mod squeeze;
mod tables;
mod variant;
mod via;

pub use boundary::{Side, has_boundary};
pub use compat::light;
pub use fold::{Cell, Folded, MASK, fold, fold_into, fold_recast};
pub use inflect::{InflectError, Inflected, inflect};
pub use mood::{Class, Mood};
pub use pattern::{Pattern, fold_pattern, via_of};
pub use quick::{Break, Doubt, Quick, Skeleton, skeleton, skim};
pub use recast::{Heads, Recast, rewrite, shows_codes, shows_drawn};
pub use script::{Script, script};
pub use variant::{VARIANTS_MAX, Variant, variants};
pub use via::ViaSet;
