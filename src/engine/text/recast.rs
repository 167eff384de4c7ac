//! Other readings of a text: what it says once codes are decoded, overridden directions turned, drawn letters and split kanji put
//! together, or the heads of its lines read downwards.
//!
//! Such readings are too rare and too loose for the one stream that every text is folded to, so they are made only for texts that
//! show a sign of them, and are judged as a second stream. Every character remembers the stretch it stands for. Linear; decodes once,
//! never again what came of it.

use crate::engine::text::drawn::SEQUENCES;
use crate::engine::text::script::{Script, script};
use crate::engine::text::via::ViaSet;
use crate::model::verdict::Via;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use unicode_normalization::char::compose;

/// Fewest lines whose heads are read as a word.
pub const HEADS_MIN: usize = 3;

/// Most lines of one paragraph whose heads are read: longer ones are prose or lists.
const HEADS_MAX: usize = 24;

/// Longest code of one character (`&#x10FFFF;`), in characters.
const CODE_MAX: usize = 10;

/// Kana that may end a word read at the heads of lines (し / ね / よ).
const CLOSING: &str = "よぞぜやなわ";

/// What one character of a reading stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// First character of the original.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// What made it; empty if it stands as in the original.
    pub via: ViaSet,
}

/// Another reading of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recast {
    /// What it says.
    pub text: String,
    /// For every character of it.
    pub origin: Vec<Origin>,
    /// Whether it is read at the heads of lines.
    heads: bool,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    letter: char,
    origin: Origin,
}

impl Recast {
    /// Whether a find on the original characters `start..end` counts: what is not recast was found before, and a word at the heads of
    /// lines must be all that the heads of its paragraph say.
    pub fn admits(&self, start: u32, end: u32) -> bool {
        if self.heads {
            return self.is_whole(start, end);
        }
        let first = self.origin.partition_point(|origin| origin.end <= start);
        self.origin[first..].iter().take_while(|origin| origin.start < end).any(|origin| !origin.via.is_empty())
    }

    fn is_whole(&self, start: u32, end: u32) -> bool {
        let letters: Vec<char> = self.text.chars().collect();
        let (from, to) =
            (self.origin.partition_point(|origin| origin.start < start), self.origin.partition_point(|origin| origin.end <= end));
        let is_break = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_none_or(|c| *c == '\n');
        let begins = is_break(from.checked_sub(1)) || is_break(from.checked_sub(2));
        let closes = letters.get(to).is_some_and(|c| CLOSING.contains(*c)) && is_break(Some(to + 1));
        begins && (to - from >= HEADS_MIN && (is_break(Some(to)) || is_break(Some(to + 1))) || to - from + 1 >= HEADS_MIN && closes)
    }
}

/// Whether `text` may hold codes or a direction override. A few fast looks.
pub fn shows_codes(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'%' | b'&' | b'\\')) && has_code(text) || text.contains('\u{202E}')
}

/// Whether `text` holds drawn letters or split kanji. One look per character. Single ASCII letters do not count by themselves: they are
/// too common.
pub fn shows_drawn(text: &str) -> bool {
    let (first, signs) = (&*FIRST, &*SIGNS);
    let mut before = None;
    text.char_indices().any(|(at, c)| {
        let begins = has_bit(first, c) && signs.get(&c).is_some_and(|signs| begins_sign(signs, before, text.get(at..).unwrap_or_default()));
        before = Some(c);
        begins
    })
}

fn begins_sign(signs: &[&str], before: Option<char>, rest: &str) -> bool {
    let fits = |sign: &&str| {
        rest.strip_prefix(sign).is_some_and(|after| !is_doubtful(sign) || stands_in_kana(sign, before, |ahead| after.chars().nth(ahead)))
    };
    signs.iter().any(fits)
}

/// Signs that show a drawing by themselves, by their first character.
static SIGNS: LazyLock<BTreeMap<char, Vec<&'static str>>> = LazyLock::new(|| {
    let mut signs: BTreeMap<char, Vec<&'static str>> = BTreeMap::new();
    for (sign, ..) in SEQUENCES.iter().filter(|(sign, ..)| sign.len() > 1) {
        if let Some(first) = sign.chars().next() {
            signs.entry(first).or_default().push(sign);
        }
    }
    signs
});

fn has_code(text: &str) -> bool {
    ["&#", "\\u", "\\U", "%e", "%E", "%f0", "%F0"].iter().any(|sign| text.contains(sign))
}

/// `text` decoded, turned and put together; `None` if that changes nothing.
pub fn rewrite(text: &str) -> Option<Recast> {
    let plain = |(at, letter): (u32, char)| Piece { letter, origin: Origin { start: at, end: at + 1, via: ViaSet::EMPTY } };
    let pieces: Vec<Piece> = (0..).zip(text.chars()).map(plain).collect();
    let pieces = join(&turn(&decode(&pieces)));
    let changed = pieces.iter().any(|piece| !piece.origin.via.is_empty());
    changed.then(|| Recast {
        text: pieces.iter().map(|piece| piece.letter).collect(),
        origin: pieces.iter().map(|piece| piece.origin).collect(),
        heads: false,
    })
}

/// What the heads of lines say, with its buffers.
#[derive(Debug, Default)]
pub struct Heads {
    reading: Recast,
    paragraph: Vec<(u32, char)>,
}

impl Heads {
    /// The first letters of the lines of every paragraph of three lines or more. Allocates nothing once the buffers have grown.
    pub fn read(&mut self, text: &str) -> Option<&Recast> {
        if text.bytes().filter(|byte| *byte == b'\n').take(HEADS_MIN - 1).count() < HEADS_MIN - 1 {
            return None;
        }
        self.reading.text.clear();
        self.reading.origin.clear();
        self.reading.heads = true;
        self.paragraph.clear();
        let mut at = 0;
        for line in text.split('\n') {
            let count = u32::try_from(line.chars().count()).unwrap_or(u32::MAX);
            let head = (at..).zip(line.chars()).find(|(_, c)| !matches!(script(*c), Script::Space | Script::Mark | Script::Emoji));
            match head {
                Some(head) => self.paragraph.push(head),
                None => self.close(),
            }
            at += count + 1;
        }
        self.close();
        (!self.reading.text.is_empty()).then_some(&self.reading)
    }

    fn close(&mut self) {
        if (HEADS_MIN..=HEADS_MAX).contains(&self.paragraph.len()) {
            let via = ViaSet::of(&[Via::Recast]);
            // Two line ends: nothing is read across paragraphs.
            let end = self.paragraph.last().map_or(0, |(at, _)| at + 1);
            for (start, c) in self.paragraph.iter().copied().chain([(end, '\n'), (end, '\n')]) {
                self.reading.text.push(c);
                let end = if c == '\n' { start } else { start + 1 };
                self.reading.origin.push(Origin { start, end, via });
            }
        }
        self.paragraph.clear();
    }
}

/// Decodes `&#27515;`, `\u6b7b` and `%E6%AD%BB`, but not inside an address of the web.
fn decode(pieces: &[Piece]) -> Vec<Piece> {
    let mut out = Vec::with_capacity(pieces.len());
    let (mut at, mut address) = (0, false);
    while let Some(piece) = pieces.get(at) {
        address = !piece.letter.is_whitespace() && (address || starts_with(pieces, at, "://"));
        let decoded = match piece.letter {
            '&' => decimal_or_hex(pieces, at),
            '\\' => escaped(pieces, at),
            '%' if !address => percent(pieces, at),
            _ => None,
        };
        let Some((letter, length)) = decoded.filter(|(letter, _)| !letter.is_ascii()) else {
            out.push(*piece);
            at += 1;
            continue;
        };
        let end = pieces.get(at + length - 1).map_or(piece.origin.end, |last| last.origin.end);
        out.push(Piece { letter, origin: Origin { start: piece.origin.start, end, via: ViaSet::of(&[Via::Width]) } });
        at += length;
    }
    out
}

fn starts_with(pieces: &[Piece], at: usize, sign: &str) -> bool {
    sign.chars().enumerate().all(|(ahead, c)| pieces.get(at + ahead).is_some_and(|piece| piece.letter == c))
}

/// The digits of `radix` from `at` on, at most `most`: their value and number.
fn digits(pieces: &[Piece], at: usize, radix: u32, most: usize) -> (u32, usize) {
    let values = pieces.iter().skip(at).take(most).map_while(|piece| piece.letter.to_digit(radix));
    values.fold((0, 0), |(value, count), digit| (value * radix + digit, count + 1))
}

fn decimal_or_hex(pieces: &[Piece], at: usize) -> Option<(char, usize)> {
    if !starts_with(pieces, at, "&#") {
        return None;
    }
    let hex = pieces.get(at + 2).is_some_and(|piece| matches!(piece.letter, 'x' | 'X'));
    let (from, radix) = if hex { (at + 3, 16) } else { (at + 2, 10) };
    let (value, count) = digits(pieces, from, radix, CODE_MAX - 3);
    let closed = pieces.get(from + count).is_some_and(|piece| piece.letter == ';');
    Some((char::from_u32(value).filter(|_| count > 0)?, from + count + usize::from(closed) - at))
}

fn escaped(pieces: &[Piece], at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let (value, count) = (starts_with(pieces, at, "\\u") || starts_with(pieces, at, "\\U")).then(|| digits(pieces, at + 2, 16, 4))?;
        u16::try_from(value).ok().filter(|_| count == 4)
    };
    let first = unit(at)?;
    let one = char::decode_utf16([first]).next()?.ok().map(|c| (c, 6));
    one.or_else(|| char::decode_utf16([first, unit(at + 6)?]).next()?.ok().map(|c| (c, 12)))
}

fn percent(pieces: &[Piece], at: usize) -> Option<(char, usize)> {
    let byte = |at: usize| {
        let (value, count) = starts_with(pieces, at, "%").then(|| digits(pieces, at + 1, 16, 2))?;
        u8::try_from(value).ok().filter(|_| count == 2)
    };
    let length = match byte(at)? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let bytes: Vec<u8> = (0..length).map_while(|index| byte(at + 3 * index)).collect();
    let letter = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    Some((letter, 3 * length))
}

/// Turns what stands behind a right-to-left override, up to its end or that of the line.
fn turn(pieces: &[Piece]) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut rest = pieces;
    while let Some(at) = rest.iter().position(|piece| piece.letter == '\u{202E}') {
        let (front, behind) = rest.split_at(at);
        out.extend(front);
        let behind = behind.get(1..).unwrap_or_default();
        let length = behind.iter().take_while(|piece| !matches!(piece.letter, '\u{202C}' | '\u{202E}' | '\u{2069}' | '\n')).count();
        let (turned, after) = behind.split_at(length);
        if let (Some(first), Some(last)) = (turned.first(), turned.last()) {
            // One stretch for all of them: places must not fall.
            let origin = Origin { start: first.origin.start, end: last.origin.end, via: ViaSet::of(&[Via::Recast]) };
            out.extend(turned.iter().rev().map(|piece| Piece { letter: piece.letter, origin }));
        }
        rest = after;
    }
    out.extend(rest);
    out
}

/// First characters of the signs: a bit each. All are within the Basic Multilingual Plane.
static FIRST: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut bits = vec![0; (u16::MAX as usize + 1) / u64::BITS as usize];
    for first in SEQUENCES.iter().filter_map(|row| row.0.chars().next()) {
        if let Some(word) = bits.get_mut(first as usize / u64::BITS as usize) {
            *word |= 1 << (first as u32 % u64::BITS);
        }
    }
    bits
});

fn is_first(c: char) -> bool {
    has_bit(&FIRST, c)
}

fn has_bit(bits: &[u64], c: char) -> bool {
    bits.get(c as usize / u64::BITS as usize).is_some_and(|word| word >> (c as u32 % u64::BITS) & 1 == 1)
}

/// Puts drawn letters and split kanji together, longest first.
fn join(pieces: &[Piece]) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let fits = |row: &&(&str, &str, Via)| {
            let drawn = out.last().is_some_and(|last| last.origin.end == piece.origin.start && !last.origin.via.is_empty());
            let letter = |at: usize| pieces.get(at).map(|piece| piece.letter);
            let before = if drawn { Some('゛') } else { at.checked_sub(1).and_then(letter) };
            let after = |ahead: usize| letter(at + row.0.chars().count() + ahead);
            starts_with(pieces, at, row.0) && (!is_doubtful(row.0) || stands_in_kana(row.0, before, after))
        };
        let Some((sign, letters, via)) = is_first(piece.letter).then(|| SEQUENCES.iter().find(fits)).flatten() else {
            out.push(*piece);
            at += 1;
            continue;
        };
        let mut length = sign.chars().count();
        let mut letters = (*letters).to_owned();
        // The voicing mark of a drawn kana is part of the drawing.
        if let Some(voiced) = pieces.get(at + length).and_then(|mark| voiced(&letters, mark.letter)) {
            (letters, length) = (voiced.to_string(), length + 1);
        }
        let end = pieces.get(at + length - 1).map_or(piece.origin.end, |last| last.origin.end);
        let via = piece.origin.via.union(ViaSet::of(&[*via]));
        out.extend(letters.chars().map(|letter| Piece { letter, origin: Origin { start: piece.origin.start, end, via } }));
        at += length;
    }
    out
}

fn voiced(kana: &str, mark: char) -> Option<char> {
    let combining = match mark {
        '\u{309B}' | '\u{FF9E}' | '\u{3099}' | '″' => '\u{3099}',
        '\u{309C}' | '\u{FF9F}' | '\u{309A}' => '\u{309A}',
        _ => return None,
    };
    compose(kana.chars().next().filter(|_| kana.chars().count() == 1)?, combining)
}

/// Whether a sign is a letter or mark of its own elsewhere.
fn is_doubtful(sign: &str) -> bool {
    matches!(sign, "U" | "L" | "ﾚ" | "×" | "＜" | "〈" | "]" | "千" | "干" | "口" | "了" | "〒" | "ω" | "σ" | "τ")
}

/// Beside kana or another sign, and not part of a Latin word, a number, a kanji word or a half-width one. `before` is the voicing mark if
/// the letter before was drawn too; `after` gives the characters behind the sign.
fn stands_in_kana(sign: &str, before: Option<char>, after: impl Fn(usize) -> Option<char>) -> bool {
    let is_half = |c: char| ('\u{FF66}'..='\u{FF9D}').contains(&c);
    let is_kana = |c: char| matches!(script(c), Script::Hiragana | Script::Katakana) || matches!(c, '゛' | '゜');
    let is_sign = |c: char| matches!(c, 'U' | 'L' | ']') || !c.is_ascii() && is_first(c) && !is_kana(c);
    let other = |c: char| matches!(script(c), Script::Latin | Script::Digit | Script::Kanji) && !is_sign(c);
    if sign == "ﾚ" {
        let pair = before.is_none_or(|c| !is_half(c)) && after(1).is_none_or(|c| !is_half(c));
        return after(0).is_some_and(|c| is_kana(c) && (pair || !is_half(c)) || is_sign(c));
    }
    let sides = [before, after(0)];
    sides.iter().flatten().any(|c| is_kana(*c) || is_sign(*c)) && !sides.iter().flatten().any(|c| other(*c))
}
