//! Marks and spaces between the letters of a word (死 ね, s.h.i.n.e), line ends, sentences; writes the loose stream.
//!
//! A separator is dropped only where it plausibly splits a word: beside a single letter, or with marks
//! between a kanji and its ending, at most [`SEPARATOR_MAX`] long, never across the end of a sentence. Spacing between longer words stays, so that no form
//! matches across two words. One pass; linear.

use crate::engine::text::compat::{Kind, Raw};
use crate::engine::text::fold::Cell;
use crate::engine::text::script::Script;
use crate::engine::text::via::ViaSet;
use crate::model::verdict::Via;

/// Longest stretch of separators inside one word, in characters: longer ones are layout.
const SEPARATOR_MAX: usize = 3;

/// A line of at least this many characters that goes on without a mark was wrapped by the mail program (which wraps
/// Japanese at 30 to 38), not ended by the writer.
const WRAP_MIN: usize = 30;

/// Writes the loose stream of `raw` to `cells` and `text`.
pub fn separate(raw: &[Raw], cells: &mut Vec<Cell>, text: &mut String) {
    let mut stream = Stream { cells, text, sentence: 0, ended: false, quotes: 0, left: 0, line: 0, pending: ViaSet::EMPTY, breaks: false };
    let mut at = 0;
    while let Some(now) = raw.get(at) {
        let length = raw.iter().skip(at).take_while(|raw| is_skippable(raw)).count();
        if length == 0 {
            stream.left = if now.is_word() { stream.left + 1 } else { 0 };
            stream.emit(now, now.loose, now.end);
            at += 1;
        } else {
            stream.cross(raw, at, at + length);
            at += length;
        }
    }
}

fn is_skippable(raw: &Raw) -> bool {
    matches!(raw.kind, Kind::Space | Kind::Newline | Kind::Separator | Kind::Comma | Kind::Dot | Kind::Bracket | Kind::Emoji | Kind::Long)
}

/// What becomes of a stretch of separators.
enum Crossing {
    /// Inside a word: dropped and marked.
    Drop,
    /// A line wrapped by the mail program: dropped without a mark.
    Wrap,
    /// Stays.
    Keep,
}

struct Stream<'a> {
    cells: &'a mut Vec<Cell>,
    text: &'a mut String,
    sentence: u32,
    /// A sentence end was written; the next other character opens the next sentence.
    ended: bool,
    /// Depth of 「」 and 『』: what is said inside belongs to the sentence that quotes it.
    quotes: u32,
    /// Letters since the last separator.
    left: usize,
    /// Characters since the last line end.
    line: usize,
    pending: ViaSet,
    breaks: bool,
}

impl Stream<'_> {
    /// Goes over the separators `raw[from..to]`.
    fn cross(&mut self, raw: &[Raw], from: usize, to: usize) {
        let group = raw.get(from..to).unwrap_or_default();
        let right = raw.iter().skip(to).take(2).take_while(|raw| raw.is_word()).count();
        let before = from.checked_sub(1).and_then(|last| raw.get(last));
        match self.judge(group, before, raw.get(to), right) {
            Crossing::Drop => {
                self.pending.insert(Via::Separator);
                self.breaks |= self.left > 1 || right > 1;
            }
            Crossing::Wrap => self.breaks = true,
            Crossing::Keep => self.keep(group, raw.get(to)),
        }
        if group.iter().any(|raw| raw.kind == Kind::Newline) {
            self.line = 0;
        }
        self.left = 0;
    }

    fn judge(&self, group: &[Raw], before: Option<&Raw>, after: Option<&Raw>, right: usize) -> Crossing {
        let (Some(before), Some(after)) = (before, after) else { return Crossing::Keep };
        let digits = before.is(Script::Digit) && after.is(Script::Digit);
        if self.left == 0 || right == 0 || digits || group.len() > SEPARATOR_MAX {
            return Crossing::Keep;
        }
        let has = |kind| group.iter().any(|raw| raw.kind == kind);
        let (both, either) = (self.left == 1 && right == 1, self.left == 1 || right == 1);
        let latin = before.is(Script::Latin) && after.is(Script::Latin);
        if has(Kind::Newline) {
            let wrapped = group.len() == 1 && self.line >= WRAP_MIN && !before.is(Script::Latin) && !after.is(Script::Latin);
            return match (both && group.len() == 1, wrapped) {
                (true, _) => Crossing::Drop,
                (_, true) => Crossing::Wrap,
                _ => Crossing::Keep,
            };
        }
        let marks = group.iter().all(|raw| matches!(raw.kind, Kind::Separator | Kind::Emoji));
        let stem = marks && before.is(Script::Kanji) && after.is(Script::Hiragana);
        let drops = if has(Kind::Comma) || latin { both } else { either || stem };
        if drops { Crossing::Drop } else { Crossing::Keep }
    }

    /// Keeps a stretch: line ends as one, spaces as one, marks as they are.
    fn keep(&mut self, group: &[Raw], after: Option<&Raw>) {
        let mut rest = group;
        while let Some((first, others)) = rest.split_first() {
            let blank = |raw: &Raw| matches!(raw.kind, Kind::Space | Kind::Newline);
            let blanks = rest.iter().take_while(|raw| blank(raw)).count();
            if blanks == 0 {
                let full_stop = first.kind == Kind::Dot && is_full_stop(first, others.first().or(after));
                self.emit(first, first.loose, first.end);
                self.ended |= full_stop;
                rest = others;
                continue;
            }
            let (space, others) = rest.split_at(blanks);
            let newline = space.iter().any(|raw| raw.kind == Kind::Newline);
            let end = space.last().map_or(first.end, |last| last.end);
            self.emit(first, if newline { '\n' } else { ' ' }, end);
            if newline {
                self.ended = true;
                self.quotes = 0;
            }
            rest = others;
        }
    }

    fn emit(&mut self, raw: &Raw, loose: char, end: u32) {
        if self.ended && raw.kind != Kind::End && !matches!(raw.kind, Kind::Space | Kind::Newline) && !is_closing(loose) {
            self.sentence += 1;
            self.ended = false;
        }
        match loose {
            '「' | '『' => self.quotes += 1,
            '」' | '』' => self.quotes = self.quotes.saturating_sub(1),
            _ => self.ended |= raw.kind == Kind::End && self.quotes == 0,
        }
        let byte = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        let plain = if matches!(loose, ' ' | '\n') { loose } else { raw.plain };
        let gap = raw.gap.union(std::mem::take(&mut self.pending));
        let breaks = std::mem::take(&mut self.breaks);
        let sentence = self.sentence;
        self.cells.push(Cell { loose, plain, start: raw.start, end, byte, sentence, own: raw.own, gap, breaks });
        self.text.push(loose);
        self.line += 1;
    }
}

/// A dot ends a sentence before a space or line end, or when it is the full-width ． of technical Japanese.
fn is_full_stop(dot: &Raw, next: Option<&Raw>) -> bool {
    next.is_none_or(|raw| matches!(raw.kind, Kind::Space | Kind::Newline))
        || dot.own.contains(Via::Width) && next.is_none_or(|raw| !raw.is(Script::Digit))
}

fn is_closing(c: char) -> bool {
    matches!(c, '」' | '』' | ')' | '"' | '”' | '】')
}
