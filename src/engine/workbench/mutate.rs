//! Whether disguised abuse is still found: every live entry, disguised by every class of evasion that applies to its forms.
//!
//! A form stands in one of its entry's own `hit` sentences where it occurs in one, else alone. A mutant is *found* if its
//! entry, or another of the same category that is at least as grave, fires on the disguised stretch, and the level of the message is not
//! lower than that of the plain one: disguise must not weaken a hit. Cost: one judgement per mutant.

use crate::engine::Engine;
use crate::engine::explain::Explanation;
use crate::engine::lexicon::compiled::Entry;
use crate::engine::lexicon::examples::chat;
use crate::engine::lexicon::object::Status;
use crate::engine::lexicon::source::CUE_FOLDS;
use crate::engine::workbench::Dice;
use crate::engine::workbench::disguise::Class;
use crate::model::ids::EntryId;
use crate::model::severity::Level;
use serde::Serialize;
use std::ops::Range;

/// Most `hit` sentences of an entry that are disguised.
const CARRIERS_MAX: usize = 2;

/// What stands behind a mutant of a weak class, in the plain message too: the first that the lexicon knows.
const SECOND_CUES: [&str; 3] = ["、この馬鹿野郎", "、死ね", "、ふざけるな"];

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Only these classes; empty = all.
    pub classes: Vec<Class>,
    /// Seed of the random choices.
    pub seed: u64,
    /// Mutants of every form and class.
    pub mutants: usize,
    /// Misses kept of every class.
    pub misses: usize,
}

/// The measure of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Id of the class.
    pub class: &'static str,
    /// To which forms it applies.
    pub rule: &'static str,
    /// Whether a second cue stood by.
    pub weak: bool,
    /// Entries with a form to which it applies.
    pub entries: usize,
    /// Forms to which it applies.
    pub forms: usize,
    /// Mutants made of them.
    pub mutants: usize,
    /// Mutants found.
    pub found: usize,
    /// Entries to which it applies that opted out.
    pub opted_out: Vec<EntryId>,
    /// Cues that state which disguises they see, and this is not among them.
    pub narrow_cues: usize,
    /// Some that were not found.
    pub misses: Vec<Miss>,
}

impl Score {
    /// Whether at least `least` thousandths were found.
    pub fn reaches(&self, least: usize) -> bool {
        self.found * 1_000 >= self.mutants * least
    }
}

/// A mutant that was not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Miss {
    /// Whose form it is.
    pub entry: EntryId,
    /// The message.
    pub plain: String,
    /// The message in disguise.
    pub disguised: String,
    /// Level of the plain message.
    pub level: Level,
    /// Level of the disguised one.
    pub got: Level,
}

/// A form in a message: the disguise is put between `front` and `back`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Specimen {
    front: String,
    form: String,
    back: String,
}

impl Specimen {
    fn alone(form: &str) -> Self {
        Self { front: String::new(), form: form.to_owned(), back: String::new() }
    }

    fn message(&self, form: &str) -> (String, Range<usize>) {
        let start = self.front.chars().count();
        (format!("{}{form}{}", self.front, self.back), start..start + form.chars().count())
    }
}

/// Measures `engine`.
pub fn measure(engine: &Engine, plan: &Plan) -> Vec<Score> {
    let classes = Class::ALL.iter().map(|row| row.0).filter(|class| plan.classes.is_empty() || plan.classes.contains(class));
    let mut scores: Vec<(Class, Score)> = classes.map(|class| (class, empty(class))).collect();
    let second = SECOND_CUES.iter().find(|cue| engine.explain(&chat(cue)).verdict.level > Level::Ordinary);
    for (number, entry) in engine.lexicon().entries.iter().enumerate() {
        if entry.claim.status != Status::Live {
            continue;
        }
        let specimens = specimens(engine, entry);
        for (class, score) in &mut scores {
            // Each pair has its own dice, so that adding an entry does not change the mutants of all others.
            let mut dice = Dice::new(plan.seed ^ (u64::try_from(number).unwrap_or(0) << 8) ^ *class as u64);
            let mut trial = Trial { engine, plan, entry, class: *class, dice: &mut dice, second: second.copied() };
            trial.run(&specimens, score);
        }
    }
    scores.into_iter().map(|(_, score)| score).collect()
}

fn empty(class: Class) -> Score {
    Score {
        class: class.id(),
        rule: class.rule(),
        weak: class.is_weak(),
        entries: 0,
        forms: 0,
        mutants: 0,
        found: 0,
        opted_out: vec![],
        narrow_cues: 0,
        misses: vec![],
    }
}

/// The forms of an entry, in their messages.
fn specimens(engine: &Engine, entry: &Entry) -> Vec<Specimen> {
    let mut found: Vec<Specimen> = vec![];
    for hit in entry.claim.hit.iter().take(CARRIERS_MAX) {
        let explanation = engine.explain(&chat(&hit.text));
        let row = explanation.considered.iter().find(|row| row.entry == entry.id && row.outcome.has_fired() && row.via.is_empty());
        if let Some(row) = row {
            let part = |range: Range<usize>| hit.text.chars().skip(range.start).take(range.len()).collect();
            found.push(Specimen { front: part(0..row.start), form: row.text.clone(), back: part(row.end..hit.text.chars().count()) });
        }
    }
    for form in &entry.samples {
        if found.iter().all(|known| known.form != *form) {
            found.push(Specimen::alone(form));
        }
    }
    found
}

struct Trial<'a> {
    engine: &'a Engine,
    plan: &'a Plan,
    entry: &'a Entry,
    class: Class,
    dice: &'a mut Dice,
    second: Option<&'static str>,
}

impl Trial<'_> {
    fn run(&mut self, specimens: &[Specimen], score: &mut Score) {
        // Nobody masks 今日: what only fills a slot is disguised by what folding undoes, as its default folds say.
        if !self.entry.claim.speaks() && self.class.fold().is_none_or(|fold| !CUE_FOLDS.contains(&fold) || self.class.is_weak()) {
            return;
        }
        let opted_out = self.class.fold().is_some_and(|fold| !self.entry.folds.contains(fold));
        let (mut applies, mut seen) = (false, vec![]);
        for specimen in specimens {
            let Some(specimen) = self.placed(specimen, &mut seen) else { continue };
            let Some(mutant) = self.class.disguise(&specimen.form, self.dice) else { continue };
            let (plain, range) = specimen.message(&specimen.form);
            let before = self.engine.explain(&chat(&plain));
            if !self.is_found(&before, &range) {
                continue;
            }
            applies = true;
            if opted_out {
                break;
            }
            score.forms += 1;
            let mut mutants = vec![mutant];
            mutants.extend((1..self.plan.mutants).filter_map(|_| self.class.disguise(&specimen.form, self.dice)));
            for mutant in mutants {
                self.try_one(&specimen, &mutant, (&plain, before.verdict.level), score);
            }
        }
        match (applies && opted_out, self.entry.claim.speaks()) {
            (true, true) => score.opted_out.push(self.entry.id.clone()),
            (true, false) => score.narrow_cues += 1,
            _ => {}
        }
        score.entries += usize::from(applies && (!opted_out || self.entry.claim.speaks()));
    }

    /// The specimen as this class needs it: beside a second cue, or as a message of its own; each form once.
    fn placed(&self, specimen: &Specimen, seen: &mut Vec<String>) -> Option<Specimen> {
        if !self.class.is_weak() && self.class != Class::Acrostic {
            return Some(specimen.clone());
        }
        if seen.contains(&specimen.form) {
            return None;
        }
        seen.push(specimen.form.clone());
        let back = if self.class.is_weak() { self.second? } else { "" };
        Some(Specimen { back: back.to_owned(), ..Specimen::alone(&specimen.form) })
    }

    fn try_one(&self, specimen: &Specimen, mutant: &str, (plain, level): (&str, Level), score: &mut Score) {
        let (disguised, range) = specimen.message(mutant);
        let after = self.engine.explain(&chat(&disguised));
        score.mutants += 1;
        if self.is_found(&after, &range) && after.verdict.level >= level {
            score.found += 1;
        } else if score.misses.len() < self.plan.misses {
            let (entry, plain, got) = (self.entry.id.clone(), plain.to_owned(), after.verdict.level);
            score.misses.push(Miss { entry, plain, disguised, level, got });
        }
    }

    /// Whether the entry, or a finding of its category that is as grave, fired on the stretch.
    fn is_found(&self, explanation: &Explanation, range: &Range<usize>) -> bool {
        let on = |start: usize, end: usize| start < range.end && end > range.start;
        let claim = &self.entry.claim;
        let own = |entry: &EntryId| *entry == self.entry.id;
        explanation.considered.iter().any(|row| own(&row.entry) && row.outcome.has_fired() && on(row.start, row.end))
            || claim.category.is_some()
                && explanation.verdict.evidence.iter().any(|row| {
                    row.category == claim.category
                        && row.level >= claim.level
                        && row.start.zip(row.end).is_some_and(|(start, end)| on(start, end))
                })
    }
}
