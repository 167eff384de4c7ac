//! Folding: what disguised writing becomes, which folds that took, and that ordinary writing stays apart.

mod words;

use mimamori::engine::text::{Folded, ViaSet, fold, fold_into, fold_pattern, via_of};
use mimamori::model::verdict::Via;
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// The folds that finding `form` in `text` takes; `None` if the loose stream does not hold it.
fn found(text: &str, form: &str) -> Option<Vec<&'static str>> {
    let folded = fold(text);
    let pattern = fold_pattern(form).expect("a form");
    let byte = folded.text().find(pattern.text())?;
    let at = folded.index_at(byte).expect("a character starts there");
    Some(via_of(&folded, at..at + pattern.len(), &pattern).iter().map(Via::id).collect())
}

/// Evasion class, text, form, the folds it takes.
const FOLDED: &[(&str, &str, &str, &[&str])] = &[
    ("E01", "ﾊﾞｶ", "バカ", &["width"]),
    ("E01", "ｷﾁｶﾞｲ", "キチガイ", &["width"]),
    ("E01", "ﾀﾋね", "タヒね", &["width"]),
    ("E01", "ｓｈｉｎｅ", "shine", &["width"]),
    ("E01", "Ｂａｋａ", "baka", &["width"]),
    ("E01", "SHINE", "shine", &[]),
    ("E02", "シネ", "しね", &["kana"]),
    ("E02", "シね", "しね", &["kana"]),
    ("E02", "コろす", "ころす", &["kana"]),
    ("E02", "しね", "しね", &[]),
    ("E02", "しね", "シネ", &["kana"]),
    ("E07", "バ力", "バカ", &["lookalike"]),
    ("E07", "バ力野郎", "バカ野郎", &["lookalike"]),
    ("E07", "コ口ス", "コロス", &["lookalike"]),
    ("E07", "夕ヒね", "タヒね", &["lookalike"]),
    ("E07", "ѕһine", "shine", &["lookalike"]),
    ("E07", "kоrosu", "korosu", &["lookalike"]),
    ("E08", "ばぁか", "ばか", &["small"]),
    ("E08", "バーーカ", "バカ", &["small"]),
    ("E08", "ころぉす", "ころす", &["small"]),
    ("E08", "しぃねぇ", "しね", &["small"]),
    ("E08", "しねーー", "しね", &[]),
    ("E08", "うぜぇんだよ", "うぜえんだよ", &[]),
    ("E08", "キモッ", "キモ", &[]),
    ("E08", "ふざけんなッ", "ふざけんな", &[]),
    ("E08", "ぶっ殺す", "ぶっ殺す", &[]),
    ("E08", "ぶつ殺す", "ぶっ殺す", &["small"]),
    ("E08", "しゃべるな", "しゃべるな", &[]),
    ("E08", "スーパー", "スーパー", &[]),
    ("E09", "死死死死ね", "死ね", &["repeat"]),
    ("E09", "しししねねね", "しね", &["repeat"]),
    ("E09", "バカァァァ", "バカ", &[]),
    ("E10", "し.ね", "しね", &["separator"]),
    ("E10", "し・ね", "しね", &["separator"]),
    ("E10", "し／ね", "しね", &["separator"]),
    ("E10", "死_ね", "死ね", &["separator"]),
    ("E10", "死 ね", "死ね", &["separator"]),
    ("E10", "死　ね", "死ね", &["separator"]),
    ("E10", "死\nね", "死ね", &["separator"]),
    ("E10", "死★ね", "死ね", &["separator"]),
    ("E10", "お前死😊ねよ", "死ね", &["separator"]),
    ("E10", "死(ね)", "死ね", &["separator"]),
    ("E10", "【死】【ね】", "死ね", &["separator"]),
    ("E10", "s.h.i.n.e", "shine", &["separator"]),
    ("E10", "土 下 座しろ", "土下座", &["separator"]),
    ("E10", "く*た*ば*れ", "くたばれ", &["separator"]),
    ("E11", "死●", "死○", &[]),
    ("E11", "コ＊ス", "コ○ス", &[]),
    ("E11", "キ✕ガイ", "キ○ガイ", &[]),
    ("E11", "バ〇野郎", "バ○野郎", &[]),
    ("E12", "死\u{200B}ね", "死ね", &["invisible"]),
    ("E12", "死\u{3164}\u{2800}\u{FE0F}ね", "死ね", &["invisible"]),
    ("E12", "死\u{E0041}\u{AD}\u{34F}ね", "死ね", &["invisible"]),
    ("E13", "死\u{202E}ね", "死ね", &["invisible"]),
    ("E14", "は゛か", "ばか", &["voicing"]),
    ("E14", "ハﾞカ", "バカ", &["voicing"]),
    ("E14", "か\u{3099}いじ", "がいじ", &["width"]),
    ("E14", "あ゙ほ", "あほ", &["voicing"]),
    ("E19", "\u{F970}す", "殺す", &["width"]),
    ("E28", "𝐬𝐡𝐢𝐧𝐞", "shine", &["width"]),
    ("E28", "ⓚⓘⓛⓛ", "kill", &["width"]),
    ("E28", "🅱🅰🅺🅰", "baka", &["lookalike"]),
    ("E28", "🇰🇮🇱🇱", "kill", &["lookalike"]),
    ("E28", "ᴋɪʟʟ", "kill", &["lookalike"]),
    ("E28", "死\u{336}ね\u{336}", "死ね", &["separator"]),
    ("E28", "馬\u{20DD}鹿", "馬鹿", &["separator"]),
    ("口コミ", "高評価口コミ", "口コミ", &[]),
    ("二度と", "マジ二度と来るな", "二度と", &[]),
];

#[test]
fn disguises_fold_to_the_plain_form() {
    let broken: Vec<_> = FOLDED
        .iter()
        .filter(|(_, text, form, via)| found(text, form).as_deref() != Some(via))
        .map(|(row, text, form, via)| {
            format!("{row} {text} as {form}: {:?}, expected {via:?}; stream {:?}", found(text, form), fold(text).text())
        })
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn ordinary_writing_stays_apart() {
    let rows: &[(&str, &str)] = &[
        ("わたし、ねむい", "しね"),
        ("はなし ねがいます", "しね"),
        ("話し。ねえ", "しね"),
        ("しました\nねじが", "たね"),
        ("ソーシャル・ネット", "るねつ"),
        ("564-893-0", "564893"),
        ("1.5", "15"),
        ("死。ね", "死ね"),
        ("死……………ね", "死ね"),
        ("3×4cm", "3○4"),
        ("二〇二四年", "二○二四"),
        ("2〇24", "2○24"),
        ("男性・女性", "性女"),
    ];
    for (text, form) in rows {
        assert_eq!(found(text, form), None, "{text} must not read as {form}: {:?}", fold(text).text());
    }
}

#[test]
fn a_wrapped_line_goes_on_and_sentences_are_counted() {
    let wrapped = format!("{}必ず殺\nしてやる", "あいうえおかきくけこ".repeat(3));
    assert_eq!(found(&wrapped, "殺して"), Some(vec![]));
    let rows: &[(&str, &[u32])] = &[
        ("あ。い", &[0, 0, 1]),
        ("あ！？い", &[0, 0, 0, 1]),
        ("「あ。い」う。え", &[0, 0, 0, 0, 0, 0, 0, 1]),
        ("あい\nうえ", &[0, 0, 0, 1, 1]),
        ("ok. no", &[0, 0, 0, 0, 1, 1]),
        ("1.5う", &[0, 0, 0, 0]),
        ("「ああ\nいい。う", &[0, 0, 0, 0, 1, 1, 1, 2]),
    ];
    for (text, sentences) in rows {
        let folded = fold(text);
        let got: Vec<_> = folded.cells().iter().map(|cell| cell.sentence).collect();
        assert_eq!(&got, sentences, "{text}: {:?}", folded.text());
    }
}

#[test]
fn a_hit_covers_what_was_merged_into_it() {
    let rows: &[(&str, &str, &str)] = &[
        ("お前しねーーよ", "しね", "しねーー"),
        ("この死 ね", "死ね", "死 ね"),
        ("ﾊﾞｶです", "ばか", "ﾊﾞｶ"),
        ("死死死死ねよ", "死ね", "死死死死ね"),
        ("ば\u{200B}かが", "ばか", "ば\u{200B}か"),
    ];
    for (text, form, expected) in rows {
        let (folded, pattern) = (fold(text), fold_pattern(form).expect("a form"));
        let at = folded.index_at(folded.text().find(pattern.text()).expect("found")).expect("a character");
        let origin = folded.origin(at..at + pattern.len());
        let got: String = text.chars().skip(origin.start).take(origin.len()).collect();
        assert_eq!(&got, expected, "{text}");
    }
}

#[test]
fn every_character_folds_to_itself_the_second_time() {
    let mut folded = Folded::default();
    for c in '\0'..=char::MAX {
        fold_into(c.encode_utf8(&mut [0; 4]), &mut folded);
        let once = folded.text().to_owned();
        assert!(!once.contains(|c: char| c.is_ascii_uppercase() || ('ァ'..='ヶ').contains(&c)), "{c:?} became {once:?}");
        for part in once.chars() {
            fold_into(part.encode_utf8(&mut [0; 4]), &mut folded);
            assert_eq!(folded.text(), part.to_string(), "{c:?} became {once:?}");
        }
    }
}

#[test]
fn buffers_are_reused() {
    let mut folded = Folded::default();
    fold_into(&"お前は死 ねｋｏｒｏｓｕ".repeat(100), &mut folded);
    let (cells, text) = (folded.cells().as_ptr(), folded.text().as_ptr());
    fold_into("短い文", &mut folded);
    assert_eq!((folded.cells().as_ptr(), folded.text().as_ptr(), folded.cells().len()), (cells, text, 3));
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

/// Any Unicode, with the characters the folds care about far more often than chance would give them.
fn nasty() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        2 => any::<char>(),
        6 => prop::sample::select("しねばかころす死殺口力一バカロッっぁァｶﾞﾊﾟsha〇○×*ー〜…。！\n\r 　・.、,()【】「」゛゜\u{3099}\u{309A}\u{200B}\u{200D}\u{202E}\u{336}\u{FE0F}👩🔪😊🇯🇵0４④ﬁ㍿ﷺİẞѕα".chars().collect::<Vec<_>>()),
    ];
    prop::collection::vec(letter, 0..60).prop_map(|letters| letters.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn ranges_lie_within_the_text_and_rise(text in nasty()) {
        let folded = fold(&text);
        let length = u32::try_from(text.chars().count()).expect("short");
        let (mut start, mut byte, mut sentence) = (0, 0, 0);
        for (index, cell) in folded.cells().iter().enumerate() {
            prop_assert!(cell.start < cell.end && cell.end <= length);
            prop_assert!(cell.start >= start && cell.byte == byte && cell.sentence >= sentence);
            prop_assert_eq!(folded.index_at(byte as usize), Some(index));
            (start, sentence) = (cell.start, cell.sentence);
            byte += u32::try_from(cell.loose.len_utf8()).expect("at most 4");
        }
        prop_assert_eq!(byte as usize, folded.text().len());
        prop_assert_eq!(folded.index_at(folded.text().len()), Some(folded.cells().len()));
    }

    #[test]
    fn a_form_finds_itself_without_any_fold(text in "[ぁ-んァ-ヶ亜-煕a-z]{1,12}") {
        prop_assert_eq!(found(&text, &text), Some(vec![]));
    }

    #[test]
    fn the_loose_stream_has_no_small_kana_no_katakana_and_no_capitals(text in nasty()) {
        let small = "ぁぃぅぇぉっゃゅょゎゕゖ\u{200B}\u{202E}";
        let unfolded = |c: char| ('ァ'..='ヶ').contains(&c) || small.contains(c) || c.is_ascii_uppercase();
        let folded = fold(&text);
        prop_assert!(!folded.text().contains(unfolded), "{}", folded.text());
    }
}

#[test]
fn time_grows_with_the_text_only() {
    let mut folded = Folded::default();
    let mut time = |text: &str| {
        let start = Instant::now();
        fold_into(text, &mut folded);
        start.elapsed()
    };
    for seed in [
        "あ", "a", "ー", "っ", "・", " ", "\n", "し・", "し ", "○", "*あ", "\u{3099}", "\u{200B}", "ﷺ", "㌖", "一", "ア一", "ѕ", "…", "。",
        "「", "死\n", "😊", "は゛",
    ] {
        let small = seed.repeat(16 * 1024 / seed.len());
        let large = seed.repeat(256 * 1024 / seed.len());
        let base = (0..3).map(|_| time(&small)).min().unwrap_or_default().max(Duration::from_micros(500));
        // Linear is 16 times as long, quadratic 256 times. Other work on the machine only ever slows a run down, so one
        // run well below quadratic is proof.
        let linear = (0..5).any(|_| time(&large) < base * 16 * 6);
        assert!(linear, "{seed:?}: 16 times the text of {base:?} takes more than 96 times as long");
    }
}

#[test]
fn sets_of_folds() {
    let set: ViaSet = [Via::Kana, Via::Emoji].into_iter().collect();
    assert_eq!(set.iter().map(Via::id).collect::<Vec<_>>(), ["kana", "emoji"]);
    assert!(set.is_subset(ViaSet::ALL) && !ViaSet::ALL.is_subset(set) && ViaSet::EMPTY.is_subset(set));
    assert!(set.contains(Via::Kana) && !set.contains(Via::Width));
    assert_eq!(ViaSet::ALL.iter().count(), Via::ALL.len());
    assert_eq!(set.difference(ViaSet::of(&[Via::Kana])), ViaSet::of(&[Via::Emoji]));
}

#[test]
fn other_readings_say_what_the_text_hides() {
    use mimamori::engine::text::{Heads, rewrite, shows_codes, shows_drawn};
    let rows = [
        ("&#27515;&#x306d;", Some("死ね")),
        ("\\u6b7b\\u306d", Some("死ね")),
        ("%E6%AD%BB%E3%81%AD", Some("死ね")),
        ("https://example.jp/%E6%AD%BB", None),
        ("お前\u{202E}ね死\u{202C}よ", Some("お前死ね\u{202C}よ")),
        ("ιね", Some("しね")),
        ("ﾚﾈ", Some("しﾈ")),
        ("ﾉヾｶ", Some("ばｶ")),
        ("千モイ", Some("キモイ")),
        ("≠モィ", Some("きモィ")),
        ("火暴破する", Some("爆破する")),
        ("默れ", Some("黙れ")),
        ("ﾚｼﾋﾟ", None),
        ("入口の口座は3千円", None),
        ("USB端子のURL", None),
    ];
    for (text, expected) in rows {
        assert_eq!(rewrite(text).map(|recast| recast.text).as_deref(), expected, "{text}");
        assert!(expected.is_none() || shows_codes(text) || shows_drawn(text), "{text}");
    }
    assert!(!shows_drawn("入口の口座は3千円") && !shows_drawn("お世話になっております"));
    let mut buffers = Heads::default();
    let mut heads = |text: &str| buffers.read(text).map(|recast| recast.text.clone());
    assert_eq!(heads("死について\n・ねこ\n よし").as_deref(), Some("死ねよ\n\n"));
    assert_eq!(heads("死について\nねこ"), None);
}
