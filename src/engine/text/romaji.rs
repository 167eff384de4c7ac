//! Hiragana to Latin letters, in the spellings people type: Hepburn (shi, tsu) and Kunrei (si, tu).

/// Kana (as the fold leaves them, but with small ゃゅょ and っ) and both spellings.
const SYLLABLES: &[(&str, &str, &str)] = &[
    ("しゃ", "sha", "sya"),
    ("しゅ", "shu", "syu"),
    ("しょ", "sho", "syo"),
    ("ちゃ", "cha", "tya"),
    ("ちゅ", "chu", "tyu"),
    ("ちょ", "cho", "tyo"),
    ("じゃ", "ja", "zya"),
    ("じゅ", "ju", "zyu"),
    ("じょ", "jo", "zyo"),
    ("し", "shi", "si"),
    ("ち", "chi", "ti"),
    ("つ", "tsu", "tu"),
    ("ふ", "fu", "hu"),
    ("じ", "ji", "zi"),
    ("ぢ", "ji", "zi"),
    ("づ", "zu", "zu"),
    ("を", "wo", "o"),
    ("わ", "wa", "wa"),
    ("ん", "n", "n"),
    ("や", "ya", "ya"),
    ("ゆ", "yu", "yu"),
    ("よ", "yo", "yo"),
];

/// Rows of kana in order あいうえお with their consonant.
const ROWS: &[(&str, &str)] = &[
    ("あいうえお", ""),
    ("かきくけこ", "k"),
    ("がぎぐげご", "g"),
    ("さしすせそ", "s"),
    ("ざじずぜぞ", "z"),
    ("たちつてと", "t"),
    ("だぢづでど", "d"),
    ("なにぬねの", "n"),
    ("はひふへほ", "h"),
    ("ばびぶべぼ", "b"),
    ("ぱぴぷぺぽ", "p"),
    ("まみむめも", "m"),
    ("らりるれろ", "r"),
];

/// `kana` in Hepburn and Kunrei; once if they agree. Empty if it holds anything but hiragana.
pub fn romanise(kana: &str) -> Vec<String> {
    let hepburn = spell(kana, false);
    let kunrei = spell(kana, true).filter(|kunrei| Some(kunrei) != hepburn.as_ref());
    hepburn.into_iter().chain(kunrei).collect()
}

fn spell(kana: &str, kunrei: bool) -> Option<String> {
    let mut out = String::new();
    let mut rest = kana;
    let mut doubled = false;
    while let Some(first) = rest.chars().next() {
        if first == 'っ' {
            doubled = true;
            rest = rest.strip_prefix(first)?;
            continue;
        }
        let (syllable, left) = syllable(rest, kunrei)?;
        if std::mem::take(&mut doubled) {
            out.extend(syllable.chars().next());
        }
        out.push_str(&syllable);
        rest = left;
    }
    Some(out)
}

fn syllable(kana: &str, kunrei: bool) -> Option<(String, &str)> {
    for (written, hepburn, other) in SYLLABLES {
        if let Some(rest) = kana.strip_prefix(written) {
            return Some((if kunrei { other } else { hepburn }.to_string(), rest));
        }
    }
    let first = kana.chars().next()?;
    let rest = kana.strip_prefix(first)?;
    let (at, consonant) = ROWS.iter().find_map(|(row, consonant)| Some((row.chars().position(|c| c == first)?, consonant)))?;
    let small = rest.chars().next().and_then(|c| Some(['a', 'u', 'o'][['ゃ', 'ゅ', 'ょ'].iter().position(|small| *small == c)?]));
    match small {
        Some(vowel) if at == 1 => Some((format!("{consonant}y{vowel}"), rest.strip_prefix(['ゃ', 'ゅ', 'ょ'])?)),
        Some(_) => None,
        None => Some((format!("{consonant}{}", ['a', 'i', 'u', 'e', 'o'][at]), rest)),
    }
}

/// Two Latin letters that are a unit or a word of their own.
const OTHER_INITIALS: &[&str] =
    &["kg", "gb", "mb", "kb", "mm", "km", "tb", "ng", "tv", "pm", "db", "nm", "ms", "hp", "bb", "rt", "dm", "st", "nd", "rd", "th"];

/// The first consonants of `kana`: くず is kz. `None` if a kana has none, or it is a unit (km).
pub fn initials(kana: &str) -> Option<String> {
    let first = |c: char| ROWS.iter().find(|(row, _)| row.contains(c)).and_then(|(_, consonant)| consonant.chars().next());
    let letters: String = kana.chars().map(|c| first(c).or("やゆよ".contains(c).then_some('y'))).collect::<Option<_>>()?;
    (!OTHER_INITIALS.contains(&letters.as_str())).then_some(letters)
}

/// Kana keys of a Japanese keyboard, and what they give in Latin mode.
const KEYS: (&str, &str) = (
    "ぬふあうえおやゆよわほへたていすかんなにらせ゛゜ちとしはきくまのりれけむつさそひこみもねるめろ",
    "1234567890-^qwertyuiop@[asdfghjkl;:]zxcvbnm,./\\",
);

/// The keys that type `kana` in kana mode, as they read in Latin mode: しね is `d,`. `None` if a kana has no key.
pub fn keys(kana: &str) -> Option<String> {
    use unicode_normalization::UnicodeNormalization;
    let spacing = |c: char| match c {
        '\u{3099}' => '゛',
        '\u{309A}' => '゜',
        other => other,
    };
    kana.nfd().map(spacing).map(|c| KEYS.1.chars().nth(KEYS.0.chars().position(|key| key == c)?)).collect()
}
