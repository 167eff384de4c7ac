//! From a lemma to every form it takes, each with its mood.
//!
//! All moods are always generated and the entry chooses which of them fire: the matcher takes the longest form at a
//! place, so the quiet 殺された, 死にたい, 死ねば keep the aggressive forms inside them from firing. Leaving quiet moods out
//! would turn every such message into a threat. About 150 forms a verb and spelling; runs when a lexicon is compiled.

use crate::engine::text::mood::{Class, Mood};
use crate::engine::text::paradigm::{ADJECTIVE_ENDINGS, ENDINGS, ROWS, Stem};
use crate::engine::text::script::{Script, script};
use crate::engine::text::squeeze::vowel;
use std::collections::BTreeMap;
use thiserror::Error;

/// One inflected form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inflected {
    /// The form as written, not folded.
    pub surface: String,
    /// What it does.
    pub mood: Mood,
    /// The word itself is in kana (ころして下さい too): needs boundary evidence.
    pub kana: bool,
}

/// Why a lemma cannot be inflected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InflectError {
    /// Lemma or reading does not end as its class must.
    #[error("“{word}” does not end like class {}: expected {expected}", class.id())]
    Ending {
        /// The lemma or the reading.
        word: String,
        /// The class given.
        class: Class,
        /// The endings that class has.
        expected: &'static str,
    },
    /// The reading is not hiragana.
    #[error("the reading “{0}” is not hiragana")]
    Reading(String),
}

/// Every form of `lemma` and of its `reading` in every mood, sorted by surface. A form that a shorter one of the same
/// mood already matches is left out, unless a form of another mood stands between them.
///
/// # Errors
/// The ending does not fit the class, or the reading is not hiragana.
pub fn inflect(lemma: &str, reading: Option<&str>, class: Class) -> Result<Vec<Inflected>, InflectError> {
    let mut forms = BTreeMap::new();
    add_forms(lemma, lemma, class, &mut forms)?;
    if let Some(reading) = reading {
        if !reading.chars().all(|c| script(c) == Script::Hiragana || c == 'ー') {
            return Err(InflectError::Reading(reading.to_owned()));
        }
        add_forms(reading, lemma, class, &mut forms)?;
    }
    Ok(without_redundant(forms))
}

/// Surface to mood, and whether the word is in kana.
type Forms = BTreeMap<String, (Mood, bool)>;

fn add_forms(word: &str, lemma: &str, class: Class, forms: &mut Forms) -> Result<(), InflectError> {
    let kana = word.chars().all(|c| matches!(script(c), Script::Hiragana | Script::Katakana));
    let mut add = |surface: String, mood| _ = forms.entry(surface).or_insert((mood, kana));
    match class {
        Class::Noun if word.is_empty() => return Err(ending_error(word, class)),
        Class::Noun => add(word.to_owned(), Mood::Plain),
        Class::Adjective => {
            let stem = strip(word, "い", class)?;
            for (mood, endings) in ADJECTIVE_ENDINGS {
                endings.iter().for_each(|ending| add(format!("{stem}{ending}"), *mood));
            }
            if let Some(form) = drawled(stem) {
                add(form, Mood::Plain);
            }
        }
        _ => {
            let verb = Verb::of(word, lemma, class)?;
            for (stem, mood, endings) in ENDINGS {
                for ending in *endings {
                    verb.join(*stem, ending).into_iter().for_each(|form| add(form, *mood));
                }
            }
        }
    }
    Ok(())
}

/// Drops forms whose longest other form inside, from the start, has the same mood. In sorted order a prefix stands
/// before what it begins, so a stack of open prefixes is enough.
fn without_redundant(forms: Forms) -> Vec<Inflected> {
    let mut kept: Vec<Inflected> = vec![];
    let mut open: Vec<(String, Mood)> = vec![];
    for (surface, (mood, kana)) in forms {
        while open.last().is_some_and(|(prefix, _)| !surface.starts_with(prefix.as_str())) {
            open.pop();
        }
        if open.last().is_some_and(|(_, same)| *same == mood) {
            continue;
        }
        open.push((surface.clone(), mood));
        kept.push(Inflected { surface, mood, kana });
    }
    kept
}

/// うぜえ for うざい, 臭え for 臭い.
fn drawled(stem: &str) -> Option<String> {
    let mut front = stem.chars();
    let last = front.next_back()?;
    if script(last) == Script::Kanji {
        return Some(format!("{stem}え"));
    }
    let changed = ROWS_IN_E.iter().find(|(open, _)| open.contains(last)).map(|(_, e)| *e)?;
    Some(format!("{}{changed}え", front.as_str()))
}

/// Kana in あ or お, and the one of the same row in え.
const ROWS_IN_E: &[(&str, char)] = &[
    ("あお", 'え'),
    ("かこカコ", 'け'),
    ("がごガゴ", 'げ'),
    ("さそサソ", 'せ'),
    ("ざぞザゾ", 'ぜ'),
    ("たとタト", 'て'),
    ("だどダド", 'で'),
    ("なのナノ", 'ね'),
    ("ばぼバボ", 'べ'),
    ("まもマモ", 'め'),
    ("らろラロ", 'れ'),
    ("わワ", 'え'),
];

/// The stems of a verb.
struct Verb {
    dictionary: String,
    clipped: Option<String>,
    negative: String,
    old: String,
    continuative: String,
    conditional: String,
    imperative: Vec<String>,
    volitional: String,
    te: String,
    voiced: bool,
    passive: String,
    potential: Option<String>,
    causative: String,
    short_causative: Option<String>,
}

impl Verb {
    fn of(word: &str, lemma: &str, class: Class) -> Result<Self, InflectError> {
        match class {
            Class::Godan => Self::godan(word, lemma),
            Class::Ichidan => Self::ichidan(word),
            Class::Kuru => Self::kuru(word),
            _ => Ok(Self::suru(word.strip_suffix("する").unwrap_or(word))),
        }
    }

    fn godan(word: &str, lemma: &str) -> Result<Self, InflectError> {
        let mut front = word.chars();
        let last = front.next_back();
        let stem = front.as_str();
        let row = ROWS.iter().find(|row| Some(row.0) == last && !stem.is_empty());
        let &(_, a, i, e, o, te, voiced) = row.ok_or_else(|| ending_error(word, Class::Godan))?;
        // 行く is the one 五段 verb in く with っ.
        let te = if ["行く", "逝く", "往く", "いく"].iter().any(|go| lemma.ends_with(go)) { "っ" } else { te };
        Ok(Self {
            dictionary: word.to_owned(),
            clipped: (last == Some('る')).then(|| stem.to_owned()),
            negative: format!("{stem}{a}"),
            old: format!("{stem}{a}"),
            continuative: format!("{stem}{i}"),
            conditional: format!("{stem}{e}"),
            imperative: vec![format!("{stem}{e}")],
            volitional: format!("{stem}{o}"),
            te: format!("{stem}{te}"),
            voiced,
            passive: format!("{stem}{a}れ"),
            potential: Some(format!("{stem}{e}")),
            causative: format!("{stem}{a}せ"),
            short_causative: Some(format!("{stem}{a}")),
        })
    }

    fn ichidan(word: &str) -> Result<Self, InflectError> {
        let stem = strip(word, "る", Class::Ichidan)?;
        if stem.chars().next_back().and_then(vowel).is_some_and(|v| !matches!(v, 'い' | 'え')) {
            return Err(ending_error(word, Class::Ichidan));
        }
        Ok(Self {
            imperative: vec![format!("{stem}ろ"), format!("{stem}よ"), format!("{stem}れ")],
            conditional: format!("{stem}れ"),
            passive: format!("{stem}られ"),
            potential: Some(format!("{stem}れ")),
            causative: format!("{stem}させ"),
            ..Self::regular(word, stem, stem, stem)
        })
    }

    fn suru(stem: &str) -> Self {
        let with = |ending: &str| format!("{stem}{ending}");
        Self {
            clipped: Some(with("す")),
            old: with("せ"),
            conditional: with("すれ"),
            imperative: vec![with("しろ"), with("せよ"), with("せえ"), with("せい")],
            passive: with("され"),
            potential: Some(with("でき")),
            causative: with("させ"),
            ..Self::regular(&with("する"), stem, &with("し"), &with("し"))
        }
    }

    fn kuru(word: &str) -> Result<Self, InflectError> {
        let stem = strip(word, "る", Class::Kuru)?;
        // Written with the kanji, all stems look alike.
        let (front, o, i) = match stem.strip_suffix('く') {
            Some(front) => (front, "こ", "き"),
            None if stem.ends_with('来') => (stem, "", ""),
            None => return Err(ending_error(word, Class::Kuru)),
        };
        let (o, i) = (format!("{front}{o}"), format!("{front}{i}"));
        Ok(Self {
            conditional: format!("{stem}れ"),
            imperative: vec![format!("{o}い")],
            passive: format!("{o}られ"),
            potential: Some(format!("{o}れ")),
            causative: format!("{o}させ"),
            ..Self::regular(word, stem, &o, &i)
        })
    }

    /// What 一段, サ変 and カ変 share: `base` before る, `open` before ない and よう, `front` before ます and て.
    fn regular(dictionary: &str, base: &str, open: &str, front: &str) -> Self {
        Self {
            dictionary: dictionary.to_owned(),
            clipped: Some(base.to_owned()),
            negative: open.to_owned(),
            old: open.to_owned(),
            continuative: front.to_owned(),
            conditional: String::new(),
            imperative: vec![],
            volitional: format!("{open}よ"),
            te: front.to_owned(),
            voiced: false,
            passive: String::new(),
            potential: None,
            causative: String::new(),
            short_causative: None,
        }
    }

    /// The forms of `stem` with `ending`: none, one, or each imperative.
    fn join(&self, stem: Stem, ending: &str) -> Vec<String> {
        let stem = match stem {
            Stem::Imperative => return self.imperative.clone(),
            Stem::Te | Stem::ClearTe if self.voiced && !ending.is_empty() => {
                return if stem == Stem::Te { vec![format!("{}{}", self.te, voiced(ending))] } else { vec![] };
            }
            Stem::Te | Stem::ClearTe => Some(&self.te),
            Stem::Dictionary => Some(&self.dictionary),
            Stem::Clipped => self.clipped.as_ref(),
            Stem::Negative => Some(&self.negative),
            Stem::Old => Some(&self.old),
            Stem::Continuative => Some(&self.continuative),
            Stem::Conditional => Some(&self.conditional),
            Stem::Volitional => Some(&self.volitional),
            Stem::Passive => Some(&self.passive),
            Stem::Potential => self.potential.as_ref(),
            Stem::Causative => Some(&self.causative),
            Stem::ShortCausative => self.short_causative.as_ref(),
        };
        stem.map(|stem| format!("{stem}{ending}")).into_iter().collect()
    }
}

/// The ending after 死ん, 脱い: で for て, だ for た, じ for ち, ど for と.
fn voiced(ending: &str) -> String {
    let mut rest = ending.chars();
    let first = match rest.next() {
        Some('て') => "で",
        Some('た') => "だ",
        Some('ち') => "じ",
        Some('と') => "ど",
        _ => return ending.to_owned(),
    };
    format!("{first}{}", rest.as_str())
}

fn strip<'a>(word: &'a str, ending: &str, class: Class) -> Result<&'a str, InflectError> {
    word.strip_suffix(ending).filter(|stem| !stem.is_empty()).ok_or_else(|| ending_error(word, class))
}

fn ending_error(word: &str, class: Class) -> InflectError {
    let expected = match class {
        Class::Godan => "う, く, ぐ, す, つ, ぬ, ぶ, む or る",
        Class::Ichidan => "る after a kana in い or え",
        Class::Suru => "する or a noun",
        Class::Kuru => "来る or くる",
        Class::Adjective => "い",
        Class::Noun => "a word",
    };
    InflectError::Ending { word: word.to_owned(), class, expected }
}
