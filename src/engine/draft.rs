//! What the lexicon found in one message, before it is fused into a verdict.
//!
//! Evidence rows are built only for the gravest findings; the tally counts all of them. Cost: linear in hits.

use crate::engine::combine::{Combined, combine};
use crate::engine::context::resolve;
use crate::engine::lexicon::compiled::{Lexicon, Owner};
use crate::engine::lexicon::object::{Claim, Status};
use crate::engine::scan::{Aside, Hit, Scanner, Scratch, original};
use crate::engine::tally::Tally;
use crate::engine::text::{Folded, Recast, ViaSet, rewrite, shows_codes, shows_drawn};
use crate::engine::trace::{Outcome, Spot, Subject, Trace};
use crate::model::ids::{EntryId, MessageId};
use crate::model::message::{Coverage, Field, FieldName, Message};
use crate::model::severity::{Category, Lane, Level};
use crate::model::verdict::{EVIDENCE_MAX, Evidence, EvidenceKind, EvidenceSpan, Role, SUPPRESSED_MAX, Suppressed};
use std::collections::BTreeSet;

/// Printed as `suppressed.by` for hits in machine mail.
pub const BY_MACHINE: &str = "machine";

/// Ids of the cues that mean nothing in one message and something in a row of them; the conversation ledger reads them.
pub const CUES_OVER_TIME: &str = "ledger.";

/// What one reading of a message gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The message.
    pub id: MessageId,
    /// The gravest findings, at most [`EVIDENCE_MAX`].
    pub evidence: Vec<Evidence>,
    /// What was set aside, at most [`SUPPRESSED_MAX`].
    pub suppressed: Vec<Suppressed>,
    /// Findings and suppressed hits beyond the limits.
    pub more: usize,
    /// All findings, counted.
    pub tally: Tally,
    /// Hits of entries on trial.
    pub shadow: usize,
    /// Which of the cues that mean something only over time were heard ([`CUES_OVER_TIME`]): sorted, each once.
    pub cues: Vec<EntryId>,
    /// What was not read.
    pub coverage: Coverage,
    /// Digest of the lexicon.
    pub lexicon: String,
}

/// A finding before its row is built.
struct Finding {
    level: Level,
    kind: EvidenceKind,
    /// Entry or combination number.
    number: u32,
    /// Position among the fields of the message.
    field: usize,
    /// Original characters.
    start: u32,
    end: u32,
    via: ViaSet,
    spans: Vec<(u32, u32, Role)>,
}

/// Reads every field of `message`.
pub fn draft<T: Trace>(lexicon: &Lexicon, scanner: &Scanner, message: &Message, scratch: &mut Scratch, trace: &mut T) -> Draft {
    let mut reading = Reading {
        lexicon,
        message,
        findings: vec![],
        draft: Draft {
            id: message.id.clone(),
            evidence: vec![],
            suppressed: vec![],
            more: 0,
            tally: Tally::default(),
            shadow: 0,
            cues: vec![],
            coverage: message.coverage.clone(),
            lexicon: lexicon.digest.clone(),
        },
    };
    for (position, field) in message.fields.iter().enumerate() {
        reading.read(position, field, scanner, scratch, trace);
    }
    reading.finish()
}

/// Entry, first and last original character of a hit.
type HitPlace = (u32, u32, u32);

fn place(folded: &Folded, hit: &Hit) -> HitPlace {
    let (start, end) = original(folded, hit.candidate.start, hit.candidate.end);
    (hit.candidate.entry, start, end)
}

fn places(scratch: &Scratch) -> BTreeSet<HitPlace> {
    scratch.hits.iter().map(|hit| place(&scratch.folded, hit)).collect()
}

struct Reading<'a> {
    lexicon: &'a Lexicon,
    message: &'a Message,
    findings: Vec<Finding>,
    draft: Draft,
}

impl Reading<'_> {
    /// The field as it stands, and its other readings. What the gate turns away is not folded, unless somebody listens.
    fn read<T: Trace>(&mut self, position: usize, field: &Field, scanner: &Scanner, scratch: &mut Scratch, trace: &mut T) {
        let text = &field.text;
        let rewritten = if shows_codes(text) || shows_drawn(text) { rewrite(text) } else { None };
        let mut heads = std::mem::take(&mut scratch.heads);
        let mut others = rewritten.iter().chain(heads.read(text)).peekable();
        let mut known = BTreeSet::new();
        if T::LISTENS || scanner.look(text, scratch).is_some() {
            scanner.scan(self.lexicon, field.name, text, scratch, trace);
            if !scratch.candidates.is_empty() {
                resolve(self.lexicon, field, scratch, trace);
                self.field(position, field, scratch, None, trace);
                known = if others.peek().is_some() { places(scratch) } else { known };
            }
        }
        for recast in others {
            if T::LISTENS || scanner.look(&recast.text, scratch).is_some() {
                scanner.scan_recast(self.lexicon, field.name, recast, scratch, trace);
                resolve(self.lexicon, field, scratch, trace);
                self.field(position, field, scratch, Some((recast, &known)), trace);
            }
        }
        scratch.heads = heads;
    }

    /// `other`: the scratch holds another reading of the field, in which only what is recast and not known already is new.
    fn field(
        &mut self,
        position: usize,
        field: &Field,
        scratch: &mut Scratch,
        other: Option<(&Recast, &BTreeSet<HitPlace>)>,
        trace: &mut impl Trace,
    ) {
        let is_new = |hit: &Hit| {
            let found = place(&scratch.folded, hit);
            other.is_none_or(|(recast, known)| recast.admits(found.1, found.2) && !known.contains(&found))
        };
        let new: Vec<bool> = scratch.hits.iter().map(is_new).collect();
        let combined = combine(self.lexicon, scratch);
        let covered = covered(self.lexicon, &scratch.hits);
        for ((hit, covered), _) in scratch.hits.iter().zip(covered).zip(&new).filter(|(_, new)| **new) {
            self.hit(position, field, &scratch.folded, hit, covered, trace);
        }
        for combination in combined {
            if combination.spans.iter().any(|(hit, _)| new.get(*hit as usize) == Some(&true)) {
                self.combination(position, field, scratch, &combination, trace);
            }
        }
    }

    fn hit(&mut self, position: usize, field: &Field, folded: &Folded, hit: &Hit, covered: bool, trace: &mut impl Trace) {
        let entry = &self.lexicon.entries[hit.candidate.entry as usize];
        let (start, end) = original(folded, hit.candidate.start, hit.candidate.end);
        let spot = Spot { field: field.name, start, end, via: hit.candidate.via };
        let by = hit.aside.map(|aside| self.by(aside)).or_else(|| self.machine(&entry.claim, entry.claim.level));
        let outcome = self.settle(&entry.id, &entry.claim, covered, by, field, (start, end));
        if entry.claim.speaks() && outcome == Outcome::Fired {
            let (level, number, role) = (entry.claim.level, hit.candidate.entry, entry.role);
            let spans = vec![(start, end, role)];
            self.keep(
                &entry.claim,
                Finding { level, kind: EvidenceKind::Entry, number, field: position, start, end, via: spot.via, spans },
            );
        }
        if !entry.claim.speaks() && outcome == Outcome::Fired && entry.id.as_str().starts_with(CUES_OVER_TIME) {
            self.hear(&entry.id);
        }
        trace.note(Subject::Entry(hit.candidate.entry), spot, || outcome);
    }

    fn hear(&mut self, cue: &EntryId) {
        if let Err(place) = self.draft.cues.binary_search(cue) {
            self.draft.cues.insert(place, cue.clone());
        }
    }

    fn combination(&mut self, position: usize, field: &Field, scratch: &Scratch, found: &Combined, trace: &mut impl Trace) {
        let combination = &self.lexicon.combinations[found.combination as usize];
        let (start, end) = original(&scratch.folded, found.start, found.end);
        let (mut via, mut spans) = (ViaSet::default(), vec![]);
        for (hit, role) in &found.spans {
            let candidate = scratch.hits[*hit as usize].candidate;
            let (start, end) = original(&scratch.folded, candidate.start, candidate.end);
            spans.push((start, end, *role));
            via = via.union(candidate.via);
        }
        let by = found.aside.map(|aside| self.by(aside)).or_else(|| self.machine(&combination.claim, found.level));
        let outcome = self.settle(&combination.id, &combination.claim, false, by, field, (start, end));
        if outcome == Outcome::Fired {
            let (level, number) = (found.level, found.combination);
            self.keep(
                &combination.claim,
                Finding { level, kind: EvidenceKind::Combination, number, field: position, start, end, via, spans },
            );
        }
        trace.note(Subject::Combination(found.combination), Spot { field: field.name, start, end, via }, || outcome);
    }

    /// What becomes of a hit that passed every guard; notes what is set aside.
    fn settle(&mut self, id: &EntryId, claim: &Claim, covered: bool, by: Option<String>, field: &Field, span: (u32, u32)) -> Outcome {
        if let Some(by) = by {
            if claim.speaks() && claim.status == Status::Live {
                let (start, end) = (span.0 as usize, span.1 as usize);
                if self.draft.suppressed.len() < SUPPRESSED_MAX {
                    self.draft.suppressed.push(Suppressed { entry: id.clone(), text: slice(&field.text, start, end), by: by.clone() });
                } else {
                    self.draft.more += 1;
                }
            }
            return Outcome::Suppressed(by);
        }
        if claim.status == Status::Shadow {
            self.draft.shadow += 1;
            return Outcome::Shadow;
        }
        if covered { Outcome::Covered } else { Outcome::Fired }
    }

    fn keep(&mut self, claim: &Claim, finding: Finding) {
        self.draft.tally.add(&claim.id.text, claim.category, claim.lane, finding.level, claim.axis, claim.urgent);
        self.findings.push(finding);
    }

    fn by(&self, aside: Aside) -> String {
        match aside {
            Aside::Neutral((pattern, number)) => {
                let owner = self.lexicon.patterns[pattern as usize].uses.get(number as usize).map(|wanted| &wanted.owner);
                let text = if let Some(Owner::Neutral(_, text)) = owner { text.as_str() } else { "" };
                format!("neutral:{text}")
            }
            Aside::Quoted => "quoted".to_owned(),
            Aside::Forwarded => "forwarded".to_owned(),
            Aside::Frame(number) => self.lexicon.frames[number as usize].id.clone(),
        }
    }

    /// Machine mail is recorded, never alerted, except for an attack notice: forging a header must not hide a bomb.
    fn machine(&self, claim: &Claim, level: Level) -> Option<String> {
        let attack = level == Level::Emergency && claim.category == Some(Category::Threat);
        (self.message.machine.is_some() && !attack).then(|| BY_MACHINE.to_owned())
    }

    fn finish(mut self) -> Draft {
        if self.message.machine.is_some() {
            self.draft.tally.lanes.insert(Lane::Machine);
        }
        let order =
            |finding: &Finding| (std::cmp::Reverse(finding.level), finding.field, finding.start, finding.end, finding.kind, finding.number);
        self.findings.sort_by_key(order);
        self.draft.more += self.findings.len().saturating_sub(EVIDENCE_MAX);
        self.draft.evidence = self.findings.iter().take(EVIDENCE_MAX).map(|finding| self.row(finding)).collect();
        self.draft
    }

    fn row(&self, finding: &Finding) -> Evidence {
        let field = &self.message.fields[finding.field];
        let (id, claim) = match finding.kind {
            EvidenceKind::Combination => {
                let combination = &self.lexicon.combinations[finding.number as usize];
                (&combination.id, &combination.claim)
            }
            EvidenceKind::Entry | EvidenceKind::Reader => {
                let entry = &self.lexicon.entries[finding.number as usize];
                (&entry.id, &entry.claim)
            }
        };
        let (start, end) = (finding.start as usize, finding.end as usize);
        Evidence {
            kind: finding.kind,
            entry: id.clone(),
            category: claim.category,
            lane: claim.lane,
            level: finding.level,
            text: slice(&field.text, start, end),
            field: field.name,
            part: field.part_at(start),
            start: Some(start),
            end: Some(end),
            spans: finding.spans.iter().map(|span| evidence_span(field.name, *span)).collect(),
            via: finding.via.iter().collect(),
        }
    }
}

fn evidence_span(field: FieldName, (start, end, role): (u32, u32, Role)) -> EvidenceSpan {
    EvidenceSpan { field, start: start as usize, end: end as usize, role }
}

/// The characters `start..end` of `text`.
fn slice(text: &str, start: usize, end: usize) -> String {
    text.chars().skip(start).take(end.saturating_sub(start)).collect()
}

/// For every hit whether it lies wholly inside a longer live hit of the same category that is at least as grave.
fn covered(lexicon: &Lexicon, hits: &[Hit]) -> Vec<bool> {
    let claim = |hit: &Hit| &lexicon.entries[hit.candidate.entry as usize].claim;
    let mut order: Vec<usize> =
        (0..hits.len()).filter(|at| hits[*at].aside.is_none() && claim(&hits[*at]).level > Level::Ordinary).collect();
    order.sort_by_key(|at| {
        let hit = &hits[*at];
        (hit.candidate.start, std::cmp::Reverse(hit.candidate.end), std::cmp::Reverse(claim(hit).level), hit.candidate.entry)
    });
    let mut covered = vec![false; hits.len()];
    // Per category and level, how far hits have reached so far; a live hit only, since shadow entries hide nothing.
    let mut reach = [[0u32; Level::ALL.len()]; Category::ALL.len()];
    for at in order {
        let (candidate, claim) = (&hits[at].candidate, claim(&hits[at]));
        let Some(category) = claim.category else { continue };
        let reach = &mut reach[category as usize];
        covered[at] = reach[usize::from(claim.level.number())..].iter().any(|end| *end >= candidate.end);
        if claim.status == Status::Live {
            let known = &mut reach[usize::from(claim.level.number())];
            *known = (*known).max(candidate.end);
        }
    }
    covered
}
