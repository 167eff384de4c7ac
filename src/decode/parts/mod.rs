//! Whose words a text holds: new, quoted, forwarded, signature. The one pure function for raw mail and JSON alike.
//!
//! Quoting has to be shown: by an attribution header, or by lines that stand in an earlier message of the
//! conversation. A bare `>` proves nothing, because abuse is put behind it to look like a quote. Never drops a
//! character: the spans cover the text. Cost: linear in the text.

mod attribution;
mod quote;
mod signature;

use crate::model::digest::Digest;
use crate::model::message::{FieldName, Message, PartKind, PartSpan};
use std::collections::HashSet;

/// Shortest line that identifies an earlier message, in characters without spaces: shorter ones (「はい」「死ね」) are
/// what anybody may write anew.
pub const KNOWN_LINE_CHARS_MIN: usize = 4;

/// Most fingerprints taken from one message: a quoted letter has fewer lines, and the memory of a conversation stays small.
pub const FINGERPRINTS_MAX: usize = 200;

/// Most lines a conversation may hand in: twenty long letters.
pub const KNOWN_LINES_MAX: usize = 4_000;

/// Lines of earlier messages of the conversation, as fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownLines(HashSet<u64>);

impl KnownLines {
    /// From fingerprints, the most useful first; those beyond [`KNOWN_LINES_MAX`] are left out.
    pub fn new(fingerprints: impl IntoIterator<Item = u64>) -> Self {
        Self(fingerprints.into_iter().take(KNOWN_LINES_MAX).collect())
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the lines of an earlier text, within [`KNOWN_LINES_MAX`].
    pub fn learn(&mut self, text: &str) {
        let room = KNOWN_LINES_MAX.saturating_sub(self.0.len());
        self.0.extend(fingerprints(text).into_iter().take(room));
    }

    fn holds(&self, line: &str) -> bool {
        !self.is_empty() && fingerprint(line).is_some_and(|print| self.0.contains(&print))
    }
}

/// Fingerprints of the lines of a text, in order, at most [`FINGERPRINTS_MAX`]. Stable over machines and releases:
/// the first 64 bits of SHA-256 of the line without quote marks and spaces.
pub fn fingerprints(text: &str) -> Vec<u64> {
    text.split('\n').filter_map(fingerprint).take(FINGERPRINTS_MAX).collect()
}

fn fingerprint(line: &str) -> Option<u64> {
    let bare: String = unquoted(line).chars().filter(|c| !c.is_whitespace()).collect();
    bare.chars().nth(KNOWN_LINE_CHARS_MIN - 1)?;
    let digest = Digest::of(bare.as_bytes());
    let (head, _) = digest.as_bytes().split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*head))
}

/// The parts of a text: sorted, not overlapping, covering it; in Unicode scalar values. Line ends are LF.
pub fn split(text: &str, known: &KnownLines) -> Vec<PartSpan> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut kinds = quote::mark(&lines, known);
    signature::mark(&lines, &mut kinds);
    let mut spans: Vec<PartSpan> = vec![];
    let mut at = 0;
    for (line, kind) in lines.iter().zip(kinds) {
        let end = at + line.chars().count();
        match spans.last_mut() {
            Some(last) if last.kind == kind => last.end = end,
            _ => spans.push(PartSpan { kind, start: at, end }),
        }
        at = end;
    }
    spans
}

/// Splits the text of a message again, now that the earlier messages of its conversation are known.
pub fn resplit(message: &mut Message, known: &KnownLines) {
    for field in message.fields.iter_mut().filter(|field| field.name == FieldName::Text) {
        field.parts = split(&field.text, known);
    }
}

/// Quote marks in use: ASCII and full width.
const QUOTE_MARKS: [char; 2] = ['>', '＞'];

fn is_marked(line: &str) -> bool {
    line.trim_start().starts_with(QUOTE_MARKS)
}

fn unquoted(line: &str) -> &str {
    line.trim_start_matches(|c: char| QUOTE_MARKS.contains(&c) || c.is_whitespace()).trim_end()
}

fn is_new(kind: PartKind) -> bool {
    kind == PartKind::New
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Draws the text with one letter before each line: n, q, f, s.
    fn draw(text: &str, known: &KnownLines) -> String {
        let spans = split(text, known);
        let mut at = 0;
        let letters = text.split_inclusive('\n').map(|line| {
            let kind = spans.iter().find(|span| (span.start..span.end).contains(&at)).expect("covered").kind;
            at += line.chars().count();
            match kind {
                PartKind::New => 'n',
                PartKind::Quoted => 'q',
                PartKind::Forwarded => 'f',
                PartKind::Signature => 's',
            }
        });
        letters.collect()
    }

    fn check(rows: &[(&str, &str)]) {
        for (text, expected) in rows {
            assert_eq!(draw(text, &KnownLines::default()), *expected, "{text}");
        }
    }

    #[test]
    fn an_attribution_makes_the_marked_lines_quoted() {
        check(&[
            ("了解\n2026年11月8日(日) 23:47 鳥羽 <a@x.example> 書きました:\n> 無能ども\n> ゴミ", "nqqq"),
            ("On Mon, Nov 9, 2026 at 22:05, <x@y.example> wrote:\n> a\n> b\n下に返信", "qqqn"),
            ("On Mon, Nov 9, 2026 at 22:05 Toba\n<x@y.example> wrote:\n\n> a", "qqqq"),
            ("On Sun, 08 Nov 2026 23:47:00 +0900\n鳥羽 <a@x.example> wrote:\n> a\n", "qqq"),
            ("2026/11/08 23:47、鳥羽 <a@x.example>のメール:\n\n> a", "qqq"),
            ("2026年11月8日(日) 23:47 鳥羽 <a@x.example>:\n\n> a\n>\n> b", "qqqqq"),
            ("(2026/11/08 23:47), 鳥羽 wrote:\n> a\n答え\n> b\n答え", "qqnqn"),
            ("鳥羽さんは書きました：\n＞ a", "qq"),
            ("\"鳥羽\" <a@x.example>さんは 2026/11/08 にこう書きました:\n>a", "qq"),
            ("窓口 <m@x.example> さんが書きました:\n> a", "qq"),
            ("鳥羽さんのメッセージ:\n> a", "qq"),
            ("> 2026年11月8日(日) 23:47 鳥羽 <a@x.example>:\n>> a\n答え", "qqn"),
        ]);
    }

    #[test]
    fn a_bare_mark_is_the_senders_own() {
        check(&[
            ("> 死ね\n", "n"),
            ("お世話になります\n> 死ね\n>> 殺すぞ", "nnn"),
            ("窓口が書きました。\n\n\n> 死ね", "nnnn"),
            ("この手紙は私が書きました。\n> 死ね", "nn"),
            ("鳥羽さんは書きました:\n死ね", "nn"),
            ("聞きたいこと:\n> 死ね", "nn"),
        ]);
    }

    #[test]
    fn header_blocks_quote_everything_below() {
        check(&[
            ("了解\n-----Original Message-----\nFrom: a\nSent: b\n\n本文", "nqqqqq"),
            ("了解\n-----元のメッセージ-----\n差出人: a\n本文", "nqqq"),
            ("了解\n________________________________\n差出人: a\n送信日時: b\n宛先: c\n件名: d\n\n本文", "nqqqqqqq"),
            ("了解\n*From:* a\n*Sent:* b\n*To:* c\n*Subject:* d\n本文", "nqqqqq"),
            ("了解\n差出人：a\n本文\n", "nnn"),
            ("________________________________\n私の話", "nn"),
        ]);
    }

    #[test]
    fn passed_on_text_is_forwarded() {
        check(&[
            ("ご確認を\n---------- Forwarded message ---------\nFrom: a\n本文", "nfff"),
            ("ご確認を\nBegin forwarded message:\n\n> From: a\n> 殺す", "nffff"),
            ("ご確認を\n-------- 転送メッセージ --------\n件名: a\n本文", "nfff"),
            ("2026年11月13日(金) 21:30 グループのメッセージから抜粋:\n> 無能\n> ゴミ\n以上", "fffn"),
            ("【店長より転送】\n> 無能", "ff"),
        ]);
    }

    #[test]
    fn signatures_are_told_from_text() {
        check(&[
            ("よろしく\n-- \n鳥羽\n090-0000-0000", "nsss"),
            ("よろしく\n------------------\n鳥羽 一郎\nTEL 03-0000-0000\n------------------\n", "nssss"),
            ("よろしく\n━━━━━━━━\n鳥羽 <a@x.example>\n━━━━━━━━\n\n鳥羽さんは書きました:\n> a", "nssssqq"),
            ("よろしく\n\niPhoneから送信", "nns"),
            ("よろしく\n----------\nふざけるな。\nTEL 03-0000-0000 に電話しろ！", "nnnn"),
            ("よろしく\n----------\nまた書く", "nnn"),
        ]);
    }

    #[test]
    fn lines_of_the_conversation_are_known() {
        let mut known = KnownLines::default();
        known.learn("端子のお写真をお送りください\n了解\n> 前の話です");
        for (text, expected) in [
            ("> 端子のお写真を お送りください\n答え", "qn"),
            ("> 端子のお写真をお送りください\n> 死ね\n> 前の話です", "qnq"),
            ("> 了解", "n"),
            ("端子のお写真をお送りください", "n"),
            ("鳥羽さんは書きました:\n端子のお写真をお送りください\n死ね", "qqn"),
        ] {
            assert_eq!(draw(text, &known), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn spans_cover_the_text(
            lines in proptest::collection::vec(
                prop_oneof![
                    Just("> 引用".to_owned()), Just("a wrote:".to_owned()), Just("-- ".to_owned()), Just(String::new()),
                    Just("-----Original Message-----".to_owned()), Just("From: a".to_owned()), Just("件名: b".to_owned()),
                    Just("━━━━━━".to_owned()), Just("TEL 03-0000".to_owned()), Just("抜粋:".to_owned()), "\\PC{0,12}", "[>＞ \t\n\r一-龠]{0,9}",
                ],
                0..24,
            ),
        ) {
            let text = lines.join("\n");
            let known = KnownLines::new(fingerprints(&text));
            for known in [KnownLines::default(), known] {
                let mut at = 0;
                for span in split(&text, &known) {
                    prop_assert_eq!(span.start, at);
                    prop_assert!(span.end > span.start);
                    at = span.end;
                }
                prop_assert_eq!(at, text.chars().count());
            }
        }
    }
}
