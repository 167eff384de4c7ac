//! Word boundaries and disguised spellings: what stands alone, and what only looks like it.

use mimamori::engine::text::{Folded, Side, VARIANTS_MAX, Variant, ViaSet, fold, fold_pattern, has_boundary, variants};
use mimamori::model::verdict::Via;
use std::collections::BTreeSet;
use std::ops::Range;

/// Text and a kana word that stands alone in it.
const ALONE: &[(&str, &str)] = &[
    ("しね！", "しね"),
    ("しねよ", "しね"),
    ("お前しね", "しね"),
    ("おまえはしね", "しね"),
    ("シネ", "しね"),
    ("まじシネよ", "しね"),
    ("さっさとしね", "しね"),
    ("クソしね", "しね"),
    ("しねしねしねしね", "しね"),
    ("うるせえ、しね。", "しね"),
    ("もう し ね", "しね"),
    ("客しねと思ってるだろ", "しね"),
    ("しねーー！", "しね"),
    ("ころすぞ", "ころす"),
    ("まじころす", "ころす"),
    ("絶対ころすからな", "ころす"),
    ("コロス", "ころす"),
    ("お前をころす", "ころす"),
    ("ばか", "ばか"),
    ("このばか", "ばか"),
    ("このバカ野郎", "ばか"),
    ("ばかじゃねえの", "ばか"),
    ("ばかども", "ばか"),
    ("バカヤロウ", "ばか"),
    ("おまえらばかか", "ばか"),
    ("そんなばかな", "ばか"),
    ("クソババア", "くそ"),
    ("このクズが", "くず"),
    ("あほか。", "あほ"),
    ("どうしようもないカスだな", "かす"),
    ("ハゲは黙れ", "はげ"),
];

/// Text and a kana word that is only part of another in it.
const INSIDE: &[(&str, &str)] = &[
    ("いい商品だしね", "しね"),
    ("安いですしね", "しね"),
    ("助かりますしね", "しね"),
    ("だしね、ですしね、ですしね", "しね"),
    ("動かすしね", "しね"),
    ("楽しかったしね", "しね"),
    ("もしねむいなら", "しね"),
    ("返金しねえのか", "しね"),
    ("何もしねえ", "しね"),
    ("気にしねーよ", "しね"),
    ("対応しね", "しね"),
    ("映画はシネマで", "しね"),
    ("シネコンで見た", "しね"),
    ("シネスコサイズ", "しね"),
    ("わ た し ね む い", "しね"),
    ("お話しねがいます", "しね"),
    ("このころすでに届いていた", "ころす"),
    ("そのころすぐに", "ころす"),
    ("お忙しいところすみません", "ころす"),
    ("こころする", "ころす"),
    ("その頃すぐに", "頃す"),
    ("試しばかり", "ばか"),
    ("このばかり", "ばか"),
    ("ソバカス", "ばか"),
    ("ソバカス", "かす"),
    ("バカンスに", "ばか"),
    ("ばかし", "ばか"),
    ("はばかりながら", "ばか"),
    ("バカラのグラス", "ばか"),
    ("バカガイ", "ばか"),
    ("アルバカーキ", "ばか"),
    ("カスタマーセンター", "かす"),
    ("カステラ", "かす"),
    ("カスタム", "かす"),
    ("動かす", "かす"),
    ("かすみ", "かす"),
    ("かすかに", "かす"),
    ("サブスク", "ぶす"),
    ("ラブストーリー", "ぶす"),
    ("つぶす", "ぶす"),
    ("はげしい雨", "はげ"),
    ("はげまします", "はげ"),
    ("ハゲワシ", "はげ"),
    ("塗装がはげた", "はげ"),
    ("くずれた", "くず"),
    ("くずかご", "くず"),
    ("くずもち", "くず"),
    ("デブリ", "でぶ"),
    ("デブオプス", "でぶ"),
    ("ランデブー", "でぶ"),
    ("なごみ", "ごみ"),
    ("ブルドックソース", "くそ"),
    ("フォークソング", "くそ"),
    ("エクソン", "くそ"),
    ("タヒチ産", "たひ"),
    ("タヒボ茶", "たひ"),
    ("ヒタヒタ", "たひ"),
    ("いきちがいでメールが届きました", "きちがい"),
    ("はきちがいでした", "きちがい"),
    ("寝ぼけて", "ぼけ"),
    ("写真がボケる", "ぼけ"),
    ("ボケてしまう", "ぼけ"),
    ("あけおめことよろ", "おめこ"),
    ("うんこれは", "うんこ"),
    ("とぼけるな", "ぼけ"),
    ("あいにくその日は", "くそ"),
    ("私はよくその公園へ行く", "くそ"),
];

/// Every place where `word` stands in the loose stream of `text`.
fn places(folded: &Folded, word: &str) -> Vec<Range<usize>> {
    let pattern = fold_pattern(word).expect("a form");
    let bytes = folded.text().match_indices(pattern.text()).filter_map(|(byte, _)| folded.index_at(byte));
    bytes.map(|at| at..at + pattern.len()).collect()
}

/// Whether `word` stands in `text` with an edge on both sides.
fn is_word(text: &str, word: &str) -> bool {
    let folded = fold(text);
    let cells = folded.cells();
    places(&folded, word).into_iter().any(|at| has_boundary(cells, at.clone(), Side::Left) && has_boundary(cells, at, Side::Right))
}

#[test]
fn kana_words_stand_alone() {
    for (text, word) in ALONE {
        assert!(is_word(text, word), "{word} in {text}: {:?}", fold(text).text());
    }
}

#[test]
fn kana_inside_other_words_does_not_stand_alone() {
    for (text, word) in INSIDE {
        assert!(!is_word(text, word), "{word} in {text}: {:?}", fold(text).text());
    }
}

/// The folds of the strongest variant of `form` that stands in `text`, and whether it is weak.
fn disguised(text: &str, form: &str, reading: &str) -> Option<(Vec<&'static str>, bool)> {
    let folded = fold(text);
    let made = variants(form, Some(reading), ViaSet::ALL, VARIANTS_MAX);
    let hit = made.iter().filter(|variant| stands(&folded, variant)).min_by_key(|variant| variant.weak)?;
    Some((hit.via.iter().map(Via::id).collect(), hit.weak))
}

fn stands(folded: &Folded, variant: &Variant) -> bool {
    let cells = folded.cells();
    let beside = |at: usize, test: fn(char) -> bool| cells.get(at).is_some_and(|cell| test(cell.loose));
    places(folded, &variant.text).into_iter().any(|at| {
        let neighbours = [at.start.wrapping_sub(1), at.end];
        let digit = neighbours.iter().any(|at| beside(*at, |c| c.is_ascii_digit()));
        let latin = neighbours.iter().any(|at| beside(*at, |c| c.is_ascii_alphanumeric()));
        let edge = |needed: bool, side| !needed || has_boundary(cells, at.clone(), side);
        !(variant.digit_guard && digit || variant.token && latin)
            && edge(variant.left_boundary, Side::Left)
            && edge(variant.right_boundary, Side::Right)
    })
}

/// Evasion class, text, form, reading, folds, and whether it is weak.
type Disguise = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], bool);

const DISGUISED: &[Disguise] = &[
    ("E03", "お前氏ね", "死ね", "しね", &["homophone"], false),
    ("E03", "市ね！", "死ね", "しね", &["homophone"], false),
    ("E03", "頃すぞ", "殺す", "ころす", &["homophone"], false),
    ("E03", "この基地外", "きちがい", "きちがい", &["homophone"], false),
    ("E03", "場仮だろ", "馬鹿", "ばか", &["homophone"], false),
    ("E04", "4ね", "死ね", "しね", &["digit"], false),
    ("E04", "④ねよ", "死ね", "しね", &["digit"], false),
    ("E04", "56すぞ", "殺す", "ころす", &["digit"], false),
    ("E04", "564てやる", "殺してやる", "ころしてやる", &["digit"], false),
    ("E04", "9ずが", "くず", "くず", &["digit"], false),
    ("E05", "ﾀﾋね", "死ね", "しね", &["apart"], false),
    ("E05", "歹匕ね", "死ね", "しね", &["apart"], false),
    ("E05", "木又すぞ", "殺す", "ころす", &["apart"], false),
    ("E05", "メ木几又す", "殺す", "ころす", &["apart"], false),
    ("E05", "米田共", "糞", "くそ", &["apart"], false),
    ("E06", "Uね", "しね", "しね", &["lookalike"], false),
    ("E07", "今すぐ±下座しろ", "土下座", "どげざ", &["lookalike"], false),
    ("E11", "死◯", "死ね", "しね", &["mask"], true),
    ("E11", "○ね", "死ね", "しね", &["mask"], true),
    ("E11", "ぶっ●す", "ぶっ殺す", "ぶっころす", &["mask"], false),
    ("E11", "コ□ス", "ころす", "ころす", &["mask"], false),
    ("E11", "コ＊ス", "ころす", "ころす", &["mask"], false),
    ("E11", "ころ●", "ころす", "ころす", &["mask"], false),
    ("E11", "バ○", "バカ", "ばか", &["mask"], true),
    ("E11", "バ◯野郎", "バカ野郎", "ばかやろう", &["mask"], false),
    ("E11", "キ✕ガイ", "キチガイ", "きちがい", &["mask"], false),
    ("E11", "タ○ね", "死ね", "しね", &["apart", "mask"], false),
    ("E10", "死×ね", "死ね", "しね", &["separator"], false),
    ("E15", "korosu", "ころす", "ころす", &["romaji"], false),
    ("E15", "k0r0su", "ころす", "ころす", &["lookalike", "romaji"], false),
    ("E15", "korosぞ", "ころす", "ころす", &["romaji"], false),
    ("E15", "bakayarou", "ばかやろう", "ばかやろう", &["romaji"], false),
    ("E15", "bakayaro", "ばかやろう", "ばかやろう", &["romaji"], false),
    ("E15", "kichigai", "きちがい", "きちがい", &["romaji"], false),
    ("E15", "sine", "しね", "しね", &["romaji"], true),
    ("E15", "shine", "しね", "しね", &["romaji"], true),
    ("E15", "sh1ne", "しね", "しね", &["lookalike", "romaji"], false),
    ("E15", "死ne", "死ね", "しね", &["romaji"], false),
    ("E15", "しne", "しね", "しね", &["romaji"], false),
    ("E14", "このきちかい", "きちがい", "きちがい", &["voicing"], false),
    ("E18", "💀ね", "死ね", "しね", &["emoji"], false),
    ("E18", "🔪すぞ", "殺す", "ころす", &["emoji"], false),
    ("E19", "杀す", "殺す", "ころす", &["variant"], false),
    ("E19", "莫迦", "馬鹿", "ばか", &["variant"], false),
    ("E19", "屍ね", "死ね", "しね", &["variant"], false),
];

#[test]
fn disguised_spellings_are_generated() {
    let broken: Vec<_> = DISGUISED
        .iter()
        .map(|(row, text, form, reading, via, weak)| (row, text, disguised(text, form, reading), Some((via.to_vec(), *weak))))
        .filter(|(_, _, got, expected)| got != expected)
        .map(|(row, text, got, expected)| format!("{row} {text}: {got:?}, expected {expected:?}; stream {:?}", fold(text).text()))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn ordinary_words_are_no_disguise() {
    for (text, form, reading) in [
        ("注文番号 564-893-0", "殺し", "ころし"),
        ("4ねん保証", "死ね", "しね"),
        ("2024ねん", "死ね", "しね"),
        ("14ね", "死ね", "しね"),
        ("型番 56S", "殺す", "ころす"),
        ("156すぞ", "殺す", "ころす"),
        ("氏名", "死ね", "しね"),
        ("市内", "死ね", "しね"),
        ("大阪市ね", "死ね", "しね"),
        ("医師ねえ", "死ね", "しね"),
        ("四ねんせい", "死ね", "しね"),
        ("その頃すぐに", "殺す", "ころす"),
        ("その頃すでに", "殺す", "ころす"),
        ("moonshine", "しね", "しね"),
        ("sunshine", "しね", "しね"),
        ("bakara", "ばか", "ばか"),
        ("行きちかいで", "きちがい", "きちがい"),
        ("○○さん ○月○日", "殺す", "ころす"),
        ("◯◯様", "死ね", "しね"),
        ("4に行く", "死ね", "しね"),
    ] {
        assert_eq!(disguised(text, form, reading), None, "{text}");
    }
}

#[test]
fn variants_keep_to_what_is_allowed_and_to_the_limit() {
    let count = |allowed, limit| variants("死ね", Some("しね"), allowed, limit).len();
    assert_eq!(count(ViaSet::EMPTY, VARIANTS_MAX), 0);
    assert_eq!(count(ViaSet::ALL, 5), 5);
    assert!((10..=VARIANTS_MAX).contains(&count(ViaSet::ALL, usize::MAX)));
    let digits = variants("死ね", Some("しね"), ViaSet::of(&[Via::Digit]), VARIANTS_MAX);
    assert_eq!(digits.iter().map(|variant| variant.text.as_str()).collect::<Vec<_>>(), ["4ね", "ivね"]);
    for form in ["", "し", "死", "💩", "abc", "死ねばいいのにと思っています"] {
        let made = variants(form, None, ViaSet::ALL, VARIANTS_MAX);
        let texts: BTreeSet<_> = made.iter().map(|variant| &variant.text).collect();
        assert_eq!(texts.len(), made.len(), "{form} has a spelling twice");
    }
}
