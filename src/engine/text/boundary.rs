//! Whether a hit stands as a word of its own: しね！ yes, ですしね no.
//!
//! Japanese has no spaces, so this weighs what stands beside the hit: the edge of the field, marks, a change of script,
//! particles and words that commonly stand there. It is evidence, not a tokenizer: words where the evidence itself
//! collides (きもの, くずもち) need a guard in the lexicon. Looks at a bounded number of characters.

use crate::engine::text::fold::{Cell, MASK};
use crate::engine::text::script::{Script, script};
use std::ops::Range;

/// Which side of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Before its first character.
    Left,
    /// After its last character.
    Right,
}

/// Repetitions of the hit (しねしねしね) that are looked over to find its edge; more is chanting, an edge by itself.
const REPEATS_MAX: usize = 3;

/// Kanji before a hiragana hit that end the name of a person or group, or an adverb; after any other kanji, hiragana is
/// usually its ending (動かす, 試し, 返金しね).
const KANJI_BEFORE: &str = "前様奴者員客豚女男君達共店社長鹿屋人方対生皆糞屑滓僕俺私野郎今日";

/// Single-kana particles after which a word may begin.
const PARTICLES_BEFORE: &str = "はがをにでのもとてやへ";

/// The same before a hit in し, which may be する: 気にしね(え), 何もしね(え).
const PARTICLES_BEFORE_SHI: &str = "はがと";

/// Words, as the fold writes them, after which a word may begin.
const WORDS_BEFORE: &[&str] = &[
    "この",
    "その",
    "あの",
    "まえ",
    "まえら",
    "てめ",
    "てめら",
    "きさま",
    "あんた",
    "おい",
    "こら",
    "まじ",
    "もう",
    "ほんと",
    "ほんま",
    "すぐ",
    "早く",
    "はやく",
    "必ず",
    "かならず",
    "ぜつたい",
    "みんな",
    "やつ",
    "ばば",
    "ばばあ",
    "じじい",
    "くそ",
    "ばか",
    "あほ",
    "ごみ",
    "だまれ",
    "きもい",
    "うざい",
    "うるさい",
    "きえろ",
    "うせろ",
    "じや",
    "ぶち",
    "ぶつ",
    "まとめて",
    "いつか",
];

/// Words and particles that may follow a word, as the fold writes them.
const WORDS_AFTER: &[&str] = &[
    "ぞ",
    "ぜ",
    "よ",
    "ね",
    "な",
    "と",
    "わ",
    "が",
    "は",
    "を",
    "の",
    "に",
    "だ",
    "つて",
    "です",
    "でしよ",
    "じや",
    "ども",
    "すぎ",
    "ばば",
    "じじ",
    "やろ",
    "やで",
    "やん",
    "やな",
    "おまえ",
    "てめ",
    "から",
    "たれ",
    "くん",
    "ちやん",
    "みたい",
    "こら",
    "くたばれ",
    "けど",
    "ください",
    "ばいい",
    "とけ",
    "ちやう",
    "のに",
];

/// The few that also join katakana to katakana (シネヨ, クソババア); any other katakana goes on with the word (シネマ).
const KATAKANA_AFTER: &[&str] = &["ぞ", "よ", "やろ", "ばば", "じじ", "ども", "たれ"];

/// Particles only before something that is not hiragana: あほか。 but かすかに; ころすで but ころすでに.
const LAST_AFTER: &str = "かでやさもめ";

/// Endings that make a verb of a katakana word: ボケる, ハゲてる.
const VERB_ENDINGS: &[&str] = &["る", "れ", "て", "た", "ます", "まし", "ませ", "ん"];

/// Whether there is evidence of a word boundary on `side` of the hit `range` in `cells`.
pub fn has_boundary(cells: &[Cell], range: Range<usize>, side: Side) -> bool {
    let (Some(hit), Some(before), Some(after)) = (cells.get(range.clone()), cells.get(..range.start), cells.get(range.end..)) else {
        return false;
    };
    match (hit.first(), hit.last()) {
        (Some(first), Some(last)) => match side {
            Side::Left => first.breaks || begins(skip_repeats_back(before, hit), first, hit),
            Side::Right => ends(skip_repeats(after, hit), last, hit),
        },
        _ => false,
    }
}

fn begins(before: &[Cell], first: &Cell, hit: &[Cell]) -> bool {
    let Some(last) = before.last() else { return true };
    let kanji = || KANJI_BEFORE.contains(last.loose);
    match (script(last.plain), script(first.plain)) {
        (Script::Kanji, Script::Hiragana) => !may_be_suru(hit) && kanji(),
        (Script::Kanji, Script::Kanji) => kanji(),
        (Script::Katakana, Script::Katakana) => ends_with(before, WORDS_BEFORE),
        (Script::Katakana, Script::Hiragana) => {
            first.loose != 'し' || ends_with(before, WORDS_BEFORE) || ends_with(before, &["かす", "くず", "ぶす", "でぶ", "はげ"])
        }
        (Script::Hiragana, Script::Hiragana) => !may_be_suru(hit) && (ends_with(before, WORDS_BEFORE) || ends_with_particle(before, first)),
        (left, right) => left != right,
    }
}

fn ends(after: &[Cell], last: &Cell, hit: &[Cell]) -> bool {
    let Some(next) = after.first() else { return true };
    if next.breaks {
        return true;
    }
    let particle = || {
        let alone = after.get(1).is_none_or(|cell| script(cell.plain) != Script::Hiragana || cell.breaks);
        (starts_with(after, WORDS_AFTER) && !is_demonstrative(last, next)) || LAST_AFTER.contains(next.loose) && alone
    };
    match (script(last.plain), script(next.plain)) {
        (Script::Hiragana, Script::Hiragana) => !may_be_suru(hit) && particle(),
        (Script::Katakana, Script::Katakana) => starts_with(after, KATAKANA_AFTER),
        (Script::Katakana, Script::Hiragana) => particle() || !starts_with(after, VERB_ENDINGS),
        (Script::Kanji, Script::Kanji) => false,
        // A mask is a letter: a mark after it ends the word.
        (Script::Mark, Script::Mark) => last.loose == MASK && next.loose != MASK,
        (left, right) => left != right,
    }
}

/// しねえ and しねー are 死ね drawn out, but far more often しない: then particles beside them are no evidence.
fn may_be_suru(hit: &[Cell]) -> bool {
    let drawn = |cell: &Cell| cell.loose == 'ね' && cell.end - cell.start > 1;
    matches!(hit, [first, second, ..] if first.loose == 'し' && drawn(second))
}

/// よ|くそ|の is よくその: the の belongs to その, この, あの, どの.
fn is_demonstrative(last: &Cell, next: &Cell) -> bool {
    next.loose == 'の' && matches!(last.plain, 'そ' | 'こ' | 'あ' | 'ど')
}

/// A particle, that is a kana which itself follows a word (それはばか, not はばかる).
fn ends_with_particle(before: &[Cell], first: &Cell) -> bool {
    let Some((particle, word)) = before.split_last() else { return false };
    let Some(last) = word.last().filter(|last| is_word(last) && !particle.breaks) else { return false };
    match particle.loose {
        'な' => matches!(last.loose, 'ん' | 'い' | 'う' | 'か') && first.loose != 'し',
        'は' if last.loose == 'を' => false,
        c => if first.loose == 'し' { PARTICLES_BEFORE_SHI } else { PARTICLES_BEFORE }.contains(c),
    }
}

fn is_word(cell: &Cell) -> bool {
    !matches!(script(cell.plain), Script::Mark | Script::Space | Script::Emoji)
}

fn starts_with(cells: &[Cell], words: &[&str]) -> bool {
    words.iter().any(|word| {
        let mut cells = cells.iter();
        word.chars().all(|c| cells.next().is_some_and(|cell| cell.loose == c))
    })
}

fn ends_with(cells: &[Cell], words: &[&str]) -> bool {
    words.iter().any(|word| {
        let mut cells = cells.iter().rev();
        word.chars().rev().all(|c| cells.next().is_some_and(|cell| cell.loose == c))
    })
}

fn same(one: &[Cell], other: &[Cell]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.loose == other.loose)
}

fn skip_repeats<'a>(mut after: &'a [Cell], hit: &[Cell]) -> &'a [Cell] {
    for _ in 0..REPEATS_MAX {
        match after.split_at_checked(hit.len()) {
            Some((next, rest)) if same(next, hit) => after = rest,
            _ => return after,
        }
    }
    &[]
}

fn skip_repeats_back<'a>(mut before: &'a [Cell], hit: &[Cell]) -> &'a [Cell] {
    for _ in 0..REPEATS_MAX {
        match before.len().checked_sub(hit.len()).and_then(|at| before.split_at_checked(at)) {
            Some((rest, last)) if same(last, hit) => before = rest,
            _ => return before,
        }
    }
    &[]
}
