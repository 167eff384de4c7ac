//! Character tables of the folds: data only, each row with its reason.
//!
//! Facts are ordinary writing practice of Japanese evasion; tables are sorted by use, small, and searched by `match`, so
//! that the compiler turns them into jumps.

use crate::engine::text::fold::MASK;

/// Characters that show nothing and are dropped wherever they stand. An explicit list: NFKC keeps all of them, and
/// some are letters or symbols by category (Hangul fillers, the braille blank).
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\0'..='\u{08}' | '\u{0E}'..='\u{1F}' | '\u{7F}'..='\u{84}' | '\u{86}'..='\u{9F}' // control codes
        | '\u{AD}' | '\u{34F}' | '\u{61C}' // soft hyphen, grapheme joiner, Arabic letter mark
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
        | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' // Khmer inherent vowels, Mongolian selectors
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' // zero width, directions
        | '\u{2800}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' // braille blank, selectors, BOM
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' // shorthand and music controls
        | '\u{1F3FB}'..='\u{1F3FF}' // skin tones: they follow another emoji
        | '\u{E0000}'..='\u{E0FFF}') // tags and selectors
}

/// Masks wherever they stand; all become [`MASK`]. 〇 is decided by its neighbours (it is also a digit).
pub fn is_mask(c: char) -> bool {
    matches!(
        c,
        MASK | '◯'
            | '●'
            | '⭕'
            | '◎'
            | '⚪'
            | '⚫'
            | '□'
            | '■'
            | '◻'
            | '◼'
            | '⬜'
            | '⬛'
            | '▢'
            | '△'
            | '▲'
            | '▽'
            | '▼'
            | '◇'
            | '◆'
            | '✕'
            | '✖'
            | '❌'
            | '⬤'
            | '〓'
    )
}

/// Marks that lengthen the kana before them: dropped there, ordinary marks elsewhere.
pub fn is_long(c: char) -> bool {
    matches!(c, 'ー' | '〜' | '~' | '―' | '—' | '–' | '−' | '…' | '‥' | '─' | '━' | '〰' | '﹏' | '﹋')
}

/// 。！？ and kin: a sentence ends there.
pub fn is_end(c: char) -> bool {
    matches!(c, '。' | '!' | '?' | '¡' | '¿' | '‼' | '⁉')
}

/// Marks that people put between the letters of a word.
pub fn is_separator(c: char) -> bool {
    matches!(
        c,
        '・' | '/'
            | '\\'
            | '_'
            | '-'
            | '‐'
            | '★'
            | '☆'
            | '♪'
            | '♬'
            | '♡'
            | '♥'
            | '❤'
            | '|'
            | '¦'
            | ':'
            | ';'
            | '+'
            | '='
            | '^'
            | '`'
            | '\''
            | '’'
            | '#'
            | '·'
            | '•'
            | '†'
            | '‡'
            | '※'
            | '◦'
            | '∙'
            | '⋅'
            | '¬'
            | '<'
            | '>'
    )
}

/// Brackets that may wrap single letters (【死】【ね】). Not 「」『』: those quote, and frames need them.
pub fn is_bracket(c: char) -> bool {
    matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '【' | '】' | '〔' | '〕' | '〈' | '〉' | '《' | '》' | '〖' | '〗')
}

/// Pictures that speak of harm themselves: never taken for a separator, or the picture would be lost.
pub fn is_harm_emoji(c: char) -> bool {
    matches!(
        c,
        '🔪' | '🔫'
            | '💣'
            | '🔥'
            | '☠'
            | '💀'
            | '🩸'
            | '🪦'
            | '⚰'
            | '👊'
            | '🖕'
            | '💩'
            | '🐷'
            | '🤡'
            | '🔨'
            | '🪓'
            | '⚔'
            | '🗡'
            | '👈'
            | '👉'
            | '🐽'
            | '🐴'
            | '🐎'
            | '🦌'
            | '🐵'
            | '🐒'
    )
}

/// Letters in frames and small capitals, which compatibility normalisation keeps.
pub fn styled(c: char) -> Option<char> {
    const SMALL_CAPITALS: &[(char, char)] = &[
        ('ᴀ', 'a'),
        ('ʙ', 'b'),
        ('ᴄ', 'c'),
        ('ᴅ', 'd'),
        ('ᴇ', 'e'),
        ('ꜰ', 'f'),
        ('ɢ', 'g'),
        ('ʜ', 'h'),
        ('ɪ', 'i'),
        ('ᴊ', 'j'),
        ('ᴋ', 'k'),
        ('ʟ', 'l'),
        ('ᴍ', 'm'),
        ('ɴ', 'n'),
        ('ᴏ', 'o'),
        ('ᴘ', 'p'),
        ('ꞯ', 'q'),
        ('ʀ', 'r'),
        ('ꜱ', 's'),
        ('ᴛ', 't'),
        ('ᴜ', 'u'),
        ('ᴠ', 'v'),
        ('ᴡ', 'w'),
        ('ʏ', 'y'),
        ('ᴢ', 'z'),
    ];
    let letter = |first: char| char::from_u32(u32::from('a') + u32::from(c) - u32::from(first));
    match c {
        '\u{1F150}'..='\u{1F169}' => letter('\u{1F150}'),
        '\u{1F170}'..='\u{1F189}' => letter('\u{1F170}'),
        '\u{1F1E6}'..='\u{1F1FF}' => letter('\u{1F1E6}'),
        _ => SMALL_CAPITALS.iter().find(|(styled, _)| *styled == c).map(|(_, plain)| *plain),
    }
}

/// The katakana that a kanji is mistaken for on purpose (口 for ロ).
pub fn katakana_of_kanji(c: char) -> Option<char> {
    Some(match c {
        '口' => 'ロ',
        '力' => 'カ',
        '夕' => 'タ',
        '二' => 'ニ',
        '工' => 'エ',
        '八' => 'ハ',
        '卜' => 'ト',
        '千' => 'チ',
        '才' => 'オ',
        '乂' => 'メ',
        '厶' => 'ム',
        '匕' => 'ヒ',
        '一' => 'ー',
        _ => return None,
    })
}

/// Ordinary words where such a kanji stands before a katakana: 口コミ, 八ツ裂き.
pub fn is_kanji_before(kanji: char, next: char) -> bool {
    matches!((kanji, next), ('口', 'コ') | ('八', 'ツ' | 'ッ'))
}

/// The Latin letter that a Cyrillic or Greek one (lower case) is mistaken for.
pub fn latin_of_foreign(c: char) -> Option<char> {
    Some(match c {
        'а' | 'α' => 'a',
        'в' | 'β' | 'ь' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'є' | 'ε' => 'e',
        'ɡ' => 'g',
        'н' | 'һ' | 'η' => 'h',
        'і' | 'ι' | 'ı' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' | 'μ' => 'm',
        'п' | 'ո' => 'n',
        'о' | 'ο' | 'օ' | 'σ' => 'o',
        'р' | 'ρ' => 'p',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'ᴢ' | 'ζ' => 'z',
        _ => return None,
    })
}

/// Kanji written for numbers: 〇 beside them is a zero.
pub fn is_kanji_number(c: char) -> bool {
    matches!(c, '一' | '二' | '三' | '四' | '五' | '六' | '七' | '八' | '九' | '十' | '百' | '千' | '〇')
}
