//! Disguised spellings, as data: what is written for what.
//!
//! From observed evasion: homophones of the conversion kind, kanji taken apart, digits read aloud, old and Chinese
//! forms, emoji. Many replacements are ordinary words themselves (氏, 市, 頃), so such variants need boundaries.

/// Another kanji of the same sound. `(written in the form, replacements)`.
pub const HOMOPHONES: &[(&str, &[&str])] = &[
    ("死", &["氏", "市", "師", "視", "四", "詩", "史", "髪"]),
    ("殺", &["頃"]),
    ("馬鹿", &["場仮", "馬稼", "馬と鹿"]),
    ("ばか", &["場仮", "馬稼", "馬と鹿", "莫迦"]),
    ("気違い", &["基地外", "吉外", "既知外", "危地外", "気地外"]),
    ("きちがい", &["基地外", "吉外", "既知外", "危地外", "気地外"]),
    ("知障", &["池沼"]),
    ("統失", &["糖質"]),
    ("阿呆", &["亜歩", "安保"]),
    ("あほ", &["亜歩"]),
    ("きもい", &["肝い"]),
    ("雑魚", &["殘古", "坐古"]),
    ("精神科", &["聖心科"]),
];

/// A kanji taken apart.
pub const APART: &[(&str, &[&str])] = &[
    ("死", &["タヒ", "歹匕", "夕ヒ"]),
    ("殺", &["木又", "メ木又", "メ木几又", "乂木又"]),
    ("糞", &["米田共"]),
    ("粕", &["米白"]),
    ("爆", &["火暴"]),
    ("吐", &["口土"]),
    ("神", &["ネ申"]),
];

/// The start of a form, and the digits read like it. Commonest first.
pub const DIGITS: &[(&str, &str)] = &[
    ("しね", "4ね"),
    ("しね", "ivね"),
    ("死ね", "4ね"),
    ("死ぬ", "4ぬ"),
    ("死ん", "4ん"),
    ("死に", "4に"),
    ("殺し", "564"),
    ("殺", "56"),
    ("しぬ", "4ぬ"),
    ("しん", "4ん"),
    ("しに", "4に"),
    ("ころし", "564"),
    ("ころ", "56"),
    ("くず", "9ず"),
    ("くそ", "9そ"),
];

/// Old, variant and Chinese forms.
pub const OLD_FORMS: &[(&str, &[&str])] = &[
    ("殺", &["杀", "弑"]),
    ("死", &["屍", "斃"]),
    ("馬鹿", &["莫迦"]),
    ("気違い", &["氣違い", "気狂い", "氣狂い"]),
    ("阿呆", &["阿房", "阿保"]),
    ("変態", &["變態"]),
    ("糞", &["屎"]),
    ("粕", &["滓"]),
    ("黙", &["默"]),
    ("殴", &["毆"]),
    ("晒", &["曝"]),
    ("辞", &["辭"]),
    ("呪", &["咒"]),
    ("国", &["國"]),
    ("刺", &["剌"]),
];

/// Characters of other kinds that, together or alone, look like the word.
pub const DRAWN: &[(&str, &[&str])] = &[
    ("しね", &["ιね", "uね", "lね"]),
    ("ばか", &["ば力", "ノヽ゛カ", "ノヽカ"]),
    ("きも", &["≠モ", "千モ"]),
    ("うざ", &["ぅz"]),
    ("あほ", &["了木"]),
    ("土", &["±", "士"]),
];

/// Pictures in place of a word.
pub const EMOJI: &[(&str, &[&str])] = &[
    ("死", &["☠", "💀", "🪦", "⚰"]),
    ("殺", &["🔪"]),
    ("刺", &["🔪", "🗡"]),
    ("爆", &["💣"]),
    ("殴", &["👊"]),
    ("糞", &["💩"]),
    ("くそ", &["💩"]),
    ("豚", &["🐷", "🐽"]),
    ("ぶた", &["🐷", "🐽"]),
    ("馬鹿", &["🐴🦌", "🐎🦌"]),
    ("ばか", &["🐴🦌"]),
    ("猿", &["🐵", "🐒"]),
    ("燃や", &["🔥"]),
];

/// Latin spellings that are English words or names too: weak alone.
pub const ENGLISH: &[&str] = &["shine", "sine", "home", "same", "dame", "bake"];
