//! Warnings and rules of taste: examples that must be there, forms that collide, cues that nobody uses.

use crate::engine::draft::CUES_OVER_TIME;
use crate::engine::lexicon::compiled::{Entry, Lexicon, Owner, Pattern, Use};
use crate::engine::lexicon::forms::Force;
use crate::engine::lexicon::object::{Boundary, Claim, EntryObject};
use crate::engine::lexicon::stack::Stack;
use crate::engine::lexicon::{Report, guidance};
use crate::model::severity::{Category, Lane};

/// A kana form of at most this many kana and without a word boundary is reported: it stands inside countless words.
pub const SHORT_KANA: usize = 3;

/// Checks objects one by one, before compiling.
pub fn check(stack: &Stack, report: &mut Report<'_>) {
    guidance::check(stack, report);
    for entry in stack.entries.values() {
        claim(&entry.claim, report);
        forms(entry, report);
    }
    for combination in stack.combinations.values() {
        claim(&combination.claim, report);
        if !combination.claim.speaks() {
            let help = "give it a `level` of 1 to 4, or a `lane`".to_owned();
            report.error("lexicon.silent", &combination.claim.place, "a combination that says nothing".to_owned(), "", help);
        }
        if combination.slots.iter().filter(|slot| !slot.optional).count() == 0 {
            let help = "add a `[[combination.slot]]` that is not optional".to_owned();
            report.error("lexicon.slots", &combination.claim.place, "a combination without a required slot".to_owned(), "", help);
        }
    }
}

fn claim(claim: &Claim, report: &mut Report<'_>) {
    let place = &claim.id.place;
    if claim.speaks() {
        for (key, texts) in [("hit", &claim.hit), ("miss", &claim.miss)] {
            if texts.is_empty() {
                let help = format!("add `{key} = [\"…\"]` with at least one natural sentence");
                report.error("lexicon.examples", place, format!("`{}` has no `{key}` example", claim.id.text), "", help);
            }
        }
    }
    if claim.level.number() > 0 && claim.category.is_none() && claim.lane.is_none() {
        let help = "add `category` or `lane`, or set `level = 0` for a cue".to_owned();
        report.error("lexicon.category", place, format!("`{}` has a level but no category", claim.id.text), "", help);
    }
    if claim.category == Some(Category::SelfHarm) && claim.lane != Some(Lane::SelfHarm) {
        let help = "add `lane = \"self_harm\"`: care comes before everything".to_owned();
        report.error("lexicon.category", place, format!("`{}` speaks of self-harm without its lane", claim.id.text), "", help);
    }
    if claim.urgent && claim.lane != Some(Lane::SafetyIncident) {
        let help = "level 4 and self-harm are always urgent; remove `urgent`".to_owned();
        report.warning("lexicon.urgent", place, "`urgent` has a meaning only for the lane safety_incident".to_owned(), "", help);
    }
}

fn forms(entry: &EntryObject, report: &mut Report<'_>) {
    if entry.lemma.is_none() && entry.forms.is_empty() && entry.readings.is_empty() {
        let help = "add a `lemma` with `reading` and `class`, or `forms`".to_owned();
        report.error("lexicon.no-forms", &entry.claim.id.place, format!("`{}` has no form", entry.claim.id.text), "", help);
    }
}

/// Checks the compiled forms: collisions, short kana, entries that cannot fire, cues that nobody uses.
pub fn check_forms(lexicon: &Lexicon, stack: &Stack, report: &mut Report<'_>) {
    let mut fires = vec![false; lexicon.entries.len()];
    for pattern in &lexicon.patterns {
        let loud = pattern.uses.iter().filter(|wanted| wanted.force != Force::Quiet);
        for wanted in loud {
            let Owner::Entry(number) = wanted.owner else { continue };
            fires[number as usize] = true;
            short_kana(&lexicon.entries[number as usize], wanted, stack, report);
        }
        same_form(lexicon, pattern, report);
    }
    for (number, entry) in lexicon.entries.iter().enumerate() {
        if !fires[number] {
            let help = "check `moods`".to_owned();
            report.warning("lexicon.never-fires", &entry.claim.id.place, format!("`{}` can never fire", entry.id), "", help);
        }
        let over_time = entry.id.as_str().starts_with(CUES_OVER_TIME);
        if !entry.claim.speaks() && !over_time && lexicon.slots_of[number].is_empty() {
            let help = "use it in a `[[combination.slot]]`, give it a level, or retire it".to_owned();
            report.warning("lexicon.unused-cue", &entry.claim.id.place, format!("no combination uses the cue `{}`", entry.id), "", help);
        }
    }
}

fn short_kana(entry: &Entry, wanted: &Use, stack: &Stack, report: &mut Report<'_>) {
    let open = stack.entries.get(entry.id.as_str()).is_some_and(|object| object.boundary == Boundary::None);
    let guarded = !(entry.near.is_empty() && entry.need_left.is_empty() && entry.need_right.is_empty());
    if open && !guarded && wanted.via.is_empty() && wanted.shape.len() <= SHORT_KANA && wanted.shape.is_kana() {
        let title = format!("`{}` matches the short kana `{}` inside any word", entry.id, wanted.shape.text());
        report.warning("lexicon.short-kana", &entry.claim.id.place, title, "", "use `boundary = \"auto\"` or a guard".to_owned());
    }
}

/// Two entries of one category that state the same form: one of them is idle.
fn same_form(lexicon: &Lexicon, pattern: &Pattern, report: &mut Report<'_>) {
    let mut owners: Vec<&Entry> = vec![];
    for wanted in pattern.uses.iter().filter(|wanted| wanted.via.is_empty() && wanted.force != Force::Quiet) {
        let Owner::Entry(number) = wanted.owner else { continue };
        let entry = &lexicon.entries[number as usize];
        if entry.claim.speaks() && !owners.iter().any(|known| known.id == entry.id) {
            owners.push(entry);
        }
    }
    let [first, others @ ..] = owners.as_slice() else { return };
    for other in others.iter().filter(|other| other.claim.category == first.claim.category) {
        let title = format!("`{}` and `{}` both have the form `{}`", first.id, other.id, pattern.loose);
        report.warning("lexicon.same-form", &other.claim.id.place, title, "", "keep it in one of them".to_owned());
    }
}
