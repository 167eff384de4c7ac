//! An ordinary message costs no allocation while its text is looked at. A binary of its own, for the counting allocator.

#![allow(clippy::unwrap_used, missing_docs)]

use mimamori::diag::SourceText;
use mimamori::engine::Engine;
use mimamori::engine::lexicon::{compile, examples};
use mimamori::engine::scan::Scratch;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ORDINARY: &str = "お世話になっております。先週注文した商品（2点）の到着予定を教えてください。\nよろしくお願いいたします！\n";

#[test]
fn an_ordinary_text_allocates_nothing_and_its_verdict_the_same_whatever_its_length() {
    let sources = [SourceText { name: "small.toml".to_owned(), text: include_str!("cases/engine/small.toml").to_owned() }];
    let engine = Engine::new(compile(&sources).lexicon.unwrap()).unwrap();
    let [short, long] = [ORDINARY.to_owned(), ORDINARY.repeat(100)];
    let [short_message, long_message] = [examples::chat(&short), examples::chat(&long)];
    let mut scratch = Scratch::default();
    // The buffers grow once.
    engine.judge(&long_message, &mut scratch);
    assert_eq!(engine.look(&long, &mut scratch), None, "an ordinary text");
    let region = Region::new(ALLOCATOR);
    engine.look(&long, &mut scratch);
    engine.look(&short, &mut scratch);
    assert_eq!(region.change().allocations + region.change().reallocations, 0);
    let region = Region::new(ALLOCATOR);
    engine.judge(&short_message, &mut scratch);
    let of_short = region.change();
    let region = Region::new(ALLOCATOR);
    engine.judge(&long_message, &mut scratch);
    let of_long = region.change();
    assert_eq!((of_long.allocations, of_long.bytes_allocated), (of_short.allocations, of_short.bytes_allocated));
}
