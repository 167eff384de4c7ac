//! Reads one lexicon file into raw objects, noting every unknown key, id, mood, fold or role with its place.
//!
//! Never stops at the first fault: a faulty value falls back to its default, and the caller discards the result if an
//! error was noted. Cost: linear in the file.

use crate::diag::{Diagnostic, SourceText};
use crate::engine::lexicon::guidance::{self, GuidanceObject};
use crate::engine::lexicon::object::{
    Boundary, Claim, CombinationObject, EntryObject, FrameObject, Guards, Layer, Lemma, NeutralObject, Scope, SetObject, SlotObject,
    Status, Word,
};
use crate::engine::lexicon::value::{distance, each, folds, known, listed, vocabulary};
use crate::engine::lexicon::{FORMAT, Place, suggest};
use crate::engine::text::{Class, Mood, ViaSet};
use crate::model::severity::{Axis, Category, Lane, Level};
use crate::model::verdict::{Role, Via};
use crate::sheet::{self, Placed, Table};

/// Farthest `near_within`, in characters: beyond two lines of text a neighbour says nothing about a hit.
pub const NEAR_WITHIN_MAX: i64 = 200;
/// Default `near_within`, in characters: half a spoken sentence.
pub const NEAR_WITHIN_DEFAULT: u32 = 20;
/// Farthest `within` of a frame, in characters.
pub const FRAME_WITHIN_MAX: i64 = 200;
/// Default `within` of a frame, in characters: 「…」と店員さんに言われ.
pub const FRAME_WITHIN_DEFAULT: u32 = 12;
/// Farthest `within` of a combination, in characters: windows are searched per cue, so this bounds the work.
pub const COMBINATION_WITHIN_MAX: i64 = 1_000;
/// Default `within` of a combination, in characters.
pub const COMBINATION_WITHIN_DEFAULT: u32 = 40;
/// Folds a cue accepts by default: those that need no generated spellings. Nobody masks 今日.
pub const CUE_FOLDS: [Via; 9] =
    [Via::Width, Via::Kana, Via::Small, Via::Repeat, Via::Separator, Via::Invisible, Via::Lookalike, Via::Voicing, Via::Variant];

/// One file as written.
#[derive(Debug)]
pub struct SourceFile {
    /// Position in the input.
    pub index: usize,
    /// Unique file id.
    pub id: Word,
    /// For people.
    pub title: String,
    /// Which file wins.
    pub layer: Layer,
    /// `[[set]]`.
    pub sets: Vec<SetObject>,
    /// `[[entry]]`.
    pub entries: Vec<EntryObject>,
    /// `[[neutral]]`.
    pub neutrals: Vec<NeutralObject>,
    /// `[[frame]]`.
    pub frames: Vec<FrameObject>,
    /// `[[combination]]`.
    pub combinations: Vec<CombinationObject>,
    /// `[[guidance]]`.
    pub guidance: Vec<GuidanceObject>,
}

/// Reads the `index`-th source.
pub fn read(index: usize, source: &SourceText) -> (SourceFile, Vec<Diagnostic>) {
    sheet::parse(source, |root| Reader { file: index }.file(root))
}

/// Reads the tables of one file.
pub(crate) struct Reader {
    file: usize,
}

impl Reader {
    fn file(&self, root: &Table<'_>) -> SourceFile {
        let place = Place { file: self.file, span: root.span() };
        let mut file = SourceFile {
            index: self.file,
            id: Word { text: String::new(), place },
            title: String::new(),
            layer: Layer::Base,
            sets: vec![],
            entries: vec![],
            neutrals: vec![],
            frames: vec![],
            combinations: vec![],
            guidance: vec![],
        };
        if !is_readable(root) {
            return file;
        }
        if let Some(head) = root.table("lexicon") {
            file.id = head.text_required("id").map_or(file.id, |id| self.word(id));
            file.title = head.text_required("title").map(|title| title.value).unwrap_or_default();
            file.layer = listed(&head, "layer", &Layer::ALL).unwrap_or(Layer::Base);
            head.finish();
        } else {
            let help = "add `[lexicon]` with `id`, `title` and `layer`";
            root.faults().error("lexicon.head", 0..0, "the table `[lexicon]` is missing", "", help);
        }
        file.sets = each(root, "set", |table| Some(SetObject { id: self.id(table)?, words: self.words(table, "words") }));
        file.entries = each(root, "entry", |table| self.entry(table));
        file.neutrals = each(root, "neutral", |table| self.neutral(table));
        file.frames = each(root, "frame", |table| self.frame(table));
        file.combinations = each(root, "combination", |table| self.combination(table));
        file.guidance = each(root, "guidance", |table| guidance::read(self, table));
        file
    }

    fn word(&self, placed: Placed<String>) -> Word {
        Word { text: placed.value, place: Place { file: self.file, span: placed.span } }
    }

    /// The words of a list with their places; notes empty ones.
    pub(crate) fn words(&self, table: &Table<'_>, key: &'static str) -> Vec<Word> {
        let words = table.texts(key);
        for word in words.iter().filter(|word| word.value.trim().is_empty()) {
            table.faults().error("lexicon.empty-word", word.span.clone(), format!("an empty word in `{key}`"), "", "remove it");
        }
        words.into_iter().map(|word| self.word(word)).collect()
    }

    /// The required id; notes one outside the alphabet.
    pub(crate) fn id(&self, table: &Table<'_>) -> Option<Word> {
        let id = table.text_required("id")?;
        let alphabet = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
        if id.value.is_empty() || !id.value.chars().all(alphabet) {
            let help = "use lower-case letters, digits, `_`, `-` and dots, as in `threat.kill`";
            table.faults().error("lexicon.id", id.span.clone(), format!("`{}` is not an id", id.value), "", help);
        }
        Some(self.word(id))
    }

    fn claim(&self, table: &Table<'_>) -> Option<Claim> {
        let id = self.id(table)?;
        let category = vocabulary(table, "category", Category::parse, Category::ALL.iter().map(|c| c.id()));
        let lane = vocabulary(table, "lane", Lane::parse, Lane::ALL.iter().map(|lane| lane.id()));
        let axis = vocabulary(table, "axis", Axis::parse, Axis::ALL.iter().map(|axis| axis.id()));
        let level = table.integer_in("level", 0..=4).and_then(|level| Level::try_from(u8::try_from(level.value).ok()?).ok());
        for key in ["note", "source"] {
            table.text(key);
        }
        Some(Claim {
            id,
            place: Place { file: self.file, span: table.span() },
            category,
            lane,
            urgent: table.boolean("urgent").is_some_and(|urgent| urgent.value),
            axis: axis.unwrap_or_else(|| default_axis(category)),
            level: level.unwrap_or_default(),
            status: listed(table, "status", &Status::ALL).unwrap_or_default(),
            through: self.words(table, "through"),
            hit: self.words(table, "hit"),
            miss: self.words(table, "miss"),
        })
    }

    fn entry(&self, table: &Table<'_>) -> Option<EntryObject> {
        let claim = self.claim(table);
        let role = vocabulary(table, "role", Role::parse, Role::ALL.iter().map(|(_, id)| *id));
        let (lemma, forms, readings) = (self.lemma(table), self.words(table, "forms"), self.words(table, "readings"));
        let boundary = listed(table, "boundary", &Boundary::ALL).unwrap_or_default();
        let guards = self.guards(table);
        let speaks = claim.as_ref().is_some_and(Claim::speaks);
        let accepted = folds(table, "folds").unwrap_or_else(|| if speaks { ViaSet::ALL } else { CUE_FOLDS.into_iter().collect() });
        let without = folds(table, "folds_without").unwrap_or_default();
        let folds = accepted.iter().filter(|via| !without.contains(*via)).collect();
        let claim = claim?;
        let default_role = if claim.level > Level::Ordinary { Role::Harm } else { Role::Cue };
        Some(EntryObject { role: role.unwrap_or(default_role), claim, lemma, forms, readings, folds, boundary, guards })
    }

    fn lemma(&self, table: &Table<'_>) -> Option<Lemma> {
        let lemma = table.text("lemma");
        let reading = table.text("reading");
        let class = vocabulary(table, "class", Class::parse, Class::ALL.iter().map(|(_, id)| *id));
        let prefixes = table.texts("prefixes").into_iter().map(|prefix| prefix.value).collect();
        let moods = table.texts("moods");
        let known = |mood: &Placed<String>| {
            let parsed = Mood::parse(&mood.value);
            if parsed.is_none() {
                let help = suggest(&mood.value, Mood::ALL.iter().map(|(_, id)| *id));
                table.faults().error("lexicon.unknown-id", mood.span.clone(), format!("unknown mood `{}`", mood.value), "", help);
            }
            parsed
        };
        let chosen: Vec<Mood> = if moods.is_empty() { default_moods() } else { moods.iter().filter_map(known).collect() };
        let Some(lemma) = lemma else {
            for key in ["reading", "class", "prefixes", "moods"] {
                if table.has(key) {
                    let help = format!("add `lemma`, or remove `{key}` (kana forms of fixed forms go to `readings`)");
                    table.faults().error("lexicon.lemma", table.span(), format!("`{key}` needs a `lemma`"), "", help);
                }
            }
            return None;
        };
        let (Some(reading), Some(class)) = (reading, class) else {
            if !(table.has("reading") && table.has("class")) {
                let help = "add `reading` in hiragana and `class`";
                table.faults().error("lexicon.lemma", lemma.span, "a lemma needs `reading` and `class`", "", help);
            }
            return None;
        };
        Some(Lemma { lemma: self.word(lemma), reading: reading.value, class, prefixes, moods: chosen })
    }

    fn guards(&self, table: &Table<'_>) -> Guards {
        Guards {
            not_left: self.words(table, "not_left"),
            not_right: self.words(table, "not_right"),
            need_left: self.words(table, "need_left"),
            need_right: self.words(table, "need_right"),
            near: self.words(table, "near"),
            not_near: self.words(table, "not_near"),
            near_within: distance(table, "near_within", NEAR_WITHIN_MAX, NEAR_WITHIN_DEFAULT),
        }
    }

    fn neutral(&self, table: &Table<'_>) -> Option<NeutralObject> {
        for key in ["note", "source"] {
            table.text(key);
        }
        Some(NeutralObject { id: self.id(table)?, forms: self.words(table, "forms"), folds: folds(table, "folds") })
    }

    fn frame(&self, table: &Table<'_>) -> Option<FrameObject> {
        for key in ["note", "source"] {
            table.text(key);
        }
        let categories = table
            .texts("category")
            .into_iter()
            .filter_map(|id| known(table, "category", id, Category::parse, Category::ALL.iter().map(|category| category.id())));
        let frame = FrameObject {
            id: self.id(table)?,
            after: self.words(table, "after"),
            before: self.words(table, "before"),
            within: distance(table, "within", FRAME_WITHIN_MAX, FRAME_WITHIN_DEFAULT),
            bracketed: table.boolean("bracketed").is_some_and(|bracketed| bracketed.value),
            not_if: self.words(table, "not_if"),
            categories: categories.collect(),
        };
        if frame.after.is_empty() && frame.before.is_empty() && !frame.bracketed {
            let help = "add `after`, `before` or `bracketed = true`";
            table.faults().error("lexicon.frame", table.span(), "a frame needs a marker", "", help);
        }
        Some(frame)
    }

    fn combination(&self, table: &Table<'_>) -> Option<CombinationObject> {
        let mut claim = self.claim(table);
        let within = distance(table, "within", COMBINATION_WITHIN_MAX, COMBINATION_WITHIN_DEFAULT);
        let scope = listed(table, "scope", &Scope::ALL).unwrap_or_default();
        let ordered = table.boolean("ordered").is_some_and(|ordered| ordered.value);
        // Examples and notes written below the slots belong to the combination, though TOML counts them to the last slot.
        let slots = each(table, "slot", |slot| {
            if let Some(claim) = &mut claim {
                claim.hit.extend(self.words(slot, "hit"));
                claim.miss.extend(self.words(slot, "miss"));
            }
            for key in ["note", "source"] {
                slot.text(key);
            }
            Some(self.slot(slot))
        });
        Some(CombinationObject { claim: claim?, within, scope, ordered, slots })
    }

    fn slot(&self, table: &Table<'_>) -> SlotObject {
        let role = vocabulary(table, "role", Role::parse, Role::ALL.iter().map(|(_, id)| *id)).unwrap_or(Role::Cue);
        let raise = table.integer_in("raise", 0..=4).and_then(|raise| u8::try_from(raise.value).ok()).unwrap_or(0);
        let optional = table.boolean("optional").is_some_and(|optional| optional.value);
        SlotObject { role, any: self.words(table, "any"), optional, raise, place: Place { file: self.file, span: table.span() } }
    }
}

/// Whether the format can be read; a newer one is refused as a whole, without noise about its keys.
fn is_readable(root: &Table<'_>) -> bool {
    let Some(format) = root.integer("format") else {
        if !root.has("format") {
            root.faults().error("toml.missing", 0..0, "`format` is missing", "", format!("begin the file with `format = {FORMAT}`"));
        }
        return true;
    };
    if format.value == FORMAT {
        return true;
    }
    let title = format!("lexicon format {} is not known to this engine", format.value);
    root.faults().error("lexicon.format", format.span, title, "", format!("this engine reads format {FORMAT}"));
    for key in ["lexicon", "set", "entry", "neutral", "frame", "combination", "guidance"] {
        root.has(key);
    }
    false
}

/// The moods that announce, demand or wish harm, and the one that is under way (殺してる).
fn default_moods() -> Vec<Mood> {
    Mood::AGGRESSIVE.into_iter().filter(|mood| *mood != Mood::Progressive).chain([Mood::Progressive]).collect()
}

/// Harassment by what is wanted, otherwise by how it is said.
fn default_axis(category: Option<Category>) -> Axis {
    match category {
        Some(Category::Coercion | Category::Extortion) => Axis::Demand,
        _ => Axis::Manner,
    }
}
