//! Which hints belong to a verdict: the most specific guidance for every piece of evidence, gravest first.
//!
//! Pure and total; reads the verdict alone, so that a stored verdict gets the same hints as a fresh one under the same lexicon.
//! Cost: evidence rows times guidance objects, some thousand comparisons of short ids.

use crate::engine::Engine;
use crate::engine::lexicon::guidance::{GuidanceObject, matches};
use crate::engine::lexicon::object::Word;
use crate::model::guidance::{BECAUSE_MAX, GUIDANCE_MAX, Guidance};
use crate::model::ids::EntryId;
use crate::model::message::Channel;
use crate::model::severity::{Category, Lane, Level};
use crate::model::verdict::{Evidence, Verdict};

/// Said beside an article that needs 公然: a post may also have been sent to a closed group.
const PUBLIC_NOTE: &str = "※公開の場合";

impl Engine {
    /// Hints for the person who acts on `verdict`, at most [`GUIDANCE_MAX`], what concerns a life first, then the gravest.
    /// `channel` decides on articles that need 公然: of all channels only SNS can be public.
    pub fn guidance(&self, verdict: &Verdict, channel: Channel) -> Vec<Guidance> {
        let mut found = Found { known: &self.lexicon().guidance, verdict, channel, hints: vec![] };
        for row in &verdict.evidence {
            let level = row.level.min(verdict.level);
            found.add(Sign { entry: Some(&row.entry), category: row.category, lane: row.lane, level });
        }
        // Evidence beyond the limit of a verdict, and lanes that have none of their own (machine mail).
        for category in verdict.categories.iter().filter(|category| !has_category(verdict, **category)) {
            found.add(Sign { entry: None, category: Some(*category), lane: None, level: verdict.level });
        }
        for lane in verdict.lanes.iter().filter(|lane| !verdict.evidence.iter().any(|row| row.lane == Some(**lane))) {
            found.add(Sign { entry: None, category: None, lane: Some(*lane), level: verdict.level });
        }
        let mut hints = found.hints;
        hints.sort_by_key(|hint| std::cmp::Reverse(weight(hint, verdict)));
        hints.truncate(GUIDANCE_MAX);
        hints
    }
}

/// Life first; an injury beside a severe threat; then by level.
fn weight(hint: &Guidance, verdict: &Verdict) -> u8 {
    match hint.lane {
        Some(Lane::SelfHarm) => u8::MAX,
        Some(Lane::SafetyIncident) if verdict.urgent => Level::Severe.number(),
        Some(Lane::SafetyIncident) => Level::Suspected.number(),
        _ => hint.level.number(),
    }
}

/// Whether a category has spoken through its own evidence; self-harm speaks through its lane.
fn has_category(verdict: &Verdict, category: Category) -> bool {
    category == Category::SelfHarm || verdict.evidence.iter().any(|row| row.category == Some(category))
}

/// What calls for a hint.
#[derive(Clone, Copy)]
struct Sign<'v> {
    entry: Option<&'v EntryId>,
    category: Option<Category>,
    lane: Option<Lane>,
    level: Level,
}

struct Found<'l, 'v> {
    known: &'l [GuidanceObject],
    verdict: &'v Verdict,
    channel: Channel,
    hints: Vec<Guidance>,
}

impl Found<'_, '_> {
    /// Adds the hints for one sign: its entry's own, else those of its category and its lane. Self-harm has its lane alone.
    fn add(&mut self, sign: Sign<'_>) {
        let named = |guidance: &GuidanceObject| sign.entry.is_some_and(|entry| longest(&guidance.entries, entry.as_str()) > 0);
        if let Some(guidance) = self.best(sign, named) {
            return self.put(guidance, sign);
        }
        let care = sign.lane == Some(Lane::SelfHarm);
        if let Some(category) = sign.category.filter(|_| !care)
            && let Some(guidance) = self.best(sign, |guidance| guidance.category == Some(category))
        {
            self.put(guidance, Sign { lane: None, ..sign });
        }
        if let Some(lane) = sign.lane
            && let Some(guidance) = self.best(sign, |guidance| guidance.lane == Some(lane))
        {
            self.put(guidance, sign);
        }
    }

    /// The most specific of those that fit: longest entry pattern, then with a neighbour, then the highest level asked for;
    /// position in the lexicon decides between equals.
    fn best(&self, sign: Sign<'_>, fits: impl Fn(&GuidanceObject) -> bool) -> Option<usize> {
        let other = |category: &Category| {
            let clear = |row: &Evidence| row.category == Some(*category) && row.level.is_flagged();
            Some(*category) != sign.category && self.verdict.evidence.iter().any(clear)
        };
        let beside = |guidance: &GuidanceObject| guidance.beside.is_empty() || guidance.beside.iter().any(other);
        let open = |guidance: &GuidanceObject| guidance.least_level <= sign.level && beside(guidance) && fits(guidance);
        let pattern = |guidance: &GuidanceObject| sign.entry.map_or(0, |entry| longest(&guidance.entries, entry.as_str()));
        let rank = |guidance: &GuidanceObject| (pattern(guidance), !guidance.beside.is_empty(), guidance.least_level);
        let rows = self.known.iter().enumerate().filter(|(_, guidance)| open(guidance));
        rows.max_by_key(|(at, guidance)| (rank(guidance), std::cmp::Reverse(*at))).map(|(at, _)| at)
    }

    fn put(&mut self, at: usize, sign: Sign<'_>) {
        let object = &self.known[at];
        let known = self.hints.iter().position(|hint| hint.id == object.id.text);
        if known.is_none() {
            self.hints.push(hint(object, self.channel));
        }
        let place = known.unwrap_or(self.hints.len() - 1);
        let hint = &mut self.hints[place];
        hint.level = hint.level.max(sign.level);
        hint.lane = hint.lane.or(sign.lane);
        if let Some(entry) = sign.entry
            && hint.because.len() < BECAUSE_MAX
            && !hint.because.contains(entry)
        {
            hint.because.push(entry.clone());
        }
    }
}

/// Characters of the longest pattern that names `id`; 0 = none does. A full id beats every beginning of it.
fn longest(patterns: &[Word], id: &str) -> usize {
    let fitting = patterns.iter().filter(|pattern| matches(&pattern.text, id));
    fitting.map(|pattern| if pattern.text == id { usize::MAX } else { pattern.text.len() }).max().unwrap_or(0)
}

fn hint(object: &GuidanceObject, channel: Channel) -> Guidance {
    let texts = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    let mut articles = texts(&object.articles);
    if channel == Channel::Sns {
        articles.extend(object.only_public.iter().map(|word| format!("{}{PUBLIC_NOTE}", word.text)));
    }
    Guidance {
        id: object.id.text.clone(),
        lane: None,
        level: Level::Ordinary,
        because: vec![],
        mhlw: texts(&object.mhlw),
        tokyo: texts(&object.tokyo),
        articles,
        advice: texts(&object.advice),
        desks: texts(&object.desks),
    }
}
