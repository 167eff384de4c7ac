//! JSON bytes to the known fields of a line.
//!
//! Unknown fields are skipped without being built, however deep or large. Cost: linear.

use crate::decode::fault::{DecodeCode, DecodeError};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use std::collections::BTreeMap;
use std::fmt;

/// Fields of the contract that hold one value.
const FIELDS: [&str; 14] = [
    "id",
    "channel",
    "direction",
    "event",
    "subject",
    "text",
    "conversation",
    "customer",
    "operator",
    "tenant",
    "queue",
    "ticket",
    "url",
    "at",
];

/// The known fields of a line.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RawLine {
    /// Values by field.
    pub fields: BTreeMap<String, Value>,
    /// Inner lines of a conversation.
    pub messages: Option<Vec<Self>>,
    /// Whether half a surrogate pair had to be replaced.
    pub repaired: bool,
    /// A known key given twice: which value was meant cannot be told, and picking one could hide a threat.
    pub doubled: Option<String>,
}

/// Reads a line: UTF-8, one object, nothing behind it.
pub(crate) fn read(line: &[u8]) -> Result<RawLine, DecodeError> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Err(DecodeError::new(DecodeCode::Empty, "the line holds nothing"));
    }
    if !line.starts_with(b"{") {
        return Err(DecodeError::new(DecodeCode::NotJson, "the line must be one JSON object"));
    }
    let text = std::str::from_utf8(line)
        .map_err(|error| DecodeError::new(DecodeCode::BadEncoding, format!("not UTF-8 at byte {}", error.valid_up_to() + 1)))?;
    let raw = parse(text, line)?;
    let doubled = std::iter::once(&raw).chain(raw.messages.iter().flatten()).find_map(|line| line.doubled.as_deref());
    match doubled {
        Some(key) => Err(DecodeError::new(DecodeCode::BadField, format!("`{key}` is given twice"))),
        None => Ok(raw),
    }
}

fn parse(text: &str, line: &[u8]) -> Result<RawLine, DecodeError> {
    match serde_json::from_str(text) {
        Ok(raw) => Ok(raw),
        Err(error) if error.classify() == Category::Syntax => match whole_surrogates(line) {
            // Chat tools cut emoji in two; the rest of the message must not be lost for it.
            Some(repaired) => serde_json::from_slice(&repaired).map(|raw| RawLine { repaired: true, ..raw }).map_err(|error| fault(&error)),
            None => Err(fault(&error)),
        },
        Err(error) => Err(fault(&error)),
    }
}

fn fault(error: &serde_json::Error) -> DecodeError {
    match error.classify() {
        // The line is an object and its other fields take any value.
        Category::Data => DecodeError::new(DecodeCode::BadField, "`messages` must be an array of objects"),
        _ => DecodeError::new(DecodeCode::NotJson, error.to_string()),
    }
}

impl<'de> Deserialize<'de> for RawLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = RawLine;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawLine, A::Error> {
        let mut raw = RawLine::default();
        while let Some(key) = map.next_key::<String>()? {
            if FIELDS.contains(&key.as_str()) {
                let value = map.next_value()?;
                if raw.fields.insert(key.clone(), value).is_some() {
                    raw.doubled = Some(key);
                }
            } else if key == "messages" {
                if raw.messages.replace(map.next_value()?).is_some() {
                    raw.doubled = Some(key);
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(raw)
    }
}

/// The line with every lone surrogate escape replaced by U+FFFD; nothing if there is none.
fn whole_surrogates(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len());
    let mut changed = false;
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'\\' {
            out.push(byte);
            rest = tail;
            continue;
        }
        let length = match unit(rest) {
            None => 2,
            Some(0xd800..=0xdbff) if rest.get(6..).and_then(unit).is_some_and(|low| (0xdc00..=0xdfff).contains(&low)) => 12,
            Some(0xd800..=0xdfff) => {
                changed = true;
                out.extend(b"\\ufffd");
                rest = rest.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
        };
        let (escape, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
        out.extend(escape);
        rest = after;
    }
    changed.then_some(out)
}

/// The UTF-16 unit of a `\uXXXX` at the beginning.
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
