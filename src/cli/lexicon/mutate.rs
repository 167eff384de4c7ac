//! `lexicon mutate`: how much disguised abuse is still found, class by class.

use crate::cli::lexicon::Read;
use crate::cli::{Common, Exit, Failure, Format, Outcome};
use crate::engine::workbench::disguise::Class;
use crate::engine::workbench::mutate::{Plan, Score, measure};
use clap::Args;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `lexicon mutate`.
#[derive(Debug, Args)]
pub struct MutateArguments {
    /// Lexicon files or folders. Default: the folder of the configuration.
    paths: Vec<PathBuf>,
    /// Only this class; may be repeated.
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Show so many mutants of each class that were not found.
    #[arg(long, value_name = "N", default_value_t = 0)]
    show_misses: usize,
    /// Mutants of every form and class.
    #[arg(long, value_name = "N", default_value_t = 3)]
    mutants: usize,
    /// Seed of the random choices: the same seed makes the same mutants.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Exit with 1 if less than this share of a class is found, or more than 5 % of its entries opted out.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    least: Option<usize>,
}

/// A share between 0 and 1, in thousandths.
fn share(text: &str) -> Result<usize, String> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = format!("{whole}{part:0<3}");
    digits.parse().ok().filter(|share| part.len() <= 3 && *share <= 1_000).ok_or_else(|| "give a share between 0 and 1, as 0.95".to_owned())
}

/// Runs the verb.
pub fn run(arguments: &MutateArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let parse = |id: &String| {
        let known: Vec<&str> = Class::ALL.iter().map(|row| row.1).collect();
        Class::parse(id).ok_or_else(|| Failure::refused(format!("there is no class `{id}`; known: {}", known.join(", "))))
    };
    let classes = arguments.classes.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let engine = Read::of(&arguments.paths, common)?.engine()?;
    let plan = Plan { classes, seed: arguments.seed, mutants: arguments.mutants, misses: arguments.show_misses };
    let scores = measure(&engine, &plan);
    if common.format == Format::Json {
        for score in &scores {
            writeln!(out, "{}", json!({"score": score, "recall": recall(score)}))?;
        }
    } else {
        tell(&scores, out)?;
    }
    let (entries, opted_out) = pairs(&scores);
    let least = arguments.least.unwrap_or(0);
    let holds = arguments.least.is_none() || opted_out * 20 <= entries && scores.iter().all(|score| score.reaches(least));
    Ok(if holds { Exit::Done } else { Exit::SomeFailed })
}

fn tell(scores: &[Score], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "{:<11} {:>7} {:>6} {:>8} {:>6} {:>7} {:>8}  rule",
        "class", "entries", "forms", "mutants", "found", "recall", "opt-outs"
    )?;
    for score in scores {
        let Score { class, entries, forms, mutants, found, opted_out, weak, rule, .. } = score;
        let beside = if *weak { " (beside a second cue)" } else { "" };
        let (recall, opted_out) = (recall(score), opted_out.len());
        writeln!(out, "{class:<11} {entries:>7} {forms:>6} {mutants:>8} {found:>6} {recall:>7.3} {opted_out:>8}  {rule}{beside}")?;
    }
    let (entries, opted_out) = pairs(scores);
    let narrow: usize = scores.iter().map(|score| score.narrow_cues).sum();
    let least: f64 = scores.iter().map(recall).fold(1.0, f64::min);
    writeln!(
        out,
        "{entries} pairs of entry and class, {opted_out} opted out; {narrow} more of cues with folds of their own; least recall {least:.3}"
    )?;
    for score in scores {
        for id in &score.opted_out {
            writeln!(out, "opt-out {}: {id}", score.class)?;
        }
        for miss in &score.misses {
            let (disguised, level) = (miss.disguised.escape_debug(), miss.level);
            writeln!(out, "miss {}: {} 「{}」 as 「{disguised}」: level {level}, got {}", score.class, miss.entry, miss.plain, miss.got)?;
        }
    }
    Ok(())
}

/// Pairs of entry and class that apply, and those that opted out.
fn pairs(scores: &[Score]) -> (usize, usize) {
    (scores.iter().map(|score| score.entries).sum(), scores.iter().map(|score| score.opted_out.len()).sum())
}

/// For showing only; decisions are made in whole numbers.
fn recall(score: &Score) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if score.mutants == 0 { 1.0 } else { (number(score.found) / number(score.mutants) * 1_000.0).floor() / 1_000.0 }
}
