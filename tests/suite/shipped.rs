//! The judge as it ships, lexicons and second reader together, on any Unicode and on hostile megabytes.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test suite` is the long form of every property of the suite.

use crate::lexicons::shipped;
use mimamori::engine::Engine;
use mimamori::engine::lexicon::{compile, examples};
use mimamori::engine::reader::model::Model;
use mimamori::engine::scan::Scratch;
use mimamori::engine::text::fold;
use mimamori::model::message::{Field, FieldName, Message};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let engine = Engine::new(compile(&shipped()).lexicon.expect("the shipped lexicons compile")).expect("an automaton");
    let weights = include_bytes!("../../lexicons/reader/weights.bin");
    engine.with_reader(Arc::new(Model::from_bytes(weights).expect("the shipped weights are whole")))
});

/// Forms of the lexicon, marks, line ends, and any Unicode between them.
fn text() -> impl Strategy<Value = String> {
    let count = ENGINE.lexicon().patterns.len();
    let form = (0..count).prop_map(|number| ENGINE.lexicon().patterns[number].loose.clone());
    let mark = prop::sample::select(vec![
        "。",
        "\n",
        "」",
        "「",
        "○",
        "・",
        "ー",
        "っ",
        "しないと",
        "お前",
        "死",
        "は",
        "が",
        "\u{200B}",
        "\u{3099}",
        "\u{202E}",
        "&#27515;",
        "😊",
        "１",
        "\n> ",
    ]);
    let piece = prop_oneof![3 => form, 3 => mark.prop_map(str::to_owned), 1 => any::<String>(), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

fn message(subject: &str, body: &str) -> Message {
    let mut message = examples::chat(body);
    message.fields.insert(0, Field::new(FieldName::Subject, subject.to_owned()));
    message
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_row_of_evidence_is_a_slice_of_the_message(subject in text(), body in text()) {
        let message = message(&subject, &body);
        let verdict = ENGINE.judge(&message, &mut Scratch::default());
        for row in &verdict.evidence {
            let field = message.field(row.field).expect("a field of the message");
            let (Some(start), Some(end)) = (row.start, row.end) else { continue };
            let slice: String = field.text.chars().skip(start).take(end - start).collect();
            prop_assert!(start < end && slice == row.text, "{row:?}");
            prop_assert!(row.spans.iter().all(|span| start <= span.start && span.end <= end && span.start < span.end), "{row:?}");
        }
        let again = ENGINE.judge(&message, &mut Scratch::default());
        prop_assert_eq!(serde_json::to_string(&verdict).unwrap(), serde_json::to_string(&again).unwrap());
    }
}

/// Every character of Unicode: what a fold made is not folded again.
#[test]
fn character_folds_are_idempotent() {
    for c in (0..=0x0010_FFFF).filter_map(char::from_u32) {
        let once = fold(&format!("{c}。"));
        let twice = fold(once.text());
        assert_eq!(once.text(), twice.text(), "{c:?} U+{:04X}", u32::from(c));
    }
}

/// Times within this factor of ordinary text count as linear: candidates cost more than plain text, but by a constant.
const FACTOR_MAX: u32 = 12;

#[test]
fn hostile_megabytes_take_as_long_as_ordinary_ones() {
    // Without optimisation a megabyte takes seconds; the shape of the curve is the same for less.
    let size = if cfg!(debug_assertions) { 64 << 10 } else { 1 << 20 };
    let mut scratch = Scratch::default();
    let mut time = |seed: &str| {
        let message = message("", &seed.repeat(size / seed.len()));
        let judged = |scratch: &mut Scratch| {
            let start = Instant::now();
            ENGINE.judge(&message, scratch);
            start.elapsed()
        };
        (0..2).map(|_| judged(&mut scratch)).min().unwrap_or_default()
    };
    let ordinary = time("お世話になっております。先日注文した品物がまだ届きません。いつごろになりますか。\n").max(Duration::from_millis(5));
    for seed in [
        "○",
        "・",
        "し・",
        "死",
        "殺す",
        "お前",
        "返金しないなら晒す",
        "家族",
        "「",
        "「殺す」",
        "しね",
        "あ",
        "カ",
        "ﾀﾋ",
        "タヒ",
        "\n",
        "死\nね\n",
        "&#27515;",
        "\u{202E}",
        "ね死\u{202E}",
        "殺すと言われ",
        "今から",
        "👨‍👩‍👧",
        "しないと",
    ] {
        let taken = time(seed);
        println!("{seed:?}: {:.1} times ordinary text", taken.as_secs_f64() / ordinary.as_secs_f64());
        assert!(taken < ordinary * FACTOR_MAX, "{seed:?}: {taken:?}, ordinary text {ordinary:?}");
    }
}
