//! Stacks the files of a profile: site over pack over base, whole objects by id.
//!
//! The order of the input does not matter: files are settled by layer and file id, objects by id, so that the same files
//! give the same lexicon and digest everywhere.

use crate::engine::lexicon::Report;
use crate::engine::lexicon::guidance::GuidanceObject;
use crate::engine::lexicon::object::{CombinationObject, EntryObject, FrameObject, NeutralObject, SetObject, Status, Word};
use crate::engine::lexicon::source::SourceFile;
use std::collections::BTreeMap;

/// The objects that hold, each kind by id.
#[derive(Debug, Default)]
pub struct Stack {
    /// Positions of the sources in stack order, for the digest.
    pub order: Vec<usize>,
    /// Word lists.
    pub sets: BTreeMap<String, SetObject>,
    /// Ways of speaking.
    pub entries: BTreeMap<String, EntryObject>,
    /// Absorbing words.
    pub neutrals: BTreeMap<String, NeutralObject>,
    /// Contexts.
    pub frames: BTreeMap<String, FrameObject>,
    /// Combinations.
    pub combinations: BTreeMap<String, CombinationObject>,
    /// Hints by kind of act.
    pub guidance: BTreeMap<String, GuidanceObject>,
    /// Retired entries and combinations, so that their use can be reported.
    pub retired: BTreeMap<String, Word>,
}

/// Settles which objects hold and notes ids defined twice in one layer.
pub fn settle(mut files: Vec<SourceFile>, report: &mut Report<'_>) -> Stack {
    files.sort_by(|a, b| (a.layer, &a.id.text, a.index).cmp(&(b.layer, &b.id.text, b.index)));
    for pair in files.windows(2) {
        if let [first, second] = pair
            && first.id.text == second.id.text
            && !first.id.text.is_empty()
        {
            twice(&second.id, report);
        }
    }
    let mut stack = Stack { order: files.iter().map(|file| file.index).collect(), ..Stack::default() };
    let mut claims = BTreeMap::new();
    let mut seen = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    for file in files {
        let layer = file.layer;
        let [sets, neutrals, frames, hints] = &mut seen;
        file.sets.into_iter().for_each(|set| put(&mut stack.sets, sets, layer, set.id.clone(), set, report));
        file.neutrals.into_iter().for_each(|neutral| put(&mut stack.neutrals, neutrals, layer, neutral.id.clone(), neutral, report));
        file.frames.into_iter().for_each(|frame| put(&mut stack.frames, frames, layer, frame.id.clone(), frame, report));
        file.guidance.into_iter().for_each(|one| put(&mut stack.guidance, hints, layer, one.id.clone(), one, report));
        for entry in file.entries {
            stack.combinations.remove(&entry.claim.id.text);
            put(&mut stack.entries, &mut claims, layer, entry.claim.id.clone(), entry, report);
        }
        for combination in file.combinations {
            stack.entries.remove(&combination.claim.id.text);
            put(&mut stack.combinations, &mut claims, layer, combination.claim.id.clone(), combination, report);
        }
    }
    retire(&mut stack);
    stack
}

fn put<L: Copy + PartialEq, T>(
    into: &mut BTreeMap<String, T>,
    seen: &mut BTreeMap<String, L>,
    layer: L,
    id: Word,
    object: T,
    report: &mut Report<'_>,
) {
    if seen.insert(id.text.clone(), layer) == Some(layer) {
        twice(&id, report);
    }
    into.insert(id.text, object);
}

fn twice(id: &Word, report: &mut Report<'_>) {
    let help = "ids are unique within a layer; a pack or site file may replace an object by its id".to_owned();
    report.error("lexicon.duplicate-id", &id.place, format!("`{}` is defined twice", id.text), "again here", help);
}

fn retire(stack: &mut Stack) {
    let entries = stack.entries.values().map(|entry| &entry.claim);
    let combinations = stack.combinations.values().map(|combination| &combination.claim);
    let retired = entries.chain(combinations).filter(|claim| claim.status == Status::Retired);
    stack.retired = retired.map(|claim| (claim.id.text.clone(), claim.id.clone())).collect();
    stack.entries.retain(|_, entry| entry.claim.status != Status::Retired);
    stack.combinations.retain(|_, combination| combination.claim.status != Status::Retired);
}
