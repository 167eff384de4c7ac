//! Turns settled objects into what the matcher uses: patterns with their uses, guards as ids, slots as entry sets.
//!
//! The result is immutable and shared. Faults that need more than one object (unknown sets, entries, frames) are noted here.
//! Cost: linear in the generated spellings; a few hundred entries make some ten thousand.

use crate::diag::SourceText;
use crate::engine::context::WORD_CHARS_MAX;
use crate::engine::lexicon::compiled::{Combination, Entry, Example, Frame, Lexicon, Owner, Pattern, Slot, Use, WordRoles};
use crate::engine::lexicon::forms::{Edge, Force, sample, spell, useful};
use crate::engine::lexicon::object::{Boundary, Claim, CombinationObject, EntryObject, FrameObject, Guards, SlotObject, Word};
use crate::engine::lexicon::shape::{Shape, beside};
use crate::engine::lexicon::stack::Stack;
use crate::engine::lexicon::{Report, suggest};
use crate::engine::text::ViaSet;
use crate::model::digest::Digest;
use crate::model::ids::EntryId;
use crate::model::verdict::Via;
use std::collections::BTreeMap;

/// Longest kana form, in kana, that needs a word of its own under `boundary = "auto"`: ばか stands inside ばかり, but a form of
/// five kana hardly stands inside anything else.
pub const AUTO_BOUNDARY_KANA_MAX: usize = 4;

/// Builds the lexicon; faults go to `report`.
pub fn build(stack: &Stack, sources: &[SourceText], report: &mut Report<'_>) -> Lexicon {
    let mut builder = Builder { stack, report, patterns: BTreeMap::new(), words: BTreeMap::new(), roles: vec![] };
    let frames = stack.frames.values().enumerate().map(|(number, frame)| builder.frame(to_u32(number), frame)).collect();
    let entries: Vec<Entry> = stack.entries.values().enumerate().map(|(number, entry)| builder.entry(to_u32(number), entry)).collect();
    let mut slots_of = vec![vec![]; entries.len()];
    let combinations: Vec<Combination> =
        stack.combinations.values().enumerate().map(|(n, object)| builder.combination(to_u32(n), object, &mut slots_of)).collect();
    builder.neutrals();
    let patterns = builder.patterns.into_iter().map(|(loose, uses)| Pattern { length: loose.chars().count(), loose, uses }).collect();
    let words = builder.roles;
    let claims = entries.iter().map(|entry| &entry.claim).chain(combinations.iter().map(|combination| &combination.claim));
    let examples = claims.flat_map(|claim| examples(claim, sources)).collect();
    let guidance = stack.guidance.values().cloned().collect();
    Lexicon { digest: digest(stack, sources), entries, combinations, frames, patterns, words, slots_of, examples, guidance }
}

struct Builder<'b, 's> {
    stack: &'b Stack,
    report: &'b mut Report<'s>,
    patterns: BTreeMap<String, Vec<Use>>,
    /// By shape.
    words: BTreeMap<(String, u64, ViaSet), u32>,
    roles: Vec<WordRoles>,
}

impl Builder<'_, '_> {
    /// Replaces `@set` by its words.
    fn expand(&mut self, words: &[Word]) -> Vec<Word> {
        let mut expanded = vec![];
        for word in words {
            let Some(name) = word.text.strip_prefix('@') else {
                expanded.push(word.clone());
                continue;
            };
            if let Some(set) = self.stack.sets.get(name) {
                expanded.extend(set.words.iter().cloned());
            } else {
                let help = suggest(name, self.stack.sets.keys().map(String::as_str));
                self.report.error("lexicon.unknown-set", &word.place, format!("there is no set `{name}`"), "", help);
            }
        }
        expanded
    }

    /// The plain characters of words compared directly beside a hit.
    fn beside(&mut self, words: &[Word]) -> Vec<Vec<char>> {
        let expanded = self.expand(words);
        let mut words: Vec<Vec<char>> =
            expanded.iter().filter(|word| !self.shapes(word).is_empty()).flat_map(|word| beside(&word.text)).collect();
        words.sort_unstable();
        words.dedup();
        words.retain(|word| !word.is_empty());
        words
    }

    /// The shapes of a word; notes one of which nothing is left.
    fn shapes(&mut self, word: &Word) -> Vec<Shape> {
        let shapes = Shape::of(&word.text);
        if shapes.is_empty() && !word.text.is_empty() {
            let title = format!("nothing of `{}` is left after folding", word.text);
            self.report.error("lexicon.empty-form", &word.place, title, "", "remove it".to_owned());
        }
        shapes
    }

    /// Word numbers, sorted; searched like any pattern.
    fn searched(&mut self, words: &[Word]) -> Vec<u32> {
        let mut numbers = vec![];
        for word in self.expand(words) {
            for shape in self.shapes(&word) {
                numbers.push(self.number(&word, shape));
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn number(&mut self, word: &Word, shape: Shape) -> u32 {
        if let Some(number) = self.words.get(&shape.key()) {
            return *number;
        }
        let number = to_u32(self.roles.len());
        self.roles.push(WordRoles::default());
        self.words.insert(shape.key(), number);
        self.limit(word, &shape);
        self.add(plain_use(Owner::Word(number), shape));
        number
    }

    /// Refuses a guard word or neutral form that reaches farther than the matcher looks back.
    fn limit(&mut self, word: &Word, shape: &Shape) {
        if shape.len() > WORD_CHARS_MAX as usize {
            let title = format!("`{}` is longer than {WORD_CHARS_MAX} characters", word.text);
            self.report.error("lexicon.long-word", &word.place, title, "", "state the part that matters".to_owned());
        }
    }

    fn add(&mut self, wanted: Use) {
        self.patterns.entry(wanted.shape.text().to_owned()).or_default().push(wanted);
    }

    fn frame(&mut self, number: u32, frame: &FrameObject) -> Frame {
        for word in self.searched(&frame.after) {
            self.roles[word as usize].after.push(number);
        }
        for word in self.searched(&frame.before) {
            self.roles[word as usize].before.push(number);
        }
        for word in self.searched(&frame.not_if) {
            self.roles[word as usize].not_if.push(number);
        }
        Frame {
            id: frame.id.text.clone(),
            within: frame.within,
            bracketed: frame.bracketed,
            marked: !(frame.after.is_empty() && frame.before.is_empty()),
            can_fail: !frame.not_if.is_empty(),
            categories: frame.categories.clone(),
        }
    }

    fn entry(&mut self, number: u32, object: &EntryObject) -> Entry {
        let (forms, readings) = (self.expand(&object.forms), self.expand(&object.readings));
        for word in forms.iter().chain(&readings) {
            self.shapes(word);
        }
        let mut samples = vec![];
        match spell(object, &forms, &readings) {
            Ok(spellings) => {
                samples = sample(&spellings);
                for (spelling, shape) in useful(spellings) {
                    // A whole Latin token is a word of its own already.
                    let (left, right) = if spelling.edge == Edge::Token && spelling.text.is_ascii() {
                        (false, false)
                    } else {
                        boundaries(object.boundary, &shape)
                    };
                    let (left, right) = (left || spelling.left, right || spelling.right);
                    let (via, force, edge) = (spelling.via, spelling.force, spelling.edge);
                    self.add(Use { owner: Owner::Entry(number), shape, via, force, edge, left, right });
                }
            }
            Err(error) => {
                let place = object.lemma.as_ref().map_or(&object.claim.place, |lemma| &lemma.lemma.place);
                let help = "check `lemma`, `reading` and `class`".to_owned();
                self.report.error("lexicon.inflect", place, format!("the lemma cannot be conjugated: {error}"), "", help);
            }
        }
        let Guards { not_left, not_right, need_left, need_right, near, not_near, near_within } = &object.guards;
        Entry {
            id: EntryId(object.claim.id.text.clone()),
            claim: object.claim.clone(),
            role: object.role,
            folds: object.folds,
            not_left: self.beside(not_left),
            not_right: self.beside(not_right),
            need_left: self.beside(need_left),
            need_right: self.beside(need_right),
            near: self.searched(near),
            not_near: self.searched(not_near),
            near_within: *near_within,
            through: self.through(&object.claim.through),
            samples,
        }
    }

    fn through(&mut self, words: &[Word]) -> Vec<u32> {
        let mut numbers = vec![];
        for word in words {
            if let Some(number) = self.stack.frames.keys().position(|id| *id == word.text) {
                numbers.push(to_u32(number));
            } else {
                let help = suggest(&word.text, self.stack.frames.keys().map(String::as_str));
                self.report.error("lexicon.unknown-frame", &word.place, format!("there is no frame `{}`", word.text), "", help);
            }
        }
        numbers.sort_unstable();
        numbers
    }

    fn combination(&mut self, number: u32, object: &CombinationObject, slots_of: &mut [Vec<(u32, u8)>]) -> Combination {
        let mut slots = vec![];
        for (position, slot) in object.slots.iter().enumerate() {
            let position = u8::try_from(position).unwrap_or(u8::MAX);
            for entry in self.fillers(slot) {
                slots_of[entry].push((number, position));
            }
            slots.push(Slot { role: slot.role, optional: slot.optional, raise: slot.raise });
        }
        Combination {
            id: EntryId(object.claim.id.text.clone()),
            claim: object.claim.clone(),
            within: object.within,
            scope: object.scope,
            ordered: object.ordered,
            slots,
            through: self.through(&object.claim.through),
        }
    }

    /// Numbers of the entries that can fill a slot.
    fn fillers(&mut self, slot: &SlotObject) -> Vec<usize> {
        let mut fillers = vec![];
        for word in &slot.any {
            let before = fillers.len();
            match word.text.strip_suffix(".*") {
                Some(prefix) => fillers.extend(
                    self.stack
                        .entries
                        .keys()
                        .enumerate()
                        .filter_map(|(n, id)| id.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')).then_some(n)),
                ),
                None => fillers.extend(self.stack.entries.keys().position(|id| *id == word.text)),
            }
            if fillers.len() == before {
                self.unknown_entry(word);
            }
        }
        if fillers.is_empty() {
            let help = "list at least one entry of this profile in `any`".to_owned();
            self.report.error("lexicon.slots", &slot.place, "a slot that nothing can fill".to_owned(), "", help);
        }
        fillers.sort_unstable();
        fillers.dedup();
        fillers
    }

    fn unknown_entry(&mut self, word: &Word) {
        let id = &word.text;
        if id.ends_with(".*") {
            // Not an error: the pack that has such entries may not be part of this profile.
            let help = "check the spelling, or add the file that has them".to_owned();
            self.report.warning("lexicon.unknown-entry", &word.place, format!("there is no entry `{id}`"), "", help);
            return;
        }
        let (title, help) = if self.stack.retired.contains_key(id) {
            (format!("`{id}` is retired"), "remove it from the slot, or set its status to `live`".to_owned())
        } else if self.stack.combinations.contains_key(id) {
            (format!("`{id}` is a combination"), "slots are filled by entries".to_owned())
        } else {
            (format!("there is no entry `{id}`"), suggest(id, self.stack.entries.keys().map(String::as_str)))
        };
        self.report.error("lexicon.unknown-entry", &word.place, title, "", help);
    }

    fn neutrals(&mut self) {
        for neutral in self.stack.neutrals.values() {
            for form in self.expand(&neutral.forms) {
                for shape in self.shapes(&form) {
                    self.limit(&form, &shape);
                    let mut folds = neutral.folds.unwrap_or_else(|| [Via::Width].into_iter().collect());
                    if neutral.folds.is_none() && shape.is_kana() {
                        folds.insert(Via::Kana);
                    }
                    self.add(plain_use(Owner::Neutral(folds, form.text.clone()), shape));
                }
            }
        }
    }
}

fn plain_use(owner: Owner, shape: Shape) -> Use {
    Use { owner, shape, via: ViaSet::EMPTY, force: Force::Fires, edge: Edge::Free, left: false, right: false }
}

fn boundaries(boundary: Boundary, shape: &Shape) -> (bool, bool) {
    match boundary {
        Boundary::None => (false, false),
        Boundary::Left => (true, false),
        Boundary::Right => (false, true),
        Boundary::Both => (true, true),
        Boundary::Auto => {
            let short_kana = shape.len() <= AUTO_BOUNDARY_KANA_MAX && shape.is_kana();
            (short_kana, short_kana)
        }
    }
}

fn examples<'e>(claim: &'e Claim, sources: &'e [SourceText]) -> impl Iterator<Item = Example> + 'e {
    let hits = claim.hit.iter().map(|text| (true, text));
    hits.chain(claim.miss.iter().map(|text| (false, text))).map(|(fires, word)| Example {
        id: EntryId(claim.id.text.clone()),
        fires,
        text: word.text.clone(),
        file: sources.get(word.place.file).map(|source| source.name.clone()).unwrap_or_default(),
        place: word.place.clone(),
    })
}

fn digest(stack: &Stack, sources: &[SourceText]) -> String {
    let texts: Vec<String> =
        stack.order.iter().filter_map(|index| sources.get(*index)).map(|source| source.text.replace("\r\n", "\n")).collect();
    let fields: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    format!("sha256:{}", Digest::of_fields(&fields))
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
