//! The weights of the reader: one small whole number per bucket and head, and the file they travel in.
//!
//! A sentence has a sum of the weights of its distinct buckets for each head; a window of sentences has the sum of theirs over the
//! square root of the number of buckets, so that length alone proves nothing. Values are compared with thresholds that the training chose. Integers only.

use crate::engine::reader::grams::{BUCKETS, Stamps, Stream};
use crate::model::digest::Digest;
use crate::model::severity::{Category, Lane};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// First line of a model file.
const MAGIC: &[u8] = b"mimamori-reader 1\n";

/// Heads asked of every window.
pub const PRIMARY: usize = 8;

/// Heads asked only of a window that is flagged.
pub const SECONDARY: usize = 13;

/// All heads.
pub const HEADS: usize = PRIMARY + SECONDARY;

/// Longest stretch shown as evidence, in characters: a person reads it at a glance.
const LOUDEST_CHARS_MAX: usize = 24;

/// A weight is dealt to the characters of its stretch in these: one, two or three divide them.
const SHARES: i64 = 6;

/// Fixed point of a value: eight bits after the point.
const POINT: u32 = 8;

/// One question to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // named after the levels, lanes and categories they stand for
pub enum Head {
    Flagged,
    Watch,
    SelfHarm,
    SafetyIncident,
    RightsAssertion,
    ThirdPartyReport,
    Accommodation,
    StaffMisconduct,
    Critical,
    Emergency,
    ScamSpam,
    Threat,
    Insult,
    Exposure,
    Coercion,
    Extortion,
    Discrimination,
    Sexual,
    Privacy,
    Obstruction,
    Persistence,
}

impl Head {
    /// Every head, in the order of the weights, with its id.
    pub const ALL: [(Self, &'static str); HEADS] = [
        (Self::Flagged, "flagged"),
        (Self::Watch, "watch"),
        (Self::SelfHarm, "self_harm"),
        (Self::SafetyIncident, "safety_incident"),
        (Self::RightsAssertion, "rights_assertion"),
        (Self::ThirdPartyReport, "third_party_report"),
        (Self::Accommodation, "accommodation"),
        (Self::StaffMisconduct, "staff_misconduct"),
        (Self::Critical, "critical"),
        (Self::Emergency, "emergency"),
        (Self::ScamSpam, "scam_spam"),
        (Self::Threat, "threat"),
        (Self::Insult, "insult"),
        (Self::Exposure, "exposure"),
        (Self::Coercion, "coercion"),
        (Self::Extortion, "extortion"),
        (Self::Discrimination, "discrimination"),
        (Self::Sexual, "sexual"),
        (Self::Privacy, "privacy"),
        (Self::Obstruction, "obstruction"),
        (Self::Persistence, "persistence"),
    ];

    /// Heads of lanes. Mass mail is only asked to keep the reader silent.
    pub const LANES: [(Self, Lane); 6] = [
        (Self::SelfHarm, Lane::SelfHarm),
        (Self::SafetyIncident, Lane::SafetyIncident),
        (Self::RightsAssertion, Lane::RightsAssertion),
        (Self::ThirdPartyReport, Lane::ThirdPartyReport),
        (Self::Accommodation, Lane::Accommodation),
        (Self::StaffMisconduct, Lane::StaffMisconduct),
    ];

    /// Heads of categories.
    pub const CATEGORIES: [(Self, Category); 10] = [
        (Self::Threat, Category::Threat),
        (Self::Insult, Category::Insult),
        (Self::Exposure, Category::Exposure),
        (Self::Coercion, Category::Coercion),
        (Self::Extortion, Category::Extortion),
        (Self::Discrimination, Category::Discrimination),
        (Self::Sexual, Category::Sexual),
        (Self::Privacy, Category::Privacy),
        (Self::Obstruction, Category::Obstruction),
        (Self::Persistence, Category::Persistence),
    ];

    /// The head of a category.
    pub fn of(category: Category) -> Self {
        Self::CATEGORIES.iter().find(|(_, of)| *of == category).map_or(Self::SelfHarm, |(head, _)| *head)
    }
}

/// What the file says of a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadFacts {
    /// Its id.
    pub id: String,
    /// Least value that fires.
    pub threshold: i64,
    /// Value of one unit of the trained margin, to compare heads.
    pub unit: i64,
}

/// The first part of a model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Heads in the order of [`Head::ALL`].
    pub heads: Vec<HeadFacts>,
    /// Labelled messages it was trained on.
    pub messages: usize,
    /// Ordinary texts beside them.
    pub ordinary: usize,
}

/// Why a model file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Not a model file, or one of another version.
    #[error("not a reader model of version 1")]
    Magic,
    /// The facts cannot be read.
    #[error("its description cannot be read: {0}")]
    Facts(String),
    /// Other heads than this program asks.
    #[error("it was trained for other questions than this program asks")]
    Heads,
    /// Cut off or too long.
    #[error("it has {found} bytes of weights instead of {expected}")]
    Size {
        /// Bytes there should be.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
}

/// Trained weights.
#[derive(Clone)]
pub struct Model {
    facts: Facts,
    primary: Vec<[i8; PRIMARY]>,
    secondary: Vec<[i8; SECONDARY]>,
    digest: Digest,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("facts", &self.facts).field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Sums of one or more sentences for a block of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums<const N: usize> {
    sums: [i32; N],
    count: u32,
}

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self { sums: [0; N], count: 0 }
    }
}

impl<const N: usize> Sums<N> {
    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| *sum += more);
        self.count += other.count;
        self
    }

    fn of(weights: &[[i8; N]], stream: &Stream, sentence: Range<usize>, stamps: &mut Stamps) -> Self {
        let mut found = Self::default();
        stamps.begin();
        stream.grams(sentence, |bucket, _, _| {
            if stamps.is_new(bucket) {
                found.count += 1;
                if let Some(row) = weights.get(bucket) {
                    found.sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += i32::from(*weight));
                }
            }
        });
        found
    }

    /// The square root of the number of buckets, in fixed point.
    fn root(&self) -> i64 {
        i64::try_from((u64::from(self.count.max(1)) << (2 * POINT)).isqrt()).unwrap_or(i64::MAX)
    }
}

/// Values of a window for a block of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scores {
    values: [i64; SECONDARY],
    first: usize,
}

impl Scores {
    fn new<const N: usize>(sums: &Sums<N>, first: usize) -> Self {
        let root = sums.root();
        let mut values = [0; SECONDARY];
        for (value, sum) in values.iter_mut().zip(sums.sums) {
            *value = (i64::from(sum) << (2 * POINT)) / root;
        }
        Self { values, first }
    }

    /// The value for `head`; it must belong to the block that was asked.
    pub fn get(&self, head: Head) -> i64 {
        (head as usize).checked_sub(self.first).and_then(|at| self.values.get(at)).copied().unwrap_or(i64::MIN)
    }

    /// Whether `head` fires.
    pub fn fires(&self, model: &Model, head: Head) -> bool {
        model.facts.heads.get(head as usize).is_some_and(|facts| self.get(head) >= facts.threshold)
    }

    /// How far above its threshold `head` is, in hundredths of the trained margin.
    pub fn margin(&self, model: &Model, head: Head) -> i64 {
        let Some(facts) = model.facts.heads.get(head as usize) else { return i64::MIN };
        self.get(head).saturating_sub(facts.threshold).saturating_mul(100) / facts.unit.max(1)
    }
}

impl Model {
    /// A model of weights by bucket.
    pub fn new(facts: Facts, weights: &[[i8; HEADS]]) -> Self {
        let mut primary = vec![[0; PRIMARY]; BUCKETS];
        let mut secondary = vec![[0; SECONDARY]; BUCKETS];
        for ((first, second), row) in primary.iter_mut().zip(&mut secondary).zip(weights) {
            first.copy_from_slice(&row[..PRIMARY]);
            second.copy_from_slice(&row[PRIMARY..]);
        }
        let mut model = Self { facts, primary, secondary, digest: Digest::of(b"") };
        model.digest = Digest::of(&model.to_bytes());
        model
    }

    /// What the file says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Digest of the file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Reads a model file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ModelError::Magic)?;
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(ModelError::Magic)?;
        let (line, rest) = rest.split_at(end);
        let facts: Facts = serde_json::from_slice(line).map_err(|error| ModelError::Facts(error.to_string()))?;
        if !facts.heads.iter().map(|head| head.id.as_str()).eq(Head::ALL.iter().map(|(_, id)| *id)) {
            return Err(ModelError::Heads);
        }
        let rest = rest.get(1..).unwrap_or_default();
        let map = BUCKETS / 8;
        let used = |bits: &[u8]| bits.iter().map(|byte| byte.count_ones() as usize).sum::<usize>();
        let expected = map + rest.get(..map).map_or(0, used) * HEADS;
        if rest.len() != expected {
            return Err(ModelError::Size { expected, found: rest.len() });
        }
        let (bits, rows) = rest.split_at(map);
        let mut weights = vec![[0i8; HEADS]; BUCKETS];
        let used = (0..BUCKETS).filter(|bucket| bits[bucket / 8] >> (bucket % 8) & 1 == 1);
        for (bucket, row) in used.zip(rows.chunks_exact(HEADS)) {
            for (weight, byte) in weights[bucket].iter_mut().zip(row) {
                *weight = i8::from_le_bytes([*byte]);
            }
        }
        Ok(Self::new(facts, &weights))
    }

    /// The model file: a description in JSON, a bitmap of the buckets that weigh anything, and their weights.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(serde_json::to_vec(&self.facts).unwrap_or_default());
        bytes.push(b'\n');
        let mut bits = vec![0u8; BUCKETS / 8];
        let mut rows = vec![];
        for (bucket, (first, second)) in self.primary.iter().zip(&self.secondary).enumerate() {
            if first.iter().chain(second).any(|weight| *weight != 0) {
                bits[bucket / 8] |= 1 << (bucket % 8);
                rows.extend(first.iter().chain(second).map(|weight| weight.to_le_bytes()[0]));
            }
        }
        bytes.extend(bits);
        bytes.extend(rows);
        bytes
    }

    /// Sums of the first heads for a sentence.
    pub fn primary(&self, stream: &Stream, sentence: Range<usize>, stamps: &mut Stamps) -> Sums<PRIMARY> {
        Sums::of(&self.primary, stream, sentence, stamps)
    }

    /// Sums of the other heads for a sentence.
    pub fn secondary(&self, stream: &Stream, sentence: Range<usize>, stamps: &mut Stamps) -> Sums<SECONDARY> {
        Sums::of(&self.secondary, stream, sentence, stamps)
    }

    /// Values of the first heads for a window.
    pub fn primary_scores(&self, sums: &Sums<PRIMARY>) -> Scores {
        Scores::new(sums, 0)
    }

    /// Values of the other heads for a window.
    pub fn secondary_scores(&self, sums: &Sums<SECONDARY>) -> Scores {
        Scores::new(sums, PRIMARY)
    }

    /// The stretch of a window that speaks loudest for a head of the first block: every character carries its share of the stretches it
    /// is part of, and the run of characters with the greatest sum wins.
    pub fn loudest(&self, stream: &Stream, range: Range<usize>, head: Head) -> Range<usize> {
        let mut shares = vec![0i64; range.len()];
        let mut each = |bucket: usize, start: usize, length: usize| {
            let weight = self.primary.get(bucket).and_then(|row| row.get(head as usize)).copied().unwrap_or(0);
            let share = i64::from(weight) * SHARES / i64::try_from(length).unwrap_or(1);
            shares.iter_mut().skip(start - range.start).take(length).for_each(|sum| *sum += share);
        };
        for sentence in stream.sentences().filter(|sentence| range.start <= sentence.start && sentence.end <= range.end) {
            stream.grams(sentence, &mut each);
        }
        let (mut best, mut best_sum, mut from, mut sum) = (0..0, i64::MIN, 0, 0);
        for (at, share) in shares.iter().enumerate() {
            if sum <= 0 || at - from >= LOUDEST_CHARS_MAX {
                (from, sum) = (at, 0);
            }
            sum += share;
            if sum > best_sum {
                (best, best_sum) = (from..at + 1, sum);
            }
        }
        let mut found = range.start + best.start..range.start + best.end;
        while found.len() > 1 && stream.is_blank(found.start) {
            found.start += 1;
        }
        while found.len() > 1 && stream.is_blank(found.end - 1) {
            found.end -= 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let heads = Head::ALL.iter().map(|(_, id)| HeadFacts { id: (*id).to_owned(), threshold: 1, unit: 256 }).collect();
        Facts { heads, messages: 0, ordinary: 0 }
    }

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        let mut weights = vec![[0i8; HEADS]; BUCKETS];
        weights[3][0] = -7;
        weights[70_000][HEADS - 1] = 127;
        let model = Model::new(facts(), &weights);
        let again = Model::from_bytes(&model.to_bytes()).expect("it was just written");
        assert_eq!(again.to_bytes(), model.to_bytes());
        assert_eq!(again.digest(), model.digest());
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let bytes = Model::new(facts(), &vec![[1i8; HEADS]; BUCKETS]).to_bytes();
        assert_eq!(Model::from_bytes(b"").err(), Some(ModelError::Magic));
        assert!(matches!(Model::from_bytes(&bytes[..bytes.len() - 1]), Err(ModelError::Size { .. })));
        let text = String::from_utf8_lossy(&bytes[..200]).replace("flagged", "flogged");
        assert!(Model::from_bytes(text.as_bytes()).is_err());
    }

    #[test]
    fn the_loudest_stretch_is_where_the_weights_are() {
        let mut stream = Stream::default();
        stream.add("ご連絡ありがとう。爆破する。", |_| true);
        let mut weights = vec![[0i8; HEADS]; BUCKETS];
        let mut target = Stream::default();
        target.add("爆破", |_| true);
        // The blanks at both ends belong to no word.
        target.grams(1..3, |bucket, _, _| weights[bucket][0] = 100);
        let model = Model::new(facts(), &weights);
        let found = stream.origin(model.loudest(&stream, 0..stream.len(), Head::Flagged));
        assert_eq!(found, 9..11);
    }
}
