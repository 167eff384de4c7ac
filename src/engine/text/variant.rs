//! Disguised spellings of a form, generated when a lexicon is compiled, so that scanning stays one pass.
//!
//! A disguise has more than one reading (○ may be any letter, 氏 is a surname's tail), so each variant says what must
//! stand beside it. Folding undoes everything that has only one reading; nothing of that kind is generated here.

use crate::engine::text::fold::MASK;
use crate::engine::text::romaji::{initials, keys, romanise};
use crate::engine::text::script::{Script, script};
use crate::engine::text::spelling::{APART, DIGITS, DRAWN, EMOJI, ENGLISH, HOMOPHONES, OLD_FORMS};
use crate::engine::text::via::ViaSet;
use crate::model::verdict::Via;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Most variants of one form: an inflected lexicon has thousands of forms, and the automaton must stay small.
pub const VARIANTS_MAX: usize = 64;

/// Longest form that is masked, in characters: in a longer one the rest of the word is found without the masked letter.
const MASKED_LENGTH_MAX: usize = 6;

/// Only the first letters of a form are masked: what follows is the ending, and hides nothing.
const MASKED_PLACES: usize = 4;

/// Prefixes that are abuse in themselves.
const COARSE: &[&str] = &["ぶっ", "ぶち"];

/// Shortest and longest kana form read backwards: two kana are another word (カバ), and nobody turns a sentence.
const REVERSED: RangeInclusive<usize> = 3..=6;

/// Longest kana form, in kana, whose voicing marks may be added, that is abbreviated, or typed by its keys.
const TINY_MAX: usize = 3;

/// Longest form that is spaced with masks (死○ね), in characters.
const SPACED_LENGTH_MAX: usize = 4;

/// A short form needs an edge on the right too: the ending of a longer one is context enough (氏ねん, but 氏んでくれ).
const SHORT_MAX: usize = 3;

/// Shortest Latin spelling, in letters: shorter ones are initials and English words.
const LATIN_MIN: usize = 4;

/// Shortest kana form whose voicing may be left out: ばか as はか would be a grave, きちがい as きちかい is still read.
const UNVOICED_MIN: usize = 4;

/// One disguised spelling, not folded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent guards, each asked alone
pub struct Variant {
    /// The spelling.
    pub text: String,
    /// The disguise it uses.
    pub via: ViaSet,
    /// Too little is left of the word to stand alone (死○), or it is an ordinary word too (shine): needs a second cue.
    pub weak: bool,
    /// Only as a whole Latin token: no Latin letter or digit directly left or right.
    pub token: bool,
    /// No digit may stand directly left or right (4ね, not 14ね).
    pub digit_guard: bool,
    /// Needs boundary evidence on the left (お前氏ね, not 医師ね).
    pub left_boundary: bool,
    /// Needs boundary evidence on the right (頃す, not 頃すぐ).
    pub right_boundary: bool,
}

/// The disguised spellings of `form` that the folds `allowed` admit, at most `limit` (and [`VARIANTS_MAX`]), commonest
/// disguises first, without duplicates. `reading` is the hiragana of `form`; without it, digits and Latin letters come
/// only from forms in kana.
pub fn variants(form: &str, reading: Option<&str>, allowed: ViaSet, limit: usize) -> Vec<Variant> {
    let is_kana = !form.is_empty() && form.chars().all(|c| matches!(script(c), Script::Hiragana | Script::Katakana));
    let hiragana: String = form.chars().map(crate::engine::text::compat::hiragana).collect();
    let kana = reading.or(is_kana.then_some(hiragana.as_str()));
    let mut list = List { form, allowed, limit: limit.min(VARIANTS_MAX), seen: BTreeSet::from([form.to_owned()]), found: vec![] };
    let word = if is_kana { hiragana.as_str() } else { form };
    list.replace(word, HOMOPHONES, Via::Homophone);
    list.replace(word, APART, Via::Apart);
    list.digits(&hiragana);
    if let Some(kana) = reading {
        list.digits(kana);
    }
    list.masks(form);
    list.masked_apart();
    list.replace(word, OLD_FORMS, Via::Variant);
    list.replace(word, DRAWN, Via::Lookalike);
    list.half_latin();
    if let Some(kana) = kana {
        list.latin(kana);
    }
    if is_kana {
        list.unvoiced(&hiragana);
        list.voiced(&hiragana);
        list.reversed(&hiragana);
        list.initials(&hiragana);
        list.keys(&hiragana);
    }
    list.spaced(form);
    list.replace(word, EMOJI, Via::Emoji);
    list.found
}

struct List<'a> {
    form: &'a str,
    allowed: ViaSet,
    limit: usize,
    seen: BTreeSet<String>,
    found: Vec<Variant>,
}

impl List<'_> {
    fn add(&mut self, text: String, via: &[Via], adjust: impl FnOnce(&mut Variant)) {
        let via = ViaSet::of(via);
        if self.found.len() >= self.limit || !via.is_subset(self.allowed) || !self.seen.insert(text.clone()) {
            return;
        }
        let mut variant = Variant { text, via, weak: false, token: false, digit_guard: false, left_boundary: false, right_boundary: false };
        adjust(&mut variant);
        self.found.push(variant);
    }

    fn replace(&mut self, word: &str, table: &[(&str, &[&str])], via: Via) {
        for (written, replacements) in table {
            if !word.contains(written) {
                continue;
            }
            for replacement in *replacements {
                let text = word.replacen(written, replacement, 1);
                let (short, single) = (is_short(&text), text.chars().count() == 1);
                self.add(text, &[via], |variant| {
                    variant.left_boundary = matches!(via, Via::Homophone | Via::Lookalike);
                    variant.right_boundary = short && variant.left_boundary;
                    variant.weak = single;
                });
            }
        }
    }

    fn digits(&mut self, kana: &str) {
        for (read, digits) in DIGITS {
            let Some(rest) = kana.strip_prefix(read) else { continue };
            let text = format!("{digits}{rest}");
            // Bare numbers (564, 893) are order numbers; who means a word by one lists it as a form with its guards.
            if text.chars().all(|c| c.is_ascii_digit()) {
                continue;
            }
            let short = is_short(&text);
            self.add(text, &[Via::Digit], |variant| (variant.digit_guard, variant.right_boundary) = (true, short));
        }
    }

    fn masks(&mut self, word: &str) {
        let letters: Vec<char> = word.chars().collect();
        if !(2..=MASKED_LENGTH_MAX).contains(&letters.len()) {
            return;
        }
        let has_kanji = letters.iter().any(|c| script(*c) == Script::Kanji);
        for place in 0..letters.len().min(MASKED_PLACES) {
            let left = letters.iter().enumerate().filter(|(index, _)| *index != place).map(|(_, c)| *c);
            let kanji = left.clone().filter(|c| script(*c) == Script::Kanji).count();
            let others = left.filter(|c| matches!(script(*c), Script::Hiragana | Script::Katakana | Script::Latin)).count();
            // A kanji word without its kanji is an ending, unless a coarse prefix is left (ぶっ○す); one letter alone is anything.
            let weak = kanji + others < 2 || has_kanji && kanji == 0 && !COARSE.iter().any(|prefix| word.starts_with(prefix));
            let text = letters.iter().enumerate().map(|(index, c)| if index == place { MASK } else { *c }).collect();
            let short = letters.len() <= SHORT_MAX;
            self.add(text, &[Via::Mask], |variant| {
                variant.weak = weak;
                // とこ|ろ●● hides nothing: what is left of a kana word must begin where a word can.
                variant.left_boundary = !has_kanji;
                variant.right_boundary = !has_kanji && short;
            });
        }
    }

    /// タ○ね: 死 taken apart, and a part masked.
    fn masked_apart(&mut self) {
        if self.form.contains('死') {
            self.add(self.form.replacen('死', "タ○", 1), &[Via::Apart, Via::Mask], |_| ());
        }
    }

    fn latin(&mut self, kana: &str) {
        for spelling in romanise(kana).into_iter().filter(|spelling| spelling.len() >= LATIN_MIN) {
            let weak = ENGLISH.contains(&spelling.as_str());
            let token = |variant: &mut Variant| (variant.token, variant.weak) = (true, weak);
            let figures = spelling.replace('i', "1").replace('o', "0");
            let long = spelling.replace("ou", "o").replace("oo", "o");
            let clipped = spelling.strip_suffix("su").map(|front| format!("{front}s"));
            self.add(spelling, &[Via::Romaji], token);
            if long.len() >= LATIN_MIN {
                self.add(long, &[Via::Romaji], token);
            }
            if let Some(clipped) = clipped.filter(|clipped| clipped.len() >= LATIN_MIN) {
                self.add(clipped, &[Via::Romaji], token);
            }
            self.add(figures, &[Via::Romaji, Via::Lookalike], |variant| variant.token = true);
        }
    }

    /// 死ne, しne, shiね: one end of a short word in Latin letters.
    fn half_latin(&mut self) {
        let mut front = self.form.chars();
        let Some(last) = front.next_back().filter(|last| script(*last) == Script::Hiragana) else { return };
        let front = front.as_str();
        if front.is_empty() || !is_short(self.form) {
            return;
        }
        for ending in romanise(last.encode_utf8(&mut [0; 4])) {
            self.add(format!("{front}{ending}"), &[Via::Romaji], |variant| variant.token = true);
        }
        for beginning in romanise(front) {
            self.add(format!("{beginning}{last}"), &[Via::Romaji], |variant| (variant.token, variant.right_boundary) = (true, true));
        }
    }

    /// All voicing left out: きちかい.
    fn unvoiced(&mut self, hiragana: &str) {
        use unicode_normalization::UnicodeNormalization;
        if hiragana.chars().count() >= UNVOICED_MIN {
            let text = hiragana.nfd().filter(|c| !matches!(c, '\u{3099}' | '\u{309A}')).collect();
            self.add(text, &[Via::Voicing], |variant| (variant.left_boundary, variant.right_boundary) = (true, true));
        }
    }

    /// じね: a voicing mark added to the first kana that takes one.
    fn voiced(&mut self, hiragana: &str) {
        use unicode_normalization::char::compose;
        let mut letters: Vec<char> = hiragana.chars().collect();
        if letters.len() > TINY_MAX {
            return;
        }
        let Some((letter, voiced)) = letters.iter_mut().find_map(|c| compose(*c, '\u{3099}').map(|voiced| (c, voiced))) else { return };
        *letter = voiced;
        self.add(letters.into_iter().collect(), &[Via::Voicing], |variant| {
            (variant.weak, variant.left_boundary, variant.right_boundary) = (true, true, true);
        });
    }

    /// すろこ.
    fn reversed(&mut self, hiragana: &str) {
        if REVERSED.contains(&hiragana.chars().count()) {
            self.add(hiragana.chars().rev().collect(), &[Via::Recast], |variant| {
                (variant.weak, variant.left_boundary, variant.right_boundary) = (true, true, true);
            });
        }
    }

    /// kz, ks.
    fn initials(&mut self, hiragana: &str) {
        if hiragana.chars().count() == 2
            && let Some(letters) = initials(hiragana)
        {
            self.add(letters, &[Via::Romaji], |variant| (variant.weak, variant.token) = (true, true));
        }
    }

    /// d, and f@t: typed with the keyboard in the wrong mode.
    fn keys(&mut self, hiragana: &str) {
        if (2..=TINY_MAX).contains(&hiragana.chars().count())
            && let Some(keys) = keys(hiragana)
        {
            self.add(keys, &[Via::Romaji], |variant| (variant.weak, variant.token) = (true, true));
        }
    }

    /// 死○ね, し×ね: masks between the letters instead of in their place.
    fn spaced(&mut self, word: &str) {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() > SPACED_LENGTH_MAX {
            return;
        }
        for place in 1..letters.len() {
            let (front, back) = letters.split_at(place);
            let text = front.iter().chain([&MASK]).chain(back).collect();
            self.add(text, &[Via::Separator], |_| ());
        }
    }
}

fn is_short(text: &str) -> bool {
    text.chars().count() <= SHORT_MAX
}
