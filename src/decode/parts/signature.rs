//! Finds signature blocks at the end of the sender's own lines.
//!
//! Never takes a block that holds sentences: abuse below a rule stays the sender's words. Cost: linear.

use crate::decode::parts::is_new;
use crate::model::message::PartKind;

/// Most lines of a signature: longer blocks are text.
const LINES_MAX: usize = 12;

/// Shortest rule, in characters.
const RULE_CHARS_MIN: usize = 5;

/// Longest line that may say which device a mail was sent from, in characters.
const DEVICE_CHARS_MAX: usize = 40;

/// Characters of rules.
const RULE_CHARS: &str = "-=*_~+.#＿━─—―－＝＊〜～・◆◇■□★☆※♪";

/// Turns the signature at the end of each run of new lines into its own part.
pub(crate) fn mark(lines: &[&str], kinds: &mut [PartKind]) {
    let mut from = 0;
    while from < kinds.len() {
        let run = kinds.iter().skip(from).take_while(|kind| is_new(**kind)).count();
        if run > 0
            && let Some(region) = lines.get(from..from + run)
            && let Some(start) = start_of(region)
            && let Some(tail) = kinds.get_mut(from + start..from + run)
        {
            tail.fill(PartKind::Signature);
        }
        from += run.max(1);
    }
}

/// Where the signature begins in the sender's own lines.
fn start_of(region: &[&str]) -> Option<usize> {
    let filled = region.iter().rposition(|line| !line.trim().is_empty())? + 1;
    let region = region.get(..filled)?;
    let device = region.last().is_some_and(|line| is_device(line)).then(|| region.len() - 1);
    let body = region.get(..device.unwrap_or(region.len()))?;
    block_start(body).or(device)
}

fn block_start(body: &[&str]) -> Option<usize> {
    let window = body.len().saturating_sub(LINES_MAX + 2);
    let tail = body.get(window..)?;
    let dashes = tail.iter().rposition(|line| matches!(line.trim_end_matches(['\n', '\r']), "-- " | "--"));
    let start = dashes.or_else(|| tail.iter().enumerate().position(|(at, line)| is_rule(line) && is_contact_block(tail, at)))?;
    let count = tail.iter().skip(start + 1).filter(|line| !line.trim().is_empty() && !is_rule(line)).count();
    (1..=LINES_MAX).contains(&count).then_some(window + start)
}

fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.chars().all(|c| RULE_CHARS.contains(c) || c == ' ') && line.chars().nth(RULE_CHARS_MIN - 1).is_some()
}

/// Below the rule: somebody's contact data, and no sentence.
fn is_contact_block(tail: &[&str], rule: usize) -> bool {
    let mut below = tail.iter().skip(rule + 1).filter(|line| !line.trim().is_empty() && !is_rule(line));
    let contact = below.clone().any(|line| is_contact(line));
    contact && below.all(|line| !line.trim_end().ends_with(['。', '！', '？', '!', '?', '…', '、']))
}

fn is_contact(line: &str) -> bool {
    let lower = line.to_lowercase();
    let words = ["@", "tel", "fax", "電話", "携帯", "〒", "http", "mail", "メール"];
    let digits = line.chars().filter(char::is_ascii_digit).count();
    words.iter().any(|word| lower.contains(word)) || (digits >= 9 && line.contains('-'))
}

fn is_device(line: &str) -> bool {
    let line = line.trim();
    let said = line.ends_with("から送信") || line.ends_with("から送信されました") || line.ends_with("を入手");
    let english = line.starts_with("Sent from ") || line.starts_with("Get Outlook for");
    (said || english) && line.chars().nth(DEVICE_CHARS_MAX).is_none()
}
