//! The gate: whether a field can hold anything worth the fold, told from its skeleton.
//!
//! Looks for the beginnings of *triggers*: patterns of entries that speak or are on trial, and cues, of which every required slot of
//! a combination must be seen within its distance. Errs on one side only: a field that is let pass may turn out empty, a field that
//! is turned away has no evidence, no suppressed row and no hit on trial. Cost: two or three look-ups per code.

use crate::engine::draft::CUES_OVER_TIME;
use crate::engine::lexicon::compiled::{Lexicon, Owner, Use};
use crate::engine::lexicon::forms::Force;
use crate::engine::lexicon::object::{Claim, Status};
use crate::engine::text::{Doubt, Quick, Skeleton, skeleton};
use crate::engine::trie::Trie;
use std::collections::{BTreeMap, BTreeSet};

/// How many codes of a pattern are compared; the fold looks at the rest.
const DEPTH_MAX: usize = 6;

/// Why a field must be folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pass {
    /// Its skeleton cannot be trusted.
    Doubt(Doubt),
    /// A picture that is a trigger by itself.
    Picture,
    /// A trigger may stand at this code.
    Trigger(u32),
    /// This combination may be complete.
    Combination(u32),
}

/// What a pattern means to the gate.
#[derive(Debug, Clone, Default)]
struct Meaning {
    /// It speaks, if the text left these out.
    speaks: Option<u64>,
    /// Sets of cues that it is one of.
    cues: Vec<u32>,
}

/// What a combination needs.
#[derive(Debug)]
struct Needs {
    /// Sets of cues, one for each required slot.
    cues: Vec<u32>,
    /// Within so many characters.
    within: u32,
}

/// Which cues were seen in a field. One per worker.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// One past the code where a cue of each set last began; 0 for none.
    last: Vec<u32>,
    /// The sets of which one was seen.
    cues: Vec<u32>,
    /// Combinations of which every required slot was seen.
    complete: Vec<u32>,
    /// Where anything may begin.
    begins: Vec<u32>,
}

impl Seen {
    fn note(&mut self, cue: u32, at: u32) {
        let last = &mut self.last[cue as usize];
        if *last == 0 {
            self.cues.push(cue);
        }
        *last = at + 1;
    }

    fn forget(&mut self) {
        for cue in self.cues.drain(..) {
            self.last[cue as usize] = 0;
        }
    }
}

/// The compiled triggers of a lexicon.
#[derive(Debug, Default)]
pub struct Gate {
    trie: Trie,
    /// By mark of the trie; the first means nothing.
    meanings: Vec<Meaning>,
    combinations: Vec<Needs>,
    /// For every set of cues the combinations of which it is the smallest.
    of_cue: Vec<Vec<u32>>,
    /// Triggers of pictures alone.
    pictures: BTreeSet<u16>,
    /// A trigger has an empty skeleton: every field must pass.
    open: bool,
}

impl Gate {
    /// Collects the triggers of `lexicon`.
    pub fn new(lexicon: &Lexicon) -> Self {
        let mut gate = Self { meanings: vec![Meaning::default()], ..Self::default() };
        let of_entry = gate.combine(lexicon);
        for pattern in &lexicon.patterns {
            for wanted in &pattern.uses {
                if let Use { owner: Owner::Entry(entry), force: Force::Fires | Force::Weak, .. } = wanted {
                    gate.add(&skeleton(&pattern.loose), &of_entry[*entry as usize]);
                }
            }
        }
        gate
    }

    /// Collects what combinations need; returns what each entry means. Slots that the same entries fill are one set of cues.
    fn combine(&mut self, lexicon: &Lexicon) -> Vec<Meaning> {
        let mut fillers: BTreeMap<(u32, u8), Vec<usize>> = BTreeMap::new();
        for (entry, slots) in lexicon.slots_of.iter().enumerate() {
            for slot in slots {
                fillers.entry(*slot).or_default().push(entry);
            }
        }
        let mut sizes = vec![0; lexicon.entries.len()];
        for wanted in lexicon.patterns.iter().flat_map(|pattern| &pattern.uses) {
            if let Owner::Entry(entry) = wanted.owner {
                sizes[entry as usize] += 1;
            }
        }
        let mut sets: BTreeMap<Vec<usize>, u32> = BTreeMap::new();
        for (number, combination) in (0u32..).zip(&lexicon.combinations) {
            let required = (0u8..).zip(&combination.slots).filter(|(_, slot)| !slot.optional);
            let mut cues: Vec<(usize, u32)> = vec![];
            for entries in required.filter_map(|(slot, _)| fillers.get(&(number, slot))) {
                let next = index(sets.len());
                let size = entries.iter().map(|entry| sizes[*entry]).sum();
                cues.push((size, *sets.entry(entries.clone()).or_insert(next)));
            }
            self.of_cue.resize_with(sets.len(), Vec::new);
            if let Some((_, smallest)) = cues.iter().min() {
                self.of_cue[*smallest as usize].push(number);
            }
            self.combinations.push(Needs { cues: cues.into_iter().map(|(_, cue)| cue).collect(), within: combination.within });
        }
        let over_time = |claim: &Claim| claim.id.text.starts_with(CUES_OVER_TIME);
        let speaks = |claim: &Claim| (claim.speaks() || claim.status == Status::Shadow || over_time(claim)).then_some(0);
        let mut of_entry: Vec<Meaning> =
            lexicon.entries.iter().map(|entry| Meaning { speaks: speaks(&entry.claim), cues: vec![] }).collect();
        for (entries, cue) in sets {
            for entry in entries {
                of_entry[entry].cues.push(cue);
            }
        }
        of_entry
    }

    fn add(&mut self, skeleton: &Skeleton, meaning: &Meaning) {
        if meaning.speaks.is_none() && meaning.cues.is_empty() {
            return;
        }
        if skeleton.codes.is_empty() {
            match skeleton.picture {
                Some(picture) => _ = self.pictures.insert(picture),
                None => self.open = true,
            }
            return;
        }
        let codes = skeleton.codes.get(..DEPTH_MAX).unwrap_or(&skeleton.codes);
        // Whatever begins with a trigger need not be known itself.
        let Some(mark) = self.trie.mark(codes, |mark| self.meanings[mark as usize].speaks == Some(0)) else { return };
        if *mark == 0 {
            *mark = index(self.meanings.len());
            self.meanings.push(Meaning::default());
        }
        let known = &mut self.meanings[*mark as usize];
        if meaning.speaks.is_some() {
            known.speaks = Some(known.speaks.map_or(skeleton.dropped, |dropped| dropped & skeleton.dropped));
        }
        known.cues.extend(&meaning.cues);
        known.cues.sort_unstable();
        known.cues.dedup();
    }

    /// Why the field must be folded; `None` if nothing can come of it.
    pub fn look(&self, quick: &Quick, seen: &mut Seen) -> Option<Pass> {
        if self.open {
            return Some(Pass::Trigger(0));
        }
        if let Some(doubt) = quick.doubt {
            return Some(Pass::Doubt(doubt));
        }
        if quick.pictures.iter().any(|picture| self.pictures.contains(picture)) {
            return Some(Pass::Picture);
        }
        seen.last.resize(self.of_cue.len(), 0);
        let mut begins = std::mem::take(&mut seen.begins);
        self.trie.begins(&quick.codes, &mut begins);
        let mut found = self.search(quick, &begins, |meaning, at| {
            meaning.cues.iter().for_each(|cue| seen.note(*cue, at));
            meaning.speaks.is_some_and(|dropped| dropped & !quick.dropped == 0).then_some(Pass::Trigger(at))
        });
        if found.is_none() && self.is_complete(seen) {
            seen.forget();
            found = self.search(quick, &begins, |meaning, at| {
                meaning.cues.iter().for_each(|cue| seen.note(*cue, at));
                let near = |number: &&u32| {
                    let needs = &self.combinations[**number as usize];
                    let near = |last: u32| last != 0 && at + 1 - last <= needs.within.saturating_add(quick.extra);
                    needs.cues.iter().all(|cue| near(seen.last[*cue as usize]))
                };
                if meaning.cues.is_empty() { None } else { seen.complete.iter().find(near).map(|number| Pass::Combination(*number)) }
            });
        }
        seen.forget();
        seen.begins = begins;
        found
    }

    /// Whether every required slot of any combination was seen; lists those.
    fn is_complete(&self, seen: &mut Seen) -> bool {
        let Seen { last, cues, complete, .. } = seen;
        complete.clear();
        for number in cues.iter().flat_map(|cue| &self.of_cue[*cue as usize]) {
            if self.combinations[*number as usize].cues.iter().all(|cue| last[*cue as usize] != 0) {
                complete.push(*number);
            }
        }
        !complete.is_empty()
    }

    /// Calls `meet` with whatever begins at `begins`, until it has a reason.
    fn search(&self, quick: &Quick, begins: &[u32], mut meet: impl FnMut(&Meaning, u32) -> Option<Pass>) -> Option<Pass> {
        let codes = quick.codes.as_slice();
        begins.iter().find_map(|at| {
            let rest = codes.get(*at as usize..)?;
            self.trie.walk(rest.get(..DEPTH_MAX).unwrap_or(rest), |mark| meet(&self.meanings[mark as usize], *at))
        })
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
