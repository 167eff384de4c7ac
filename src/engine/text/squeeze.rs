//! What depends on the neighbours: look-alikes, single marks as masks, long marks, small kana, runs.
//!
//! Works in place, left to right, on what [`crate::engine::text::compat`] read. Looks back at what it has written and a
//! bounded number of characters ahead, so it stays linear.

use crate::engine::text::compat::{Kind, Raw, hiragana};
use crate::engine::text::fold::MASK;
use crate::engine::text::script::Script;
use crate::engine::text::tables;
use crate::engine::text::via::ViaSet;
use crate::model::verdict::Via;

/// A run of this many equal letters is shouting or evasion, not spelling; it becomes one. Two are spelling (おおい, ここ).
const RUN_MIN: usize = 3;

/// How far to look for a Latin letter beyond foreign look-alikes (ѕһine): disguised words mix scripts within a few letters.
const LATIN_AHEAD_MAX: usize = 4;

/// Folds `raw` in place.
pub fn squeeze(raw: &mut Vec<Raw>) {
    let mut line = Line { kept: 0, run: 0, katakana: 0, pending: ViaSet::EMPTY };
    for at in 0..raw.len() {
        line.take(raw, at);
    }
    raw.truncate(line.kept);
}

/// State of the pass: `raw[..kept]` is done.
struct Line {
    kept: usize,
    /// Length of the run of equal letters at the end of what is kept.
    run: usize,
    /// Number of katakana at the end of what is kept.
    katakana: usize,
    /// Folds that dropped something since the last kept character.
    pending: ViaSet,
}

impl Line {
    fn take(&mut self, raw: &mut [Raw], at: usize) {
        let (done, rest) = raw.split_at_mut(at);
        let Some((first, ahead)) = rest.split_first() else { return };
        let done = done.get(..self.kept).unwrap_or_default();
        let mut now = *first;
        self.resolve(&mut now, done, ahead);
        let dropped = match now.kind {
            Kind::Long => done.last().is_some_and(Raw::is_kana).then_some(Via::Small),
            Kind::Letter => shrink(&mut now, done, ahead.first()),
            _ => None,
        };
        match dropped {
            Some(via) => self.merge(raw, now, via),
            None => self.keep(raw, now),
        }
    }

    /// Decides characters that mean different things beside different neighbours.
    fn resolve(&self, now: &mut Raw, done: &[Raw], ahead: &[Raw]) {
        let (last, next) = (done.last(), ahead.first());
        match now.kind {
            Kind::Zero => resolve_zero(now, last, next),
            Kind::SoftMask => resolve_mask(now, done, ahead),
            Kind::Letter => {
                if let Some(to) = self.look_alike(now.plain, last, ahead) {
                    now.own.insert(Via::Lookalike);
                    now.plain = to;
                    now.loose = hiragana(to);
                    if to == 'ー' {
                        now.kind = Kind::Long;
                    }
                }
            }
            _ => {}
        }
    }

    fn look_alike(&self, c: char, last: Option<&Raw>, ahead: &[Raw]) -> Option<char> {
        if let Some(to) = tables::katakana_of_kanji(c) {
            return self.is_katakana_place(c, to, last, ahead.first()).then_some(to);
        }
        let to = tables::latin_of_foreign(c)?;
        let beyond = ahead.iter().take(LATIN_AHEAD_MAX).find(|raw| tables::latin_of_foreign(raw.plain).is_none());
        (last.is_some_and(|raw| raw.is(Script::Latin)) || beyond.is_some_and(|raw| raw.is(Script::Latin))).then_some(to)
    }

    /// 口 is ロ between katakana, and a kanji beside kanji. A single katakana before outweighs a kanji after (バ力野郎, but
    /// マジ二度と).
    fn is_katakana_place(&self, kanji: char, to: char, last: Option<&Raw>, next: Option<&Raw>) -> bool {
        let is_katakana = |raw: &Raw| raw.is(Script::Katakana);
        let is_kanji = |raw: &Raw| raw.is(Script::Kanji) && tables::katakana_of_kanji(raw.plain).is_none();
        let (after, before) = (last.is_some_and(is_katakana), next.is_some_and(is_katakana));
        if to == 'ー' {
            return after && before;
        }
        if next.is_some_and(|raw| tables::is_kanji_before(kanji, raw.plain)) || last.is_some_and(is_kanji) {
            return false;
        }
        if next.is_some_and(is_kanji) { after && self.katakana == 1 } else { after || before }
    }

    fn merge(&mut self, raw: &mut [Raw], now: Raw, via: Via) {
        self.pending = self.pending.union(now.gap);
        self.pending.insert(via);
        if let Some(last) = self.kept.checked_sub(1).and_then(|last| raw.get_mut(last)) {
            last.end = now.end;
        }
    }

    fn keep(&mut self, raw: &mut [Raw], mut now: Raw) {
        let last = self.kept.checked_sub(1).and_then(|last| raw.get(last));
        let repeats = now.kind == Kind::Letter && !now.is(Script::Digit) && last.is_some_and(|raw| raw.loose == now.loose);
        self.run = if repeats { self.run + 1 } else { 1 };
        if self.run == RUN_MIN {
            // The second of the run was kept in good faith.
            self.kept -= 1;
            self.pending = self.pending.union(raw.get(self.kept).map_or(ViaSet::EMPTY, |second| second.gap));
        }
        if self.run >= RUN_MIN {
            return self.merge(raw, now, Via::Repeat);
        }
        self.katakana = if now.is(Script::Katakana) { self.katakana + 1 } else { 0 };
        now.gap = now.gap.union(std::mem::take(&mut self.pending));
        if let Some(slot) = raw.get_mut(self.kept) {
            *slot = now;
            self.kept += 1;
        }
    }
}

/// Small kana: one that only lengthens is dropped, any other becomes large. っ stays inside a word. A drawled え goes too.
fn shrink(now: &mut Raw, done: &[Raw], next: Option<&Raw>) -> Option<Via> {
    if now.loose == 'え' && done.last().is_some_and(|raw| raw.is_kana() && is_drawled(raw.loose)) {
        return Some(Via::Small);
    }
    let large = large_kana(now.loose)?;
    let last = done.last().filter(|raw| raw.is_kana());
    let lengthens = match now.loose {
        'っ' => !next.is_some_and(|raw| raw.loose != 'っ' && (raw.is_kana() || raw.is(Script::Kanji) || is_mask(raw))),
        'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' => last.is_some_and(|raw| vowel(raw.loose) == Some(large)),
        _ => false,
    };
    if lengthens && (last.is_some() || now.loose != 'っ') {
        return Some(Via::Small);
    }
    now.loose = large;
    now.own.insert(Via::Small);
    None
}

/// Kana after which え is nearly always a drawled ending (うるせえ, てめえ, しらねえ), written ぇ or ー as well. Not て, で, れ:
/// after them え often begins a word (なんで偉そう in kana).
pub fn is_drawled(c: char) -> bool {
    matches!(c, 'ね' | 'せ' | 'ぜ' | 'め' | 'げ' | 'べ')
}

fn is_mask(raw: &Raw) -> bool {
    matches!(raw.kind, Kind::Mask | Kind::Zero | Kind::SoftMask)
}

fn resolve_zero(now: &mut Raw, last: Option<&Raw>, next: Option<&Raw>) {
    let beside = |test: fn(char) -> bool| [last, next].into_iter().flatten().any(|raw| test(raw.plain));
    (now.kind, now.plain) = if beside(|c| c.is_ascii_digit()) {
        (Kind::Letter, '0')
    } else if beside(tables::is_kanji_number) {
        (Kind::Letter, '〇')
    } else {
        (Kind::Mask, MASK)
    };
    now.loose = now.plain;
}

/// × and ＊ are masks between two letters (コ＊ス), signs elsewhere (3×4, 名前*), and separators when they space a whole word
/// (く*た*ば*れ).
fn resolve_mask(now: &mut Raw, done: &[Raw], ahead: &[Raw]) {
    let is_letter = |raw: &Raw| raw.kind == Kind::Letter && !raw.is(Script::Digit);
    let same = |raw: &Raw| raw.plain == now.plain;
    let between = done.last().is_some_and(is_letter) && ahead.first().is_some_and(is_letter);
    let spaced = ahead.get(1).is_some_and(same) || done.len().checked_sub(2).and_then(|two| done.get(two)).is_some_and(same);
    if between && !spaced {
        (now.kind, now.plain, now.loose, now.own) = (Kind::Mask, MASK, MASK, ViaSet::EMPTY);
    } else {
        now.kind = Kind::Separator;
    }
}

/// The large kana of a small one.
pub fn large_kana(c: char) -> Option<char> {
    Some(match c {
        'ぁ' => 'あ',
        'ぃ' => 'い',
        'ぅ' => 'う',
        'ぇ' => 'え',
        'ぉ' => 'お',
        'っ' => 'つ',
        'ゃ' => 'や',
        'ゅ' => 'ゆ',
        'ょ' => 'よ',
        'ゎ' => 'わ',
        'ゕ' => 'か',
        'ゖ' => 'け',
        _ => return None,
    })
}

/// The vowel a hiragana ends in.
pub fn vowel(c: char) -> Option<char> {
    Some(match c {
        'あ' | 'か' | 'が' | 'さ' | 'ざ' | 'た' | 'だ' | 'な' | 'は' | 'ば' | 'ぱ' | 'ま' | 'や' | 'ら' | 'わ' | 'ぁ' | 'ゃ' => {
            'あ'
        }
        'い' | 'き' | 'ぎ' | 'し' | 'じ' | 'ち' | 'ぢ' | 'に' | 'ひ' | 'び' | 'ぴ' | 'み' | 'り' | 'ぃ' => 'い',
        'う' | 'く' | 'ぐ' | 'す' | 'ず' | 'つ' | 'づ' | 'ぬ' | 'ふ' | 'ぶ' | 'ぷ' | 'む' | 'ゆ' | 'る' | 'ぅ' | 'ゅ' | 'ゔ' => {
            'う'
        }
        'え' | 'け' | 'げ' | 'せ' | 'ぜ' | 'て' | 'で' | 'ね' | 'へ' | 'べ' | 'ぺ' | 'め' | 'れ' | 'ぇ' => 'え',
        'お' | 'こ' | 'ご' | 'そ' | 'ぞ' | 'と' | 'ど' | 'の' | 'ほ' | 'ぼ' | 'ぽ' | 'も' | 'よ' | 'ろ' | 'を' | 'ぉ' | 'ょ' => {
            'お'
        }
        _ => return None,
    })
}
