//! Limits on decoded text, and the two normal forms every field has: LF line ends, bounded length.

use crate::model::message::{Coverage, SkippedKind};

/// Largest text of one part, in bytes of UTF-8: a book of 170,000 characters; nobody writes more to a contact center.
pub const PART_TEXT_BYTES_MAX: usize = 512 << 10;

/// Largest text of one message over all parts, in bytes of UTF-8.
pub const MESSAGE_TEXT_BYTES_MAX: usize = 1 << 20;

/// What stands where text was cut out.
const CUT_MARK: &str = "\n[…]\n";

/// Line ends as LF: CRLF and lone CR become one.
pub(crate) fn with_lf(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// Keeps head and tail of a text beyond `bytes_max` and says so; the end is kept because threats often stand there.
pub(crate) fn clip(text: String, bytes_max: usize, place: &str, coverage: &mut Coverage) -> String {
    if text.len() <= bytes_max {
        return text;
    }
    let head = text.floor_char_boundary(bytes_max / 4 * 3);
    let tail = text.ceil_char_boundary(text.len() - bytes_max / 4);
    let cut = tail - head;
    coverage.skip(SkippedKind::Truncated, format!("{place}, {cut} of {} bytes of text", text.len()));
    [text.get(..head).unwrap_or_default(), CUT_MARK, text.get(tail..).unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_stay() {
        let mut coverage = Coverage::default();
        let clipped = clip("初".repeat(100) + &"終".repeat(100), 60, "part 1", &mut coverage);
        assert!(clipped.starts_with('初') && clipped.ends_with('終') && clipped.len() <= 60 + CUT_MARK.len(), "{clipped}");
        assert_eq!(coverage.skipped.first().map(|row| row.what), Some(SkippedKind::Truncated));
        assert_eq!(with_lf("a\r\nb\rc\n"), "a\nb\nc\n");
    }
}
