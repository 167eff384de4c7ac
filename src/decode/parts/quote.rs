//! Marks each line as new, quoted or forwarded.
//!
//! Never trusts a bare `>`. Cost: linear; each line is looked at a bounded number of times.

use crate::decode::parts::attribution::{self, HEADER_LINES_MAX};
use crate::decode::parts::{KnownLines, is_marked, unquoted};
use crate::model::message::PartKind;

/// Most lines between an attribution and the first quoted line, blank ones: mailers put one, some two.
const GAP_LINES_MAX: usize = 2;

/// Most lines one attribution is folded over: Becky! puts date and name on two, Gmail folds long names once more.
const ATTRIBUTION_LINES_MAX: usize = 3;

/// The kind of every line.
pub(crate) fn mark(lines: &[&str], known: &KnownLines) -> Vec<PartKind> {
    let mut kinds = Vec::with_capacity(lines.len());
    // What the marked lines are, once an attribution was seen.
    let mut attributed: Option<PartKind> = None;
    // Right below an attribution, known lines are quoted even without marks.
    let mut below_attribution = false;
    while let Some(line) = lines.get(kinds.len()) {
        let at = kinds.len();
        if line.trim().is_empty() {
            kinds.push(kinds.last().copied().unwrap_or(PartKind::New));
            continue;
        }
        if let Some(kind) = block_opens(lines, at) {
            kinds.resize(lines.len(), kind);
            break;
        }
        if is_marked(line) {
            attributed = attributed.or_else(|| attribution::kind_of(unquoted(line)).filter(|_| starts_run(lines, at)));
            kinds.push(attributed.unwrap_or_else(|| marked_kind(line, kinds.last().copied(), known)));
            continue;
        }
        if let Some((kind, count)) = attribution_at(lines, at, known) {
            attributed = Some(kind);
            below_attribution = true;
            kinds.resize(at + count, kind);
            continue;
        }
        below_attribution = below_attribution && known.holds(line);
        kinds.push(attributed.filter(|_| below_attribution).unwrap_or(PartKind::New));
    }
    kinds
}

fn starts_run(lines: &[&str], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| lines.get(before)).is_none_or(|line| !is_marked(line))
}

/// A marked line without attribution: quoted only if the conversation knows it.
fn marked_kind(line: &str, before: Option<PartKind>, known: &KnownLines) -> PartKind {
    match before {
        Some(kind) if unquoted(line).is_empty() => kind,
        _ if known.holds(line) => PartKind::Quoted,
        _ => PartKind::New,
    }
}

/// An attribution that begins at a line and is followed by quoted lines: its kind, and how many lines it takes.
fn attribution_at(lines: &[&str], at: usize, known: &KnownLines) -> Option<(PartKind, usize)> {
    (1..=ATTRIBUTION_LINES_MAX).find_map(|count| {
        let head = lines.get(at..at + count)?;
        if count > 1 && (!attribution::may_continue(head.first()?) || is_marked(head.last()?)) {
            return None;
        }
        let kind = attribution::kind_of(&head.concat().replace('\n', " "))?;
        let next = lines.iter().skip(at + count).take(GAP_LINES_MAX + 1).find(|line| !line.trim().is_empty())?;
        (is_marked(next) || known.holds(next)).then_some((kind, count))
    })
}

/// Whether everything from this line on is an earlier or passed-on message, as Outlook and forwarding mailers write it.
fn block_opens(lines: &[&str], at: usize) -> Option<PartKind> {
    let line = lines.get(at)?;
    if let Some(kind) = attribution::divider_kind(line) {
        return Some(kind);
    }
    let skip = usize::from(attribution::is_underscores(line));
    if skip == 0 && !attribution::is_header_line(line) {
        return None;
    }
    let rest = lines.get(at..)?;
    let head: Vec<&str> = rest.iter().skip(skip).filter(|line| !line.trim().is_empty()).take(HEADER_LINES_MAX).copied().collect();
    attribution::is_header_block(&head).then_some(PartKind::Quoted)
}
