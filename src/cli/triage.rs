//! `triage`: judge offline. Exactly one output line per non-blank input line, in order; a bad line never stops the lines after it.

use crate::cli::input::{self, InputLine};
use crate::cli::load::{self, Judge};
use crate::cli::{Common, Exit, Outcome};
use clap::Args;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Arguments of `triage`.
#[derive(Debug, Args)]
pub struct TriageArguments {
    /// JSON Lines files, or raw mails (`*.eml`); `-` or none reads JSON Lines from standard input.
    files: Vec<PathBuf>,
    /// Treat every input as one raw mail, whatever its name.
    #[arg(long)]
    mail: bool,
    /// Print the decoded fields and parts beside each verdict: `start` and `end` of evidence count in these.
    #[arg(long)]
    show_fields: bool,
}

/// Runs the verb.
pub fn run(arguments: &TriageArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let mut judge = load::judge(common)?;
    let mut failed = false;
    let mut number = 0;
    for file in input::or_stdin(&arguments.files) {
        if arguments.mail || input::is_mail(&file) {
            number += 1;
            failed |= !write_row(out, &judge_mail(&mut judge, &file, number, arguments.show_fields)?)?;
            continue;
        }
        let mut reader = input::open(&file)?;
        let mut line_number = 0;
        while let Some(line) = input::next_line(&mut *reader)? {
            line_number += 1;
            number += 1;
            let row = match line {
                InputLine::Text(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
                InputLine::Text(bytes) => judge_line(&mut judge, &bytes, line_number, arguments.show_fields),
                InputLine::TooLong(size) => Row::error(line_number, None, "too_large", &format!("the line has {size} bytes")),
            };
            failed |= !write_row(out, &row)?;
        }
    }
    Ok(if failed { Exit::SomeFailed } else { Exit::Done })
}

/// One output line.
#[derive(Debug)]
pub struct Row {
    /// What is printed.
    pub json: Value,
    /// Whether it is a verdict.
    pub judged: bool,
}

impl Row {
    fn error(line: usize, id: Option<&str>, code: &str, message: &str) -> Self {
        Self { json: json!({"line": line, "id": id, "error": {"code": code, "message": message}}), judged: false }
    }
}

fn write_row(out: &mut impl Write, row: &Row) -> std::io::Result<bool> {
    serde_json::to_writer(&mut *out, &row.json)?;
    out.write_all(b"\n")?;
    Ok(row.judged)
}

/// Judges one JSON line: a message, or a conversation with `messages`.
pub fn judge_line(judge: &mut Judge, bytes: &[u8], line: usize, show_fields: bool) -> Row {
    match judge.line(bytes, &format!("n-{line}"), show_fields) {
        Ok(json) => Row { json, judged: true },
        Err(error) => Row::error(line, load::given_id(bytes).as_deref(), error.code.id(), &error.message),
    }
}

fn judge_mail(judge: &mut Judge, file: &Path, line: usize, show_fields: bool) -> Result<Row, crate::cli::Failure> {
    let mut raw = vec![];
    input::open(file)?.read_to_end(&mut raw)?;
    Ok(match judge.mail(raw, show_fields) {
        Ok(json) => Row { json, judged: true },
        Err(error) => Row::error(line, None, error.code.id(), &error.message),
    })
}
