//! Header values to text: RFC 2047 words, and the raw eight-bit or ISO-2022-JP bytes many mailers put there instead.
//!
//! Neighbouring words are joined as bytes before decoding, because Japanese mailers cut characters in two. Line breaks
//! and other controls become spaces, so that a decoded header is always one line. Cost: linear.

use crate::decode::mail::{charset, transfer};
use data_encoding::BASE64;

/// A piece of a header value.
enum Piece {
    /// Bytes as they stand.
    Raw(Vec<u8>),
    /// The bytes of neighbouring encoded words of one charset.
    Word { charset: String, bytes: Vec<u8> },
}

/// The text of an unstructured header such as Subject, and whether bytes were unreadable.
pub(crate) fn text(value: &[u8]) -> (String, bool) {
    let mut out = String::new();
    let mut damaged = false;
    for piece in pieces(&unfold(value)) {
        let decoded = piece.decoded();
        damaged |= decoded.damaged;
        out.push_str(&decoded.text);
    }
    let line: String = out.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    (line.trim().to_owned(), damaged)
}

/// The same value in UTF-8 where only words of one form remain: safe to hand to a structured parser, since nothing
/// that was encoded can turn into an address, a quote or a comma.
pub(crate) fn canonical(value: &[u8]) -> String {
    let mut out = String::new();
    for piece in pieces(&unfold(value)) {
        let decoded = piece.decoded();
        match piece {
            Piece::Raw(_) => out.extend(decoded.text.chars().map(|c| if c.is_control() { ' ' } else { c })),
            Piece::Word { .. } => {
                out.push_str("=?utf-8?B?");
                out.push_str(&BASE64.encode(decoded.text.as_bytes()));
                out.push_str("?=");
            }
        }
    }
    out
}

impl Piece {
    fn decoded(&self) -> charset::Decoded {
        match self {
            Self::Raw(bytes) => charset::decode(bytes, None),
            Self::Word { charset: label, bytes } => charset::decode(bytes, Some(label)),
        }
    }
}

fn unfold(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect()
}

fn pieces(value: &[u8]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = vec![];
    let mut raw: Vec<u8> = vec![];
    let mut rest = value;
    // Inside ISO-2022-JP kanji the bytes of `=?` are letters.
    let mut in_kanji = false;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == 0x1b {
            in_kanji = tail.first() == Some(&b'$');
        }
        if !in_kanji && let Some((charset, bytes, after)) = encoded_word(rest) {
            let blank = raw.iter().all(u8::is_ascii_whitespace);
            match pieces.last_mut() {
                Some(Piece::Word { charset: last, bytes: held }) if blank && *last == charset => held.extend(bytes),
                Some(Piece::Word { .. }) if blank => pieces.push(Piece::Word { charset, bytes }),
                _ => {
                    if !raw.is_empty() {
                        pieces.push(Piece::Raw(std::mem::take(&mut raw)));
                    }
                    pieces.push(Piece::Word { charset, bytes });
                }
            }
            raw.clear();
            rest = after;
            continue;
        }
        raw.push(byte);
        rest = tail;
    }
    if !raw.is_empty() {
        pieces.push(Piece::Raw(raw));
    }
    pieces
}

/// Longest charset label with language, in bytes.
const LABEL_BYTES_MAX: usize = 64;

/// One `=?charset?B|Q?data?=` at the beginning: its charset, bytes, and what follows it.
fn encoded_word(value: &[u8]) -> Option<(String, Vec<u8>, &[u8])> {
    let rest = value.strip_prefix(b"=?")?;
    let label_length = rest.iter().take(LABEL_BYTES_MAX).position(|b| *b == b'?')?;
    let (label, rest) = rest.split_at_checked(label_length)?;
    if label.is_empty() || !label.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let (kind, rest) = match rest {
        [b'?', kind, b'?', rest @ ..] => (kind.to_ascii_uppercase(), rest),
        _ => return None,
    };
    let length = rest.iter().position(|b| *b == b'?')?;
    let (data, rest) = rest.split_at_checked(length)?;
    let after = rest.strip_prefix(b"?=")?;
    let bytes = match kind {
        b'B' => transfer::base64(data).bytes,
        b'Q' => {
            let spaced: Vec<u8> = data.iter().map(|b| if *b == b'_' { b' ' } else { *b }).collect();
            transfer::quoted_printable(&spaced).bytes
        }
        _ => return None,
    };
    let label = label.split(|b| *b == b'*').next()?;
    Some((String::from_utf8_lossy(label).to_ascii_lowercase(), bytes, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_one_line_of_text() {
        for (value, expected) in [
            (&b" =?UTF-8?B?5q274w==?=\r\n =?utf-8?B?gYI=?= x "[..], "死あ x"),
            (b"=?iso-2022-jp?B?GyRCO2AbKEI=?= =?iso-2022-jp?B?GyRCJE0bKEI=?=", "死ね"),
            (b"=?ISO-2022-JP?Q?=1B$B;`$M=1B(B_a?=", "死ね a"),
            (b"Re: \x1b$B;`$M\x1b(B", "Re: 死ね"),
            (b"\x8e\x80\x82\xcb", "死ね"),
            (b"\xe6\xad\xbb\xe3\x81\xad =?utf-8?Q?=E6=AD=BB?=", "死ね 死"),
            (b"=?utf-8*ja?Q?a=0Ab?= c", "a b c"),
            (b"=?utf-8?Q?a", "=?utf-8?Q?a"),
            (b"a =?x?Z?b?= c", "a =?x?Z?b?= c"),
            (b"=?Shift_JIS?B?joCCyw==?=", "死ね"),
        ] {
            assert_eq!(text(value).0, expected, "{value:x?}");
        }
    }

    #[test]
    fn an_encoded_address_stays_a_word() {
        let value = canonical(b"=?utf-8?Q?a=40b.example=3E=2C?= <c@d.example>");
        assert!(value.starts_with("=?utf-8?B?") && value.ends_with("?= <c@d.example>"), "{value}");
    }
}
