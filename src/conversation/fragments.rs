//! Chat fragments that are read together: 「し」「ね」.
//!
//! Only messages that follow each other directly are joined: an explanation, correction or reply between them ends the
//! row. A row is judged in every stretch of its fragments, and a finding counts only if it needs the whole stretch. Text
//! is kept for a row as long as its last message is younger than [`HOLD_MINUTES`] relative to the newest message, so that a
//! late delivery still finds its neighbours; then it is dropped and the finding stays.

use crate::conversation::contribution::{Contribution, Joined, TAIL_CHARS_MAX};
use crate::model::message::{Channel, Direction};
use crate::model::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;

/// Longest fragment, in characters: half a word typed in one go.
pub const FRAGMENT_CHARS_MAX: u32 = 6;

/// Most fragments read together: beyond that nobody reads them as one word either.
pub const FRAGMENTS_MAX: usize = 10;

/// How long the text of fragments is held, in minutes: longer than a message may be retried in ordinary trouble.
pub const HOLD_MINUTES: i64 = 60;

/// Judges a text as one chat message.
pub type JudgeText<'a> = dyn FnMut(&str) -> Verdict + 'a;

/// Reads every row of fragments whose text is still there, and drops text that is too old. `all` is sorted.
pub fn join(all: &mut [Contribution], pause_seconds: u32, judge: &mut JudgeText<'_>) {
    let Some(newest) = all.last().map(|last| last.at) else { return };
    for row in rows(all, pause_seconds) {
        let members = &mut all[row];
        let has_text = |one: &Contribution| one.reading.as_ref().is_some_and(|reading| reading.fragment.is_some());
        // A row of one is read too: what stood beside it may have turned out not to be its neighbour.
        if members.iter().all(has_text) {
            read(members, judge);
        }
        if is_old(members, newest) {
            for reading in members.iter_mut().filter_map(|one| one.reading.as_mut()) {
                reading.fragment = None;
            }
        }
    }
}

/// The row that holds the contribution at `index`; itself alone if it stands alone.
pub fn row_of(all: &[Contribution], index: usize, pause_seconds: u32) -> Range<usize> {
    rows(all, pause_seconds).into_iter().find(|row| row.contains(&index)).unwrap_or(index..index + 1)
}

/// Maximal rows of short inbound chat messages without a long pause.
fn rows(all: &[Contribution], pause_seconds: u32) -> Vec<Range<usize>> {
    let pause = SignedDuration::from_secs(i64::from(pause_seconds));
    let mut found: Vec<Range<usize>> = vec![];
    for (index, one) in all.iter().enumerate() {
        if !is_short(one) {
            continue;
        }
        match found.last_mut() {
            Some(row) if row.end == index && one.at.duration_since(all[index - 1].at) <= pause => row.end = index + 1,
            _ => found.push(index..index + 1),
        }
    }
    found
}

fn is_short(one: &Contribution) -> bool {
    let short = |chars: u32| (1..=TAIL_CHARS_MAX).contains(&(chars as usize));
    one.direction == Direction::Inbound
        && one.reading.as_ref().is_some_and(|reading| reading.channel == Channel::Chat && short(reading.chars))
}

fn is_old(members: &[Contribution], newest: Timestamp) -> bool {
    members.last().is_none_or(|last| newest.duration_since(last.at) > SignedDuration::from_mins(HOLD_MINUTES))
}

fn read(members: &mut [Contribution], judge: &mut JudgeText<'_>) {
    let texts: Vec<String> =
        members.iter().map(|one| one.reading.as_ref().and_then(|reading| reading.fragment.clone()).unwrap_or_default()).collect();
    let lengths: Vec<usize> = texts.iter().map(|text| text.chars().count()).collect();
    let is_fragment = |index: usize| lengths[index] <= FRAGMENT_CHARS_MAX as usize;
    for last in 0..members.len() {
        let mut best: Option<Joined> = None;
        let mut first = last;
        while first > 0 && last - first < FRAGMENTS_MAX && is_fragment(first - 1) {
            first -= 1;
            // One fragment before a sentence is a slip of the hand; two or more are a way of writing.
            if is_fragment(last) || last - first >= 2 {
                let found = stretch(&texts[first..=last], &lengths[first..=last], judge);
                best = best.into_iter().chain(found).max_by_key(|joined| (joined.level, std::cmp::Reverse(joined.fragments)));
            }
        }
        if let Some(reading) = members[last].reading.as_mut() {
            reading.joined = best;
        }
    }
}

/// A finding that begins in the first fragment and ends in the last.
fn stretch(texts: &[String], lengths: &[usize], judge: &mut JudgeText<'_>) -> Option<Joined> {
    let (first, last) = (lengths.first().copied()?, lengths.last().copied()?);
    let all: usize = lengths.iter().sum();
    let mut verdict = judge(&texts.concat());
    verdict.evidence.retain(|row| row.start.is_some_and(|start| start < first) && row.end.is_some_and(|end| end > all - last));
    verdict.level = verdict.evidence.iter().map(|row| row.level).max().unwrap_or_default();
    verdict.categories.retain(|category| verdict.evidence.iter().any(|row| row.category == Some(*category)));
    verdict.level.is_flagged().then(|| Joined::of(&verdict, texts.len()))
}
