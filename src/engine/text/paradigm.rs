//! The endings of each class, by mood: one table for all verbs, since the classes differ only in their stems.
//!
//! Standard forms after any school grammar; contracted (ちゃう, とけ, てえ), western (たる, たろか, てまう, んかい, さらせ) and
//! contemptuous endings (やがれ, くされ) as heard in abuse. A form matches whatever follows it, so an ending is as short
//! as its mood stays clear: 殺そう, not 殺そうか.

use crate::engine::text::mood::Mood;

/// What an ending is put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stem {
    /// 殺す, 消える.
    Dictionary,
    /// る of the dictionary form left out: 殴, 消え (殴んな, 消えんな). Only verbs in る, and する.
    Clipped,
    /// 殺さ, 消え, し.
    Negative,
    /// Before ん and ず: as above, but せ for する.
    Old,
    /// 殺し, 消え.
    Continuative,
    /// 殺せ, 消えれ.
    Conditional,
    /// 殺せ; 消えろ, 消えよ, 消えれ. Takes no ending.
    Imperative,
    /// 殺そ, 消えよ.
    Volitional,
    /// Before て and た: 殺し, 死ん. て, た, ち, と are voiced after 死ん.
    Te,
    /// The same, only where they are not voiced: 死んだろう is a guess, 殺したろ a threat.
    ClearTe,
    /// 殺され, 消えられ.
    Passive,
    /// 殺せ, でき.
    Potential,
    /// 殺させ, 死なせ.
    Causative,
    /// 殺さ, 死な: the short causative 死なす. Only 五段.
    ShortCausative,
}

/// Rows of stem, mood and endings. Where two rows make the same form, the first holds.
pub const ENDINGS: &[(Stem, Mood, &[&str])] = &[
    (Stem::Dictionary, Mood::Plain, &[""]),
    (Stem::Imperative, Mood::Imperative, &[""]),
    (Stem::Continuative, Mood::Imperative, &["なさい", "なはれ", "なせえ", "なよ", "な!", "な。", "たまえ", "給え"]),
    (Stem::Old, Mood::Imperative, &["んかい", "んか!", "んかワレ"]),
    (Stem::Causative, Mood::Imperative, &["ろ", "よ"]),
    (
        Stem::Te,
        Mood::TeRequest,
        &[
            "てくれ",
            "てくださ",
            "て下さ",
            "ていただ",
            "て頂",
            "てほし",
            "て欲し",
            "てもら",
            "て貰",
            "てちょうだ",
            "てみろ",
            "て見ろ",
            "てみせろ",
            "てこい",
            "て来い",
            "てしまえ",
            "てまえ",
            "てわび",
            "て詫び",
            "てお詫び",
            "て償",
            "てつぐな",
            "てよ",
            "てね",
            "て!",
            "て。",
            "とけ",
            "といて",
            "ときな",
            "ておけ",
            "ちまえ",
            "ちゃえ",
            "ちゃってくれ",
            "たら?",
            "たらどう",
            "たらいかが",
            "たらいい",
            "たらいいのに",
            "たらええ",
        ],
    ),
    (Stem::Conditional, Mood::TeRequest, &["ばいいのに", "ばええのに", "ばいいよ", "ばいいさ"]),
    (Stem::Volitional, Mood::Volitional, &["う", "か", "っか"]),
    (Stem::Continuative, Mood::Volitional, &["に行", "にいく", "にいき", "に来", "にかかる"]),
    (
        Stem::Te,
        Mood::TeYaru,
        &[
            "てやる",
            "てやろ",
            "てやん",
            "てやりた",
            "てやりま",
            "てやっか",
            "てやっても",
            "てやった",
            "てやらあ",
            "てみせる",
            "てみせま",
            "たる",
            "たんぞ",
            "たんど",
            "たんねん",
            "てまう",
            "てまお",
            "てまいま",
            "ちゃう",
            "ちゃお",
            "ちゃいま",
            "ちまう",
            "ちまお",
            "てしまうぞ",
            "てしまお",
        ],
    ),
    (Stem::ClearTe, Mood::TeYaru, &["たろ", "たりま"]),
    (Stem::Causative, Mood::TeYaru, &["てやる", "てやろ", "てやん", "てやりた", "たる", "たろ"]),
    (Stem::Dictionary, Mood::Prohibitive, &["な"]),
    (Stem::Clipped, Mood::Prohibitive, &["んな", "んじゃねえ", "んじゃない"]),
    (Stem::Continuative, Mood::Desiderative, &["たい", "たく", "たか", "たそう", "たが", "てえ", "てー"]),
    (Stem::Negative, Mood::Negative, &["ない", "なか", "なく", "なけ", "なきゃ", "ねえ"]),
    (Stem::Old, Mood::Negative, &["ん", "ず", "ぬ"]),
    (Stem::Continuative, Mood::Negative, &["ませ", "はしな", "はせん", "ゃしな"]),
    (Stem::Dictionary, Mood::Negative, &["まい", "わけな", "わけが", "つもりは", "気はな"]),
    (Stem::Te, Mood::Negative, &["ていな", "てな", "てねえ", "てませ", "ていませ", "てはな", "ちゃいな", "とらん", "てへん"]),
    (Stem::Passive, Mood::Passive, &[""]),
    (
        Stem::Passive,
        Mood::PassiveDesire,
        &[
            "たいか",
            "たいのか",
            "たいの?",
            "たいんか",
            "たいんだな",
            "たいんだろ",
            "たいんです",
            "たいです",
            "たいわけ",
            "てえか",
            "てえの",
            "てえん",
            "てぇか",
            "てぇの",
            "てぇん",
            "たくなけ",
            "たくなきゃ",
            "たくなかったら",
            "ても文句",
            "ても知ら",
            "ても仕方",
        ],
    ),
    (
        Stem::Te,
        Mood::Past,
        &[
            "た",
            "ていた",
            "てた",
            "てしまっ",
            "てしまい",
            "ちゃった",
            "ちゃって",
            "ちまった",
            "ちまって",
            "てもた",
            "てよかった",
            "て良かった",
            "とった",
        ],
    ),
    (Stem::Continuative, Mood::Past, &["まし", "に行った", "にいった", "に行き", "に来た", "に来まし"]),
    (Stem::Conditional, Mood::Conditional, &["ば", "りゃ"]),
    (Stem::Te, Mood::Conditional, &["たら", "たらいいで", "たらいいの", "たらいいん", "たらいいか", "たらいいと", "ては", "ちゃ", "ても"]),
    (Stem::Dictionary, Mood::Conditional, &["なら"]),
    (Stem::Potential, Mood::Potential, &["る", "ない", "なか", "なく", "ます", "ません", "まし", "たら", "ずに", "れば"]),
    (
        Stem::Te,
        Mood::Progressive,
        &["ている", "ています", "ていて", "ていれ", "てる", "てます", "てて", "てん", "とる", "とん", "とります"],
    ),
    (Stem::Causative, Mood::Causative, &[""]),
    (Stem::ShortCausative, Mood::Causative, &["す", "して", "した"]),
    (
        Stem::Continuative,
        Mood::Contempt,
        &[
            "やがれ",
            "やがる",
            "やがっ",
            "やがん",
            "さらせ",
            "さらす",
            "さらし",
            "くさる",
            "くされ",
            "くさっ",
            "くさり",
            "けつかる",
            "けつかれ",
        ],
    ),
    (Stem::Te, Mood::Contempt, &["てやがる", "てやがれ", "てやがっ", "てやがん", "てけつかる", "てさらせ"]),
    (Stem::Continuative, Mood::Polite, &["ます", "ましょ", "まっせ"]),
];

/// Endings of adjectives in い, on the stem (うざ).
pub const ADJECTIVE_ENDINGS: &[(Mood, &[&str])] = &[
    (Mood::Plain, &["い", "くて", "く", "すぎ", "過ぎ", "っ!", "。"]),
    (Mood::Past, &["かった"]),
    (Mood::Negative, &["くな", "くね", "くあ"]),
    (Mood::Conditional, &["けれ", "かったら"]),
];

/// A row of 五段: dictionary ending, the endings in あ, い, え, お, and what stands before て (with whether it is voiced).
pub type Row = (char, char, char, char, char, &'static str, bool);

/// The rows of 五段.
pub const ROWS: &[Row] = &[
    ('う', 'わ', 'い', 'え', 'お', "っ", false),
    ('く', 'か', 'き', 'け', 'こ', "い", false),
    ('ぐ', 'が', 'ぎ', 'げ', 'ご', "い", true),
    ('す', 'さ', 'し', 'せ', 'そ', "し", false),
    ('つ', 'た', 'ち', 'て', 'と', "っ", false),
    ('ぬ', 'な', 'に', 'ね', 'の', "ん", true),
    ('ぶ', 'ば', 'び', 'べ', 'ぼ', "ん", true),
    ('む', 'ま', 'み', 'め', 'も', "ん", true),
    ('る', 'ら', 'り', 'れ', 'ろ', "っ", false),
];
