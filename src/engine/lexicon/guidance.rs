//! `[[guidance]]`: hints by kind of act, as written in a lexicon file, and what a file may not say.
//!
//! A hint points at articles and never passes judgement: words such as 「罪です」, penalties, articles that need 公然 for a
//! private mail, and any law for a writer in despair are errors, so that no site can bring them back by accident.

use crate::engine::lexicon::object::Word;
use crate::engine::lexicon::source::Reader;
use crate::engine::lexicon::stack::Stack;
use crate::engine::lexicon::value::{known, vocabulary};
use crate::engine::lexicon::{Report, suggest};
use crate::model::severity::{Category, Lane, Level};
use crate::sheet::Table;
use unicode_normalization::UnicodeNormalization;

/// Most lines of each list: five hints of this size still fit one alert.
pub const LINES_MAX: usize = 6;

/// Longest line, in characters: two lines on a phone.
pub const LINE_CHARS_MAX: usize = 80;

/// Words that pass judgement or threaten with a penalty; a hint never does (folded to half width).
const JUDGING: [&str; 11] =
    ["罪です", "罪だ", "罪になり", "罪に当た", "罪にあた", "罪が成立", "違法です", "違法行為です", "懲役", "拘禁刑", "罰金"];

/// Articles of the penal code that need 公然: a private mail or direct message is not public.
const PUBLIC_ONLY: [&str; 5] = ["230条", "231条", "名誉毀損", "名誉き損", "侮辱"];

/// Hints for one kind of act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuidanceObject {
    /// Id.
    pub id: Word,
    /// For evidence of this category.
    pub category: Option<Category>,
    /// For evidence of this lane.
    pub lane: Option<Lane>,
    /// For these entries: ids, or beginnings of ids with `*` at the end.
    pub entries: Vec<Word>,
    /// Only if the verdict also has one of these categories.
    pub beside: Vec<Category>,
    /// Only for evidence of at least this level.
    pub least_level: Level,
    /// Types of the ministry.
    pub mhlw: Vec<Word>,
    /// Types of Tokyo.
    pub tokyo: Vec<Word>,
    /// Articles that may be related.
    pub articles: Vec<Word>,
    /// Articles that may be related where the words were public.
    pub only_public: Vec<Word>,
    /// What to do.
    pub advice: Vec<Word>,
    /// Help desks.
    pub desks: Vec<Word>,
}

impl GuidanceObject {
    fn lists(&self) -> [(&'static str, &[Word]); 6] {
        [
            ("mhlw", &self.mhlw),
            ("tokyo", &self.tokyo),
            ("articles", &self.articles),
            ("only_public", &self.only_public),
            ("advice", &self.advice),
            ("desks", &self.desks),
        ]
    }
}

/// Reads one table.
pub(crate) fn read(reader: &Reader, table: &Table<'_>) -> Option<GuidanceObject> {
    for key in ["note", "source"] {
        table.text(key);
    }
    let categories = || Category::ALL.iter().map(|category| category.id());
    let beside = table.texts("beside").into_iter().filter_map(|id| known(table, "beside", id, Category::parse, categories()));
    let level = table.integer_in("least_level", 0..=4).and_then(|level| Level::try_from(u8::try_from(level.value).ok()?).ok());
    Some(GuidanceObject {
        category: vocabulary(table, "category", Category::parse, categories()),
        lane: vocabulary(table, "lane", Lane::parse, Lane::ALL.iter().map(|lane| lane.id())),
        entries: reader.words(table, "entries"),
        beside: beside.collect(),
        least_level: level.unwrap_or_default(),
        mhlw: reader.words(table, "mhlw"),
        tokyo: reader.words(table, "tokyo"),
        articles: reader.words(table, "articles"),
        only_public: reader.words(table, "only_public"),
        advice: reader.words(table, "advice"),
        desks: reader.words(table, "desks"),
        id: reader.id(table)?,
    })
}

/// Checks every guidance of a profile.
pub fn check(stack: &Stack, report: &mut Report<'_>) {
    for guidance in stack.guidance.values() {
        subject(guidance, stack, report);
        for (key, lines) in guidance.lists() {
            if let Some(line) = lines.get(LINES_MAX) {
                let title = format!("`{key}` has more than {LINES_MAX} lines");
                report.error("lexicon.guidance-length", &line.place, title, "", "keep what matters most".to_owned());
            }
            for line in lines {
                wording(line, report);
            }
        }
        for article in &guidance.articles {
            private(article, report);
        }
        if guidance.advice.is_empty() {
            let help = "add `advice = [\"…\"]`: what the reader should do now".to_owned();
            report.error("lexicon.guidance-empty", &guidance.id.place, format!("`{}` gives no advice", guidance.id.text), "", help);
        }
    }
}

/// Exactly one of category, lane and entries; entries that exist; no law where a life may be at stake.
fn subject(guidance: &GuidanceObject, stack: &Stack, report: &mut Report<'_>) {
    let GuidanceObject { id, category, lane, entries, .. } = guidance;
    let subjects = [category.is_some(), lane.is_some(), !entries.is_empty()];
    if subjects.into_iter().filter(|given| *given).count() != 1 {
        let help = "give exactly one of `category`, `lane` and `entries`".to_owned();
        report.error("lexicon.guidance-subject", &id.place, format!("`{}` does not say what it is for", id.text), "", help);
    }
    let care = *lane == Some(Lane::SelfHarm)
        || *category == Some(Category::SelfHarm)
        || entries.iter().any(|entry| entry.text.starts_with("self_harm"));
    if let Some(article) = guidance.articles.iter().chain(&guidance.only_public).next()
        && care
    {
        let help = "remove it: life comes first, and law frightens away who needs help".to_owned();
        report.error("lexicon.guidance-care", &article.place, "an article of law in a hint about self-harm".to_owned(), "", help);
    }
    let mut ids = stack.entries.keys().chain(stack.combinations.keys());
    for entry in entries {
        if !ids.clone().any(|id| matches(&entry.text, id)) {
            // Not an error: the file that has them may not be part of this profile.
            let help = suggest(&entry.text, ids.by_ref().map(String::as_str));
            report.warning("lexicon.unknown-entry", &entry.place, format!("there is no entry `{}`", entry.text), "", help);
        }
    }
}

/// Whether `pattern` (an id, or its beginning with `*`) names `id`.
pub fn matches(pattern: &str, id: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == id, |beginning| id.starts_with(beginning))
}

fn wording(line: &Word, report: &mut Report<'_>) {
    let folded: String = line.text.nfkc().collect();
    if let Some(word) = JUDGING.iter().find(|word| folded.contains(**word)) {
        let help = "name the article (「刑法222条(脅迫)」) and leave the judgement to people".to_owned();
        report.error("lexicon.guidance-judges", &line.place, format!("「{word}」 passes judgement"), "a hint only points", help);
    }
    if line.text.chars().count() > LINE_CHARS_MAX {
        let title = format!("a line of more than {LINE_CHARS_MAX} characters");
        report.error("lexicon.guidance-length", &line.place, title, "", "say it shorter, or in two lines".to_owned());
    }
    if line.text.chars().any(char::is_control) {
        report.error("lexicon.guidance-length", &line.place, "a line break inside a line".to_owned(), "", "write two lines".to_owned());
    }
}

fn private(article: &Word, report: &mut Report<'_>) {
    let folded: String = article.text.nfkc().collect();
    if PUBLIC_ONLY.iter().any(|word| folded.contains(word)) {
        let help = "move it to `only_public`: a private mail or direct message is not public (公然)".to_owned();
        report.error("lexicon.guidance-public", &article.place, format!("`{}` needs 公然", article.text), "", help);
    }
}
