//! What an alert says of a message: slots and masked excerpts, bounded, taken once when the case is opened or raised.
//!
//! The original words stay in the evidence store; a summary keeps only what a supervisor needs to act.

use crate::model::guidance::Hints;
use crate::model::message::{FieldName, Message, PartKind, Skipped};
use crate::model::severity::{Category, Lane, Level};
use crate::model::verdict::{Evidence, EvidenceKind, EvidenceSpan, Role, Verdict};
use serde::{Deserialize, Serialize};

mod slots;

/// Most reasons in a summary: an alert must be read in seconds.
pub const REASONS_MAX: usize = 6;

/// Characters of context left and right of a hit.
pub const CONTEXT_CHARS: usize = 24;

/// Most characters of one excerpt before its context: a hull may span a whole mail, an excerpt must be read at a glance.
pub const EXCERPT_CHARS_MAX: usize = 120;

/// Most entries named by one reason: the rest is in the verdict.
pub const ENTRIES_MAX: usize = 8;

/// Most characters of the customer's full words in a care alert: the whole mail in most cases, bounded for the record.
pub const FULL_CHARS_MAX: usize = 4_000;

/// What stands for a masked character.
pub const MASK: char = '●';

/// A summary of one verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The id of the message.
    pub message_id: String,
    /// Its level.
    pub level: Level,
    /// Slots by role: target, harm, when, where, means, demand, condition.
    pub slots: Vec<(Role, String)>,
    /// Why it was flagged, gravest first.
    pub reasons: Vec<Reason>,
    /// What was not read.
    pub skipped: Vec<Skipped>,
    /// A link into the company's own desk.
    pub url: Option<String>,
    /// Ticket number there.
    pub ticket: Option<String>,
    /// The customer's own words, only for care: those who help must read them.
    pub full: Option<String>,
    /// Types, related articles and advice for this kind of act; absent in older records.
    #[serde(default, skip_serializing_if = "Hints::is_empty")]
    pub hints: Hints,
}

/// One stretch of text that was flagged, and what all entries found in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Kinds of harm found there, gravest first.
    pub categories: Vec<Category>,
    /// Lanes found there.
    pub lanes: Vec<Lane>,
    /// The highest level it supports.
    pub level: Level,
    /// The lexicon entries, gravest first, at most [`ENTRIES_MAX`].
    pub entries: Vec<String>,
    /// Where it stood, if not in the text.
    pub place: Option<String>,
    /// The words around it; abusive words masked.
    pub excerpt: String,
}

/// Where a reason comes from. Records hold the Japanese name, so that a reason can be read without this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The subject.
    Subject,
    /// The text.
    Text,
    /// The sender's name.
    FromName,
    /// The name of an attachment.
    AttachmentName,
    /// What a mail program does not show.
    Hidden,
    /// The messages before.
    Course,
    /// The same text from many.
    Crowd,
    /// An operator; the kind follows.
    Operator,
    /// A drill.
    Drill,
}

impl Origin {
    /// Every place.
    pub const ALL: [Self; 9] = [
        Self::Subject,
        Self::Text,
        Self::FromName,
        Self::AttachmentName,
        Self::Hidden,
        Self::Course,
        Self::Crowd,
        Self::Operator,
        Self::Drill,
    ];

    /// The id used in files of texts.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::FromName => "from_name",
            Self::AttachmentName => "attachment_name",
            Self::Hidden => "hidden",
            Self::Course => "course",
            Self::Crowd => "crowd",
            Self::Operator => "operator",
            Self::Drill => "drill",
        }
    }

    /// The Japanese name, as records hold it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subject => "件名",
            Self::Text => "本文",
            Self::FromName => "差出人名",
            Self::AttachmentName => "添付ファイル名",
            Self::Hidden => "表示されない部分",
            Self::Course => "会話の経過",
            Self::Crowd => "同文多数(炎上・電凸の疑い)",
            Self::Operator => "担当者の申出",
            Self::Drill => "訓練",
        }
    }

    /// The place that a record names, and what it adds.
    pub fn read(recorded: &str) -> Option<(Self, &str)> {
        Self::ALL.iter().find_map(|place| recorded.strip_prefix(place.name()).map(|rest| (*place, rest)))
    }
}

/// Makes a summary; `with_words` keeps the customer's own words (care only).
pub fn summarise(message: &Message, verdict: &Verdict, hints: Hints, with_words: bool) -> Summary {
    let full = with_words.then(|| words(message)).flatten();
    Summary {
        message_id: verdict.id.to_string(),
        level: verdict.level,
        slots: slots::of(message, verdict),
        reasons: stretches(verdict).iter().take(REASONS_MAX).map(|stretch| reason(message, verdict, stretch)).collect(),
        skipped: verdict.coverage.skipped.iter().take(REASONS_MAX).cloned().collect(),
        url: message.url.clone(),
        ticket: message.ticket.clone(),
        full,
        hints,
    }
}

impl Summary {
    /// Puts what earlier messages add before what this one says, and raises the level; the first of `reasons` ends up last.
    pub fn add_history(&mut self, level: Level, reasons: impl Iterator<Item = Reason>) {
        self.level = self.level.max(level);
        for reason in reasons {
            self.reasons.insert(0, reason);
        }
        self.reasons.truncate(REASONS_MAX);
    }
}

fn words(message: &Message) -> Option<String> {
    let field = message.field(FieldName::Text)?;
    let own = |kind: PartKind| matches!(kind, PartKind::New | PartKind::Signature);
    let text: String =
        field.text.chars().enumerate().filter(|(at, _)| own(field.part_at(*at))).map(|(_, c)| c).take(FULL_CHARS_MAX).collect();
    Some(plain(&text, true))
}

/// Evidence that stands close together: shown once.
struct Stretch<'a> {
    place: Option<(FieldName, usize, usize)>,
    rows: Vec<&'a Evidence>,
}

/// Joins rows whose excerpts would show the same words, gravest first.
fn stretches(verdict: &Verdict) -> Vec<Stretch<'_>> {
    let mut found: Vec<Stretch<'_>> = vec![];
    for row in &verdict.evidence {
        let place = row.start.zip(row.end).map(|(start, end)| (row.field, start, end));
        let near = found.iter_mut().find_map(|known| joined(known.place, place).map(|hull| (known, hull)));
        match near {
            Some((known, hull)) => {
                known.place = Some(hull);
                known.rows.push(row);
            }
            None => found.push(Stretch { place, rows: vec![row] }),
        }
    }
    found
}

/// The common hull of two places, if it is short enough to be one excerpt.
fn joined(known: Option<(FieldName, usize, usize)>, new: Option<(FieldName, usize, usize)>) -> Option<(FieldName, usize, usize)> {
    let ((field, start, end), (new_field, new_start, new_end)) = (known?, new?);
    let is_inside = start <= new_start && new_end <= end;
    let hull = (start.min(new_start), end.max(new_end));
    let is_near = new_start <= end + CONTEXT_CHARS && start <= new_end + CONTEXT_CHARS;
    let fits = is_inside || (is_near && hull.1 - hull.0 <= EXCERPT_CHARS_MAX);
    (field == new_field && fits).then_some((field, hull.0, hull.1))
}

/// Words that hurt to read are masked. A combination (veiled threat, demand) has no such word of its own and must be
/// readable to be understood; a lane is not abuse.
fn is_masked(evidence: &Evidence) -> bool {
    let hurts = matches!(evidence.category, Some(Category::Insult | Category::Discrimination | Category::Sexual | Category::Threat));
    hurts && evidence.kind != EvidenceKind::Combination && evidence.lane.is_none()
}

fn reason(message: &Message, verdict: &Verdict, stretch: &Stretch<'_>) -> Reason {
    let mut reason =
        Reason { categories: vec![], lanes: vec![], level: Level::Ordinary, entries: vec![], place: None, excerpt: String::new() };
    for row in &stretch.rows {
        reason.level = reason.level.max(row.level);
        reason.categories.extend(row.category.filter(|category| !reason.categories.contains(category)));
        reason.lanes.extend(row.lane.filter(|lane| !reason.lanes.contains(lane)));
        if reason.entries.len() < ENTRIES_MAX && !reason.entries.iter().any(|known| known == row.entry.as_str()) {
            reason.entries.push(row.entry.to_string());
        }
    }
    if let Some((field, start, end)) = stretch.place {
        reason.place = (field != FieldName::Text).then(|| place(field).name().to_owned());
        reason.excerpt = excerpt(message, verdict, field, start, end);
    }
    reason
}

fn place(field: FieldName) -> Origin {
    match field {
        FieldName::Subject => Origin::Subject,
        FieldName::Text => Origin::Text,
        FieldName::FromName => Origin::FromName,
        FieldName::AttachmentName(_) => Origin::AttachmentName,
        FieldName::Hidden => Origin::Hidden,
    }
}

/// The words around a hit, masked; `…` where the text goes on.
fn excerpt(message: &Message, verdict: &Verdict, field: FieldName, start: usize, end: usize) -> String {
    let Some(found) = message.field(field) else { return String::new() };
    let from = start.saturating_sub(CONTEXT_CHARS);
    let to = end.min(start + EXCERPT_CHARS_MAX) + CONTEXT_CHARS;
    let before = if from > 0 { "…" } else { "" };
    let after = if found.text.chars().nth(to).is_some() { "…" } else { "" };
    format!("{before}{}{after}", masked(message, verdict, field, from, to).trim())
}

/// A stretch of a field in which every harmful span of any evidence is replaced, and every repetition of a harmful word
/// that stands elsewhere in the message: neither a neighbour nor a copy leaks.
fn masked(message: &Message, verdict: &Verdict, field: FieldName, from: usize, to: usize) -> String {
    let Some(found) = message.field(field) else { return String::new() };
    let text: Vec<char> = found.text.chars().collect();
    let mut hidden = vec![false; text.len()];
    for span in harmful(verdict) {
        if span.field == field {
            hidden.iter_mut().take(span.end).skip(span.start).for_each(|hide| *hide = true);
        }
        let word: Vec<char> = slice(message, span.field, span.start, span.end).unwrap_or_default().chars().collect();
        for at in 0..text.len() {
            if word.len() > 1 && text.iter().skip(at).take(word.len()).eq(word.iter()) {
                hidden.iter_mut().skip(at).take(word.len()).for_each(|hide| *hide = true);
            }
        }
    }
    let shown = text.iter().zip(&hidden).map(|(c, hide)| if *hide && !c.is_whitespace() { MASK } else { *c });
    plain(&shown.skip(from).take(to.saturating_sub(from)).collect::<String>(), false)
}

fn harmful(verdict: &Verdict) -> impl Iterator<Item = &EvidenceSpan> {
    verdict.evidence.iter().filter(|one| is_masked(one)).flat_map(|one| &one.spans).filter(|span| span.role == Role::Harm)
}

fn slice(message: &Message, field: FieldName, start: usize, end: usize) -> Option<String> {
    let text = &message.field(field)?.text;
    Some(text.chars().skip(start).take(end.saturating_sub(start)).collect())
}

/// Without control, direction and invisible characters; line ends become spaces unless `lines` are kept; links lose their teeth.
fn plain(text: &str, lines: bool) -> String {
    let visible = |c: char| !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{00AD}' | '\u{E0000}'..='\u{E007F}');
    let kept: String = text
        .chars()
        .filter(|c| visible(*c))
        .map(|c| {
            if c == '\n' && lines {
                '\n'
            } else if c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    kept.replace("http://", "hxxp://").replace("https://", "hxxps://")
}
