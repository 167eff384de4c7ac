//! The second reader: a linear model over short stretches of characters, for ways of speaking that no list foresees.
//!
//! It adds evidence to a draft and can raise a verdict, never lower one: what the lexicon found stands. It reads only the sender's own
//! words, and answers with the stretch that speaks loudest, so that a person can check it. Its weights come from labelled messages
//! ([`train`]); all arithmetic here is on integers, so every machine agrees. Cost: linear in the text, one table row per stretch.

pub mod grams;
pub mod model;
pub mod train;

use crate::engine::reader::grams::{Stamps, Stream};
use crate::engine::reader::model::{Head, Model, PRIMARY, SECONDARY, Scores, Sums};
use crate::model::ids::EntryId;
use crate::model::message::{Field, FieldName, Message, PartKind};
use crate::model::severity::{Category, Lane, Level};
use crate::model::verdict::{Evidence, EvidenceKind, EvidenceSpan, Role};
use std::ops::Range;

/// Beginning of the ids of its findings.
const HEAD: &str = "reader.";

/// What follows where a finding has no kind of its own.
const ANY: &str = "any";

/// Sentences read together: a threat and its condition often stand in two.
pub const WINDOW_SENTENCES: usize = 2;

/// A message of at most this many sentences is one window; in a longer one a bad sentence drowns among the others.
pub const WHOLE_SENTENCES_MAX: usize = 3;

/// Buffers of the reader, reused.
#[derive(Debug, Default)]
pub struct Reading {
    stream: Stream,
    stamps: Stamps,
    sums: Vec<Sums<PRIMARY>>,
}

/// A window and what the model says of it.
#[derive(Debug, Clone)]
struct Window {
    field: usize,
    /// Sentences.
    sentences: Range<usize>,
    scores: Scores,
}

/// What the reader adds to the draft of `message`. Allocates nothing if that is nothing, once the buffers have grown.
pub fn read(model: &Model, message: &Message, reading: &mut Reading) -> Vec<Evidence> {
    let mut evidence = vec![];
    if message.machine.is_some() {
        return evidence;
    }
    let mut best: Option<Window> = None;
    let mut lanes: [Option<Window>; Head::LANES.len()] = std::array::from_fn(|_| None);
    for (number, field) in message.fields.iter().enumerate().filter(|(_, field)| is_read(field)) {
        let Reading { stream, stamps, sums } = &mut *reading;
        load(stream, field);
        if stream.is_empty() {
            continue;
        }
        sums.clear();
        sums.extend(stream.sentences().map(|sentence| model.primary(stream, sentence, stamps)));
        for sentences in windows(sums.len()) {
            let all = sums[sentences.clone()].iter().fold(Sums::default(), |all, one| all.plus(*one));
            let window = Window { field: number, sentences, scores: model.primary_scores(&all) };
            for (kept, (head, _)) in lanes.iter_mut().zip(Head::LANES) {
                if window.scores.fires(model, head) && kept.as_ref().is_none_or(|kept| kept.scores.get(head) < window.scores.get(head)) {
                    *kept = Some(window.clone());
                }
            }
            if best.as_ref().is_none_or(|best| best.scores.get(Head::Flagged) < window.scores.get(Head::Flagged)) {
                best = Some(window);
            }
        }
    }
    for (window, (head, lane)) in lanes.iter().zip(Head::LANES).filter_map(|(window, of)| Some((window.as_ref()?, of))) {
        let finding = Finding { head, level: Level::Ordinary, category: None, lane: Some(lane) };
        evidence.push(row(model, message, window, &finding, &mut reading.stream));
    }
    if let Some(window) = best {
        judge(model, message, &window, reading, &mut evidence);
    }
    evidence
}

fn is_read(field: &Field) -> bool {
    matches!(field.name, FieldName::Subject | FieldName::Text)
}

fn load(stream: &mut Stream, field: &Field) {
    stream.clear();
    if field.parts.iter().all(|part| part.kind == PartKind::New) {
        stream.add(&field.text, |_| true);
    } else {
        let mut parts = field.parts.iter().peekable();
        stream.add(&field.text, |at| {
            while parts.next_if(|part| part.end <= at).is_some() {}
            parts.peek().is_none_or(|part| at < part.start || part.kind == PartKind::New)
        });
    }
}

/// Ranges of sentences that are read together: the whole, and in a longer text every few sentences.
pub fn windows(sentences: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = if sentences > WHOLE_SENTENCES_MAX { sentences + 1 - WINDOW_SENTENCES } else { 0 };
    std::iter::once(0..sentences).chain((0..parts).map(|from| from..from + WINDOW_SENTENCES))
}

/// Level and categories of the gravest window.
fn judge(model: &Model, message: &Message, window: &Window, reading: &mut Reading, evidence: &mut Vec<Evidence>) {
    let flagged = window.scores.fires(model, Head::Flagged);
    if !flagged && !window.scores.fires(model, Head::Watch) {
        return;
    }
    let Reading { stream, stamps, .. } = reading;
    load(stream, &message.fields[window.field]);
    let sentences = stream.sentences().skip(window.sentences.start).take(window.sentences.len());
    let all = sentences.fold(Sums::default(), |all: Sums<SECONDARY>, one| all.plus(model.secondary(stream, one, stamps)));
    let scores = model.secondary_scores(&all);
    let margin = |head: Head| scores.margin(model, head);
    let Some((main, main_category)) = Head::CATEGORIES.iter().max_by_key(|(head, _)| margin(*head)) else { return };
    if !flagged {
        let finding =
            Finding { head: Head::Watch, level: Level::Watch, category: scores.fires(model, *main).then_some(*main_category), lane: None };
        evidence.push(row(model, message, window, &finding, stream));
        return;
    }
    // A mass mail frightens nobody who gets it daily: the lexicon decides what it is.
    if scores.fires(model, Head::ScamSpam) {
        return;
    }
    let critical = scores.fires(model, Head::Critical);
    let level = match (critical, scores.fires(model, Head::Emergency)) {
        (true, true) => Level::Emergency,
        (true, false) => Level::Severe,
        _ => Level::Suspected,
    };
    for (head, category) in Head::CATEGORIES.iter().filter(|(head, _)| head == main || scores.fires(model, *head)) {
        // Only the main category carries the level: the heads of categories know nothing of it.
        let level = if head == main { level } else { Level::Suspected };
        let finding = Finding { head: Head::Flagged, level, category: Some(*category), lane: None };
        evidence.push(row(model, message, window, &finding, stream));
    }
}

/// What a row of evidence says.
struct Finding {
    head: Head,
    level: Level,
    category: Option<Category>,
    lane: Option<Lane>,
}

/// Whether a finding of the reader may bear this id.
pub(crate) fn is_entry(id: &EntryId) -> bool {
    let kind = id.as_str().strip_prefix(HEAD);
    kind.is_some_and(|kind| {
        kind == ANY || Category::ALL.iter().any(|known| known.id() == kind) || Lane::ALL.iter().any(|known| known.id() == kind)
    })
}

fn row(model: &Model, message: &Message, window: &Window, finding: &Finding, stream: &mut Stream) -> Evidence {
    let field = &message.fields[window.field];
    load(stream, field);
    let mut sentences = stream.sentences().skip(window.sentences.start).take(window.sentences.len());
    let first = sentences.next().unwrap_or(0..0);
    let range = first.start..sentences.last().map_or(first.end, |last| last.end);
    let origin = stream.origin(model.loudest(stream, range, finding.head));
    let id = finding.category.map(Category::id).or(finding.lane.map(Lane::id)).unwrap_or(ANY);
    Evidence {
        kind: EvidenceKind::Reader,
        entry: EntryId(format!("{HEAD}{id}")),
        category: finding.category,
        lane: finding.lane,
        level: finding.level,
        text: field.text.chars().skip(origin.start).take(origin.len()).collect(),
        field: field.name,
        part: field.part_at(origin.start),
        start: Some(origin.start),
        end: Some(origin.end),
        spans: vec![EvidenceSpan { field: field.name, start: origin.start, end: origin.end, role: Role::Harm }],
        via: vec![],
    }
}
