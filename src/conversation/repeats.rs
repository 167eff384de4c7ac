//! The same again: after an answer, in bursts, to many windows, after a dated refusal; and rudeness that does not stop.
//!
//! Asking again because nobody answered is not harassment: without an answer these rules stay at level 1. Thanks,
//! apologies, forgetfulness and reports that were asked for take weight away.

use crate::conversation::assessment::LedgerEvidence;
use crate::conversation::contribution::Contribution;
use crate::conversation::cue::Cue;
use crate::conversation::fingerprint::WORDING_CHARS_MIN;
use crate::conversation::view::{Past, View};
use crate::model::message::{Channel, Event};
use crate::model::severity::{Category, Level};
use jiff::SignedDuration;

/// Being about the same as this message, in hundredths.
const SAME: u32 = 40;
/// Going on after an answer, or announcing to: one clear sign.
const SIGN: u32 = 100;
/// Mentioning the answer, or pushing: just complaints do that too.
const SLIGHT: u32 = 60;
/// Messages that announce to go on, for harassment; a just complaint rarely has even one.
const INSISTING: usize = 1;
/// Messages that push, where none announces to go on.
const PUSHING: usize = 4;
/// What calms takes away.
const SOOTHED: u32 = 100;
/// Most one message may add.
const MESSAGE_MAX: u32 = 160;
/// Sum from which a repeated demand is harassment: about three signs and as many plain repeats.
const REPEAT_AT: u32 = 400;
/// Messages that must take part.
const REPEAT_MESSAGES: u32 = 4;
/// Of these, messages with a clear sign.
const REPEAT_SIGNS: usize = 2;
/// Sum of level 1 findings from which rudeness that does not stop is harassment.
const RUDE_AT: u32 = 400;
/// Reminders that are worth a note.
const REMINDERS: usize = 3;
/// Reminders and repeats without an answer that are worth watching.
const UNANSWERED_WATCH: usize = 8;
/// How many times the number of a flood it takes while nobody answered: below, it may be somebody, or a program, trying again.
const FLOOD_UNANSWERED: usize = 3;
/// Most messages a flood may need: the record holds little more.
const FLOOD_MAX: usize = 60;
/// Minutes of the span in which a flood is counted.
const FLOOD_MINUTES: i64 = 60;
/// Hours in which the same request to several windows counts.
const WINDOWS_HOURS: i64 = 48;
/// Signs of going on after an answer.
const SIGNS: &[Cue] = &[Cue::Answered, Cue::Insist, Cue::Pressure];

/// Every rule about repetition that speaks at this message.
pub fn find(view: &View<'_>) -> Vec<LedgerEvidence> {
    [repeat(view), flood(view), windows(view), after_warning(view), rude(view), reminders(view)].into_iter().flatten().collect()
}

fn row(entry: &str, categories: &[Category], level: Level, text: String, messages: usize) -> LedgerEvidence {
    LedgerEvidence { kind: (), entry: format!("ledger.{entry}"), categories: categories.to_vec(), level, text, messages }
}

fn is_same(view: &View<'_>, past: &Past<'_>) -> bool {
    let (now, then) = (&view.reading.print, &past.reading.print);
    now.shares_subject(then) || now.is_near(then)
}

fn minutes(view: &View<'_>, first: &Past<'_>) -> String {
    let span = view.now.at.duration_since(first.at);
    if span.as_hours() >= 48 { format!("{}日", span.as_hours() / 24) } else { format!("{}分", span.as_mins()) }
}

/// The same demand after it was answered.
fn repeat(view: &View<'_>) -> Option<LedgerEvidence> {
    let present = Past { at: view.now.at, reading: view.reading };
    if present.soothes() || repeat_weight(view, &present) == 0 {
        return None;
    }
    let counted: Vec<(Past<'_>, u32)> =
        view.window().map(|past| (past, repeat_weight(view, &past))).filter(|(past, weight)| *weight > 0 && !past.soothes()).collect();
    let signs = counted.iter().filter(|(past, _)| past.reading.cues.has_any(SIGNS)).count();
    let soothed = view.window().filter(Past::soothes).count();
    let calmed = SOOTHED.saturating_mul(u32::try_from(soothed).unwrap_or(u32::MAX));
    let burst = counted.iter().filter(|(past, _)| is_recent(view, past)).count() >= view.count(view.limits.burst_messages);
    let score: u32 = counted.iter().map(|(past, weight)| view.decayed(*weight, past.at)).sum();
    let score = score.saturating_sub(calmed);
    let heard = |cue: Cue| counted.iter().filter(|(past, _)| past.reading.cues.has(cue)).count();
    let stubborn = heard(Cue::Insist) >= INSISTING || heard(Cue::Pressure) >= PUSHING;
    let enough =
        stubborn && score >= view.threshold(REPEAT_AT, true) && counted.len() >= view.count(REPEAT_MESSAGES) && signs >= REPEAT_SIGNS;
    if !enough {
        return None;
    }
    let level = if view.is_answered() { Level::Suspected } else { Level::Watch };
    let mut categories = vec![Category::Persistence];
    if burst && level.is_flagged() {
        categories.push(Category::Obstruction);
    }
    let since = counted.first().map(|(past, _)| minutes(view, past)).unwrap_or_default();
    let text = format!(
        "回答や断りのあとも同じ要求が続く: {since}で{}通、引かない言い方{signs}通(累積{}.{:02})",
        counted.len(),
        score / 100,
        score % 100
    );
    Some(row("repeat", &categories, level, text, counted.len()))
}

fn repeat_weight(view: &View<'_>, past: &Past<'_>) -> u32 {
    let same = if is_same(view, past) { SAME } else { 0 };
    let weigh = |cue: Cue, weight: u32| if past.reading.cues.has(cue) { weight } else { 0 };
    let sign = weigh(Cue::Insist, SIGN) + weigh(Cue::Answered, SLIGHT) + weigh(Cue::Pressure, SLIGHT);
    let rude = if past.is_rude() { SIGN / 2 } else { 0 };
    (same + sign + rude).min(MESSAGE_MAX)
}

fn is_recent(view: &View<'_>, past: &Past<'_>) -> bool {
    view.now.at.duration_since(past.at) <= SignedDuration::from_mins(i64::from(view.limits.burst_minutes))
}

/// So many messages of the same demand in an hour that nobody can work; pieces of one sentence are no flood.
fn flood(view: &View<'_>) -> Option<LedgerEvidence> {
    let whole = |past: &Past<'_>| past.reading.print.length as usize >= WORDING_CHARS_MIN;
    let near = |past: &Past<'_>| view.reading.print.is_near(&past.reading.print);
    let alike = |past: &Past<'_>| near(past) || (view.reading.channel == Channel::Email && is_same(view, past));
    let hour = view.within(SignedDuration::from_mins(FLOOD_MINUTES));
    let count = hour.filter(|past| whole(past) && alike(past) && !past.soothes()).count();
    let flood = view.count(view.limits.flood_messages).min(FLOOD_MAX);
    if count < flood {
        return None;
    }
    let is_flood = view.is_answered() || count >= flood.saturating_mul(FLOOD_UNANSWERED).min(FLOOD_MAX);
    let level = if is_flood { Level::Suspected } else { Level::Watch };
    Some(row("flood", &[Category::Obstruction, Category::Persistence], level, format!("1時間に同じ内容が{count}通"), count))
}

/// The same request to many windows.
fn windows(view: &View<'_>) -> Option<LedgerEvidence> {
    let counts = |past: &Past<'_>| past.reading.print.addressee != 0 || past.reading.cues.has(Cue::ManyWindows);
    let present = Past { at: view.now.at, reading: view.reading };
    if !counts(&present) || present.soothes() {
        return None;
    }
    let recent: Vec<Past<'_>> =
        view.within(SignedDuration::from_hours(WINDOWS_HOURS)).filter(|past| counts(past) && !past.soothes()).collect();
    let mut addressed: Vec<u32> = recent.iter().map(|past| past.reading.print.addressee).filter(|one| *one != 0).collect();
    addressed.sort_unstable();
    addressed.dedup();
    let said = recent.iter().filter(|past| past.reading.cues.has(Cue::ManyWindows)).count();
    let signs = recent.iter().filter(|past| past.reading.cues.has_any(&[Cue::Insist, Cue::Pressure])).count();
    let needed = view.count(view.limits.windows);
    let enough = (addressed.len() >= needed && said + signs >= 2) || (said >= needed && signs > 0);
    if !enough {
        return None;
    }
    let text = format!("同じ依頼を複数の窓口へ: 宛先{}か所、{}通", addressed.len(), recent.len());
    Some(row("windows", &[Category::Obstruction, Category::Persistence], Level::Suspected, text, recent.len()))
}

/// Contacts after our dated refusal or caution.
fn after_warning(view: &View<'_>) -> Option<LedgerEvidence> {
    let last = view.all.iter().rposition(Contribution::is_warning)?;
    let warnings = view.all.iter().filter(|one| one.is_warning()).count();
    let refused = view.all.iter().any(|one| one.is_warning() && one.event == Event::Refusal);
    let first = view.all.iter().position(|one| one.is_warning() && (!refused || one.event == Event::Refusal)).unwrap_or(last);
    let counts = |past: &Past<'_>| !past.soothes() || past.is_rude();
    let contacts = |from: usize| {
        let after = view.all.iter().skip(from + 1).filter_map(|one| one.reading.as_ref().map(|reading| Past { at: one.at, reading }));
        after.filter(counts).filter(|past| refused || past.is_rude() || past.reading.cues.has_any(SIGNS)).count()
    };
    let present = Past { at: view.now.at, reading: view.reading };
    let count = contacts(first);
    if count == 0 || !counts(&present) {
        return None;
    }
    let severe = view.count(view.limits.contacts_after_refusal);
    let again = warnings > 1 && contacts(last) > 0;
    let level = match count {
        _ if count >= severe || again => Level::Severe,
        1 => Level::Watch,
        _ => Level::Suspected,
    };
    let date = view.all.get(first).map(|one| one.at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    let what = if refused { "連絡お断り" } else { "注意" };
    let text = format!("{date}の{what}のあとの連絡が{count}通(注意・お断りは計{warnings}回)");
    Some(row("after_refusal", &[Category::Persistence], level, text, count))
}

/// Rude messages, none of them harassment alone, that do not stop.
fn rude(view: &View<'_>) -> Option<LedgerEvidence> {
    let present = Past { at: view.now.at, reading: view.reading };
    if !present.is_rude() {
        return None;
    }
    let counted: Vec<Past<'_>> = view.window().filter(Past::is_rude).collect();
    let score: u32 = counted.iter().map(|past| view.decayed(severity(past), past.at)).sum();
    let soothed = view.window().filter(|past| past.soothes() && !past.is_rude()).count();
    let score = score.saturating_sub(SOOTHED.saturating_mul(u32::try_from(soothed).unwrap_or(u32::MAX)));
    if counted.len() < 4 || score < view.threshold(RUDE_AT, true) {
        return None;
    }
    let mut categories: Vec<Category> = counted.iter().flat_map(|past| past.reading.categories.iter().copied()).collect();
    categories.push(Category::Persistence);
    categories.sort_unstable();
    categories.dedup();
    let text = format!("「要注意」以上の発言が{}通(累積{}.{:02})", counted.len(), score / 100, score % 100);
    Some(row("rude", &categories, Level::Suspected, text, counted.len()))
}

/// The graver axis decides: level 1 scores 30 to 60, which weighs one sign.
fn severity(past: &Past<'_>) -> u32 {
    if past.reading.level.is_flagged() { SIGN * 2 } else { SIGN.max(u32::from(past.reading.demand.max(past.reading.manner))) }
}

/// Reminders that nobody answered: noted, watched when many, never more.
fn reminders(view: &View<'_>) -> Option<LedgerEvidence> {
    if view.is_answered() || !view.reading.cues.has(Cue::Reminder) {
        return None;
    }
    let count = view.window().filter(|past| past.reading.cues.has(Cue::Reminder)).count();
    if count < REMINDERS {
        return None;
    }
    let level = if count >= view.count(u32::try_from(UNANSWERED_WATCH).unwrap_or(u32::MAX)) { Level::Watch } else { Level::Ordinary };
    Some(row("reminder", &[Category::Persistence], level, format!("返事を待つ催促が{count}通"), count))
}
