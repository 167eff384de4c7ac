//! What surrounds a hit: words near it, neutral spans over it, the part it stands in, and the frames that set it aside.
//!
//! Works on loose characters of one field. Cost: every question looks at a bounded window.

use crate::engine::lexicon::compiled::{Entry, Frame, Lexicon};
use crate::engine::lexicon::forms::Force;
use crate::engine::lexicon::object::Status;
use crate::engine::scan::{Aside, Candidate, Hit, NeutralHit, Scratch, WordHit, spot};
use crate::engine::text::Folded;
use crate::engine::trace::{Outcome, Subject, Trace};
use crate::model::message::{Field, PartKind};
use crate::model::severity::{Category, Level};
use crate::model::verdict::{Role, Via};

/// Longest bracketed stretch that counts as speech, in characters; beyond it a bracket was probably never closed.
pub const BRACKET_CHARS_MAX: u32 = 400;
/// How far around a hit the words are looked for that call a frame off, in characters of the same sentence.
pub const NOT_IF_REACH: u32 = 80;
/// Longest guard or frame word, in characters: how far back a window must begin to see a word that reaches into it.
/// Longer ones are refused when a lexicon is compiled.
pub const WORD_CHARS_MAX: u32 = 40;
/// How far around a hit of which little is left another abusive hit must stand, in characters.
const WEAK_REACH: u32 = 30;
/// The same for an address, in characters.
const ADDRESS_REACH: u32 = 4;

/// Turns the candidates of a field into hits: longest form per entry and place, then near guards, then what sets them aside.
pub fn resolve(lexicon: &Lexicon, field: &Field, scratch: &mut Scratch, trace: &mut impl Trace) {
    scratch.hits.clear();
    if scratch.candidates.is_empty() {
        return;
    }
    scratch.words.sort_unstable();
    scratch.neutrals.sort_unstable();
    find_brackets(&scratch.folded, &mut scratch.brackets);
    let Scratch { folded, candidates, words, neutrals, brackets, hits, .. } = scratch;
    candidates.sort_by_key(|found| (found.entry, found.start, std::cmp::Reverse(found.end), found.force));
    let (mut entry, mut quiet_until, mut kept_until) = (u32::MAX, 0, 0);
    for found in candidates.iter() {
        if found.entry != entry {
            (entry, quiet_until, kept_until) = (found.entry, 0, 0);
        }
        if found.force == Force::Quiet {
            quiet_until = quiet_until.max(found.end);
            trace.note(Subject::Entry(entry), spot(field.name, folded, found), || Outcome::Quiet);
            continue;
        }
        let subject = Subject::Entry(entry);
        if found.end <= quiet_until {
            trace.note(subject, spot(field.name, folded, found), || Outcome::Quiet);
        } else if found.end <= kept_until {
            trace.note(subject, spot(field.name, folded, found), || Outcome::Shorter);
        } else if let Some(refusal) = refuse_near(&lexicon.entries[entry as usize], folded, words, found) {
            trace.note(subject, spot(field.name, folded, found), || refusal.outcome(folded));
        } else {
            kept_until = found.end;
            hits.push(Hit { candidate: *found, aside: None });
        }
    }
    let surroundings = Surroundings { lexicon, folded, words, brackets };
    set_aside(&surroundings, neutrals, field, hits);
    drop_weak(lexicon, field, folded, hits, trace);
}

/// What the near guards found wrong.
enum NearRefusal {
    /// None of the wanted words stands near.
    Missing,
    /// This one does, and may not.
    Forbidden(WordHit),
}

impl NearRefusal {
    fn outcome(&self, folded: &Folded) -> Outcome {
        match self {
            Self::Missing => Outcome::Near,
            Self::Forbidden(word) => Outcome::NotNear(plain_text(folded, word)),
        }
    }
}

fn refuse_near(entry: &Entry, folded: &Folded, words: &[WordHit], found: &Candidate) -> Option<NearRefusal> {
    if entry.near.is_empty() && entry.not_near.is_empty() {
        return None;
    }
    let sentence = sentence_at(folded, found.start);
    let reach = entry.near_within;
    let beside = |word: &&WordHit| {
        let gap = if word.end <= found.start { found.start - word.end } else { word.start.saturating_sub(found.end) };
        let apart = word.end <= found.start || word.start >= found.end;
        apart && gap <= reach && sentence_at(folded, word.start) == sentence
    };
    let mut near = entry.near.is_empty();
    for word in window(words, found.start.saturating_sub(reach + WORD_CHARS_MAX), found.end + reach).filter(beside) {
        near |= entry.near.binary_search(&word.word).is_ok();
        if entry.not_near.binary_search(&word.word).is_ok() {
            return Some(NearRefusal::Forbidden(*word));
        }
    }
    (!near).then_some(NearRefusal::Missing)
}

fn plain_text(folded: &Folded, word: &WordHit) -> String {
    let cells = folded.cells().get(word.start as usize..word.end as usize).unwrap_or_default();
    cells.iter().map(|cell| cell.plain).collect()
}

/// Number of the sentence that holds a loose character; the end of the field belongs to none.
pub fn sentence_at(folded: &Folded, at: u32) -> Option<u32> {
    folded.cells().get(at as usize).map(|cell| cell.sentence)
}

/// Words that start within `from..=to`.
fn window(words: &[WordHit], from: u32, to: u32) -> impl Iterator<Item = &WordHit> {
    let first = words.partition_point(|word| word.start < from);
    words[first..].iter().take_while(move |word| word.start <= to)
}

fn set_aside(surroundings: &Surroundings<'_>, neutrals: &[NeutralHit], field: &Field, hits: &mut [Hit]) {
    for hit in hits {
        let entry = &surroundings.lexicon.entries[hit.candidate.entry as usize];
        let (start, end) = (hit.candidate.start, hit.candidate.end);
        let at = surroundings.folded.origin(start as usize..end as usize).start;
        hit.aside = covering(neutrals, start, end).map(|neutral| Aside::Neutral(neutral.pattern)).or(match part_at(field, at) {
            PartKind::Quoted => Some(Aside::Quoted),
            PartKind::Forwarded => Some(Aside::Forwarded),
            PartKind::New | PartKind::Signature => None,
        });
        // Cues are no words of their own: frames are asked for the combination they end up in.
        if hit.aside.is_none() && entry.claim.speaks() {
            hit.aside = surroundings.frame(start, end, entry.claim.category, &entry.through).map(Aside::Frame);
        }
    }
}

/// As [`Field::part_at`], by bisection: a mail of alternating quotes has thousands of parts.
fn part_at(field: &Field, at: usize) -> PartKind {
    let after = field.parts.partition_point(|part| part.start <= at);
    let part = after.checked_sub(1).and_then(|last| field.parts.get(last));
    part.filter(|part| at < part.end).map_or(PartKind::New, |part| part.kind)
}

fn covering(neutrals: &[NeutralHit], start: u32, end: u32) -> Option<NeutralHit> {
    let after = neutrals.partition_point(|neutral| neutral.start <= start);
    let reach = start.saturating_sub(WORD_CHARS_MAX);
    neutrals[..after].iter().rev().take_while(|neutral| neutral.start >= reach).find(|neutral| neutral.end >= end).copied()
}

/// Keeps a hit of which little is left only beside another abusive hit, or close to an address (お前、死○). A word without its
/// voicing marks or backwards is an ordinary word beside any address, so there only the former counts.
fn drop_weak(lexicon: &Lexicon, field: &Field, folded: &Folded, hits: &mut Vec<Hit>, trace: &mut impl Trace) {
    if !hits.iter().any(|hit| hit.candidate.force == Force::Weak) {
        return;
    }
    let strong = |points: &dyn Fn(&Entry) -> bool| {
        let counts = |hit: &&Hit| {
            let entry = &lexicon.entries[hit.candidate.entry as usize];
            hit.candidate.force == Force::Fires && hit.aside.is_none() && entry.claim.status == Status::Live && points(entry)
        };
        let mut spans: Vec<(u32, u32)> = hits.iter().filter(counts).map(|hit| (hit.candidate.start, hit.candidate.end)).collect();
        spans.sort_unstable();
        spans
    };
    let abusive = strong(&|entry| entry.claim.level > Level::Ordinary);
    let addresses = strong(&|entry| entry.role == Role::Target);
    hits.retain(|hit| {
        let Candidate { start, end, force, via, .. } = hit.candidate;
        let beside_address =
            || !via.contains(Via::Voicing) && !via.contains(Via::Recast) && stands_near(&addresses, start, end, ADDRESS_REACH);
        let keep = force != Force::Weak || stands_near(&abusive, start, end, WEAK_REACH) || beside_address();
        if !keep {
            trace.note(Subject::Entry(hit.candidate.entry), spot(field.name, folded, &hit.candidate), || Outcome::Weak);
        }
        keep
    });
}

/// Whether one of `spans` (sorted) stands within `reach` of a stretch.
fn stands_near(spans: &[(u32, u32)], start: u32, end: u32, reach: u32) -> bool {
    let first = spans.partition_point(|span| span.0 < start.saturating_sub(reach + WORD_CHARS_MAX));
    spans[first..].iter().take_while(|span| span.0 <= end + reach).any(|span| span.1 + reach >= start)
}

/// Stretches inside 「」, 『』, “” and "", in loose characters, brackets included; sorted by start.
fn find_brackets(folded: &Folded, brackets: &mut Vec<(u32, u32)>) {
    brackets.clear();
    let mut open: [Option<u32>; 4] = [None; 4];
    for (at, cell) in folded.cells().iter().enumerate() {
        let (kind, opens, closes) = match cell.loose {
            '「' => (0, true, false),
            '」' => (0, false, true),
            '『' => (1, true, false),
            '』' => (1, false, true),
            '“' => (2, true, false),
            '”' => (2, false, true),
            '"' => (3, open[3].is_none(), open[3].is_some()),
            _ => continue,
        };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        match open[kind] {
            Some(from) if closes && at - from <= BRACKET_CHARS_MAX => {
                brackets.push((from, at + 1));
                open[kind] = None;
            }
            _ if opens || kind == 3 => open[kind] = Some(at),
            _ => open[kind] = None,
        }
    }
    brackets.sort_unstable();
}

/// What frames look at.
pub struct Surroundings<'a> {
    /// For frames and what words mean to them.
    pub lexicon: &'a Lexicon,
    /// The field.
    pub folded: &'a Folded,
    /// Sorted by start.
    pub words: &'a [WordHit],
    /// Sorted by start.
    pub brackets: &'a [(u32, u32)],
}

impl Surroundings<'_> {
    /// The first frame that sets a stretch aside: around the hit itself, then around each bracket that holds it, inner to outer.
    pub fn frame(&self, start: u32, end: u32, category: Option<Category>, through: &[u32]) -> Option<u32> {
        let applies = |frame: &Frame| frame.categories.is_empty() || category.is_some_and(|category| frame.categories.contains(&category));
        let from = self.brackets.partition_point(|bracket| bracket.0 < start.saturating_sub(BRACKET_CHARS_MAX));
        let mut holding: Vec<(u32, u32)> =
            self.brackets[from..].iter().take_while(|bracket| bracket.0 < start).filter(|bracket| bracket.1 > end).copied().collect();
        holding.reverse();
        let bracketed = !holding.is_empty();
        let outermost = holding.last().copied().unwrap_or((start, end));
        for anchor in std::iter::once((start, end)).chain(holding) {
            for number in self.marked(anchor) {
                let frame = &self.lexicon.frames[number as usize];
                let fits = applies(frame) && (bracketed || !frame.bracketed) && through.binary_search(&number).is_err();
                if fits && !(frame.can_fail && self.called_off(number, outermost)) {
                    return Some(number);
                }
            }
        }
        let unmarked = |(number, frame): (usize, &Frame)| {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let fits = bracketed && !frame.marked && applies(frame) && through.binary_search(&number).is_err();
            (fits && !(frame.can_fail && self.called_off(number, outermost))).then_some(number)
        };
        self.lexicon.frames.iter().enumerate().find_map(unmarked)
    }

    /// Frames with a marker in reach of `anchor`, in the order of their ids.
    fn marked(&self, (start, end): (u32, u32)) -> Vec<u32> {
        let reach = self.lexicon.frames.iter().map(|frame| frame.within).max().unwrap_or(0);
        let mut found = vec![];
        for word in window(self.words, start.saturating_sub(reach + WORD_CHARS_MAX), end + reach) {
            let roles = &self.lexicon.words[word.word as usize];
            if word.start >= end && !roles.after.is_empty() && self.same_sentence(end, word.start) {
                found.extend(roles.after.iter().filter(|frame| word.start - end <= self.lexicon.frames[**frame as usize].within));
            }
            if word.end <= start && !roles.before.is_empty() && self.same_sentence(word.end, start) {
                found.extend(roles.before.iter().filter(|frame| start - word.end <= self.lexicon.frames[**frame as usize].within));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn same_sentence(&self, a: u32, b: u32) -> bool {
        sentence_at(self.folded, a) == sentence_at(self.folded, b)
    }

    /// Whether a word that calls the frame off stands in the same sentence, outside the bracket.
    fn called_off(&self, frame: u32, (start, end): (u32, u32)) -> bool {
        let near = window(self.words, start.saturating_sub(NOT_IF_REACH), end + NOT_IF_REACH);
        near.filter(|word| word.end <= start || word.start >= end)
            .filter(|word| self.same_sentence(word.start, start) || self.same_sentence(word.start, end))
            .any(|word| self.lexicon.words[word.word as usize].not_if.contains(&frame))
    }
}
