//! Ways of speaking that add up: a table of what counts, how much, and from where on it is harassment.
//!
//! Scores are in hundredths of one clear remark. A rule speaks at a message that itself counts, when the decayed sum
//! reaches its threshold and enough messages took part: single remarks never do. Levels and lanes follow the labelling
//! guide: what adds up to stalking or threat is level 3, the rest level 2.

use crate::conversation::assessment::{Assessment, LedgerEvidence};
use crate::conversation::contribution::Contribution;
use crate::conversation::cue::Cue;
use crate::conversation::fragments;
use crate::conversation::limits::LedgerLimits;
use crate::conversation::repeats;
use crate::conversation::view::{Past, View};
use crate::model::severity::{Category, Level};

/// One clear remark.
const CLEAR: u32 = 100;
/// A remark that says little alone.
const SLIGHT: u32 = 50;
/// Most one message may add: a torrent in one message is the verdict's business.
const MESSAGE_MAX: u32 = 150;
/// Messages of one kind over days that are called persistent as well.
const PERSISTENT_MESSAGES: usize = 5;

/// A way of speaking that adds up.
struct Pile {
    id: &'static str,
    category: Category,
    level: Level,
    /// What counts, and how much.
    weights: &'static [(Cue, u32)],
    /// What a message of level 1 or more adds when it carries this rule's category.
    found: u32,
    /// Sum from which it speaks.
    threshold: u32,
    /// Messages that must take part.
    messages: u32,
    /// One of these must be heard in at least so many messages.
    needs: (&'static [Cue], usize),
    /// Messages with one of these do not count.
    excused_by: &'static [Cue],
    /// Whether the threshold is doubled once accommodation was asked for.
    doubles: bool,
    /// For people; `{n}` messages.
    text: &'static str,
}

const PILES: &[Pile] = &[
    Pile {
        id: "ledger.stalking",
        category: Category::Privacy,
        level: Level::Severe,
        weights: &[(Cue::Watching, CLEAR), (Cue::PersonalQuestion, CLEAR), (Cue::Attach, 60), (Cue::Compliment, 40)],
        found: CLEAR,
        threshold: 300,
        messages: 3,
        needs: (&[Cue::Watching, Cue::PersonalQuestion], 2),
        excused_by: &[],
        doubles: false,
        text: "担当者の私事や様子に触れる発言が{n}通",
    },
    Pile {
        id: "ledger.sexual",
        category: Category::Sexual,
        level: Level::Severe,
        weights: &[(Cue::Intimate, 120), (Cue::Compliment, 70), (Cue::Attach, 60), (Cue::PersonalQuestion, 30)],
        found: CLEAR,
        threshold: 300,
        messages: 3,
        needs: (&[Cue::Intimate], 1),
        excused_by: &[],
        doubles: false,
        text: "容姿・身体・恋愛に触れる発言が{n}通",
    },
    Pile {
        id: "ledger.countdown",
        category: Category::Threat,
        level: Level::Severe,
        weights: &[(Cue::Countdown, 60), (Cue::Ominous, CLEAR)],
        found: CLEAR,
        threshold: 300,
        messages: 3,
        needs: (&[Cue::Ominous], 2),
        excused_by: &[Cue::Business, Cue::Thanks],
        doubles: false,
        text: "理由を示さない日数の予告や、身の上をほのめかす発言が{n}通",
    },
    Pile {
        id: "ledger.belittling",
        category: Category::Insult,
        level: Level::Suspected,
        weights: &[(Cue::Belittling, CLEAR)],
        found: CLEAR,
        threshold: 400,
        messages: 4,
        needs: (&[Cue::Belittling], 3),
        excused_by: &[Cue::Apology],
        doubles: false,
        text: "担当者を小馬鹿にする発言が{n}通",
    },
    Pile {
        id: "ledger.escalation",
        category: Category::Coercion,
        level: Level::Suspected,
        weights: &[(Cue::MoreDemand, 70), (Cue::Barter, 70), (Cue::Pressure, 40), (Cue::Insist, 40)],
        found: CLEAR,
        threshold: 350,
        messages: 4,
        needs: (&[Cue::Barter], 2),
        excused_by: &[Cue::Apology],
        doubles: true,
        text: "要求の上乗せが{n}通",
    },
    Pile {
        id: "ledger.rewrite",
        category: Category::Coercion,
        level: Level::Suspected,
        weights: &[(Cue::Rewrite, 80), (Cue::Insist, SLIGHT), (Cue::Pressure, SLIGHT), (Cue::Answered, SLIGHT)],
        found: CLEAR,
        threshold: 350,
        messages: 4,
        needs: (&[Cue::Rewrite], 3),
        excused_by: &[],
        doubles: true,
        text: "謝罪や文面のやり直しの要求が{n}通",
    },
    Pile {
        id: "ledger.exposure",
        category: Category::Exposure,
        level: Level::Suspected,
        weights: &[(Cue::SaveAndHint, 80), (Cue::Leverage, 60)],
        found: CLEAR,
        threshold: 300,
        messages: 4,
        needs: (&[Cue::SaveAndHint], 3),
        excused_by: &[Cue::Apology, Cue::Asked],
        doubles: false,
        text: "やりとりの保存や公開をにおわせる発言が{n}通",
    },
];

/// What the record says at the message at `index`.
pub fn assess(all: &[Contribution], index: usize, limits: &LedgerLimits) -> Assessment {
    let Some(view) = View::of(all, index, limits) else { return Assessment::default() };
    let mut whole = Assessment { reply_seen: view.reply_seen, ..Assessment::default() };
    let found = PILES.iter().filter_map(|pile| heap(pile, &view)).chain(repeats::find(&view)).chain(joined(all, index, limits));
    for mut row in found {
        if !view.reply_seen && row.categories.contains(&Category::Persistence) {
            row.text.push_str("。当方の返信は未取得");
        }
        whole.absorb(Assessment::of(row, view.reply_seen));
    }
    whole
}

fn heap(pile: &Pile, view: &View<'_>) -> Option<LedgerEvidence> {
    let present = Past { at: view.now.at, reading: view.reading };
    if weight(pile, &present) == 0 {
        return None;
    }
    let counted = || view.window().map(|past| (past, weight(pile, &past))).filter(|(_, weight)| *weight > 0);
    let score: u32 = counted().map(|(past, weight)| view.decayed(weight, past.at)).sum();
    let messages = counted().count();
    let (needed, times) = pile.needs;
    let heard = counted().filter(|(past, _)| past.reading.cues.has_any(needed)).count();
    let least = if pile.doubles { view.count(pile.messages) } else { pile.messages as usize };
    if score < view.threshold(pile.threshold, pile.doubles) || messages < least || heard < times {
        return None;
    }
    let mut categories = vec![pile.category];
    if messages >= PERSISTENT_MESSAGES {
        categories.push(Category::Persistence);
    }
    let text = format!("{}(累積{}.{:02})", pile.text.replace("{n}", &messages.to_string()), score / 100, score % 100);
    Some(LedgerEvidence { kind: (), entry: pile.id.to_owned(), categories, level: pile.level, text, messages })
}

fn weight(pile: &Pile, past: &Past<'_>) -> u32 {
    if past.reading.cues.has_any(pile.excused_by) {
        return 0;
    }
    let heard: u32 = pile.weights.iter().filter(|(cue, _)| past.reading.cues.has(*cue)).map(|(_, weight)| *weight).sum();
    let found = if past.is_rude() && past.reading.categories.contains(&pile.category) { pile.found } else { 0 };
    (heard + found).min(MESSAGE_MAX)
}

/// Fragments that say something together; spoken of at every message of their row, whichever came last.
fn joined(all: &[Contribution], index: usize, limits: &LedgerLimits) -> Option<LedgerEvidence> {
    let row = fragments::row_of(all, index, limits.join_seconds);
    let found = all.get(row)?.iter().filter_map(|one| one.reading.as_ref()?.joined.as_ref()).max_by_key(|joined| joined.level)?;
    let text = format!("続けて送られた{}通をつなげて読むと、辞書の {} に当たる", found.fragments, found.entries.join("、"));
    let (categories, messages) = (found.categories.clone(), found.fragments as usize);
    Some(LedgerEvidence { kind: (), entry: "ledger.fragments".to_owned(), categories, level: found.level, text, messages })
}
