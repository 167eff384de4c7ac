//! Character by character: width, case, styled letters, voicing marks, invisible characters.
//!
//! Order matters: spacing voicing marks (゛) are joined to their kana before any compatibility mapping, which would
//! split them off as a space. One table over the Basic Multilingual Plane, built from the Unicode tables at first use, so that it
//! equals them by construction. Never looks at more than the character before.

use crate::engine::text::fold::MASK;
use crate::engine::text::script::{Script, script};
use crate::engine::text::tables;
use crate::engine::text::via::ViaSet;
use crate::model::verdict::Via;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{compose, is_combining_mark};

/// Longest expansion of one character (㌖ is キロメートル): the few longer ones are whole Arabic phrases, which would let a
/// mail grow eighteenfold.
const EXPANSION_MAX: usize = 6;

/// What a character does in the later steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Letter or digit: part of a word.
    Letter,
    /// Mask: part of a word.
    Mask,
    /// 〇: mask or zero.
    Zero,
    /// × and ＊: mask between letters, else a mark.
    SoftMask,
    /// Lengthens a kana before it.
    Long,
    /// Any space but a line end.
    Space,
    /// Line end.
    Newline,
    /// May stand between the letters of a word.
    Separator,
    /// 、 and its kin.
    Comma,
    /// Full stop of Latin writing.
    Dot,
    /// May wrap single letters.
    Bracket,
    /// A picture; may stand between letters.
    Emoji,
    /// Ends a sentence.
    End,
    /// Any other mark; never skipped.
    Mark,
    /// Dropped.
    Invisible,
    /// Combining mark: dropped.
    Overlay,
    /// Joins the kana before it: ゛ as combining, half-width or spacing mark.
    Voiced,
    /// The same for ゜.
    SemiVoiced,
    /// More than one character: the slow way.
    Many,
}

/// A character of the text on its way to the loose stream.
#[derive(Debug, Clone, Copy)]
pub struct Raw {
    /// Width and case folded.
    pub plain: char,
    /// What it does.
    pub kind: Kind,
    /// As in the loose stream.
    pub loose: char,
    /// First character of the original.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Folds that made it.
    pub own: ViaSet,
    /// Folds that dropped something before it.
    pub gap: ViaSet,
}

impl Raw {
    /// Part of a word.
    pub fn is_word(&self) -> bool {
        matches!(self.kind, Kind::Letter | Kind::Mask)
    }

    /// A kana letter.
    pub fn is_kana(&self) -> bool {
        self.kind == Kind::Letter && matches!(script(self.plain), Script::Hiragana | Script::Katakana)
    }

    /// A letter of `wanted`.
    pub fn is(&self, wanted: Script) -> bool {
        self.kind == Kind::Letter && script(self.plain) == wanted
    }
}

/// Reads `text` into `out`, which is cleared first.
pub fn read(text: &str, out: &mut Vec<Raw>) {
    out.clear();
    let table = &*TABLE;
    let mut pending = ViaSet::EMPTY;
    for (index, c) in (0u32..).zip(text.chars()) {
        let glyph = table.get(c as usize).copied().unwrap_or_else(|| classify(c));
        match glyph.kind {
            Kind::Invisible => pending.insert(Via::Invisible),
            Kind::Overlay => {
                pending.insert(Via::Separator);
                if let Some(last) = out.last_mut() {
                    last.end = index + 1;
                }
            }
            Kind::Voiced | Kind::SemiVoiced if voice(c, glyph.kind, index, out) => {}
            Kind::Many => {
                for part in expand(c) {
                    let part = table.get(part as usize).copied().unwrap_or_else(|| classify(part));
                    push(out, Glyph { own: glyph.own, ..part }, index, &mut pending);
                }
            }
            _ => push(out, glyph, index, &mut pending),
        }
    }
}

/// Joins a voicing mark to the kana before it. `false` if there is none: the mark then stands for itself.
fn voice(mark: char, kind: Kind, index: u32, out: &mut [Raw]) -> bool {
    let Some(last) = out.last_mut().filter(|last| last.is_kana()) else { return false };
    let combining = if kind == Kind::Voiced { '\u{3099}' } else { '\u{309A}' };
    let joined = compose(last.plain, combining);
    // A combining mark is the same text by Unicode, a half-width mark after a half-width kana the only way to write it.
    let ordinary = match mark {
        '\u{3099}' | '\u{309A}' => true,
        '\u{FF9E}' | '\u{FF9F}' => last.own.contains(Via::Width),
        _ => false,
    };
    last.own.insert(if ordinary && joined.is_some() { Via::Width } else { Via::Voicing });
    last.plain = joined.unwrap_or(last.plain);
    last.loose = hiragana(last.plain);
    last.end = index + 1;
    true
}

fn push(out: &mut Vec<Raw>, glyph: Glyph, index: u32, pending: &mut ViaSet) {
    let kind = match glyph.kind {
        Kind::Voiced | Kind::SemiVoiced | Kind::Overlay | Kind::Invisible | Kind::Many => Kind::Mark,
        kind => kind,
    };
    let gap = std::mem::take(pending);
    out.push(Raw { plain: glyph.plain, kind, loose: hiragana(glyph.plain), start: index, end: index + 1, own: glyph.own, gap });
}

/// What `c` is by itself: its plain character and kind.
pub fn glyph(c: char) -> (char, Kind) {
    let glyph = TABLE.get(c as usize).copied().unwrap_or_else(|| classify(c));
    (glyph.plain, glyph.kind)
}

/// The characters that one of [`Kind::Many`] stands for, as [`glyph`] gives them.
pub fn parts(c: char) -> impl Iterator<Item = (char, Kind)> {
    expand(c).map(glyph)
}

/// Katakana as hiragana, anything else as it is.
pub fn hiragana(c: char) -> char {
    match c {
        '\u{30A1}'..='\u{30F6}' | 'ヽ' | 'ヾ' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        _ => c,
    }
}

/// What one character becomes.
#[derive(Debug, Clone, Copy)]
struct Glyph {
    plain: char,
    kind: Kind,
    own: ViaSet,
}

/// The Basic Multilingual Plane, all but surrogates used. 8 bytes a character, half a MiB once per process;
/// a text touches few pages of it.
static TABLE: LazyLock<Vec<Glyph>> =
    LazyLock::new(|| (0..=0xFFFF).map(|code| classify(char::from_u32(code).unwrap_or('\u{FFFD}'))).collect());

fn classify(c: char) -> Glyph {
    let plain_glyph = |plain, kind| Glyph { plain, kind, own: ViaSet::EMPTY };
    match c {
        '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => return plain_glyph('\n', Kind::Newline),
        '\u{3099}' | '\u{309B}' | '\u{FF9E}' => return plain_glyph('\u{309B}', Kind::Voiced),
        '\u{309A}' | '\u{309C}' | '\u{FF9F}' => return plain_glyph('\u{309C}', Kind::SemiVoiced),
        '…' | '‥' => return plain_glyph('…', Kind::Long),
        '〇' => return plain_glyph('〇', Kind::Zero),
        _ if tables::is_invisible(c) => return plain_glyph(c, Kind::Invisible),
        _ if tables::is_mask(c) => return plain_glyph(MASK, Kind::Mask),
        // Written with themselves only; the fast way for nearly all Japanese text.
        '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' => {
            return plain_glyph(c, Kind::Letter);
        }
        _ => {}
    }
    if let Some(plain) = tables::styled(c) {
        return Glyph { plain, kind: Kind::Letter, own: ViaSet::of(&[Via::Lookalike]) };
    }
    let mut parts = expand(c);
    match (parts.next(), parts.next()) {
        (None, _) => plain_glyph(c, Kind::Overlay),
        (Some(plain), None) => {
            let kind = kind_of(plain);
            let plain = if kind == Kind::Mask { MASK } else { plain };
            let cased = c.to_lowercase().eq(std::iter::once(plain));
            let own = if cased || plain == ' ' { ViaSet::EMPTY } else { ViaSet::of(&[Via::Width]) };
            Glyph { plain, kind, own }
        }
        _ if parts.count() + 2 > EXPANSION_MAX => plain_glyph(c, Kind::Letter),
        _ => Glyph { plain: c, kind: Kind::Many, own: ViaSet::of(&[Via::Width]) },
    }
}

/// Compatibility decomposition in lower case, without combining marks, kana composed again.
fn expand(c: char) -> impl Iterator<Item = char> {
    let folded = std::iter::once(c).nfkd().flat_map(char::to_lowercase).nfkd().map(|part| tables::styled(part).unwrap_or(part));
    folded.filter(|part| !is_combining_mark(*part) || matches!(part, '\u{3099}' | '\u{309A}')).nfc()
}

fn kind_of(plain: char) -> Kind {
    match plain {
        ' ' => Kind::Space,
        '、' | ',' | '､' => Kind::Comma,
        '.' => Kind::Dot,
        '×' | '*' | '∗' | '╳' => Kind::SoftMask,
        _ if tables::is_mask(plain) => Kind::Mask,
        _ if tables::is_long(plain) => Kind::Long,
        _ if tables::is_end(plain) => Kind::End,
        _ if tables::is_separator(plain) => Kind::Separator,
        _ if tables::is_bracket(plain) => Kind::Bracket,
        _ => match script(plain) {
            Script::Space => Kind::Space,
            Script::Emoji if tables::is_harm_emoji(plain) => Kind::Mark,
            Script::Emoji => Kind::Emoji,
            Script::Mark => Kind::Mark,
            _ => Kind::Letter,
        },
    }
}

/// One character folded by itself: width, case and kana; `None` for what shows nothing. Line ends stay line ends, other blanks are
/// one space; the voicing marks that follow a half-width kana stay marks. Constant time.
pub fn light(c: char) -> Option<char> {
    let glyph = TABLE.get(c as usize).copied().unwrap_or_else(|| classify(c));
    match glyph.kind {
        Kind::Invisible | Kind::Overlay => None,
        Kind::Space => Some(' '),
        Kind::Many => expand(c).next(),
        _ => Some(hiragana(glyph.plain)),
    }
}
