//! The classes of evasion: which forms each applies to, and how it disguises one.
//!
//! Whether a class applies is computed from the script and length of a form alone; every rule stands in [`Class::rule`]. Random
//! choices come from a [`Dice`] that the caller seeds. Tables are those of `spelling`, never those of the folds.

use crate::engine::text::{Script, script};
use crate::engine::workbench::Dice;
use crate::engine::workbench::latin::{initials, keyboard, romanise, styled};
use crate::engine::workbench::spelling::{
    APART, BRACKETS, DIGITS, DRAWN, HOMOPHONES, INNER_MASKS, INVISIBLE, KATAKANA_KANJI, LATIN_FOREIGN, MASKS, OLD_FORMS, OVERLAYS,
    PICTURES, SEPARATORS,
};
use crate::model::verdict::Via;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::compose;

/// A class of evasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// ﾊﾞｶ, ｓｈｉｎｅ.
    Width,
    /// シネ, コろす.
    Kana,
    /// ばぁか, しねーー.
    Small,
    /// 死死死死ね.
    Repeat,
    /// 死 ね, し★ね, 【死】【ね】.
    Separator,
    /// Zero-width characters inside.
    Invisible,
    /// 死̶ね̶.
    Overlay,
    /// は゛か.
    Split,
    /// じね, きちかい.
    Voicing,
    /// 土○座.
    Mask,
    /// ○す.
    Bare,
    /// バ力, ѕһine.
    Lookalike,
    /// タヒね, 木又す.
    Apart,
    /// 4ね, 56す.
    Digit,
    /// 氏ね, 頃す.
    Homophone,
    /// korosu, k0r0su, ｋｏｒｏｓｕ.
    Romaji,
    /// しne, shiね.
    Half,
    /// 🅱🅰🅺🅰.
    Styled,
    /// ιね, ノヽ゛ヵ.
    Drawn,
    /// 杀す, 莫迦.
    Variant,
    /// 🔪す, 🐴🦌.
    Emoji,
    /// すろこ.
    Reversed,
    /// The same behind a right-to-left override.
    Direction,
    /// One letter at the head of each line.
    Acrostic,
    /// &#27515;, %E6%AD%BB, \u6b7b.
    Escape,
    /// ks, kz.
    Initials,
    /// d, and f@t.
    Keyboard,
}

/// Id, fold that lets an entry opt out, whether a second cue must stand by, rule.
type Row = (Class, &'static str, Option<Via>, bool, &'static str);

impl Class {
    /// Every class.
    pub const ALL: [Row; 27] = [
        (Self::Width, "width", Some(Via::Width), false, "forms with katakana, Latin letters or digits"),
        (Self::Kana, "kana", Some(Via::Kana), false, "forms of two letters or more with kana: one kana or more in the other script"),
        (Self::Small, "small", Some(Via::Small), false, "forms with kana: a kana lengthened, or a っ at the end"),
        (Self::Repeat, "repeat", Some(Via::Repeat), false, "forms of two letters or more: one letter three to six times"),
        (Self::Separator, "separator", Some(Via::Separator), false, "forms of 2 to 8 letters: marks between or brackets around all"),
        (Self::Invisible, "invisible", Some(Via::Invisible), false, "forms of two letters or more"),
        (Self::Overlay, "overlay", Some(Via::Separator), false, "all forms"),
        (Self::Split, "split", Some(Via::Voicing), false, "forms with a voiced kana: its mark written apart"),
        (Self::Voicing, "voicing", Some(Via::Voicing), true, "kana forms of 2 or 3 kana: a mark added; of 4 to 6: all marks dropped"),
        (Self::Mask, "mask", Some(Via::Mask), false, "forms of 3 to 6 letters: one of the first four, leaving a kanji or two letters"),
        (Self::Bare, "bare", Some(Via::Mask), true, "forms of 2 to 4 letters: so masked that one letter or an ending is left"),
        (Self::Lookalike, "lookalike", Some(Via::Lookalike), false, "kana words of 2 to 6 kana with カロタニエハトチオメムヒ; Latin words"),
        (Self::Apart, "apart", Some(Via::Apart), false, "forms with a kanji that can be taken apart"),
        (Self::Digit, "digit", Some(Via::Digit), false, "forms that begin with しね, 死ぬ, ころす, 殺す, くず, くそ and the like"),
        (
            Self::Homophone,
            "homophone",
            Some(Via::Homophone),
            false,
            "forms with 死ね, 殺す, 馬鹿 and others that are misconverted on purpose",
        ),
        (Self::Romaji, "romaji", Some(Via::Romaji), false, "kana words of 2 to 6 kana that make 4 Latin letters or more"),
        (Self::Half, "half", Some(Via::Romaji), false, "forms of 2 or 3 letters that end in hiragana"),
        (Self::Styled, "styled", Some(Via::Romaji), false, "as romaji, in styled letters"),
        (Self::Drawn, "drawn", Some(Via::Lookalike), false, "kana words of 2 to 6 kana: half of them or more drawn"),
        (Self::Variant, "variant", Some(Via::Variant), false, "forms with a kanji that has an old or Chinese form"),
        (Self::Emoji, "emoji", Some(Via::Emoji), false, "forms with 死, 殺, 刺, 爆, 殴, 豚, 糞, 猿, 馬鹿"),
        (Self::Reversed, "reversed", Some(Via::Recast), true, "kana words of 3 to 6 kana that are not the same backwards"),
        (Self::Direction, "direction", Some(Via::Recast), false, "forms of two letters or more"),
        (Self::Acrostic, "acrostic", Some(Via::Recast), false, "forms of 3 to 8 letters, alone at the heads of as many lines"),
        (Self::Escape, "escape", Some(Via::Width), false, "forms with a letter outside ASCII"),
        (Self::Initials, "initials", Some(Via::Romaji), true, "kana words of 2 kana that both begin with a consonant"),
        (Self::Keyboard, "keyboard", Some(Via::Romaji), true, "kana words of 2 or 3 kana whose keys include a letter"),
    ];

    fn row(self) -> &'static Row {
        &Self::ALL[self as usize]
    }

    /// The id of the command line.
    pub fn id(self) -> &'static str {
        self.row().1
    }

    /// The fold that an entry takes out of `folds` to opt out.
    pub fn fold(self) -> Option<Via> {
        self.row().2
    }

    /// Whether so little is left that another abusive word must stand by, in the message as in the measure.
    pub fn is_weak(self) -> bool {
        self.row().3
    }

    /// To which forms it applies.
    pub fn rule(self) -> &'static str {
        self.row().4
    }

    /// Reads the id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == id).map(|row| row.0)
    }

    /// `form` in disguise; `None` if the class does not apply to it.
    pub fn disguise(self, form: &str, dice: &mut Dice) -> Option<String> {
        let form = Form { text: form, letters: form.chars().collect() };
        match self {
            Self::Width => form.width(),
            Self::Kana => form.kana(dice),
            Self::Small => form.small(dice),
            Self::Repeat => form.repeat(dice),
            Self::Separator => form.separator(dice),
            Self::Invisible => form.invisible(dice),
            Self::Overlay => form.overlay(dice),
            Self::Split => form.split(dice),
            Self::Voicing => form.voicing(),
            Self::Mask => form.mask(dice, false),
            Self::Bare => form.mask(dice, true),
            Self::Lookalike => form.lookalike(dice),
            Self::Apart => form.replace(APART, dice, false),
            Self::Digit => form.replace(DIGITS, dice, true),
            Self::Homophone => form.replace(HOMOPHONES, dice, false),
            Self::Romaji => form.romaji(dice),
            Self::Half => form.half(dice),
            Self::Styled => styled(&form.latin(dice)?, dice),
            Self::Drawn => form.drawn(dice),
            Self::Variant => form.replace(OLD_FORMS, dice, false),
            Self::Emoji => form.replace(PICTURES, dice, false),
            Self::Reversed => form.reversed(),
            Self::Direction => (form.letters.len() > 1).then(|| format!("\u{202E}{}\u{202C}", form.backwards())),
            Self::Acrostic => form.acrostic(dice),
            Self::Escape => form.escape(dice),
            Self::Initials => form.kana_word(2, 2).and_then(|kana| initials(&kana)),
            Self::Keyboard => form.kana_word(2, 3).and_then(|kana| keyboard(&kana)),
        }
    }
}

struct Form<'a> {
    text: &'a str,
    letters: Vec<char>,
}

impl Form<'_> {
    /// The hiragana of a form in kana alone with so many kana.
    fn kana_word(&self, least: usize, most: usize) -> Option<String> {
        let fits = (least..=most).contains(&self.letters.len()) && self.letters.iter().all(|c| is_kana(*c));
        fits.then(|| self.letters.iter().map(|c| to_hiragana(*c)).collect())
    }

    /// Places of letters that `test` accepts.
    fn places(&self, test: impl Fn(char) -> bool) -> Vec<usize> {
        self.letters.iter().enumerate().filter(|(_, c)| test(**c)).map(|(at, _)| at).collect()
    }

    fn backwards(&self) -> String {
        self.letters.iter().rev().collect()
    }

    /// `at` written as `with`.
    fn with(&self, at: usize, with: &str) -> String {
        let (front, rest) = self.letters.split_at(at.min(self.letters.len()));
        front.iter().copied().chain(with.chars()).chain(rest.iter().skip(1).copied()).collect()
    }

    fn width(&self) -> Option<String> {
        let narrow: String = self.letters.iter().map(|c| half_or_full_width(*c).unwrap_or_else(|| c.to_string())).collect();
        (narrow != self.text).then_some(narrow)
    }

    fn kana(&self, dice: &mut Dice) -> Option<String> {
        let places = self.places(|c| other_kana(c) != c);
        let sure = *dice.pick(&places).filter(|_| self.letters.len() > 1)?;
        let all = dice.below(3) == 0;
        let mut change = |at: usize| at == sure || all || dice.below(2) == 0;
        Some(self.letters.iter().enumerate().map(|(at, c)| if change(at) { other_kana(*c) } else { *c }).collect())
    }

    fn small(&self, dice: &mut Dice) -> Option<String> {
        let at = *dice.pick(&self.places(|c| vowel_of(c).is_some()))?;
        let letter = *self.letters.get(at)?;
        let last = at + 1 == self.letters.len();
        let tail = match dice.below(if last { 5 } else { 3 }) {
            0 => "ー".to_owned(),
            1 => small_vowel(letter)?.to_string(),
            2 => "～".to_owned(),
            3 => "っ".to_owned(),
            _ => "ッ".to_owned(),
        };
        Some(self.with(at, &format!("{letter}{tail}")))
    }

    fn repeat(&self, dice: &mut Dice) -> Option<String> {
        let at = *dice.pick(&self.places(|c| is_kana(c) || script(c) == Script::Kanji)).filter(|_| self.letters.len() > 1)?;
        let letter = self.letters.get(at)?.to_string();
        Some(self.with(at, &letter.repeat(3 + dice.below(4))))
    }

    fn separator(&self, dice: &mut Dice) -> Option<String> {
        if !(2..=8).contains(&self.letters.len()) || !self.letters.iter().all(|c| is_letter(*c)) {
            return None;
        }
        if dice.below(8) == 0 {
            let (open, close) = dice.pick(BRACKETS)?;
            return Some(self.letters.iter().flat_map(|c| open.chars().chain([*c]).chain(close.chars())).collect());
        }
        let mark = dice.pick(SEPARATORS)?;
        let letters: Vec<String> = self.letters.iter().map(char::to_string).collect();
        Some(letters.join(mark))
    }

    fn invisible(&self, dice: &mut Dice) -> Option<String> {
        let at = 1 + dice.below(self.letters.len().checked_sub(1).filter(|gaps| *gaps > 0)?);
        let letter = *self.letters.get(at)?;
        Some(self.with(at, &format!("{}{letter}", dice.pick(INVISIBLE)?)))
    }

    fn overlay(&self, dice: &mut Dice) -> Option<String> {
        let mark = dice.pick(OVERLAYS)?;
        Some(self.letters.iter().map(|c| if is_letter(*c) { format!("{c}{mark}") } else { c.to_string() }).collect())
    }

    fn split(&self, dice: &mut Dice) -> Option<String> {
        let at = *dice.pick(&self.places(|c| unvoiced(c).is_some()))?;
        let (base, mark) = unvoiced(*self.letters.get(at)?)?;
        let marks = if mark == '\u{3099}' { ['\u{309B}', '\u{FF9E}', '\u{3099}'] } else { ['\u{309C}', '\u{FF9F}', '\u{309A}'] };
        Some(self.with(at, &format!("{base}{}", dice.pick(&marks)?)))
    }

    fn voicing(&self) -> Option<String> {
        self.kana_word(2, 6)?;
        if self.letters.len() > 3 {
            let dropped: String = self.letters.iter().map(|c| unvoiced(*c).map_or(*c, |(base, _)| base)).collect();
            return (dropped != self.text).then_some(dropped);
        }
        let at = *self.places(|c| compose(c, '\u{3099}').is_some()).first()?;
        Some(self.with(at, &compose(*self.letters.get(at)?, '\u{3099}')?.to_string()))
    }

    /// One letter masked. `bare`: with no kanji left of a kanji word, or one letter of a kana word.
    fn mask(&self, dice: &mut Dice, bare: bool) -> Option<String> {
        let lengths = if bare { 2..=4 } else { 3..=6 };
        if !lengths.contains(&self.letters.len()) || !self.letters.iter().all(|c| is_letter(*c)) {
            return None;
        }
        let kanji = self.places(|c| script(c) == Script::Kanji).len();
        let leaves_little = |at: usize| {
            let own = usize::from(self.letters.get(at).is_some_and(|c| script(*c) == Script::Kanji));
            if kanji > 0 { kanji == own } else { self.letters.len() < 3 }
        };
        let places: Vec<usize> = (0..self.letters.len().min(4)).filter(|at| leaves_little(*at) == bare).collect();
        let at = *dice.pick(&places)?;
        let inner = at > 0 && at + 1 < self.letters.len() && dice.below(4) == 0;
        Some(self.with(at, &dice.pick(if inner { INNER_MASKS } else { MASKS })?.to_string()))
    }

    fn lookalike(&self, dice: &mut Dice) -> Option<String> {
        if let Some(word) = self.kana_word(2, 6) {
            let katakana: Vec<char> = word.chars().map(other_kana).collect();
            let drawn = |c: char| KATAKANA_KANJI.iter().find(|(kana, _)| *kana == c).map(|(_, kanji)| *kanji);
            let places: Vec<usize> = (0..katakana.len()).filter(|at| katakana.get(*at).is_some_and(|c| drawn(*c).is_some())).collect();
            let sure = *dice.pick(&places)?;
            return Some(katakana.iter().enumerate().map(|(at, c)| drawn(*c).filter(|_| at == sure).unwrap_or(*c)).collect());
        }
        let latin = self.letters.iter().all(char::is_ascii_alphabetic) && self.letters.len() > 2;
        let places = self.places(|c| LATIN_FOREIGN.iter().any(|(letter, _)| *letter == c));
        let at = *dice.pick(&places).filter(|_| latin)?;
        let (_, foreign) = LATIN_FOREIGN.iter().find(|(letter, _)| self.letters.get(at) == Some(letter))?;
        Some(self.with(at, &dice.pick(foreign)?.to_string()))
    }

    fn replace(&self, table: &[(&str, &[&str])], dice: &mut Dice, first: bool) -> Option<String> {
        let fits = |written: &str| if first { self.text.starts_with(written) } else { self.text.contains(written) };
        let rows: Vec<_> = table.iter().filter(|(written, _)| fits(written)).collect();
        let (written, replacements) = dice.pick(&rows)?;
        Some(self.text.replacen(written, dice.pick(replacements)?, 1))
    }

    fn latin(&self, dice: &mut Dice) -> Option<String> {
        romanise(&self.kana_word(2, 6)?, dice.below(2) == 0).filter(|latin| latin.len() >= 4)
    }

    fn romaji(&self, dice: &mut Dice) -> Option<String> {
        let latin = self.latin(dice)?;
        Some(match dice.below(5) {
            0 => latin.to_uppercase(),
            1 => latin.chars().map(|c| half_or_full_width(c).unwrap_or_else(|| c.to_string())).collect(),
            2 => latin.replace('o', "0").replace('i', "1"),
            _ => latin,
        })
    }

    fn half(&self, dice: &mut Dice) -> Option<String> {
        let (last, front) = self.letters.split_last()?;
        if !(1..=2).contains(&front.len()) || script(*last) != Script::Hiragana || !front.iter().all(|c| is_letter(*c)) {
            return None;
        }
        let front: String = front.iter().collect();
        if dice.below(2) == 0 && front.chars().all(|c| script(c) == Script::Hiragana) {
            return Some(format!("{}{last}", romanise(&front, true)?));
        }
        Some(format!("{front}{}", romanise(&last.to_string(), true)?))
    }

    fn drawn(&self, dice: &mut Dice) -> Option<String> {
        let kana: Vec<char> = self.kana_word(2, 6)?.chars().collect();
        let draw = |c: char, dice: &mut Dice| {
            let (base, mark) = unvoiced(c).map_or((c, ""), |(base, mark)| (base, if mark == '\u{3099}' { "゛" } else { "゜" }));
            let (_, drawings) = DRAWN.iter().find(|(kana, _)| *kana == base)?;
            Some(format!("{}{mark}", dice.pick(drawings)?))
        };
        let least = kana.len().div_ceil(2);
        let mut changed = 0;
        let mut out = String::new();
        for (at, c) in kana.iter().enumerate() {
            let needed = least.saturating_sub(changed) >= kana.len() - at;
            let drawing = if needed || dice.below(2) == 0 { draw(*c, dice) } else { None };
            changed += usize::from(drawing.is_some());
            out.push_str(&drawing.unwrap_or_else(|| c.to_string()));
        }
        (changed > 0).then_some(out)
    }

    fn reversed(&self) -> Option<String> {
        self.kana_word(3, 6)?;
        Some(self.backwards()).filter(|backwards| backwards != self.text)
    }

    fn acrostic(&self, dice: &mut Dice) -> Option<String> {
        /// What a line goes on with: nothing that any lexicon minds.
        const LINES: &[&str] = &["というわけです", "、ご確認ください", "から始めます", "について伺います", "の件ですが", "と書きました"];
        let fits = (3..=8).contains(&self.letters.len()) && self.letters.iter().all(|c| is_kana(*c) || script(*c) == Script::Kanji);
        let mut lines = vec![];
        for letter in self.letters.iter().filter(|_| fits) {
            lines.push(format!("{letter}{}", dice.pick(LINES)?));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn escape(&self, dice: &mut Dice) -> Option<String> {
        use std::fmt::Write as _;
        let kind = dice.below(4);
        let mut out = String::new();
        for c in self.letters.iter().copied() {
            if c.is_ascii() {
                out.push(c);
                continue;
            }
            let code = u32::from(c);
            let written = match kind {
                0 => write!(out, "&#{code};"),
                1 => write!(out, "&#x{code:x};"),
                2 => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
                _ => c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(out, "%{byte:02X}")),
            };
            written.ok()?;
        }
        (out != self.text).then_some(out)
    }
}

fn is_kana(c: char) -> bool {
    matches!(c, 'ぁ'..='ゖ' | 'ァ'..='ヶ' | 'ー')
}

fn is_letter(c: char) -> bool {
    is_kana(c) || script(c) == Script::Kanji || c.is_ascii_alphabetic()
}

fn to_hiragana(c: char) -> char {
    if matches!(c, 'ァ'..='ヶ') { other_kana(c) } else { c }
}

/// The same kana in the other script.
fn other_kana(c: char) -> char {
    let code = u32::from(c);
    let moved = match c {
        'ぁ'..='ゖ' => char::from_u32(code + 0x60),
        'ァ'..='ヶ' => char::from_u32(code - 0x60),
        _ => None,
    };
    moved.unwrap_or(c)
}

/// A voiced kana as its base and its combining mark.
fn unvoiced(c: char) -> Option<(char, char)> {
    let mut parts = std::iter::once(c).nfd();
    match (parts.next(), parts.next()) {
        (Some(base), Some(mark)) if matches!(mark, '\u{3099}' | '\u{309A}') => Some((base, mark)),
        _ => None,
    }
}

/// The other width: katakana narrow, Latin letters and digits wide.
fn half_or_full_width(c: char) -> Option<String> {
    if c.is_ascii_alphanumeric() {
        return char::from_u32(u32::from(c) + 0xFEE0).map(String::from);
    }
    if let Some((base, mark)) = unvoiced(c) {
        return half_or_full_width(base).map(|narrow| format!("{narrow}{}", if mark == '\u{3099}' { 'ﾞ' } else { 'ﾟ' }));
    }
    let narrow = |candidate: &char| std::iter::once(*candidate).nfkc().eq(std::iter::once(c));
    ('\u{FF66}'..='\u{FF9D}').find(narrow).map(String::from)
}

/// The vowel a kana ends in, as hiragana.
fn vowel_of(c: char) -> Option<char> {
    let latin = romanise(&to_hiragana(c).to_string(), true)?;
    let at = "aiueo".find(latin.chars().last()?)?;
    "あいうえお".chars().nth(at)
}

fn small_vowel(c: char) -> Option<char> {
    let large = vowel_of(c)?;
    let small = "ぁぃぅぇぉ".chars().nth("あいうえお".chars().position(|vowel| vowel == large)?)?;
    Some(if script(c) == Script::Katakana { other_kana(small) } else { small })
}
