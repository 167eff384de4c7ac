//! Cuts the body of a multipart at its boundary.
//!
//! Sees lines only, so that nesting costs nothing here: the caller bounds it. Cost: linear in the body.

/// Longest boundary, in bytes: RFC 2046 allows 70, careless programs write somewhat more.
const BOUNDARY_BYTES_MAX: usize = 200;

/// The parts of a multipart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Children<'a> {
    /// Each part with its headers.
    pub parts: Vec<&'a [u8]>,
    /// Whether the closing boundary was there and no part was left out.
    pub whole: bool,
    /// What stands before the first and after the last part, which no reader is shown.
    pub outside: Vec<&'a [u8]>,
}

/// Cuts a body at `boundary`; when the header names none, at the first line that looks like one. At most `parts_max`.
pub(crate) fn children<'a>(body: &'a [u8], boundary: Option<&str>, parts_max: usize) -> Children<'a> {
    let found = boundary.map(|name| name.trim_end().as_bytes()).filter(|name| !name.is_empty() && name.len() <= BOUNDARY_BYTES_MAX);
    let Some(boundary) = found.or_else(|| guess(body)) else { return Children::default() };
    let mut children = Children::default();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|b| *b == b'\n') {
        if let Some(closing) = delimiter(line, boundary) {
            if start.is_none() {
                children.outside.extend(body.get(..at).filter(|text| is_telling(text)));
            }
            if let Some(part) = start.and_then(|from| body.get(from..at)) {
                if children.parts.len() >= parts_max {
                    return children;
                }
                children.parts.push(without_line_end(part));
            }
            if closing {
                children.whole = true;
                children.outside.extend(body.get(at + line.len()..).filter(|text| !text.trim_ascii().is_empty()));
                return children;
            }
            start = Some(at + line.len());
        }
        at += line.len();
    }
    if let Some(part) = start.and_then(|from| body.get(from..)).filter(|part| !part.is_empty() && children.parts.len() < parts_max) {
        children.parts.push(part);
    }
    children
}

/// Whether a preamble is more than the usual English sentence about MIME.
fn is_telling(preamble: &[u8]) -> bool {
    preamble.iter().any(|b| !b.is_ascii() || *b == 0x1b)
}

/// Whether a line is the delimiter, and if so whether it closes.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    let (closing, rest) = rest.strip_prefix(b"--").map_or((false, rest), |rest| (true, rest));
    rest.iter().all(u8::is_ascii_whitespace).then_some(closing)
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// The first line of the body, if it begins like a delimiter.
fn guess(body: &[u8]) -> Option<&[u8]> {
    let first = body.split(|b| *b == b'\n').find(|line| !line.trim_ascii().is_empty())?;
    let name = first.strip_prefix(b"--")?.trim_ascii_end();
    (!name.is_empty() && name.len() <= BOUNDARY_BYTES_MAX && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_at_their_boundary() {
        for (body, boundary, parts, whole) in [
            ("pre\n--b\n\nx\n--b\n\ny\n--b--\nepi", Some("b"), &["\nx", "\ny"][..], true),
            ("--b\r\n\r\nx\r\n--b--\r\n", Some("b"), &["\r\nx"], true),
            ("--b\n\nx\n--bb\n\ny", Some("b"), &["\nx\n--bb\n\ny"], false),
            ("--b \n\nx\n--b--", None, &["\nx"], true),
            ("text", None, &[], false),
            ("--b\n--b\n--b--", Some("b"), &["", ""], true),
        ] {
            let expected: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            let found = children(body.as_bytes(), boundary, 9);
            assert_eq!((found.parts, found.whole), (expected, whole), "{body}");
        }
        assert_eq!(children("前\n--b\n--b--\n後".as_bytes(), Some("b"), 9).outside, ["前\n".as_bytes(), "後".as_bytes()]);
        assert_eq!(children(b"--b\na\n--b\nb\n--b\nc\n--b--", Some("b"), 2).parts.len(), 2);
    }
}
