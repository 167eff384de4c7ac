//! Slots of an alert: who, when, where, with what, on which condition. Widened from the hit to a word or clause that can
//! be read alone, then masked like every excerpt. Cost: one pass over the message per slot.

use crate::case::summary::{MASK, masked};
use crate::model::message::Message;
use crate::model::verdict::{EvidenceSpan, Role, Verdict};

/// Most characters of one slot.
pub const SLOT_CHARS_MAX: usize = 40;

/// The roles shown, in the order of reading.
const SHOWN: [Role; 7] = [Role::Target, Role::Harm, Role::When, Role::Where, Role::Means, Role::Demand, Role::Condition];

/// Forms that make a clause a condition.
const CONDITIONAL: [&str; 12] =
    ["なら", "たら", "れば", "なければ", "ないと", "場合", "限り", "までに", "までは", "代わりに", "かわりに", "引き換え"];

/// Where a clause ends.
const STOPS: &str = "、。,.!?!?「」\n";

/// Slots, gravest evidence first, one per role. What is masked wholly says nothing and is left out.
pub(crate) fn of(message: &Message, verdict: &Verdict) -> Vec<(Role, String)> {
    let mut found: Vec<(Role, String)> = vec![];
    for role in SHOWN {
        let rows = verdict.evidence.iter().filter(|row| row.level.is_flagged() || row.lane.is_some());
        let text = rows
            .flat_map(|row| &row.spans)
            .filter_map(|span| slot(message, verdict, span, role))
            .find(|text| found.iter().all(|(_, known)| known != text));
        if let Some(text) = text {
            found.push((role, text));
        }
    }
    found
}

/// The text of a span if it can stand for that role.
fn slot(message: &Message, verdict: &Verdict, span: &EvidenceSpan, wanted: Role) -> Option<String> {
    let text: Vec<char> = message.field(span.field)?.text.chars().collect();
    let hit: String = text.iter().skip(span.start).take(span.end.saturating_sub(span.start)).collect();
    if role_of(span.role, &hit)? != wanted {
        return None;
    }
    let (start, end) = match wanted {
        Role::Condition => clause(&text, span.start, span.end),
        Role::Harm | Role::Demand => (span.start, span.end),
        Role::When => moment(&text, word(&text, span.start, span.end)),
        _ => word(&text, span.start, span.end),
    };
    let shown = masked(message, verdict, span.field, start, end.min(start + SLOT_CHARS_MAX));
    let shown = shown.trim();
    let says_something = shown.chars().any(|c| c != MASK && c.is_alphanumeric());
    says_something.then(|| shown.to_owned())
}

/// Combinations lend a slot to whatever completes them, so a role is believed only where the words fit it: a condition
/// reads like one, and a person is none.
fn role_of(role: Role, hit: &str) -> Option<Role> {
    let is_conditional = CONDITIONAL.iter().any(|form| hit.contains(form));
    match role {
        Role::Target | Role::Demand if is_conditional => Some(Role::Condition),
        Role::Condition => is_conditional.then_some(Role::Condition),
        other => Some(other),
    }
}

/// Back to the start of the clause: 「ないなら」 alone says nothing.
fn clause(text: &[char], start: usize, end: usize) -> (usize, usize) {
    let reach = start.min(SLOT_CHARS_MAX.saturating_sub(end - start));
    let back = text.iter().take(start).rev().take(reach).take_while(|c| !STOPS.contains(**c)).count();
    (start - back, end)
}

/// Over the marks inside a date or time: 「10時」 of 「11/24 10時」 becomes the whole, 「明日」 of 「明日 10:00」 too.
fn moment(text: &[char], (mut start, mut end): (usize, usize)) -> (usize, usize) {
    let is_mark = |c: char| "の/:／： \u{3000}".contains(c);
    let is_word = |c: &char| c.is_alphanumeric() && !('ぁ'..='ゟ').contains(c);
    let joins = |left: usize| {
        let (Some(left), Some(mark), Some(right)) = (text.get(left), text.get(left + 1), text.get(left + 2)) else { return false };
        let is_day = left.is_numeric() || "日夜晩朝前後".contains(*left);
        is_mark(*mark) && is_day && (right.is_numeric() || "午朝夜夕正".contains(*right))
    };
    while end > start && joins(end - 1) {
        end += 1 + text.iter().skip(end + 1).take_while(|c| is_word(c)).count();
    }
    while start > 1 && joins(start - 2) {
        start -= 1 + text.iter().take(start - 1).rev().take_while(|c| is_word(c)).count();
    }
    (start, end)
}

/// To the whole word, without a trailing particle: 「店へ」 of 「渋谷店へ」 becomes 「渋谷店」, 「明日」 becomes 「明日の10時」.
fn word(text: &[char], start: usize, end: usize) -> (usize, usize) {
    let is_word = |c: &char| c.is_alphanumeric() && !('ぁ'..='ゟ').contains(c);
    let particle = |c: &char| "をへにでがはのも".contains(*c);
    let ends_in_particle = end - start > 1 && text.get(end - 1).is_some_and(particle) && text.get(end - 2).is_some_and(is_word);
    let mut end = if ends_in_particle { end - 1 } else { end };
    let back = if text.get(start).is_some_and(is_word) { text.iter().take(start).rev().take_while(|c| is_word(c)).count() } else { 0 };
    while end > 0 && text.get(end - 1).is_some_and(is_word) {
        let next = usize::from(text.get(end) == Some(&'の'));
        if !text.get(end + next).is_some_and(is_word) {
            break;
        }
        end += next + 1;
    }
    (start - back, end)
}
