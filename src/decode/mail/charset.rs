//! Bytes to text in the charset they are really in.
//!
//! The declared charset is a hint: Japanese mail is often mislabelled, unlabelled or damaged. ISO-2022-JP is rewritten
//! into EUC-JP bytes first, which reads half-width kana, missing escapes at line ends and shift-out kana that a strict
//! decoder refuses. UTF-7 is refused (it hides text from every filter). Cost: linear; up to five decodings when the
//! declared charset does not fit.

use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, REPLACEMENT, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// Text and how well it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The text; unreadable bytes are U+FFFD.
    pub text: String,
    /// The charset taken, as the web names it.
    pub charset: &'static str,
    /// Whether bytes could not be read, or the charset is refused.
    pub damaged: bool,
}

/// Weights of a reading: an unreadable byte is worst, controls come next; half-width kana and private characters are
/// how Shift_JIS shows bytes that are something else.
const COST_UNREADABLE: usize = 10;
const COST_CONTROL: usize = 5;
const COST_UNLIKELY: usize = 2;

/// Decodes with the declared charset, or with the likely one that damages least.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>) -> Decoded {
    if bytes.is_ascii() && !bytes.iter().any(|b| matches!(b, 0x1b | 0x0e | 0x0f)) && !declared.is_some_and(is_utf_16) {
        let damaged = declared.is_some_and(is_utf_7) && bytes.contains(&b'+');
        return Decoded { text: String::from_utf8_lossy(bytes).into_owned(), charset: "us-ascii", damaged };
    }
    let labelled = declared.and_then(encoding_for);
    if labelled.is_none_or(Encoding::is_single_byte) && looks_latin(bytes) && std::str::from_utf8(bytes).is_err() {
        return read(bytes, labelled.unwrap_or(WINDOWS_1252)).decoded();
    }
    let first = labelled.map(|encoding| read(bytes, encoding));
    match &first {
        Some(reading) if reading.cost == 0 => return reading.clone().decoded(),
        _ => {}
    }
    let mut candidates = vec![UTF_8, ISO_2022_JP, SHIFT_JIS, EUC_JP];
    candidates.retain(|encoding| Some(*encoding) != labelled);
    if labelled.is_none() {
        candidates.push(WINDOWS_1252);
    }
    let mut best = first;
    for reading in candidates.into_iter().map(|encoding| read(bytes, encoding)) {
        best = match best {
            Some(held) if !reading.is_better_than(&held) => Some(held),
            _ => Some(reading),
        };
    }
    best.unwrap_or_else(|| read(bytes, UTF_8)).decoded()
}

#[derive(Debug, Clone)]
struct Reading {
    text: String,
    charset: &'static str,
    unreadable: usize,
    cost: usize,
    kana: usize,
    half: usize,
    wide: usize,
}

impl Reading {
    /// Whether this reading beats the one held (the declared, or the best so far; which wins a tie).
    fn is_better_than(&self, held: &Self) -> bool {
        if held.unreadable == 0 && held.half > 0 && held.half * 5 >= held.wide * 2 {
            // Half-width kana can be meant: leave it only for flawless text with plenty of ordinary kana.
            return self.cost == 0 && self.kana * 5 >= self.wide * 2;
        }
        self.cost < held.cost
    }

    fn decoded(self) -> Decoded {
        Decoded { text: self.text, charset: self.charset, damaged: self.unreadable > 0 }
    }
}

fn read(bytes: &[u8], encoding: &'static Encoding) -> Reading {
    let (text, errors) = if encoding == ISO_2022_JP {
        let euc = jis_to_euc(bytes);
        let (text, _, errors) = EUC_JP.decode(&euc);
        (text.into_owned(), errors)
    } else {
        let (text, _, errors) = encoding.decode(bytes);
        (text.into_owned(), errors)
    };
    let mut reading = Reading { text: String::new(), charset: encoding.name(), unreadable: 0, cost: 0, kana: 0, half: 0, wide: 0 };
    for c in text.chars().filter(|c| !matches!(c, ' '..='~' | '\n' | '\r' | '\t')) {
        reading.wide += 1;
        match c {
            '\u{fffd}' if errors => {
                reading.unreadable += 1;
                reading.cost += COST_UNREADABLE;
            }
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => reading.cost += COST_CONTROL,
            '\u{ff61}'..='\u{ff9f}' => {
                reading.half += 1;
                reading.cost += COST_UNLIKELY;
            }
            '\u{e000}'..='\u{f8ff}' => reading.cost += COST_UNLIKELY,
            'ぁ'..='ん' | 'ァ'..='ー' => reading.kana += 1,
            // windows-1252 reads any byte: Latin text wins because the Japanese readings of it are damaged.
            _ if encoding == WINDOWS_1252 => reading.cost += COST_UNLIKELY,
            _ => {}
        }
    }
    reading.text = text;
    reading
}

/// Longest run of high bytes and largest share of them, in percent, that accented Latin letters have; Japanese words
/// are longer runs in every charset.
const LATIN_RUN_MAX: usize = 2;
const LATIN_PERCENT_MAX: usize = 25;

/// Whether the bytes are Latin text with a few accents.
fn looks_latin(bytes: &[u8]) -> bool {
    let high = bytes.iter().filter(|b| !b.is_ascii()).count();
    let filled = bytes.iter().filter(|b| !b.is_ascii_whitespace()).count();
    let short_runs = bytes.split(u8::is_ascii).all(|run| run.len() <= LATIN_RUN_MAX);
    high > 0 && high * 100 <= filled * LATIN_PERCENT_MAX && short_runs && !bytes.contains(&0x1b)
}

/// The encoding of a label, with the aliases Japanese mailers use beside the standard ones.
fn encoding_for(label: &str) -> Option<&'static Encoding> {
    let label = label.trim_matches(|c: char| c.is_whitespace() || "\"'<>".contains(c)).to_ascii_lowercase();
    let encoding = match label.as_str() {
        "utf8" | "utf-8n" | "utf8mb4" => UTF_8,
        "us-ascii" | "ascii" | "iso-8859-1" | "latin1" | "default" | "unknown-8bit" | "x-unknown" | "8bit" => return None,
        "cp50220" | "cp50221" | "cp50222" | "jis" | "iso2022jp" | "x-iso-2022-jp" => ISO_2022_JP,
        other if other.starts_with("iso-2022-jp") => ISO_2022_JP,
        "cp932" | "cp943" | "cp943c" | "shift-jis" | "shiftjis" | "x-shift-jis" | "windows-932" => SHIFT_JIS,
        other if other.starts_with("sjis") || other.starts_with("x-sjis") || other.starts_with("shift_jis") => SHIFT_JIS,
        "eucjp" | "euc_jp" | "cp51932" | "eucjp-win" | "eucjp-ms" | "eucjpms" | "x-eucjp" => EUC_JP,
        "utf16" | "utf-16le" | "utf-16" => UTF_16LE,
        "utf-16be" => UTF_16BE,
        other if is_utf_7(other) => return None,
        other => Encoding::for_label(other.as_bytes())?,
    };
    (encoding != REPLACEMENT).then_some(encoding)
}

fn is_utf_16(label: &str) -> bool {
    label.trim().to_ascii_lowercase().starts_with("utf-16")
}

fn is_utf_7(label: &str) -> bool {
    label.to_ascii_lowercase().replace('_', "-").contains("utf-7")
}

/// Which set of a 7-bit JIS text is in force.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JisSet {
    Ascii,
    Kana,
    Kanji,
    Supplement,
}

/// ISO-2022-JP as EUC-JP bytes. A line end returns to ASCII, as RFC 1468 demands of writers who forget the escape.
fn jis_to_euc(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    let mut set = JisSet::Ascii;
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            0x1b => {
                if let Some((new, length)) = escape(tail) {
                    set = new;
                    rest = tail.get(length..).unwrap_or_default();
                }
            }
            0x0e => set = JisSet::Kana,
            0x0f => set = JisSet::Ascii,
            b'\n' | b'\r' => {
                set = JisSet::Ascii;
                out.push(byte);
            }
            0x21..=0x5f if set == JisSet::Kana => out.extend([0x8e, byte | 0x80]),
            0x21..=0x7e if matches!(set, JisSet::Kanji | JisSet::Supplement) => match tail.split_first() {
                Some((&second, after)) if (0x21..=0x7e).contains(&second) => {
                    if set == JisSet::Supplement {
                        out.push(0x8f);
                    }
                    out.extend([byte | 0x80, second | 0x80]);
                    rest = after;
                }
                _ => out.push(0xff),
            },
            // Eight-bit kana among seven-bit JIS, as some gateways leave it.
            0xa1..=0xdf => out.extend([0x8e, byte]),
            0x80..=0xff => out.push(0xff),
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// The set an escape sequence chooses, and its length after ESC.
fn escape(after: &[u8]) -> Option<(JisSet, usize)> {
    Some(match after {
        [b'(', b'I', ..] => (JisSet::Kana, 2),
        [b'(', b'B' | b'J' | b'H', ..] | [b'&', b'@', ..] => (JisSet::Ascii, 2),
        [b'$', b'@' | b'B', ..] => (JisSet::Kanji, 2),
        [b'$', b'(', b'@' | b'B' | b'O' | b'Q', ..] => (JisSet::Kanji, 3),
        [b'$', b'(', b'D' | b'P', ..] => (JisSet::Supplement, 3),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, encoding: &'static Encoding) -> Vec<u8> {
        encoding.encode(text).0.into_owned()
    }

    #[test]
    fn the_real_charset_wins_over_the_label() {
        let text = "お客様の対応が遅いので困っています。";
        for real in [UTF_8, ISO_2022_JP, SHIFT_JIS, EUC_JP] {
            for label in [None, Some("us-ascii"), Some("utf-8"), Some("iso-2022-jp"), Some("Shift_JIS"), Some("euc-jp"), Some("x-none")] {
                let decoded = decode(&encoded(text, real), label);
                assert_eq!((decoded.text.as_str(), decoded.damaged), (text, false), "{real:?} as {label:?}");
            }
        }
    }

    #[test]
    fn broken_jis_is_read() {
        for (bytes, expected) in [
            (&b"\x1b(IJ^6\x1b(B!"[..], "ﾊﾞｶ!"),
            (b"\x0eJ^6\x0f!", "ﾊﾞｶ!"),
            (b"\x1b$B;`$M\nabc", "死ね\nabc"),
            (b"\x1b$B;`\x1b(B\x1b$B$M\x1b(B", "死ね"),
            (b"\x1b$B-!\x1b(B", "①"),
            (b"\x1b$@;`$M\x1b(J!", "死ね!"),
        ] {
            let decoded = decode(bytes, Some("iso-2022-jp"));
            assert_eq!((decoded.text.as_str(), decoded.damaged), (expected, false), "{bytes:x?}");
        }
    }

    #[test]
    fn half_width_kana_stays_what_it_is() {
        for text in ["ﾊﾞｶ ﾊﾞｯｶﾘﾀﾞﾅ", "ﾎﾝﾄﾆﾔﾙｷｱﾙﾉ?"] {
            assert_eq!(decode(&encoded(text, SHIFT_JIS), Some("cp932")).text, text);
        }
    }

    #[test]
    fn damage_is_told() {
        let mut bytes = encoded("返事がありません。至急お願いします", SHIFT_JIS);
        bytes.insert(4, 0xff);
        let decoded = decode(&bytes, Some("shift_jis"));
        assert!(decoded.damaged && decoded.text.ends_with("至急お願いします"), "{decoded:?}");
        assert!(decode(b"+Zg1zcA-", Some("utf-7")).damaged);
        for label in [None, Some("iso-8859-1"), Some("windows-1252"), Some("us-ascii")] {
            assert_eq!(decode(b"caf\xe9, Fr\xf6sche, p\xe4iv\xe4\xe4", label).text, "café, Frösche, päivää");
        }
    }
}
