//! Bytes from outside → envelopes: raw mail, mbox, JSON Lines, read as a stream.
//!
//! Shared by HTTP, the spool and `submit`, so that all of them take and refuse alike. Each message is checked as far as the decoder
//! needs, so that what is accepted can be judged. Never holds more than one message; never drops a line silently: what is refused
//! comes out as [`Refused`] with its line number. Cost: linear.

use crate::decode::line::{self, Accepting};
use crate::model::envelope::{ContentKind, Envelope, Purpose, Source};
use crate::model::ids::{ID_BYTES_MAX, QueueName, Tenant};
use bytes::Bytes;
use jiff::Timestamp;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

/// Bytes of a refused line kept for the error report: enough to recognise it, bounded for a line of many megabytes.
pub const ORIGINAL_BYTES_MAX: usize = 4 << 10;

/// Bytes looked at to tell mail from JSON Lines: longer than any header name.
const SNIFF_BYTES: u64 = 1 << 10;

/// Code of what is refused for its size alone.
pub const TOO_LARGE: &str = "too_large";

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One raw mail.
    Mail,
    /// Many mails in mbox format.
    Mbox,
    /// One JSON object a line.
    Lines,
}

/// What holds for all messages of a submission.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Tenant where the line names none.
    pub tenant: Tenant,
    /// Queue where the line names none.
    pub queue: QueueName,
    /// How it comes in.
    pub source: Source,
    /// Live or history.
    pub purpose: Purpose,
    /// Largest message, in bytes.
    pub message_bytes: usize,
}

/// A message ready for the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Line of the stream it begins at, from 1.
    pub line: u64,
    /// The message.
    pub envelope: Envelope,
}

impl Piece {
    /// Checks one JSON line (or one JSON value that spans lines).
    pub fn of_line(number: u64, body: &[u8], terms: &Terms) -> Result<Self, Refused> {
        if body.len() > terms.message_bytes {
            return Err(too_large(number, terms.message_bytes, body));
        }
        match line::accept(body) {
            Ok(facts) => Ok(Self::new(number, ContentKind::JsonLine, Bytes::copy_from_slice(body), facts, terms)),
            Err(fault) => Err(Refused { line: number, code: fault.code.id(), message: fault.message, original: head(body) }),
        }
    }

    fn new(line: u64, kind: ContentKind, payload: Bytes, facts: Accepting, terms: &Terms) -> Self {
        let envelope = Envelope {
            kind,
            payload,
            given_id: facts.id,
            tenant: facts.tenant.unwrap_or_else(|| terms.tenant.clone()),
            queue: facts.queue.unwrap_or_else(|| terms.queue.clone()),
            received_at: Timestamp::now(),
            source: terms.source,
            purpose: terms.purpose,
        };
        Self { line, envelope }
    }
}

/// Something in the stream that is no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Line of the stream, from 1.
    pub line: u64,
    /// Stable code: `too_large`, `empty`, or the decoder's.
    pub code: &'static str,
    /// What is wrong, without text of the message.
    pub message: String,
    /// The bytes, at most [`ORIGINAL_BYTES_MAX`] of them.
    pub original: Vec<u8>,
}

/// Tells the shape from the first bytes: `From ` opens an mbox, `Name:` a mail, anything else is taken for JSON Lines.
pub fn sniff(start: &[u8]) -> Shape {
    if start.starts_with(b"From ") {
        return Shape::Mbox;
    }
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match line.iter().position(|byte| *byte == b':') {
        Some(colon) if colon > 0 && line.iter().take(colon).all(|byte| (b'!'..=b'~').contains(byte) && *byte != b'{') => Shape::Mail,
        _ => Shape::Lines,
    }
}

/// Whether the bytes are one JSON value, perhaps printed over several lines: then they are one message, not JSON Lines.
pub fn is_one_json_value(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// The mails of a Maildir: files in `new` and `cur`, by name; `None` if `dir` is no Maildir. Files are not opened.
pub fn maildir(dir: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    if !dir.join("new").is_dir() || !dir.join("cur").is_dir() {
        return Ok(None);
    }
    let mut mails = vec![];
    for folder in ["new", "cur"] {
        for entry in std::fs::read_dir(dir.join(folder))? {
            let entry = entry?;
            if entry.file_type()?.is_file() && !entry.file_name().to_string_lossy().starts_with('.') {
                mails.push(entry.path());
            }
        }
    }
    mails.sort();
    Ok(Some(mails))
}

impl Refused {
    /// Whether only its size is wrong.
    pub fn is_too_large(&self) -> bool {
        self.code == TOO_LARGE
    }
}

/// A stream of messages. Iterate; an `Err` is a failure to read, after which the stream ends.
#[derive(Debug)]
pub struct Submission<R> {
    reader: io::Chain<io::Cursor<Vec<u8>>, R>,
    shape: Shape,
    terms: Terms,
    line: u64,
    mbox: Mbox,
    ended: bool,
}

#[derive(Debug, Default)]
struct Mbox {
    /// A separator was read and belongs to the next mail.
    opened: bool,
    /// Separators of this file name a weekday, so a `From ` without one is text.
    strict: bool,
}

impl<R: BufRead> Submission<R> {
    /// Starts reading; without `hint` the shape is told from the first bytes.
    pub fn open(mut reader: R, hint: Option<Shape>, terms: Terms) -> io::Result<Self> {
        let mut start = vec![];
        reader.by_ref().take(SNIFF_BYTES).read_until(b'\n', &mut start)?;
        if start.starts_with("\u{feff}".as_bytes()) {
            start.drain(..3);
        }
        let shape = hint.unwrap_or_else(|| sniff(&start));
        let mut line = 0;
        if shape == Shape::Mail && start.starts_with(b"From ") && start.ends_with(b"\n") {
            // A delivery agent put its envelope line before the mail; it is no part of the mail.
            start.clear();
            line = 1;
        }
        Ok(Self { reader: io::Cursor::new(start).chain(reader), shape, terms, line, mbox: Mbox::default(), ended: false })
    }

    /// What the stream holds.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    fn mail(&mut self) -> io::Result<Option<Result<Piece, Refused>>> {
        self.ended = true;
        let mut body = vec![];
        let limit = self.terms.message_bytes;
        self.reader.by_ref().take(limit as u64 + 1).read_to_end(&mut body)?;
        let line = self.line + 1;
        Ok(Some(self.of_mail(line, body)))
    }

    fn of_mail(&self, line: u64, body: Vec<u8>) -> Result<Piece, Refused> {
        if body.len() > self.terms.message_bytes {
            return Err(too_large(line, self.terms.message_bytes, &body));
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(Refused { line, code: "empty", message: "the mail is empty".to_owned(), original: vec![] });
        }
        Ok(Piece::new(line, ContentKind::Rfc822, body.into(), Accepting { id: None, tenant: None, queue: None }, &self.terms))
    }

    fn lines(&mut self) -> io::Result<Option<Result<Piece, Refused>>> {
        loop {
            let mut text = vec![];
            let end = read_line(&mut self.reader, self.terms.message_bytes, &mut text)?;
            if end == LineEnd::Nothing {
                return Ok(None);
            }
            self.line += 1;
            if end == LineEnd::TooLong {
                return Ok(Some(Err(too_large(self.line, self.terms.message_bytes, &text))));
            }
            let body = text.trim_ascii();
            if !body.is_empty() {
                return Ok(Some(Piece::of_line(self.line, body, &self.terms)));
            }
        }
    }

    fn mails(&mut self) -> io::Result<Option<Result<Piece, Refused>>> {
        let limit = self.terms.message_bytes;
        let (mut body, mut overlong, mut after_blank) = (vec![], false, !self.mbox.opened);
        let mut first = self.line + 1;
        loop {
            let mut text = vec![];
            let end = read_line(&mut self.reader, limit, &mut text)?;
            self.line += u64::from(end != LineEnd::Nothing);
            if end == LineEnd::Nothing || (after_blank && self.separates(&text)) {
                let is_open = std::mem::replace(&mut self.mbox.opened, end != LineEnd::Nothing);
                if is_open || !body.is_empty() {
                    drop_blank_end(&mut body);
                    let line = first;
                    return Ok(Some(if overlong { Err(too_large(line, limit, &body)) } else { self.of_mail(line, body) }));
                }
                if end == LineEnd::Nothing {
                    return Ok(None);
                }
                first = self.line + 1;
                after_blank = false;
                continue;
            }
            after_blank = matches!(text.as_slice(), b"\n" | b"\r\n");
            overlong |= end == LineEnd::TooLong || body.len() + text.len() > limit.saturating_add(2);
            if !overlong {
                body.extend_from_slice(unquoted(&text));
            }
        }
    }

    /// Whether a line opens the next mail. Customers begin lines with `From ` too: once a separator named a weekday, all must.
    fn separates(&mut self, line: &[u8]) -> bool {
        let Some(rest) = line.strip_prefix(b"From ") else { return false };
        let dated =
            rest.split(|byte| *byte == b' ').any(|word| matches!(word, b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun"));
        let is_separator = dated || !self.mbox.strict;
        self.mbox.strict |= dated;
        is_separator
    }
}

impl<R: BufRead> Iterator for Submission<R> {
    type Item = io::Result<Result<Piece, Refused>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match self.shape {
            Shape::Mail => self.mail(),
            Shape::Mbox => self.mails(),
            Shape::Lines => self.lines(),
        };
        self.ended |= !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

/// Whether an id given by an integrator can be kept: 1 to [`ID_BYTES_MAX`] bytes without control characters.
pub fn is_usable_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(char::is_control)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    /// The end of the stream, no byte read.
    Nothing,
    /// A line.
    Whole,
    /// More than the limit; the rest was skipped.
    TooLong,
}

/// Reads one line with its end; of a line longer than `limit` only the first `limit` bytes are kept.
fn read_line(reader: &mut impl BufRead, limit: usize, line: &mut Vec<u8>) -> io::Result<LineEnd> {
    // Room for CR LF beyond the content.
    let room = limit as u64 + 2;
    let read = reader.by_ref().take(room).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(LineEnd::Nothing);
    }
    if line.ends_with(b"\n") || (read as u64) < room {
        return Ok(if line.trim_ascii_end().len() > limit { LineEnd::TooLong } else { LineEnd::Whole });
    }
    reader.skip_until(b'\n')?;
    Ok(LineEnd::TooLong)
}

/// Takes one level of mbox quoting (`>From `) off a line.
fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    if quotes > 0 && line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From ")) { line.get(1..).unwrap_or_default() } else { line }
}

/// Drops the blank line that an mbox puts after each mail, so that a mail has the same digest as its own file.
fn drop_blank_end(body: &mut Vec<u8>) {
    for blank in [b"\r\n\r\n".as_slice(), b"\n\n"] {
        if body.ends_with(blank) {
            body.truncate(body.len() - blank.len() / 2);
            return;
        }
    }
}

fn too_large(line: u64, limit: usize, original: &[u8]) -> Refused {
    Refused { line, code: TOO_LARGE, message: format!("larger than the limit of {limit} bytes"), original: head(original) }
}

fn head(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().take(ORIGINAL_BYTES_MAX).copied().collect()
}
