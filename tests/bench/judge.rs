//! Judging in MB/s on ordinary text, against the raw limits of the same run.
//!
//! `judge` is everything from text to verdict. The raw limits are aho-corasick (contiguous NFA, overlapping) over every form the
//! lexicon searches, on the text as it stands, and the same automaton after a generic NFKC. Every contender takes its turn in each
//! round, and ratios are medians over rounds, so a noisy machine disturbs all alike. Run `cargo bench --bench judge`.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use mimamori::app;
use mimamori::engine::Engine;
use mimamori::engine::lexicon::compile;
use mimamori::engine::reader::model::Model;
use mimamori::engine::scan::Scratch;
use mimamori::engine::text::{Folded, fold_into};
use mimamori::model::message::Message;
use serde_json::Value;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use unicode_normalization::UnicodeNormalization;

/// Rounds in which every contender takes its turn.
const ROUNDS: usize = 15;
/// Text looked at per turn, in bytes.
const TURN_BYTES: usize = 1 << 20;
/// Lines that make one mail.
const MAIL_LINES: usize = 20;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (engine, with_reader) = (engine(root, false), engine(root, true));
    let forms: Vec<&str> = engine.lexicon().patterns.iter().map(|pattern| pattern.loose.as_str()).collect();
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .match_kind(MatchKind::Standard)
        .build(&forms)
        .expect("the forms fit an automaton");
    println!("{} forms", forms.len());
    let lines = ordinary(root);
    let mails: Vec<String> = lines.chunks(MAIL_LINES).map(|lines| lines.join("\n")).collect();
    for (name, texts) in [("chat", take(&lines)), ("mail", take(&mails))] {
        report(name, &texts, &engine, &with_reader, &automaton);
    }
}

/// The lexicon's judge, alone or with the second reader.
fn engine(root: &Path, reader: bool) -> Engine {
    let sources = app::read_lexicons(&[root.join("lexicons")]).expect("the shipped lexicons are readable");
    let lexicon = compile(&sources).lexicon.expect("the shipped lexicons compile");
    let engine = Engine::new(lexicon).expect("the shipped lexicons fit an automaton");
    if !reader {
        return engine;
    }
    let bytes = std::fs::read(root.join("lexicons/reader/weights.bin")).expect("the shipped weights are readable");
    engine.with_reader(Arc::new(Model::from_bytes(&bytes).expect("the shipped weights are whole")))
}

/// Ordinary messages: the level 0 cases of the repository, and the benign corpora where they stand beside it.
fn ordinary(root: &Path) -> Vec<String> {
    let mut lines = vec![];
    for file in ["travel_agency_talk", "persona_chat", "reviews_quasi", "meetings"] {
        let path = root.join("../shared/data/benign").join(file).with_extension("jsonl");
        lines.extend(texts(&path, |_| true));
    }
    if lines.is_empty() {
        lines = texts(&root.join("tests/cases/messages/open.jsonl"), |row| row["level"] == 0);
    }
    // A stride mixes the corpora.
    let stride = (lines.len() / 7).max(1);
    (0..stride).flat_map(|from| lines.iter().skip(from).step_by(stride)).cloned().collect()
}

fn texts(path: &Path, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    rows.filter(wanted).filter_map(|row| row["text"].as_str().map(str::to_owned)).collect()
}

fn take(texts: &[String]) -> Vec<String> {
    let size: usize = texts.iter().map(String::len).sum();
    let rounds = TURN_BYTES.div_ceil(size.max(1));
    let mut left = TURN_BYTES;
    let fits = |text: &&String| {
        left = left.saturating_sub(text.len());
        left > 0
    };
    std::iter::repeat_n(texts, rounds).flatten().take_while(fits).cloned().collect()
}

fn report(name: &str, texts: &[String], engine: &Engine, with_reader: &Engine, automaton: &AhoCorasick) {
    let bytes: usize = texts.iter().map(String::len).sum();
    let messages: Vec<Message> = texts.iter().map(|text| mimamori::engine::lexicon::examples::chat(text)).collect();
    let (mut scratch, mut folded) = (Scratch::default(), Folded::default());
    let mut times: Vec<[f64; 5]> = vec![];
    for _ in 0..ROUNDS {
        let fold = time(|| texts.iter().for_each(|text| fold_into(text, black_box(&mut folded))));
        let judge = time(|| messages.iter().for_each(|message| _ = black_box(engine.judge(message, &mut scratch))));
        let both = time(|| messages.iter().for_each(|message| _ = black_box(with_reader.judge(message, &mut scratch))));
        let raw = time(|| texts.iter().for_each(|text| _ = black_box(automaton.find_overlapping_iter(text).count())));
        let nfkc = time(|| {
            for text in texts {
                let text: String = text.nfkc().collect();
                _ = black_box(automaton.find_overlapping_iter(&text).count());
            }
        });
        times.push([fold, judge, both, raw, nfkc]);
    }
    #[allow(clippy::cast_precision_loss)] // a megabyte
    let rate = |which: usize| bytes as f64 / median(times.iter().map(|row| row[which])) / 1e6;
    println!("{name}: {} messages, {bytes} bytes", texts.len());
    for (which, what) in
        ["fold alone", "judge, lexicon alone", "judge, with the reader", "aho-corasick, raw text", "NFKC, then aho-corasick"]
            .iter()
            .enumerate()
    {
        println!("  {what:<26}{:>8.1} MB/s", rate(which));
    }
    let ratio = |limit: usize, judge: usize| median(times.iter().map(|row| row[limit] / row[judge]));
    println!("  lexicon / aho-corasick            {:>6.2}   with the reader {:>6.2}", ratio(3, 1), ratio(3, 2));
    println!("  lexicon / NFKC, then aho-corasick {:>6.2}   with the reader {:>6.2}", ratio(4, 1), ratio(4, 2));
}

fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
