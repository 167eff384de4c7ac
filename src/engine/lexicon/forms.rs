//! All spellings of an entry: conjugated, read in kana, and evaded in the ways its folds accept.
//!
//! Every mood is generated, also those that do not fire: a longer quiet form (殺された, 死にたい) must be seen to win over a
//! shorter aggressive one at the same place. Cost: paid once, at compile time.

use crate::engine::lexicon::object::{EntryObject, Lemma, Word};
use crate::engine::lexicon::shape::Shape;
use crate::engine::text::{InflectError, Script, VARIANTS_MAX, ViaSet, inflect, script, variants};
use crate::model::verdict::Via;
use std::collections::{BTreeMap, BTreeSet};

/// What a spelling does where it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Force {
    /// Fires.
    Fires,
    /// Fires only beside another cue: too little of the word is left.
    Weak,
    /// Blocks shorter forms of its entry, and gives no evidence itself.
    Quiet,
}

/// What may not continue a spelling on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edge {
    /// Anything may.
    Free,
    /// No Latin letter or digit: it must be a whole token.
    Token,
    /// No digit: it may not be part of a number.
    Digits,
}

/// One spelling of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// As it is searched, before folding.
    pub text: String,
    /// Folds that generated it.
    pub via: ViaSet,
    /// What it does.
    pub force: Force,
    /// What may not continue it.
    pub edge: Edge,
    /// Must begin a word, whatever the entry says.
    pub left: bool,
    /// Must end a word.
    pub right: bool,
}

/// Every spelling of `entry`, each once (the plainest of equals). `forms` and `readings` have their sets expanded.
pub fn spell(entry: &EntryObject, forms: &[Word], readings: &[Word]) -> Result<Vec<Spelling>, InflectError> {
    let mut basis: Vec<(String, Option<String>, bool)> = vec![];
    if let Some(lemma) = &entry.lemma {
        conjugate(lemma, &mut basis)?;
    }
    // A reading belongs to the form at the same position only when there are as many of both.
    let paired = forms.len() == readings.len();
    for (index, form) in forms.iter().enumerate() {
        let reading = readings.get(index).filter(|_| paired).map(|reading| reading.text.clone());
        basis.push((form.text.clone(), reading, false));
    }
    basis.extend(readings.iter().map(|reading| (reading.text.clone(), None, false)));
    let mut found: BTreeMap<(String, bool), Spelling> = BTreeMap::new();
    for (text, reading, quiet) in basis {
        for variant in variants(&text, reading.as_deref(), entry.folds, VARIANTS_MAX) {
            // A spelling in Latin letters that has none is no spelling.
            if variant.via.contains(Via::Romaji) && !variant.text.chars().any(|c| c.is_ascii_alphabetic()) {
                continue;
            }
            // A word without its voicing marks is too often another word (あんごう, 鮟鱇).
            let doubtful = variant.weak || variant.via.contains(Via::Voicing);
            let force = if doubtful { Force::Weak } else { Force::Fires };
            let edge = match (variant.token, variant.digit_guard) {
                (true, _) => Edge::Token,
                (false, true) => Edge::Digits,
                (false, false) => Edge::Free,
            };
            let (left, right) = (variant.left_boundary, variant.right_boundary);
            let force = if quiet { Force::Quiet } else { force };
            keep(&mut found, Spelling { text: variant.text, via: variant.via, force, edge, left, right });
        }
        let force = if quiet { Force::Quiet } else { Force::Fires };
        keep(&mut found, Spelling { text, via: ViaSet::EMPTY, force, edge: Edge::Free, left: false, right: false });
    }
    Ok(found.into_values().collect())
}

/// Most sample forms of each kind (with kanji or Latin letters, in kana alone) kept of one entry.
const SAMPLES_MAX: usize = 3;

/// The shortest plain forms that fire, some in kana alone and some not: short forms are the hardest to tell apart.
pub fn sample(spellings: &[Spelling]) -> Vec<String> {
    let plain = |spelling: &&Spelling| spelling.force == Force::Fires && spelling.via.is_empty();
    let mut texts: Vec<&str> = spellings.iter().filter(plain).map(|spelling| spelling.text.as_str()).collect();
    texts.sort_by_key(|text| (text.chars().count(), *text));
    let is_kana = |text: &&&str| text.chars().all(|c| matches!(script(c), Script::Hiragana | Script::Katakana));
    let kana = texts.iter().filter(is_kana).take(SAMPLES_MAX);
    let other = texts.iter().filter(|text| !is_kana(text)).take(SAMPLES_MAX);
    other.chain(kana).map(|text| (*text).to_owned()).collect()
}

fn keep(found: &mut BTreeMap<(String, bool), Spelling>, spelling: Spelling) {
    let key = (spelling.text.clone(), spelling.force == Force::Quiet);
    match found.get(&key) {
        Some(known) if known.via.iter().count() <= spelling.via.iter().count() => {}
        _ => _ = found.insert(key, spelling),
    }
}

fn conjugate(lemma: &Lemma, basis: &mut Vec<(String, Option<String>, bool)>) -> Result<(), InflectError> {
    for form in inflect(&lemma.lemma.text, Some(&lemma.reading), lemma.class)? {
        let quiet = !lemma.moods.contains(&form.mood);
        let reading = if form.kana { None } else { read(&form.surface, &lemma.lemma.text, &lemma.reading) };
        for prefix in &lemma.prefixes {
            basis.push((format!("{prefix}{}", form.surface), reading.as_ref().map(|reading| format!("{prefix}{reading}")), quiet));
        }
        basis.push((form.surface, reading, quiet));
    }
    Ok(())
}

/// The reading of a conjugated form: the kana that the lemma ends in are kept, its stem is read as in the lemma.
fn read(surface: &str, lemma: &str, reading: &str) -> Option<String> {
    let common = lemma.chars().rev().zip(reading.chars().rev()).take_while(|(a, b)| a == b).count();
    let stem: String = lemma.chars().take(lemma.chars().count() - common).collect();
    let stem_reading: String = reading.chars().take(reading.chars().count() - common).collect();
    surface.strip_prefix(&stem).map(|rest| format!("{stem_reading}{rest}"))
}

/// Folds spellings, leaving out evaded quiet ones that have no louder one to hide: half of all, and nothing would change.
pub fn useful(spellings: Vec<Spelling>) -> Vec<(Spelling, Shape)> {
    let fold = |spelling: Spelling| Shape::of(&spelling.text).into_iter().map(move |shape| (spelling.clone(), shape));
    let mut shaped: Vec<(Spelling, Shape)> = spellings.into_iter().flat_map(fold).collect();
    let loud = shaped.iter().filter(|(spelling, _)| spelling.force != Force::Quiet);
    let loud: BTreeSet<String> = loud.map(|(_, shape)| shape.text().to_owned()).collect();
    let hides = |text: &str| text.char_indices().any(|(from, _)| text.get(from..).is_some_and(|rest| has_prefix_in(&loud, rest)));
    shaped.retain(|(spelling, shape)| spelling.force != Force::Quiet || spelling.via.is_empty() || hides(shape.text()));
    shaped
}

fn has_prefix_in(texts: &BTreeSet<String>, text: &str) -> bool {
    text.char_indices().any(|(at, c)| text.get(..at + c.len_utf8()).is_some_and(|prefix| texts.contains(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conjugated_forms_are_read_by_their_stem() {
        let rows =
            [("殺した", "殺す", "ころす", Some("ころした")), ("生きる", "死ぬ", "しぬ", None), ("死ね", "死ぬ", "しぬ", Some("しね"))];
        for (surface, lemma, reading, expected) in rows {
            assert_eq!(read(surface, lemma, reading).as_deref(), expected, "{surface}");
        }
    }
}
