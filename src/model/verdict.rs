//! The verdict contract: what was found, where, by which entry, and what was set aside.
//!
//! A verdict is a pure function of message, lexicon profile and engine: no time, no case, no policy in it.
//! Fields may be added, never renamed.

use crate::model::ids::{EntryId, MessageId};
use crate::model::message::{Coverage, FieldName, PartKind};
use crate::model::severity::{Category, Lane, Level};
use serde::{Deserialize, Serialize};

/// Most evidence rows in a verdict; the rest is counted in `more`.
pub const EVIDENCE_MAX: usize = 64;

/// Most suppressed rows in a verdict.
pub const SUPPRESSED_MAX: usize = 64;

/// A score of one axis in hundredths, 0 to 100; printed 0.00 to 1.00. Integers inside, so that every machine agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Score(u8);

impl Score {
    /// The score of `hundredths`, capped at 100.
    pub fn new(hundredths: u32) -> Self {
        Self(u8::try_from(hundredths.min(100)).unwrap_or(100))
    }

    /// In hundredths.
    pub fn hundredths(self) -> u8 {
        self.0
    }
}

impl Serialize for Score {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0) / 100.0)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if !(0.0..=1.0).contains(&value) {
            return Err(serde::de::Error::custom("a score is 0.00 to 1.00"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked just above
        Ok(Self((value * 100.0).round() as u8))
    }
}

/// What produced a row of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// A lexicon entry.
    Entry,
    /// A combination of cues within a distance.
    Combination,
    /// Another kind of reader, added when drafts are fused.
    Reader,
}

/// What a span contributes to a combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What is said to happen, or the abusive word itself.
    Harm,
    /// To whom or what.
    Target,
    /// When.
    When,
    /// Where.
    Where,
    /// By what means.
    Means,
    /// What is wanted.
    Demand,
    /// On which condition.
    Condition,
    /// Any other cue.
    Cue,
}

impl Role {
    /// Every role with its id.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Harm, "harm"),
        (Self::Target, "target"),
        (Self::When, "when"),
        (Self::Where, "where"),
        (Self::Means, "means"),
        (Self::Demand, "demand"),
        (Self::Condition, "condition"),
        (Self::Cue, "cue"),
    ];

    /// Reads the id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == id).map(|(role, _)| *role)
    }
}

/// A fold that was needed to see a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Full or half width, compatibility forms.
    Width,
    /// Katakana written as hiragana or the reverse.
    Kana,
    /// Small kana, lengthening marks, trailing っ.
    Small,
    /// Runs of the same character.
    Repeat,
    /// Marks or spaces put inside a word.
    Separator,
    /// Invisible characters put inside a word.
    Invisible,
    /// Look-alikes of another script.
    Lookalike,
    /// A kanji taken apart (タヒ).
    Apart,
    /// Digits read aloud (4ね).
    Digit,
    /// A circle or other mask in place of a letter.
    Mask,
    /// Another kanji of the same sound (氏ね).
    Homophone,
    /// Latin letters.
    Romaji,
    /// Split or added voicing marks.
    Voicing,
    /// Variant or old kanji.
    Variant,
    /// An emoji in place of a word.
    Emoji,
    /// Letters in another order: backwards, behind a direction override, or at the heads of lines.
    Recast,
}

impl Via {
    /// Every fold with its id, in bit order.
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::Width, "width"),
        (Self::Kana, "kana"),
        (Self::Small, "small"),
        (Self::Repeat, "repeat"),
        (Self::Separator, "separator"),
        (Self::Invisible, "invisible"),
        (Self::Lookalike, "lookalike"),
        (Self::Apart, "apart"),
        (Self::Digit, "digit"),
        (Self::Mask, "mask"),
        (Self::Homophone, "homophone"),
        (Self::Romaji, "romaji"),
        (Self::Voicing, "voicing"),
        (Self::Variant, "variant"),
        (Self::Emoji, "emoji"),
        (Self::Recast, "recast"),
    ];

    /// The id used in files and records.
    pub fn id(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// Reads the id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == id).map(|(via, _)| *via)
    }
}

/// One stretch of the customer's own text, in Unicode scalar values of the field, end exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSpan {
    /// Which field.
    pub field: FieldName,
    /// First character.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
    /// What it contributes.
    pub role: Role,
}

/// One reason for the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Entry, combination or another reader.
    pub kind: EvidenceKind,
    /// Which one.
    pub entry: EntryId,
    /// Its category, if it speaks of harassment or self-harm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Its lane, if it speaks of something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// The level it supports.
    pub level: Level,
    /// The hull of the spans, exactly as the customer wrote it.
    pub text: String,
    /// Field of the hull.
    pub field: FieldName,
    /// Part of the field.
    pub part: PartKind,
    /// Hull start; absent for evidence without a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// Hull end, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<usize>,
    /// The stretches themselves, with their roles.
    pub spans: Vec<EvidenceSpan>,
    /// Folds that led there; empty when written plainly.
    pub via: Vec<Via>,
}

/// A hit that was set aside, and by what: `neutral:殺虫剤`, `quoted`, `reported`, `negated`, …
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// The entry that would have fired.
    pub entry: EntryId,
    /// The customer's text.
    pub text: String,
    /// What set it aside.
    pub by: String,
}

/// The judgement of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The message.
    pub id: MessageId,
    /// How grave.
    pub level: Level,
    /// The default name of the level.
    pub level_name: String,
    /// Kinds of harm, in fixed order.
    pub categories: Vec<Category>,
    /// Roads that are not harassment, in fixed order.
    pub lanes: Vec<Lane>,
    /// Level 4, or `self_harm`, or `safety_incident` with injury.
    pub urgent: bool,
    /// How unreasonable is what they want.
    pub demand: Score,
    /// How abusive is how they say it.
    pub manner: Score,
    /// Why, gravest first, at most [`EVIDENCE_MAX`].
    pub evidence: Vec<Evidence>,
    /// What was set aside, at most [`SUPPRESSED_MAX`].
    pub suppressed: Vec<Suppressed>,
    /// Evidence and suppressed rows beyond the limits.
    pub more: usize,
    /// What was not read.
    pub coverage: Coverage,
    /// Digest of the lexicon profile: `sha256:…`.
    pub lexicon: String,
    /// Version of the engine.
    pub engine: String,
}

impl Verdict {
    /// Flagged or urgent: somebody must be told.
    pub fn is_alert_due(&self) -> bool {
        self.level.is_flagged() || self.urgent
    }
}
