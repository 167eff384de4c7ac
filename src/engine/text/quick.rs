//! The skeleton of a text: one fast pass that decides whether the fold is worth its time.
//!
//! A skeleton keeps less than the loose stream, so that it needs hardly any neighbours: whatever the fold may leave out (spaces, marks,
//! long marks) is always left out, whatever it may take for something else (口 for ロ, 〇 for a mask, Cyrillic for Latin) is always one
//! code with it, and runs of anything but kana and kanji are one. The rule that everything rests on: *if the loose stream of a text contains a pattern,
//! the skeleton of the text contains the skeleton of the pattern.* The few cases the pass cannot decide it reports as [`Doubt`]; then
//! only the fold knows. Never panics; linear; buffers are reused.

use crate::engine::text::compat::{Kind, glyph, hiragana, parts};
use crate::engine::text::fold::MASK;
use crate::engine::text::script::{Script, script};
use crate::engine::text::squeeze::{is_drawled, large_kana, vowel};
use crate::engine::text::tables;
use std::sync::LazyLock;

/// Characters beyond the Basic Multilingual Plane share the codes that UTF-16 keeps for surrogates; skeletons may confuse them.
const ASTRAL_BASE: u32 = 0xD800;
/// How many such codes there are, minus one.
const ASTRAL_MASK: u32 = 0x7FF;

/// Why a skeleton says nothing about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// A voicing mark of its own, as half-width kana have it.
    Voicing,
    /// × or ＊ after a letter: a mask or a separator.
    SoftMask,
    /// A small kana or え after a character that may be kana or kanji.
    LookAlike,
    /// A kana or kanji three times: the fold may make it one.
    Run,
}

/// The skeleton of one field, with its buffers.
#[derive(Debug, Clone, Default)]
pub struct Quick {
    /// One code per kept character: the UTF-16 unit of its loose form. Marks that end a sentence are among them; line ends are not.
    pub codes: Vec<u16>,
    /// Where each code comes from: its first character in the original.
    pub starts: Vec<u32>,
    /// Line ends that no word can cross.
    pub breaks: Vec<Break>,
    /// Pictures that were left out.
    pub pictures: Vec<u16>,
    /// What was left out, as a set of `dropped_bit`s.
    pub dropped: u64,
    /// Codes more than characters, through expansions (㌖ is キロメートル).
    pub extra: u32,
    /// Set if the skeleton cannot be trusted.
    pub doubt: Option<Doubt>,
}

/// A line end after the end of a sentence: the fold of the text is the folds of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Codes before it.
    pub code: u32,
    /// Byte of the original directly after it.
    pub byte: u32,
}

/// Reads the skeleton of `text` into `out`, which is cleared first.
pub fn skim(text: &str, out: &mut Quick) {
    out.codes.clear();
    out.starts.clear();
    out.breaks.clear();
    out.pictures.clear();
    (out.dropped, out.extra, out.doubt) = (0, 0, None);
    let table = &*TABLE;
    let mut pass = Pass { out, last: Last::Nothing, code: 0, run: 0, small_tsu: None };
    let mut ended = false;
    for (at, (byte, c)) in (0u32..).zip(text.char_indices()) {
        let sign = table.get(c as usize).copied().unwrap_or_else(|| Sign::of(c));
        if ended && !matches!(sign.act, Act::Drop | Act::Picture | Act::Silent | Act::Long) {
            pass.out.breaks.push(Break { code: index(pass.out.codes.len()), byte: index(byte) });
        }
        ended = c == '\n' && pass.last == Last::End;
        if sign.act == Act::Many {
            pass.expand(c, at);
        } else {
            pass.take(sign, at);
        }
    }
}

/// The skeleton of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skeleton {
    /// Stands in [`Quick::codes`] of every text that contains the pattern.
    pub codes: Vec<u16>,
    /// Is a subset of [`Quick::dropped`] of such a text.
    pub dropped: u64,
    /// Is among [`Quick::pictures`] of such a text.
    pub picture: Option<u16>,
}

/// The skeleton of the loose text of a pattern.
pub fn skeleton(loose: &str) -> Skeleton {
    let mut skeleton = Skeleton { codes: vec![], dropped: 0, picture: None };
    for c in loose.chars() {
        let kind = glyph(c).1;
        match code(c) {
            Some(code) if skeleton.codes.last() == Some(&code) && !repeats(c, kind) => {}
            Some(code) => skeleton.codes.push(code),
            // Any space may stand for another.
            None if matches!(kind, Kind::Space | Kind::Newline | Kind::Letter) => {}
            None => {
                skeleton.dropped |= dropped_bit(unit(c));
                skeleton.picture = skeleton.picture.or((kind == Kind::Emoji).then(|| unit(c)));
            }
        }
    }
    skeleton
}

/// The bit of a character that was left out.
fn dropped_bit(unit: u16) -> u64 {
    1 << (unit & 63)
}

/// Whether two of it are two codes.
fn repeats(loose: char, kind: Kind) -> bool {
    kind == Kind::Letter
        && (tables::katakana_of_kanji(loose).is_some() || matches!(script(loose), Script::Hiragana | Script::Katakana | Script::Kanji))
}

/// What the character before was, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// The begin of the text, a mark or a digit.
    Nothing,
    /// The end of a sentence.
    End,
    /// A kana, which is [`Pass::code`].
    Kana,
    /// A character that may be kana or kanji.
    Either,
    /// A kanji, or a mask for one.
    Kanji,
    /// Any other letter.
    Letter,
}

/// What a character does to the pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Is one code.
    Keep,
    /// Is one code, also beside its like.
    Repeat,
    /// Left out, but not as if it were not there.
    Drop,
    /// Left out, and remembered.
    Picture,
    /// Left out as if it were not there.
    Silent,
    /// Left out; lengthens a kana.
    Long,
    /// A small vowel, with the code of the large one.
    Vowel,
    /// っ, with the code of つ.
    SmallTsu,
    /// え, which may be drawled.
    E,
    /// May be kana or kanji.
    Either,
    SoftMask,
    Voicing,
    Many,
}

/// What a character is to the pass. 4 bytes.
#[derive(Debug, Clone, Copy)]
struct Sign {
    code: u16,
    act: Act,
    last: Last,
}

/// The Basic Multilingual Plane, a quarter MiB once per process, of which a text touches few pages.
static TABLE: LazyLock<Vec<Sign>> =
    LazyLock::new(|| (0..=0xFFFF).map(|code| Sign::of(char::from_u32(code).unwrap_or('\u{FFFD}'))).collect());

impl Sign {
    fn of(c: char) -> Self {
        let (plain, kind) = glyph(c);
        Self::new(plain, kind)
    }

    fn new(plain: char, kind: Kind) -> Self {
        let loose = hiragana(plain);
        let (act, last) = match kind {
            Kind::Invisible | Kind::Overlay => (Act::Silent, Last::Nothing),
            Kind::Voiced | Kind::SemiVoiced => (Act::Voicing, Last::Nothing),
            Kind::Long => (Act::Long, Last::Nothing),
            Kind::Many => (Act::Many, Last::Nothing),
            Kind::SoftMask => (Act::SoftMask, Last::Nothing),
            Kind::End => (Act::Keep, Last::End),
            Kind::Mark => (Act::Keep, Last::Nothing),
            Kind::Space | Kind::Newline | Kind::Separator | Kind::Comma | Kind::Dot | Kind::Bracket => (Act::Drop, Last::Nothing),
            Kind::Emoji => (Act::Picture, Last::Nothing),
            Kind::Mask | Kind::Zero => (Act::Keep, Last::Kanji),
            Kind::Letter => letter(plain, loose),
        };
        let dropped = matches!(act, Act::Drop | Act::Picture | Act::Long | Act::SoftMask);
        let code = if dropped { unit(loose) } else { code(large_kana(loose).unwrap_or(loose)).unwrap_or(0) };
        Self { code, act, last }
    }
}

fn letter(plain: char, loose: char) -> (Act, Last) {
    match script(plain) {
        Script::Hiragana | Script::Katakana => match loose {
            'っ' => (Act::SmallTsu, Last::Nothing),
            'え' => (Act::E, Last::Kana),
            'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' => (Act::Vowel, Last::Kana),
            _ => (Act::Repeat, Last::Kana),
        },
        _ if tables::katakana_of_kanji(plain).is_some() => (Act::Either, Last::Either),
        Script::Kanji => (Act::Repeat, Last::Kanji),
        Script::Digit => (Act::Keep, Last::Nothing),
        _ => (Act::Keep, Last::Letter),
    }
}

/// The code of a loose character; `None` if skeletons leave it out.
fn code(loose: char) -> Option<u16> {
    let (_, kind) = glyph(loose);
    match kind {
        Kind::Letter | Kind::Mask | Kind::Zero | Kind::Mark | Kind::End | Kind::Many | Kind::Voiced | Kind::SemiVoiced => {}
        _ => return None,
    }
    let one = match loose {
        // Taken for ー, which is left out.
        '一' => return None,
        '0' | '〇' => MASK,
        _ => tables::katakana_of_kanji(loose).map(hiragana).or_else(|| tables::latin_of_foreign(loose)).unwrap_or(loose),
    };
    Some(unit(one))
}

fn unit(c: char) -> u16 {
    let astral = || u16::try_from(ASTRAL_BASE | (u32::from(c) & ASTRAL_MASK)).unwrap_or_default();
    u16::try_from(u32::from(c)).unwrap_or_else(|_| astral())
}

struct Pass<'a> {
    out: &'a mut Quick,
    last: Last,
    /// The last code: that of the last character, if it was kana.
    code: u16,
    /// How often it stands there.
    run: u32,
    /// A っ that waits for what follows: where it stood.
    small_tsu: Option<u32>,
}

impl Pass<'_> {
    #[inline]
    fn take(&mut self, sign: Sign, at: u32) {
        if self.small_tsu.is_some() && sign.act != Act::Silent {
            self.settle_tsu(matches!(sign.last, Last::Kana | Last::Either | Last::Kanji));
        }
        match sign.act {
            Act::Repeat => self.repeat(sign.code, at, sign.last),
            Act::Keep => self.keep(sign.code, at, sign.last),
            _ => self.rare(sign, at),
        }
    }

    /// Keeps a mark, digit or letter of another script: runs are one code.
    #[inline]
    fn keep(&mut self, code: u16, at: u32, last: Last) {
        self.last = last;
        if code != self.code {
            self.push(code, at);
        }
    }

    /// Keeps a kana or kanji.
    #[inline]
    fn repeat(&mut self, code: u16, at: u32, last: Last) {
        self.last = last;
        self.run = if code == self.code { self.run + 1 } else { 0 };
        if self.run > 1 {
            self.doubt(Doubt::Run);
        }
        // 一 leaves nothing.
        if code != 0 {
            self.push(code, at);
        }
    }

    #[inline]
    fn push(&mut self, code: u16, at: u32) {
        self.code = code;
        self.out.codes.push(code);
        self.out.starts.push(at);
    }

    fn rare(&mut self, sign: Sign, at: u32) {
        let before = (self.last == Last::Kana).then(|| char::from_u32(u32::from(self.code))).flatten();
        match sign.act {
            Act::Silent => {}
            Act::Drop | Act::Picture | Act::Long => self.drop(sign),
            Act::E if before.is_some_and(is_drawled) => {}
            Act::Vowel if before.and_then(vowel).is_some_and(|vowel| u32::from(vowel) == u32::from(sign.code)) => {}
            Act::E | Act::Vowel | Act::SmallTsu if self.last == Last::Either => self.doubt(Doubt::LookAlike),
            Act::SmallTsu if self.last == Last::Kana => self.small_tsu = Some(at),
            Act::E | Act::Vowel | Act::SmallTsu => self.repeat(sign.code, at, Last::Kana),
            Act::Either => {
                // 工 may be a drawled エ.
                if sign.code == E && (self.last == Last::Either || before.is_some_and(is_drawled)) {
                    self.doubt(Doubt::LookAlike);
                }
                self.repeat(sign.code, at, Last::Either);
            }
            Act::SoftMask if matches!(self.last, Last::Nothing | Last::End) => self.drop(sign),
            Act::SoftMask => self.doubt(Doubt::SoftMask),
            Act::Keep | Act::Repeat | Act::Voicing | Act::Many => self.doubt(Doubt::Voicing),
        }
    }

    fn drop(&mut self, sign: Sign) {
        self.out.dropped |= dropped_bit(sign.code);
        match sign.act {
            Act::Picture => self.out.pictures.push(sign.code),
            Act::Long if matches!(self.last, Last::Kana | Last::Either) => return,
            _ => {}
        }
        if sign.act != Act::Drop || self.last != Last::End {
            self.last = Last::Nothing;
        }
    }

    /// っ is a letter inside a word, and only a drawl before anything else.
    fn settle_tsu(&mut self, keeps: bool) {
        if let Some(at) = self.small_tsu.take()
            && keeps
        {
            self.repeat(TSU, at, Last::Kana);
        }
    }

    fn expand(&mut self, c: char, at: u32) {
        let before = self.out.codes.len();
        for (plain, kind) in parts(c) {
            let kind = if matches!(kind, Kind::Many | Kind::Voiced | Kind::SemiVoiced | Kind::Overlay | Kind::Invisible) {
                Kind::Mark
            } else {
                kind
            };
            self.take(Sign::new(plain, kind), at);
        }
        self.out.extra += index(self.out.codes.len() - before).saturating_sub(1);
    }

    fn doubt(&mut self, doubt: Doubt) {
        self.out.doubt.get_or_insert(doubt);
    }
}

/// え and つ, which are hiragana and so their own codes.
const E: u16 = 0x3048;
const TSU: u16 = 0x3064;

fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
