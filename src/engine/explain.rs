//! Why a message got its verdict, and what stopped an entry from firing: pure values for the command line and the console.
//!
//! Built by listening to the matcher that judges, so an explanation cannot say anything else than the verdict. Cost: one more
//! judgement, and a row per candidate.

use crate::engine::Engine;
use crate::engine::scan::Scratch;
use crate::engine::trace::{Outcome, Spot, Subject, Trace};
use crate::model::ids::EntryId;
use crate::model::message::{FieldName, Message, PartSpan};
use crate::model::verdict::{Verdict, Via};
use serde::Serialize;

/// Most candidates recorded: a person reads some dozens, and a hostile text has a million.
pub const CONSIDERED_MAX: usize = 2_000;

/// One candidate and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Entry or combination.
    pub entry: EntryId,
    /// Which field.
    pub field: FieldName,
    /// First character.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// The customer's text.
    pub text: String,
    /// Folds it needed.
    pub via: Vec<Via>,
    /// What became of it.
    pub outcome: Outcome,
}

/// A field as it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldView {
    /// Which field.
    pub name: FieldName,
    /// Its text.
    pub text: String,
    /// Whose words its parts are.
    pub parts: Vec<PartSpan>,
}

/// Everything that was weighed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The fields.
    pub fields: Vec<FieldView>,
    /// Every candidate, by place; at most [`CONSIDERED_MAX`].
    pub considered: Vec<Considered>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What stopped one entry or combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyNot {
    /// Entry or combination.
    pub entry: EntryId,
    /// Whether it did fire after all.
    pub fired: bool,
    /// Its candidates; none = no form of it occurs.
    pub considered: Vec<Considered>,
    /// For a combination: required slots, from 1, that no live cue fills. None empty = distance, scope or order.
    pub empty_slots: Vec<usize>,
    /// For a combination: the entries that were live.
    pub live: Vec<EntryId>,
}

impl Engine {
    /// Explains the verdict of `message`.
    pub fn explain(&self, message: &Message) -> Explanation {
        let mut recorder = Recorder::default();
        let mut scratch = Scratch::default();
        let draft = self.draft_traced(message, &mut scratch, &mut recorder);
        let extra = self.read(message, &mut scratch);
        let fields = message.fields.iter();
        Explanation {
            fields: fields.map(|field| FieldView { name: field.name, text: field.text.clone(), parts: field.parts.clone() }).collect(),
            considered: recorder.rows(self, message, |_| true),
            verdict: self.fuse(draft, &extra),
        }
    }

    /// What stopped `entry` in `message`; `None` if the lexicon has no such entry or combination.
    pub fn why_not(&self, entry: &EntryId, message: &Message) -> Option<WhyNot> {
        let subject = self.subject(entry)?;
        let mut recorder = Recorder::default();
        self.draft_traced(message, &mut Scratch::default(), &mut recorder);
        let considered = recorder.rows(self, message, |row| row.subject == subject);
        let fired = considered.iter().any(|row| row.outcome.has_fired());
        let (mut empty_slots, mut live) = (vec![], vec![]);
        if let Subject::Combination(number) = subject {
            let numbers = recorder.live();
            let slots = &self.lexicon().combinations[number as usize].slots;
            let slots_of = &self.lexicon().slots_of;
            let fills = |slot: usize| {
                numbers.iter().any(|entry| slots_of[*entry as usize].iter().any(|at| (at.0, usize::from(at.1)) == (number, slot)))
            };
            empty_slots = (0..slots.len()).filter(|slot| !slots[*slot].optional && !fills(*slot)).map(|slot| slot + 1).collect();
            live = numbers.iter().map(|entry| self.lexicon().entries[*entry as usize].id.clone()).collect();
        }
        Some(WhyNot { entry: entry.clone(), fired, considered, empty_slots, live })
    }

    fn subject(&self, id: &EntryId) -> Option<Subject> {
        let lexicon = self.lexicon();
        let number = |position: usize| u32::try_from(position).ok();
        let entry = lexicon.entries.iter().position(|entry| entry.id == *id).and_then(number).map(Subject::Entry);
        entry.or_else(|| {
            lexicon.combinations.iter().position(|combination| combination.id == *id).and_then(number).map(Subject::Combination)
        })
    }

    fn id_of(&self, subject: Subject) -> EntryId {
        match subject {
            Subject::Entry(number) => self.lexicon().entries[number as usize].id.clone(),
            Subject::Combination(number) => self.lexicon().combinations[number as usize].id.clone(),
        }
    }
}

struct Row {
    subject: Subject,
    spot: Spot,
    outcome: Outcome,
}

#[derive(Default)]
struct Recorder {
    rows: Vec<Row>,
}

impl Trace for Recorder {
    fn note(&mut self, subject: Subject, spot: Spot, outcome: impl FnOnce() -> Outcome) {
        if self.rows.len() < CONSIDERED_MAX {
            self.rows.push(Row { subject, spot, outcome: outcome() });
        }
    }
}

impl Recorder {
    /// Numbers of the entries that fired or were live cues, each once.
    fn live(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = vec![];
        for row in self.rows.iter().filter(|row| row.outcome.has_fired()) {
            if let Subject::Entry(number) = row.subject
                && !numbers.contains(&number)
            {
                numbers.push(number);
            }
        }
        numbers
    }

    fn rows(&self, engine: &Engine, message: &Message, wanted: impl Fn(&Row) -> bool) -> Vec<Considered> {
        let row = |row: &Row| {
            let (start, end) = (row.spot.start as usize, row.spot.end as usize);
            let text = message.field(row.spot.field).map_or("", |field| field.text.as_str());
            Considered {
                entry: engine.id_of(row.subject),
                field: row.spot.field,
                start,
                end,
                text: text.chars().skip(start).take(end.saturating_sub(start)).collect(),
                via: row.spot.via.iter().collect(),
                outcome: row.outcome.clone(),
            }
        };
        let mut rows: Vec<Considered> = self.rows.iter().filter(|row| wanted(row)).map(row).collect();
        rows.sort_by(|a, b| (a.field, a.start, a.end, &a.entry).cmp(&(b.field, b.start, b.end, &b.entry)));
        rows
    }
}
