//! `explain`: why a text gets its verdict, from the very code that judges.

use crate::cli::input;
use crate::cli::load::{self, Judge};
use crate::cli::{Common, Exit, Failure, Format, Outcome};
use crate::decode::line::{self, Line};
use crate::engine::explain::Explanation;
use crate::model::guidance::Guidance;
use crate::model::ids::EntryId;
use crate::model::message::{Message, PartKind};
use clap::Args;
use serde_json::json;
use std::io::{Read, Write};
use std::path::PathBuf;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The text of a chat message.
    #[arg(required_unless_present = "file")]
    text: Option<String>,
    /// A raw mail (`*.eml`) or a file with one JSON line instead; `-` reads standard input as JSON.
    #[arg(long, conflicts_with = "text")]
    file: Option<PathBuf>,
    /// A subject for the text: it is then judged as an e-mail.
    #[arg(long)]
    subject: Option<String>,
    /// Also list candidates that came to nothing, and why.
    #[arg(long)]
    all: bool,
}

/// Runs the verb.
pub fn run(arguments: &ExplainArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let judge = load::judge(common)?;
    let message = message(arguments, &judge)?;
    let explanation = judge.engine.explain(&message);
    let guidance = judge.engine.guidance(&explanation.verdict, message.channel);
    if common.format == Format::Json {
        let row = json!({"explanation": explanation, "guidance": guidance, "derivation": message.derivation, "headers": message.headers});
        writeln!(out, "{row}")?;
        return Ok(Exit::Done);
    }
    tell(&message, &explanation, arguments.all, out)?;
    guide(&guidance, out)?;
    writeln!(out, "辞書  {}", explanation.verdict.lexicon)?;
    Ok(Exit::Done)
}

fn message(arguments: &ExplainArguments, judge: &Judge) -> Result<Message, Failure> {
    let refused = |error: crate::decode::DecodeError| Failure::refused(error.to_string());
    let line = match (&arguments.text, &arguments.file) {
        (Some(text), _) => {
            let channel = if arguments.subject.is_some() { "email" } else { "chat" };
            json!({"channel": channel, "text": text, "subject": arguments.subject.clone().unwrap_or_default()}).to_string().into_bytes()
        }
        (None, Some(file)) => {
            let mut bytes = vec![];
            input::open(file)?.read_to_end(&mut bytes)?;
            if input::is_mail(file) {
                return judge.decode_mail(bytes).map_err(refused);
            }
            bytes
        }
        (None, None) => return Err(Failure::refused("give a text or --file")),
    };
    match line::parse(line.trim_ascii(), "explain").map_err(refused)? {
        Line::One(message) => Ok(*message),
        Line::Conversation { .. } => Err(Failure::refused("explain takes one message; use triage for a conversation")),
    }
}

fn tell(message: &Message, explanation: &Explanation, all: bool, out: &mut impl Write) -> std::io::Result<()> {
    let verdict = &explanation.verdict;
    writeln!(
        out,
        "判定  レベル{} {}  要求 {:.2}  態様 {:.2}{}",
        verdict.level,
        verdict.level_name,
        shown(verdict.demand),
        shown(verdict.manner),
        if verdict.urgent { "  至急" } else { "" }
    )?;
    let names: Vec<&str> = verdict.categories.iter().map(|one| one.name()).chain(verdict.lanes.iter().map(|one| one.name())).collect();
    if !names.is_empty() {
        writeln!(out, "種類  {}", names.join("・"))?;
    }
    for one in &verdict.evidence {
        let via: Vec<&str> = one.via.iter().map(|via| via.id()).collect();
        let folds = if via.is_empty() { String::new() } else { format!("  表記 {}", via.join("+")) };
        let place = one.start.zip(one.end).map(|(start, end)| format!("{start}–{end}")).unwrap_or_default();
        writeln!(out, "  根拠  レベル{} {}「{}」{} {place}{folds}", one.level, one.entry, one.text, one.field)?;
    }
    for one in &verdict.suppressed {
        writeln!(out, "  除外  {}「{}」 {}", one.entry, one.text, one.by)?;
    }
    if all {
        for one in &explanation.considered {
            writeln!(out, "  候補  {}「{}」{} {}–{}: {}", one.entry, one.text, one.field, one.start, one.end, one.outcome)?;
        }
    }
    for field in &explanation.fields {
        for part in field.parts.iter().filter(|part| part.kind != PartKind::New) {
            writeln!(out, "  区分  {} {}–{} {:?}", field.name, part.start, part.end, part.kind)?;
        }
    }
    for row in &verdict.coverage.skipped {
        writeln!(out, "  未読  {} {}", row.what.name(), row.detail)?;
    }
    for step in &message.derivation {
        writeln!(out, "  同定  {step}")?;
    }
    Ok(())
}

fn guide(guidance: &[Guidance], out: &mut impl Write) -> std::io::Result<()> {
    for one in guidance {
        let because: Vec<&str> = one.because.iter().map(EntryId::as_str).collect();
        writeln!(out, "手引  {}  {}", one.id, because.join(", "))?;
        let lists = [("類型(厚労省)", &one.mhlw), ("類型(東京都)", &one.tokyo), ("関連しうる条文", &one.articles), ("相談先", &one.desks)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            writeln!(out, "  {name}  {}", list.join("／"))?;
        }
        for line in &one.advice {
            writeln!(out, "  ・{line}")?;
        }
    }
    Ok(())
}

fn shown(score: crate::model::verdict::Score) -> f64 {
    f64::from(score.hundredths()) / 100.0
}
