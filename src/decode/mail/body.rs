//! Walks the parts of a mail and gathers its text: visible, hidden, and what was not read.
//!
//! The walk is its own, bounded by depth and count, and never recurses on what a sender nested beyond that. Never
//! fails: what cannot be read is a row of coverage. Cost: linear in the mail times the depth bound at worst.

use crate::decode::limit::{self, PART_TEXT_BYTES_MAX};
use crate::decode::mail::header::{Headers, Structured};
use crate::decode::mail::{attachment, charset, html, plain, structure, transfer};
use crate::model::message::{Coverage, SkippedKind};

/// Deepest nesting of parts: people's mail stays below 6, forwarded chains below 15.
pub(crate) const DEPTH_MAX: usize = 20;

/// Most parts of one mail.
pub(crate) const PARTS_MAX: usize = 500;

/// Deepest nesting of attached mails that are themselves encoded (each level costs a copy).
pub(crate) const ENCODED_DEPTH_MAX: usize = 3;

/// Line above an attached mail, so that the split of the text sees it as forwarded.
const FORWARD_LINE: &str = "---------- Forwarded message ----------";

/// Text of a part and what is below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    /// As a reader sees it.
    pub visible: String,
    /// Attached mails, each under its own divider. Apart, so that nothing the sender wrote gets below a divider.
    pub forwarded: String,
    /// Text that is there and not shown.
    pub hidden: String,
    /// Whether it came from HTML.
    rich: bool,
}

/// Where a part stands.
#[derive(Debug, Clone, Default)]
struct Place {
    path: String,
    depth: usize,
    encoded: usize,
    /// Parts of a digest are mails unless they say otherwise.
    in_digest: bool,
}

/// What a walk gathers beside the text.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// What was not read.
    pub coverage: Coverage,
    /// Names of attachments, in order.
    pub names: Vec<String>,
    parts: usize,
}

impl Walk {
    /// Reads a whole mail.
    pub fn read(&mut self, headers: &Headers<'_>, body: &[u8]) -> Text {
        self.part(headers, body, &Place { path: "1".to_owned(), ..Place::default() })
    }

    fn part(&mut self, headers: &Headers<'_>, body: &[u8], place: &Place) -> Text {
        self.parts += 1;
        if place.depth >= DEPTH_MAX || self.parts > PARTS_MAX {
            if place.depth >= DEPTH_MAX || self.parts == PARTS_MAX + 1 {
                self.skip(SkippedKind::Nesting, place, &format!("deeper than {DEPTH_MAX} or more than {PARTS_MAX} parts"));
            }
            return Text::default();
        }
        if headers.truncated {
            self.skip(SkippedKind::Truncated, place, "headers");
        }
        let kind = headers.structured("content-type");
        let fallback = if place.in_digest { "message/rfc822" } else { "text/plain" };
        let value = if kind.value.contains('/') { kind.value.as_str() } else { fallback };
        match value.split_once('/').unwrap_or((value, "")) {
            ("multipart", "encrypted") => {
                self.skip(SkippedKind::EncryptedMail, place, "multipart/encrypted");
                Text::default()
            }
            ("multipart", subtype) => self.multipart(&kind, subtype, body, place),
            ("message", "rfc822" | "global") => self.embedded(headers, body, place),
            ("text", subtype) if !is_attached(headers) => self.text(headers, &kind, subtype, body, place),
            _ => {
                self.attachment(headers, &kind, value, body, place);
                Text::default()
            }
        }
    }

    fn multipart(&mut self, kind: &Structured, subtype: &str, body: &[u8], place: &Place) -> Text {
        let children = structure::children(body, kind.parameter("boundary"), PARTS_MAX + 1);
        // A nested part without its end lost nothing as long as the mail around it goes on.
        if !children.whole && place.depth == 0 {
            self.skip(SkippedKind::Damaged, place, "multipart without its end");
        }
        if children.parts.is_empty() {
            return self.text(&Headers::default(), &Structured::default(), "plain", body, place);
        }
        let mut texts = vec![];
        for (index, child) in children.parts.iter().enumerate() {
            let (headers, body) = Headers::split(child);
            let below = Place {
                path: format!("{}.{}", place.path, index + 1),
                depth: place.depth + 1,
                encoded: place.encoded,
                in_digest: subtype == "digest",
            };
            texts.push(self.part(&headers, body, &below));
            if self.parts > PARTS_MAX {
                break;
            }
        }
        let mut all = if subtype == "alternative" { chosen(texts) } else { joined(texts) };
        for outside in children.outside {
            append(&mut all.hidden, &limit::with_lf(&charset::decode(outside, None).text));
        }
        all
    }

    /// An attached mail: its text follows as a forwarded message.
    fn embedded(&mut self, headers: &Headers<'_>, body: &[u8], place: &Place) -> Text {
        self.name(headers, &headers.structured("content-type"));
        let encoding = headers.keyword("content-transfer-encoding");
        let encoded = matches!(encoding.as_str(), "base64" | "quoted-printable");
        let below = Place {
            path: format!("{}.1", place.path),
            depth: place.depth + 1,
            encoded: place.encoded + usize::from(encoded),
            in_digest: false,
        };
        if below.encoded > ENCODED_DEPTH_MAX {
            self.skip(SkippedKind::Nesting, place, "encoded mails in encoded mails");
            return Text::default();
        }
        let undone = encoded.then(|| transfer::undo(body, &encoding).bytes);
        let (inner, body) = Headers::split(undone.as_deref().unwrap_or(body).trim_ascii_start());
        let text = self.part(&inner, body, &below);
        let head = format!("{FORWARD_LINE}\nFrom: {}\nSubject: {}\n\n", inner.text("from"), inner.text("subject"));
        let mut forwarded = head + &text.visible;
        append(&mut forwarded, &text.forwarded);
        Text { forwarded, hidden: text.hidden, ..Text::default() }
    }

    fn text(&mut self, headers: &Headers<'_>, kind: &Structured, subtype: &str, body: &[u8], place: &Place) -> Text {
        let encoding = headers.keyword("content-transfer-encoding");
        let undone = transfer::undo(body, &encoding);
        if undone.damaged {
            self.skip(SkippedKind::Damaged, place, "transfer encoding");
        }
        let decoded = charset::decode(&undone.bytes, kind.parameter("charset"));
        if decoded.damaged {
            self.skip(SkippedKind::Charset, place, decoded.charset);
        }
        let text = limit::with_lf(&decoded.text);
        if text.contains("-----BEGIN PGP MESSAGE-----") {
            self.skip(SkippedKind::EncryptedMail, place, "OpenPGP in the text");
        }
        let mut found = match subtype {
            "html" | "enriched" | "richtext" => {
                let rendered = html::render(&text);
                if rendered.overflowed {
                    self.skip(SkippedKind::Nesting, place, "HTML of too many tags, read without its layout");
                }
                Text { visible: rendered.visible, hidden: rendered.hidden, rich: true, ..Text::default() }
            }
            "calendar" => Text { hidden: plain::calendar_text(&text), ..Text::default() },
            _ if kind.parameter("format").is_some_and(|format| format.eq_ignore_ascii_case("flowed")) => {
                let joined_space = !kind.parameter("delsp").is_some_and(|value| value.eq_ignore_ascii_case("yes"));
                Text { visible: plain::unflowed(&text, joined_space), ..Text::default() }
            }
            _ => Text { visible: text, ..Text::default() },
        };
        for text in [&mut found.visible, &mut found.hidden] {
            *text = limit::clip(std::mem::take(text), PART_TEXT_BYTES_MAX, &format!("part {}", place.path), &mut self.coverage);
        }
        found
    }

    fn attachment(&mut self, headers: &Headers<'_>, kind: &Structured, value: &str, body: &[u8], place: &Place) {
        let name = self.name(headers, kind);
        let encoding = headers.keyword("content-transfer-encoding");
        if let Some(what) = attachment::classify(value, &name, body, &encoding) {
            self.coverage.skip(what, attachment::describe(&place.path, value, body, &encoding));
        }
    }

    /// Notes the file name of a part, if it has one.
    fn name(&mut self, headers: &Headers<'_>, kind: &Structured) -> String {
        let disposition = headers.structured("content-disposition");
        let name = disposition.parameter("filename").or_else(|| kind.parameter("name")).unwrap_or_default().to_owned();
        if !name.is_empty() {
            self.names.push(name.clone());
        }
        name
    }

    fn skip(&mut self, what: SkippedKind, place: &Place, why: &str) {
        self.coverage.skip(what, format!("part {}, {why}", place.path));
    }
}

fn is_attached(headers: &Headers<'_>) -> bool {
    let disposition = headers.structured("content-disposition");
    disposition.value == "attachment" && disposition.parameter("filename").is_some()
}

/// Of alternatives a reader sees the richest, which comes last; what only the others say is hidden.
fn chosen(mut texts: Vec<Text>) -> Text {
    let filled = |text: &Text| !text.visible.trim().is_empty();
    let at = texts.iter().rposition(|text| text.rich && filled(text)).or_else(|| texts.iter().rposition(filled));
    let mut seen = at.map(|at| texts.remove(at)).unwrap_or_default();
    for other in texts {
        append(&mut seen.hidden, &other.visible);
        append(&mut seen.hidden, &other.hidden);
        append(&mut seen.forwarded, &other.forwarded);
    }
    seen
}

fn joined(texts: Vec<Text>) -> Text {
    let mut all = Text::default();
    for text in texts {
        append(&mut all.visible, &text.visible);
        append(&mut all.forwarded, &text.forwarded);
        append(&mut all.hidden, &text.hidden);
        all.rich |= text.rich;
    }
    all
}

fn append(all: &mut String, text: &str) {
    if !all.is_empty() && !text.is_empty() && !all.ends_with('\n') {
        all.push('\n');
    }
    all.push_str(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(kind: &str, depth: usize) -> Vec<u8> {
        let mut mail = b"Content-Type: text/plain\n\nx".to_vec();
        for level in 0..depth {
            let head = match kind {
                "rfc822" => "Content-Type: message/rfc822\n\n".to_owned(),
                _ => format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"),
            };
            mail.splice(0..0, head.into_bytes());
        }
        mail
    }

    #[test]
    fn nesting_is_bounded() {
        for (kind, depth, readable) in [("rfc822", 5, true), ("rfc822", 33, false), ("multipart", 10, true), ("multipart", 33, false)] {
            let mail = nested(kind, depth);
            let (headers, body) = Headers::split(&mail);
            let mut walk = Walk::default();
            let text = walk.read(&headers, body);
            assert_eq!((text.visible + &text.forwarded).ends_with('x'), readable, "{kind} {depth}");
            assert_eq!(walk.coverage.skipped.iter().any(|row| row.what == SkippedKind::Nesting), !readable, "{kind} {depth}");
        }
    }

    #[test]
    fn too_many_parts_are_told_once() {
        let mail = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(3_000));
        let (headers, body) = Headers::split(mail.as_bytes());
        let mut walk = Walk::default();
        walk.read(&headers, body);
        assert_eq!(walk.coverage.skipped.iter().filter(|row| row.what == SkippedKind::Nesting).count(), 1);
    }
}
