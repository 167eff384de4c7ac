//! `lexicon train`: weights of the second reader from labelled messages, and how it does on writers it has not seen.

use crate::cli::eval;
use crate::cli::input::{self, InputLine};
use crate::cli::{Exit, Failure, Outcome};
use crate::decode::line::{self, Line};
use crate::engine::reader::train::{Example, Label, Report, train};
use crate::model::message::{FieldName, Message};
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `lexicon train`.
#[derive(Debug, Args)]
pub struct TrainArguments {
    /// Labelled messages, one file per writer: JSON Lines with `level`, `categories` and optional `lanes`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Ordinary texts that nobody labelled: JSON Lines with `text`.
    #[arg(long, value_name = "FILE")]
    ordinary: Vec<PathBuf>,
    /// Takes every n-th ordinary text only, so that the rest can measure false alarms.
    #[arg(long, value_name = "N", default_value_t = 1)]
    every: usize,
    /// Where the weights go.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the verb.
pub fn run(arguments: &TrainArguments, out: &mut impl Write) -> Outcome {
    let mut examples = vec![];
    for (group, file) in arguments.files.iter().enumerate() {
        read(file, |bytes| {
            let gold = eval::gold(bytes)?;
            let label = Label { level: gold.level, categories: gold.categories, lanes: gold.lanes };
            examples.push(Example { texts: texts(bytes)?, label: Some(label), group });
            Ok(())
        })?;
    }
    let mut number = 0;
    for file in &arguments.ordinary {
        read(file, |bytes| {
            number += 1;
            if number % arguments.every.max(1) == 0 {
                examples.push(Example { texts: texts(bytes)?, label: None, group: number / arguments.every.max(1) });
            }
            Ok(())
        })?;
    }
    let (model, report) = train(&examples);
    std::fs::write(&arguments.out, model.to_bytes())?;
    tell(&report, examples.len(), out)?;
    writeln!(out, "{} sha256:{}", arguments.out.display(), model.digest())?;
    Ok(Exit::Done)
}

fn read(file: &Path, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), Failure> {
    let mut reader = input::open(file)?;
    let mut number = 0;
    while let Some(line) = input::next_line(&mut *reader)? {
        number += 1;
        let refused = |why: String| Failure::refused(format!("{}:{number}: {why}", file.display()));
        let InputLine::Text(bytes) = line else { return Err(refused("the line is too long".to_owned())) };
        if !bytes.iter().all(u8::is_ascii_whitespace) {
            each(&bytes).map_err(refused)?;
        }
    }
    Ok(())
}

fn texts(bytes: &[u8]) -> Result<Vec<String>, String> {
    match line::parse(bytes, "train").map_err(|error| error.to_string())? {
        Line::One(message) => Ok(fields(&message)),
        Line::Conversation { .. } => Err("a conversation cannot train the reader".to_owned()),
    }
}

/// The text before the subject: thresholds are about the message, and its text is most of it.
fn fields(message: &Message) -> Vec<String> {
    let names = [FieldName::Text, FieldName::Subject];
    names.iter().filter_map(|name| message.field(*name)).map(|field| field.text.clone()).filter(|text| !text.is_empty()).collect()
}

fn tell(report: &Report, examples: usize, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{} messages, {} ordinary texts; on writers left out:", examples - report.ordinary, report.ordinary)?;
    writeln!(out, "{:<20} {:>6} {:>7} {:>10} {:>9}", "head", "gold", "recall", "precision", "ordinary")?;
    for row in &report.heads {
        writeln!(out, "{:<20} {:>6} {:>7.3} {:>10.3} {:>9}", row.head, row.gold, row.recall, row.precision, row.ordinary)?;
    }
    Ok(())
}
