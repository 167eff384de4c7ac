//! `lexicon stats` and `lexicon collisions`: what a lexicon is made of, and where it fires inside ordinary words.

use crate::cli::input::{self, InputLine};
use crate::cli::lexicon::Read;
use crate::cli::{Common, Exit, Failure, Format, Outcome};
use crate::engine::workbench::collisions::collisions;
use crate::engine::workbench::stats::stats;
use clap::Args;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments of `lexicon collisions`.
#[derive(Debug, Args)]
pub struct CollisionsArguments {
    /// Lexicon files or folders. Default: the folder of the configuration.
    paths: Vec<PathBuf>,
    /// Ordinary words, one a line, UTF-8; what follows a tab or comma is ignored. `-` is standard input.
    #[arg(long, value_name = "FILE", required = true)]
    words: Vec<PathBuf>,
    /// Show so many words of each entry.
    #[arg(long, value_name = "N", default_value_t = 10)]
    show: usize,
}

/// Runs `lexicon collisions`. Exit 1 if anything collides.
pub fn collide(arguments: &CollisionsArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let engine = Read::of(&arguments.paths, common)?.engine()?;
    let mut words = vec![];
    for file in &arguments.words {
        read_words(file, &mut words)?;
    }
    let count = words.len();
    let rows = collisions(&engine, words);
    let colliding: usize = rows.iter().map(|row| row.words.len()).sum();
    for row in rows.iter().filter(|row| common.format == Format::Json || !row.words.is_empty()) {
        if common.format == Format::Json {
            serde_json::to_writer(&mut *out, row).map_err(std::io::Error::from)?;
            writeln!(out)?;
        } else {
            let shown: Vec<&str> = row.words.iter().take(arguments.show).map(String::as_str).collect();
            let more = if row.words.len() > shown.len() { " …" } else { "" };
            writeln!(out, "{:<28} {:>5} words, {:>4} set aside  {}{more}", row.entry, row.words.len(), row.absorbed, shown.join(" "))?;
        }
    }
    if common.format == Format::Text {
        let absorbed: usize = rows.iter().map(|row| row.absorbed).sum();
        writeln!(out, "{count} words: {colliding} collisions, {absorbed} hits set aside")?;
    }
    Ok(if colliding == 0 { Exit::Done } else { Exit::SomeFailed })
}

fn read_words(file: &Path, words: &mut Vec<String>) -> Result<(), Failure> {
    let mut reader = input::open(file)?;
    while let Some(line) = input::next_line(&mut *reader)? {
        let InputLine::Text(bytes) = line else { return Err(Failure::refused(format!("{}: a line is too long", file.display()))) };
        let text = std::str::from_utf8(&bytes).map_err(|_| Failure::refused(format!("{}: not UTF-8", file.display())))?;
        let word = text.split(['\t', ',']).next().unwrap_or_default().trim();
        if !word.is_empty() {
            words.push(word.to_owned());
        }
    }
    Ok(())
}

/// Runs `lexicon stats`.
pub fn count(paths: &[PathBuf], common: &Common, out: &mut impl Write) -> Outcome {
    let begun = Instant::now();
    let read = Read::of(paths, common)?;
    let stats = stats(&read.lexicon);
    let files = read.sources.len();
    let engine = read.engine()?;
    if common.format == Format::Json {
        serde_json::to_writer(&mut *out, &stats).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(Exit::Done);
    }
    let mut table = |title: &str, rows: &BTreeMap<String, usize>| -> std::io::Result<()> {
        writeln!(out, "{title}")?;
        rows.iter().try_for_each(|(name, count)| writeln!(out, "  {name:<28} {count:>7}"))
    };
    table("live entries and combinations, by what they say", &stats.claims)?;
    table("status", &stats.status)?;
    table("distinct texts searched for", &stats.patterns)?;
    table("spellings of entries, by the folds that generated them", &stats.spellings)?;
    writeln!(
        out,
        "{files} files, {} combinations, {} frames, {} neutral forms, {} examples; read, compiled and built in {} ms; automaton {} KiB",
        stats.combinations,
        stats.frames,
        stats.neutrals,
        stats.examples,
        begun.elapsed().as_millis(),
        engine.automaton_bytes() / 1024
    )?;
    Ok(Exit::Done)
}
