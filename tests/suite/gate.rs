//! The gate errs on one side only: a field that it turns away has nothing that the full path would find.

use crate::lexicons::shipped;
use mimamori::engine::Engine;
use mimamori::engine::gate::Pass;
use mimamori::engine::lexicon::{compile, examples};
use mimamori::engine::scan::Scratch;
use mimamori::engine::text::{Doubt, Quick, fold, skeleton, skim};
use mimamori::engine::trace::{Outcome, Spot, Subject, Trace};
use proptest::prelude::*;
use std::sync::LazyLock;

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(compile(&shipped()).lexicon.expect("the shipped lexicons compile")).expect("an automaton"));

/// A listener makes the engine take the full path.
struct Listener;

impl Trace for Listener {
    fn note(&mut self, _: Subject, _: Spot, _: impl FnOnce() -> Outcome) {}
}

fn quick(text: &str) -> Quick {
    let mut quick = Quick::default();
    skim(text, &mut quick);
    quick
}

fn contains(codes: &[u16], part: &[u16]) -> bool {
    part.is_empty() || codes.windows(part.len()).any(|window| window == part)
}

#[test]
fn what_makes_a_message_worth_the_fold() {
    let rows: &[(&str, bool)] = &[
        ("ご確認のほど、よろしくお願いいたします。", false),
        ("えーっと、来週の火曜日でお願いします！！", false),
        ("死ね", true),
        ("し　ね", true),
        ("バ力野郎", true),
        ("ころーす", true),
        ("ぶっっっ殺す", true),
        ("🍆", true),
    ];
    let mut scratch = Scratch::default();
    for (text, expected) in rows {
        let pass = ENGINE.look(text, &mut scratch);
        assert_eq!(pass.is_some(), *expected, "{text}: {pass:?}");
    }
    for (text, doubt) in [("ｼﾞﾄﾞ", Doubt::Voicing), ("コ＊ス", Doubt::SoftMask), ("カ力ぁ", Doubt::LookAlike), ("あああ", Doubt::Run)]
    {
        assert_eq!(ENGINE.look(text, &mut scratch), Some(Pass::Doubt(doubt)), "{text}");
    }
}

/// One character at a time, over all of Unicode, between letters of every kind.
#[test]
fn the_skeleton_of_every_character_is_that_of_its_fold() {
    for c in (0..=0x0010_FFFF).filter_map(char::from_u32) {
        for (before, after) in [("を", "ゑ"), ("ネ", "ィ"), ("殺", "人"), ("1", "。"), ("っ", "っ"), ("x", " ")] {
            if c > '\u{FFFF}' && before != "を" {
                continue;
            }
            let text = format!("{before}{c}{after}");
            let quick = quick(&text);
            let loose = skeleton(fold(&text).text());
            let holds = contains(&quick.codes, &loose.codes)
                && loose.dropped & !quick.dropped == 0
                && loose.picture.is_none_or(|picture| quick.pictures.contains(&picture));
            assert!(quick.doubt.is_some() || holds, "{text:?} {c:?} U+{:04X}: {:?} lacks {loose:?}", u32::from(c), quick.codes);
        }
    }
}

/// Pieces of lexicon forms, evasions, marks and anything else.
fn text() -> impl Strategy<Value = String> {
    let count = ENGINE.lexicon().patterns.len();
    let form = (0..count, 0..12usize, any::<char>()).prop_map(|(number, evasion, c)| {
        let form = &ENGINE.lexicon().patterns[number].loose;
        let between = |mark: &str| form.chars().map(String::from).collect::<Vec<_>>().join(mark);
        match evasion {
            0 => between(" "),
            1 => between("・"),
            2 => between("ー"),
            3 => between("\n"),
            4 => between("っ"),
            5 => between(&c.to_string()),
            6 => form.chars().flat_map(|c| [c, c, c]).collect(),
            7 => form.chars().map(|c| if ('ぁ'..='ゖ').contains(&c) { char::from_u32(u32::from(c) + 0x60).unwrap() } else { c }).collect(),
            8 => form.chars().map(|c| if c.is_ascii_alphanumeric() { char::from_u32(u32::from(c) + 0xFEE0).unwrap() } else { c }).collect(),
            _ => form.clone(),
        }
    });
    let marks = "、。！？…ー〜っァえぇ 　\n・.-_*×〇○一力口工二八ﾞ゛\u{3099}\u{200B}\u{FE0F}「」（）【】㈱㌔①0aAа😊🍆1=＝ねめせ";
    let mark = prop::sample::select(marks.chars().collect::<Vec<_>>()).prop_map(String::from);
    let piece = prop_oneof![4 => form, 4 => mark, 1 => any::<String>(), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

/// Many more cases with `PROPTEST_CASES`.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_fast_path_drafts_what_the_full_path_drafts(text in text()) {
        let (message, mut scratch) = (examples::chat(&text), Scratch::default());
        let fast = ENGINE.draft(&message, &mut scratch);
        let full = ENGINE.draft_traced(&message, &mut scratch, &mut Listener);
        prop_assert_eq!(fast, full);
    }

    #[test]
    fn a_pattern_in_the_fold_is_in_the_skeleton(text in text()) {
        let quick = quick(&text);
        let (skeleton, folded) = (skeleton(fold(&text).text()), fold(&text));
        prop_assert!(quick.doubt.is_some() || contains(&quick.codes, &skeleton.codes), "{:?} {:?}", quick, folded.text());
        prop_assert_eq!(quick.codes.len(), quick.starts.len());
        prop_assert!(quick.starts.is_sorted());
    }
}
