//! The lines with which mailers say that what follows was written earlier or by somebody else.
//!
//! Recognises forms of Gmail, Apple Mail, Outlook, Thunderbird, Becky! and carrier mailers, Japanese and English
//! (observed in mail and in public quote-stripping code). A plausible form is accepted: it may be forged, and that is
//! visible in the part. Cost: constant per character of a line of at most [`LINE_CHARS_MAX`].

use crate::model::message::PartKind;

/// Longest attribution, in characters, over all its lines: names, addresses and dates fit.
const LINE_CHARS_MAX: usize = 300;

/// Most lines looked at to recognise a header block.
pub(crate) const HEADER_LINES_MAX: usize = 6;

/// Different header labels that make a block: a single 「件名:」 may stand in any letter.
const HEADER_LABELS_MIN: usize = 3;

/// Characters of a divider's rule on its left: `--Original`, `-----Original`.
const DIVIDER_MARKS_MIN: usize = 3;

/// Underscores of Outlook's rule (it writes 32).
const UNDERSCORES_MIN: usize = 10;

/// Endings of a line that names the writer of what follows.
const WROTE: [&str; 6] = ["wrote", "writes", "書きました", "書いています", "書かれました", "書いた"];

/// Endings that name a message; only with a colon, since prose uses them too.
const MESSAGE_OF: [&str; 7] = ["のメッセージ", "のメール", "の発言", "の投稿", "の返信", "のコメント", "のご連絡"];

/// Endings that say somebody else's text is passed on.
const PASSED_ON: [&str; 9] =
    ["転送", "抜粋", "転送します", "転送いたします", "転送です", "より引用", "から引用", "forwarded message", "forwarded mail"];

/// Dividers above an earlier message.
const EARLIER: [&str; 6] =
    ["original message", "original mail", "元のメッセージ", "元のメール", "オリジナルメッセージ", "返信元メッセージ"];

/// Dividers above a passed-on message.
const FORWARDED: [&str; 7] = [
    "forwarded message",
    "forwarded mail",
    "begin forwarded message",
    "転送メッセージ",
    "転送されたメッセージ",
    "転送されたメール",
    "転送メール",
];

/// Header labels of a block, by header.
const LABELS: [&[&str]; 5] = [
    &["from", "差出人", "送信者", "送信元"],
    &["sent", "date", "送信日時", "日時", "日付"],
    &["to", "宛先"],
    &["cc"],
    &["subject", "件名"],
];

/// What the lines below an attribution are, if `line` is one.
pub(crate) fn kind_of(line: &str) -> Option<PartKind> {
    let line = line.trim();
    if line.chars().nth(LINE_CHARS_MAX).is_some() {
        return None;
    }
    let stem = line.trim_end_matches([':', '：', '。', ' ', '\u{3000}']);
    let colon = stem.len() < line.len() && line.ends_with([':', '：']);
    let lower = stem.to_lowercase();
    let unframed = lower.trim_matches(|c: char| "【】「」『』（）()[]<>＜＞-=*■◆●".contains(c) || c.is_whitespace());
    let framed = unframed.len() < lower.len();
    if (colon || framed) && ends_with_any(unframed, &PASSED_ON) {
        return Some(PartKind::Forwarded);
    }
    let dated = is_dated(stem);
    let addressed = stem.contains('@');
    let wrote = ends_with_any(&lower, &WROTE) && (colon || dated || addressed);
    let message = colon && ends_with_any(&lower, &MESSAGE_OF);
    let gmail = colon && dated && addressed && stem.ends_with(['>', '＞', ')', '）']);
    (wrote || message || gmail).then_some(PartKind::Quoted)
}

/// Whether a line may be the first of a folded attribution.
pub(crate) fn may_continue(line: &str) -> bool {
    line.chars().nth(LINE_CHARS_MAX).is_none() && is_dated(line) && !line.trim_end().ends_with(['。', ':', '：', '！', '？', '!', '?'])
}

/// What everything below a divider is, if `line` is one: `-----Original Message-----`, `Begin forwarded message:`.
pub(crate) fn divider_kind(line: &str) -> Option<PartKind> {
    let line = line.trim();
    if line.chars().nth(LINE_CHARS_MAX).is_some() {
        return None;
    }
    let is_rule = |c: char| "-—–=_*─━－".contains(c);
    let rule = line.chars().take_while(|c| is_rule(*c)).count();
    let inner = line.trim_matches(|c: char| is_rule(c) || c.is_whitespace() || c == ':' || c == '：').to_lowercase();
    let known = |list: &[&str]| list.contains(&inner.as_str());
    if known(&FORWARDED) && (rule >= DIVIDER_MARKS_MIN || line.ends_with([':', '：'])) {
        return Some(PartKind::Forwarded);
    }
    (known(&EARLIER) && rule >= DIVIDER_MARKS_MIN).then_some(PartKind::Quoted)
}

/// Outlook's rule above a header block.
pub(crate) fn is_underscores(line: &str) -> bool {
    let line = line.trim();
    line.len() >= UNDERSCORES_MIN && line.bytes().all(|b| b == b'_')
}

/// Whether the lines begin with a block of headers, the sender among them: `差出人:/送信日時:/宛先:/件名:`.
pub(crate) fn is_header_block(lines: &[&str]) -> bool {
    let mut seen = [false; LABELS.len()];
    for label in lines.iter().take(HEADER_LINES_MAX).map_while(|line| label_of(line)) {
        if let Some(flag) = seen.get_mut(label) {
            *flag = true;
        }
    }
    seen.first() == Some(&true) && seen.iter().filter(|flag| **flag).count() >= HEADER_LABELS_MIN
}

/// Whether a line is labelled like a mail header.
pub(crate) fn is_header_line(line: &str) -> bool {
    label_of(line).is_some()
}

fn label_of(line: &str) -> Option<usize> {
    let head: String = line.trim().trim_start_matches(['*', '■']).chars().take(12).collect();
    let (label, _) = head.split_once([':', '：'])?;
    let label = label.trim_matches(|c: char| c == '*' || c.is_whitespace()).to_lowercase();
    LABELS.iter().position(|names| names.contains(&label.as_str()))
}

fn ends_with_any(text: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| text.ends_with(ending))
}

/// A year and a separator (`2026年`, `2026/`, `2026-`, `Nov 2026`), or a clock (`23:47`).
fn is_dated(text: &str) -> bool {
    let mut digits = 0;
    let mut clock = false;
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits += 1;
            if clock {
                return true;
            }
        } else {
            if digits == 4 && matches!(c, '年' | '/' | '-' | ' ' | ',' | '.') {
                return true;
            }
            clock = digits > 0 && digits <= 2 && c == ':';
            digits = 0;
        }
    }
    digits == 4
}
