//! What kind of character it is, as far as word boundaries and look-alikes need to know.

/// Kind of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Script {
    /// ひらがな.
    Hiragana,
    /// カタカナ, full or half width.
    Katakana,
    /// 漢字.
    Kanji,
    /// Latin letters, full or half width.
    Latin,
    /// 0 to 9, full or half width.
    Digit,
    /// Punctuation and symbols.
    Mark,
    /// Spaces and line ends.
    Space,
    /// Pictures.
    Emoji,
    /// Letters of any other script.
    Other,
}

/// The kind of `c`.
pub fn script(c: char) -> Script {
    match c {
        '\u{3041}'..='\u{3096}' | 'ゝ' | 'ゞ' => Script::Hiragana,
        '\u{30A1}'..='\u{30FA}' | 'ー' | 'ヽ' | 'ヾ' | '\u{31F0}'..='\u{31FF}' | '\u{FF66}'..='\u{FF9F}' => Script::Katakana,
        '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFD}'
        | '々'
        | '〆'
        | '〇'
        | '\u{2E80}'..='\u{2FDF}' => Script::Kanji,
        '0'..='9' | '０'..='９' => Script::Digit,
        'a'..='z' | 'A'..='Z' | 'ａ'..='ｚ' | 'Ａ'..='Ｚ' | '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' => {
            if matches!(c, '×' | '÷') { Script::Mark } else { Script::Latin }
        }
        '\u{1F000}'..='\u{1FAFF}'
        | '\u{2600}'..='\u{27BF}'
        | '\u{2B00}'..='\u{2BFF}'
        | '\u{231A}'
        | '\u{231B}'
        | '\u{23E9}'..='\u{23FA}' => Script::Emoji,
        _ if c.is_whitespace() => Script::Space,
        _ if c.is_numeric() => Script::Digit,
        _ if c.is_alphabetic() => Script::Other,
        _ => Script::Mark,
    }
}
