//! `eval`: precision, recall and F1 on a labelled set, overall and by slice, category and lane.

use crate::cli::input::{self, InputLine};
use crate::cli::load;
use crate::cli::{Common, Exit, Failure, Format, Outcome};
use crate::eval::{Gold, Predicted, score};
use crate::model::severity::{Category, Lane, Level};
use clap::Args;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// Labelled sets: JSON Lines with `level` (or `conversation_level`), `categories`, optional `lanes` and `note`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Also list every message whose flag or level differs from its label.
    #[arg(long)]
    misses: bool,
}

/// Runs the verb.
pub fn run(arguments: &EvalArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let mut judge = load::judge(common)?;
    let mut pairs = vec![];
    let mut faults = 0;
    for file in &arguments.files {
        let mut reader = input::open(file)?;
        let mut line_number = 0;
        while let Some(line) = input::next_line(&mut *reader)? {
            line_number += 1;
            let InputLine::Text(bytes) = line else { return Err(bad(file, line_number, "the line is too long")) };
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let gold = gold(&bytes).map_err(|why| bad(file, line_number, &why))?;
            let predicted = match judge.line(&bytes, &format!("n-{line_number}"), false) {
                Ok(row) => predicted(&row),
                Err(error) => {
                    faults += 1;
                    writeln!(out, "{}:{line_number}: not judged: {}", file.display(), error.message)?;
                    Predicted::default()
                }
            };
            pairs.push((gold, predicted));
        }
    }
    print(arguments, common.format, &pairs, out)?;
    Ok(if faults > 0 { Exit::SomeFailed } else { Exit::Done })
}

fn print(arguments: &EvalArguments, format: Format, pairs: &[(Gold, Predicted)], out: &mut impl Write) -> Result<(), Failure> {
    let table = score(pairs);
    if format == Format::Json {
        serde_json::to_writer(&mut *out, &table).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    out.write_all(table.to_text().as_bytes())?;
    if arguments.misses {
        for (gold, said) in pairs.iter().filter(|(gold, said)| gold.level != said.level) {
            let sign = if gold.level.is_flagged() == said.level.is_flagged() { ' ' } else { '!' };
            let ids: Vec<&str> = said.categories.iter().map(|category| category.id()).collect();
            writeln!(out, "{sign} {} labelled {} judged {} [{}] {}", gold.id, gold.level, said.level, ids.join(","), gold.note)?;
        }
    }
    Ok(())
}

fn bad(file: &std::path::Path, line: usize, why: &str) -> Failure {
    Failure::refused(format!("{}:{line}: {why}", file.display()))
}

/// Reads the labels of a line.
pub fn gold(bytes: &[u8]) -> Result<Gold, String> {
    let row: Value = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    let level =
        row.get("level").or_else(|| row.get("conversation_level")).ok_or("a labelled line needs `level` or `conversation_level`")?;
    let level: Level = serde_json::from_value(level.clone()).map_err(|error| error.to_string())?;
    let ids = |key: &str| -> Result<Vec<String>, String> {
        row.get(key)
            .map_or(Ok(vec![]), |list| serde_json::from_value(list.clone()).map_err(|_| format!("`{key}` must be a list of strings")))
    };
    let categories = ids("categories")?;
    let mut known = vec![];
    for id in &categories {
        known.push(Category::parse(id).ok_or_else(|| format!("unknown category `{id}`"))?);
    }
    let mut lanes = vec![];
    for id in ids("lanes")? {
        lanes.push(Lane::parse(&id).ok_or_else(|| format!("unknown lane `{id}`"))?);
    }
    if known.contains(&Category::SelfHarm) && !lanes.contains(&Lane::SelfHarm) {
        lanes.push(Lane::SelfHarm);
    }
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Gold { id: text("id"), channel: text("channel"), level, categories: known, lanes, note: text("note") })
}

/// Reads a verdict or conversation line back.
fn predicted(row: &Value) -> Predicted {
    let level = row.get("level").or_else(|| row.get("conversation_level")).and_then(|level| serde_json::from_value(level.clone()).ok());
    let list = |key: &str| row.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    Predicted {
        level: level.unwrap_or_default(),
        categories: list("categories").into_iter().filter_map(Category::parse).collect(),
        lanes: list("lanes").into_iter().filter_map(Lane::parse).collect(),
    }
}
