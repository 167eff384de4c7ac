//! The header block of a mail or part: split, bounded, and read by name.
//!
//! Never more than the limits below, whatever the mail holds; what was cut is told. Cost: linear.

use crate::decode::mail::{charset, transfer, word};
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

/// Largest header block read, in bytes: real ones stay below 30 KiB, and a hostile one must not fill memory.
pub(crate) const BLOCK_BYTES_MAX: usize = 64 << 10;

/// Largest single header read, in bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 16 << 10;

/// Most headers read.
pub(crate) const HEADERS_MAX: usize = 500;

/// Most addresses read from one header.
pub(crate) const ADDRESSES_MAX: usize = 100;

/// Most parameters of a Content-Type or Content-Disposition.
const PARAMETERS_MAX: usize = 100;

/// A header block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers<'a> {
    fields: Vec<(String, &'a [u8])>,
    /// Whether something was beyond a limit.
    pub truncated: bool,
}

/// A mail address with its display name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mailbox {
    /// Display name, decoded.
    pub name: String,
    /// Address, lower case; empty if there is none.
    pub address: String,
}

/// A header with parameters: `text/plain; charset=utf-8`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Structured {
    /// The value before the first semicolon, lower case.
    pub value: String,
    /// Parameters in order, names in lower case.
    parameters: Vec<(String, String)>,
}

impl Structured {
    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl<'a> Headers<'a> {
    /// Splits a mail or part into its headers and its body. A line that is no header ends the block, so that no text is lost.
    pub fn split(bytes: &'a [u8]) -> (Self, &'a [u8]) {
        let mut headers = Self::default();
        let (mut used, mut rest) = (0, bytes);
        while let Some(length) = header_length(rest) {
            let (line, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
            rest = after;
            used += length;
            if used > BLOCK_BYTES_MAX || headers.fields.len() >= HEADERS_MAX || length > HEADER_BYTES_MAX {
                headers.truncated = true;
            }
            if used > BLOCK_BYTES_MAX || headers.fields.len() >= HEADERS_MAX {
                continue;
            }
            if let Some(colon) = line.iter().position(|b| *b == b':') {
                let (name, value) = line.split_at_checked(colon).unwrap_or((line, b""));
                let value = value.get(1..HEADER_BYTES_MAX.min(value.len())).unwrap_or_default();
                headers.fields.push((String::from_utf8_lossy(name).trim().to_ascii_lowercase(), value));
            }
        }
        let body = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
        (headers, body)
    }

    /// The raw value of the first header of that name (lower case).
    pub fn raw(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Whether there is a header of that name.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// The text of the first header of that name; empty if there is none.
    pub fn text(&self, name: &str) -> String {
        self.raw(name).map(|value| word::text(value).0).unwrap_or_default()
    }

    /// The texts of every header of that name.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| word::text(value).0).collect()
    }

    /// The text of the first header of that name, lower case, for keywords.
    pub fn keyword(&self, name: &str) -> String {
        self.text(name).to_lowercase()
    }

    /// The mailboxes of a header, at most [`ADDRESSES_MAX`].
    pub fn mailboxes(&self, name: &str) -> Vec<Mailbox> {
        let Some(value) = self.raw(name) else { return vec![] };
        let line = word::canonical(value) + "\n";
        let HeaderValue::Address(list) = MessageStream::new(line.as_bytes()).parse_address() else { return vec![] };
        let one_line = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned();
        list.iter()
            .take(ADDRESSES_MAX)
            .map(|found| Mailbox {
                name: found.name().map(one_line).unwrap_or_default(),
                address: found.address().map(one_line).unwrap_or_default().to_lowercase(),
            })
            .collect()
    }

    /// The message ids of a header, without angle brackets: `References`, `In-Reply-To`, `Message-ID`.
    pub fn ids(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        let bracketed: Vec<String> =
            text.split('<').skip(1).filter_map(|tail| tail.split_once('>')).map(|(id, _)| id.trim().to_owned()).collect();
        let ids = if bracketed.is_empty() { text.split_whitespace().map(str::to_owned).collect() } else { bracketed };
        ids.into_iter().filter(|id| !id.is_empty()).take(ADDRESSES_MAX).collect()
    }

    /// A header with parameters.
    pub fn structured(&self, name: &str) -> Structured {
        self.raw(name).map(structured).unwrap_or_default()
    }
}

/// Length of the header at the beginning, with its folded lines; nothing if no header stands there.
fn header_length(bytes: &[u8]) -> Option<usize> {
    let colon = bytes.iter().take(HEADER_BYTES_MAX).position(|b| matches!(b, b':' | b'\n'))?;
    let name = bytes.get(..colon)?;
    let mbox = bytes.starts_with(b"From ") || bytes.starts_with(b">From ");
    let plain = bytes.get(colon) == Some(&b':') && name.iter().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | b'\t'));
    let starts = name.first().is_some_and(u8::is_ascii_graphic) && !name.trim_ascii_end().contains(&b' ');
    if !(mbox || plain && starts) {
        return None;
    }
    let mut length = 0;
    loop {
        let rest = bytes.get(length..).unwrap_or_default();
        let Some(end) = rest.iter().position(|b| *b == b'\n') else { return Some(bytes.len()) };
        length += end + 1;
        if !matches!(bytes.get(length), Some(b' ' | b'\t')) {
            return Some(length);
        }
    }
}

fn structured(value: &[u8]) -> Structured {
    let mut fields = split_quoted(value);
    let head = if fields.is_empty() { vec![] } else { fields.remove(0) };
    let head = String::from_utf8_lossy(&head).trim().to_ascii_lowercase();
    let mut parameters: Vec<(String, String)> = vec![];
    let mut extended: Vec<(String, u32, bool, Vec<u8>)> = vec![];
    for field in fields.into_iter().take(PARAMETERS_MAX) {
        let Some(equals) = field.iter().position(|b| *b == b'=') else { continue };
        let name = String::from_utf8_lossy(field.get(..equals).unwrap_or_default()).trim().to_ascii_lowercase();
        let value = field.get(equals + 1..).unwrap_or_default().trim_ascii().to_vec();
        match name.split_once('*') {
            None => parameters.push((name, word::text(&value).0)),
            Some((base, mark)) => {
                let number = mark.trim_end_matches('*').parse().unwrap_or(0);
                extended.push((base.to_owned(), number, name.ends_with('*'), value));
            }
        }
    }
    // A continued or encoded parameter says more than the plain one some mailers add for old readers.
    extended.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    for group in extended.chunk_by(|a, b| a.0 == b.0) {
        if let Some((name, ..)) = group.first() {
            parameters.insert(0, (name.clone(), joined(group)));
        }
    }
    Structured { value: head.split_whitespace().collect(), parameters }
}

/// RFC 2231: segments joined as bytes, then decoded in the charset of the first.
fn joined(group: &[(String, u32, bool, Vec<u8>)]) -> String {
    let mut label = None;
    let mut bytes = vec![];
    for (at, (_, _, encoded, value)) in group.iter().enumerate() {
        let mut value = value.as_slice();
        if at == 0 && *encoded {
            let mut fields = value.splitn(3, |b| *b == b'\'');
            if let (Some(charset), Some(_), Some(rest)) = (fields.next(), fields.next(), fields.next()) {
                label = Some(String::from_utf8_lossy(charset).into_owned());
                value = rest;
            }
        }
        if *encoded { bytes.extend(percent_decoded(value)) } else { bytes.extend(value) }
    }
    let text = charset::decode(&bytes, label.as_deref()).text;
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(transfer::hex(*high) << 4 | transfer::hex(*low));
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    out
}

/// Splits at semicolons outside quotes; quotes and their escapes are removed.
fn split_quoted(value: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = vec![vec![]];
    let (mut quoted, mut escaped, mut in_kanji) = (false, false, false);
    for &byte in value.iter().filter(|b| !matches!(b, b'\r' | b'\n')) {
        // Raw ISO-2022-JP may hold the bytes of quotes and backslashes inside a character.
        in_kanji = match (in_kanji, byte) {
            (_, b'$') if fields.last().is_some_and(|field: &Vec<u8>| field.last() == Some(&0x1b)) => true,
            (true, 0x1b) => false,
            (state, _) => state,
        };
        match byte {
            _ if escaped || in_kanji => escaped = false,
            b'\\' if quoted => {
                escaped = true;
                continue;
            }
            b'"' => {
                quoted = !quoted;
                continue;
            }
            b';' if !quoted => {
                fields.push(vec![]);
                continue;
            }
            _ => {}
        }
        if let Some(field) = fields.last_mut() {
            field.push(byte);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_every_form() {
        for (value, name, expected) in [
            (&b" Text/Plain ; Charset=\"UTF-8\""[..], "charset", "UTF-8"),
            (b"a/b; name=\"=?iso-2022-jp?B?GyRCO2AkTRsoQg==?=.txt\"", "name", "死ね.txt"),
            (b"a/b; filename*=utf-8''%E6%AD%BB%E3%81%AD.txt", "filename", "死ね.txt"),
            (b"a/b; filename*1*=%81%AD.txt;\r\n filename*0*=utf-8'ja'%E6%AD%BB%E3", "filename", "死ね.txt"),
            (b"a/b; filename=old.txt; filename*=utf-8''new.txt", "filename", "new.txt"),
            (b"a/b; name=\"\x8e\x80\x82\xcb.txt\"", "name", "死ね.txt"),
            (b"a/b; name=\"a;\\\"b\"; c=d", "name", "a;\"b"),
        ] {
            assert_eq!(structured(value).parameter(name), Some(expected), "{}", String::from_utf8_lossy(value));
        }
        assert_eq!(structured(b" Text/Plain ; charset=x").value, "text/plain");
    }

    #[test]
    fn a_block_ends_where_headers_end() {
        for (mail, count, body) in [
            (&b"From a@b Mon\nA: 1\n b\nB: 2\n\ntext"[..], 2, &b"text"[..]),
            (b"A: 1\r\nB: 2\r\n\r\ntext", 2, b"text"),
            (b"A: 1\ntext without colon\nmore", 1, b"text without colon\nmore"),
            (b"A: 1\n  \n b\ntext", 1, b"text"),
            (b"only text: here", 0, b"only text: here"),
            (b"A: 1", 1, b""),
            (b"", 0, b""),
        ] {
            let (headers, rest) = Headers::split(mail);
            assert_eq!((headers.fields.len(), rest), (count, body), "{}", String::from_utf8_lossy(mail));
        }
    }

    #[test]
    fn mailboxes_hold_decoded_names() {
        let (headers, _) = Headers::split(
            b"From: =?utf-8?Q?a=40b.example=3E=2C?= <C@d.example>, \"=?iso-2022-jp?B?GyRCO2AkTRsoQg==?=\" <e@f.example>\nTo: undisclosed-recipients:;\n\n",
        );
        let boxes = headers.mailboxes("from");
        let pairs: Vec<_> = boxes.iter().map(|one| (one.name.as_str(), one.address.as_str())).collect();
        assert_eq!(pairs, [("a@b.example>,", "c@d.example"), ("死ね", "e@f.example")]);
        assert!(headers.mailboxes("to").iter().all(|one| one.address.is_empty()));
    }
}
