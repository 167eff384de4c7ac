//! Combinations: several cues within a distance, which carry threats and coercion without any swear word.
//!
//! Looks for windows from left to right, each anchored at its first cue. Cost: per cue a window of bounded length, and at most
//! [`FILLERS_MAX`] cues per field.

use crate::engine::context::{Surroundings, sentence_at};
use crate::engine::lexicon::compiled::{Combination, Lexicon};
use crate::engine::lexicon::object::{Scope, Status};
use crate::engine::scan::{Aside, Filler, Hit, Scratch, original};
use crate::engine::text::Folded;
use crate::model::severity::Level;
use crate::model::verdict::Role;

/// Most cues looked at in one field; a text of nothing but cues says no more after that.
pub const FILLERS_MAX: usize = 200_000;
/// Most cues looked at in one window: with distances of a sentence there are rarely ten.
const WINDOW_MAX: usize = 64;
/// Most cues tried while the slots of one window are filled: only texts made to mislead need more than a dozen.
const TRIES_MAX: usize = 512;

/// A combination that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// Which.
    pub combination: u32,
    /// Level with what optional slots raised.
    pub level: Level,
    /// Hull in loose characters.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// The hits with their roles, by place.
    pub spans: Vec<(u32, Role)>,
    /// Whether, and why, it was set aside.
    pub aside: Option<Aside>,
}

/// Every combination in the field whose hits are in `scratch`.
pub fn combine(lexicon: &Lexicon, scratch: &mut Scratch) -> Vec<Combined> {
    collect(lexicon, scratch);
    let Scratch { folded, words, brackets, hits, fillers, .. } = scratch;
    let surroundings = Surroundings { lexicon, folded, words, brackets };
    let mut found = vec![];
    for group in fillers.chunk_by(|a, b| (a.combination, a.part) == (b.combination, b.part)) {
        let [first, ..] = group else { continue };
        let combination = &lexicon.combinations[first.combination as usize];
        let needed = |slot: usize| combination.slots[slot].optional || group.iter().any(|filler| usize::from(filler.slot) == slot);
        if (0..combination.slots.len()).all(needed) {
            search(&Search { number: first.combination, combination, folded, hits, group }, &surroundings, &mut found);
        }
    }
    found
}

/// Lists which hit may fill which slot.
fn collect(lexicon: &Lexicon, scratch: &mut Scratch) {
    scratch.fillers.clear();
    for (number, hit) in scratch.hits.iter().enumerate() {
        let part = match hit.aside {
            None => 0,
            Some(Aside::Quoted) => 1,
            Some(Aside::Forwarded) => 2,
            Some(Aside::Neutral(_) | Aside::Frame(_)) => continue,
        };
        let entry = &lexicon.entries[hit.candidate.entry as usize];
        for (combination, slot) in &lexicon.slots_of[hit.candidate.entry as usize] {
            // An entry on trial may not change what live objects say.
            let on_trial = entry.claim.status == Status::Shadow && lexicon.combinations[*combination as usize].claim.status == Status::Live;
            if scratch.fillers.len() < FILLERS_MAX && !on_trial {
                let (start, end, hit) = (hit.candidate.start, hit.candidate.end, u32::try_from(number).unwrap_or(u32::MAX));
                scratch.fillers.push(Filler { combination: *combination, part, start, end, slot: *slot, hit });
            }
        }
    }
    scratch.fillers.sort_unstable();
}

/// One combination in one part of one field.
struct Search<'a> {
    number: u32,
    combination: &'a Combination,
    folded: &'a Folded,
    hits: &'a [Hit],
    /// Sorted by start.
    group: &'a [Filler],
}

fn search(search: &Search<'_>, surroundings: &Surroundings<'_>, found: &mut Vec<Combined>) {
    let mut free_from = 0;
    for (first, anchor) in search.group.iter().enumerate() {
        if anchor.start < free_from || search.combination.slots[usize::from(anchor.slot)].optional {
            continue;
        }
        let Some(chosen) = search.window(first) else { continue };
        let combined = search.finish(&chosen, surroundings);
        free_from = combined.end;
        found.push(combined);
    }
}

impl Search<'_> {
    /// The fillers of all required slots in the window that begins with the filler at `first`, by slot; `None` if one is missing.
    fn window(&self, first: usize) -> Option<Vec<Filler>> {
        let anchor = self.group[first];
        let inside = |filler: &&Filler| {
            self.hull(anchor.start, filler.end.max(anchor.end)) <= self.combination.within && self.in_scope(&anchor, filler)
        };
        let window: Vec<Filler> = self.group[first..]
            .iter()
            .take_while(|filler| self.hull(anchor.start, filler.start) <= self.combination.within)
            .take(WINDOW_MAX)
            .filter(inside)
            .copied()
            .collect();
        let required: Vec<u8> = (0u8..).zip(&self.combination.slots).filter(|(_, slot)| !slot.optional).map(|(number, _)| number).collect();
        let mut chosen = vec![anchor];
        let mut tries = TRIES_MAX;
        self.fill(&window, &required, &mut chosen, &mut tries).then_some(chosen)
    }

    /// Fills the `required` slots in order, each with the earliest fitting filler, and goes back where that leaves a later one empty.
    /// `chosen` begins with the anchor.
    fn fill(&self, window: &[Filler], required: &[u8], chosen: &mut Vec<Filler>, tries: &mut usize) -> bool {
        let Some((slot, rest)) = required.split_first() else { return true };
        if chosen.first().is_some_and(|anchor| anchor.slot == *slot) {
            return (!self.combination.ordered || chosen.len() == 1) && self.fill(window, rest, chosen, tries);
        }
        for filler in window.iter().filter(|filler| filler.slot == *slot) {
            if *tries == 0 {
                return false;
            }
            *tries -= 1;
            let apart = chosen.iter().all(|other| (other.start, other.end) != (filler.start, filler.end));
            let in_order = !self.combination.ordered || chosen.last().is_none_or(|last| last.slot < *slot && filler.start >= last.end);
            if apart && in_order {
                chosen.push(*filler);
                if self.fill(window, rest, chosen, tries) {
                    return true;
                }
                chosen.pop();
            }
        }
        false
    }

    /// Length of a stretch in original characters.
    fn hull(&self, start: u32, end: u32) -> u32 {
        let (first, last) = original(self.folded, start, end);
        last.saturating_sub(first)
    }

    fn in_scope(&self, a: &Filler, b: &Filler) -> bool {
        let sentence = |filler: &Filler| sentence_at(self.folded, filler.start);
        self.combination.scope == Scope::Field || sentence(a) == sentence(b)
    }

    fn finish(&self, required: &[Filler], surroundings: &Surroundings<'_>) -> Combined {
        let slots = &self.combination.slots;
        let start = required.iter().map(|filler| filler.start).min().unwrap_or_default();
        let end = required.iter().map(|filler| filler.end).max().unwrap_or_default();
        let mut chosen = required.to_vec();
        let mut level = self.combination.claim.level.number();
        for (number, slot) in (0u8..).zip(slots).filter(|(_, slot)| slot.optional) {
            if let Some(filler) = self.optional(number, start, end, &chosen) {
                chosen.push(filler);
                level = level.saturating_add(slot.raise).min(Level::Emergency.number());
            }
        }
        chosen.sort_unstable_by_key(|filler| (filler.start, filler.end, filler.slot));
        let (claim, through) = (&self.combination.claim, &self.combination.through);
        let harm =
            required.iter().filter(|filler| slots[usize::from(filler.slot)].role == Role::Harm).map(|filler| (filler.start, filler.end));
        let mut framed = std::iter::once((start, end)).chain(harm);
        let frame = framed.find_map(|(start, end)| surroundings.frame(start, end, claim.category, through)).map(Aside::Frame);
        let part = chosen.first().and_then(|filler| self.hits[filler.hit as usize].aside);
        Combined {
            combination: self.number,
            level: Level::try_from(level).unwrap_or(claim.level),
            start: chosen.iter().map(|filler| filler.start).min().unwrap_or(start),
            end: chosen.iter().map(|filler| filler.end).max().unwrap_or(end),
            spans: chosen.iter().map(|filler| (filler.hit, slots[usize::from(filler.slot)].role)).collect(),
            aside: part.or(frame),
        }
    }

    /// The first filler of an optional slot that stands within the distance of the required hull.
    fn optional(&self, slot: u8, start: u32, end: u32, chosen: &[Filler]) -> Option<Filler> {
        let within = self.combination.within;
        let from = self.group.partition_point(|filler| filler.start < start.saturating_sub(within.saturating_mul(2)));
        let anchor = chosen.first()?;
        self.group[from..]
            .iter()
            .take_while(|filler| filler.start <= end + within)
            .filter(|filler| filler.slot == slot && self.in_scope(anchor, filler))
            .filter(|filler| self.hull(filler.start.min(start), start) <= within && self.hull(end, filler.end.max(end)) <= within)
            .find(|filler| chosen.iter().all(|other| (other.start, other.end) != (filler.start, filler.end)))
            .copied()
    }
}
