//! `dead list|show|replay`: messages that could not be judged.

use crate::app;
use crate::cli::{Common, Exit, Failure, Format, Outcome, load};
use crate::store::{Store, Stream};
use crate::worker::bury::{self, DeadEntry, DeadLetter};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// Verbs of `dead`.
#[derive(Debug, Subcommand)]
pub enum DeadVerb {
    /// All dead letters, oldest first.
    List,
    /// One letter: reason and original.
    Show {
        /// Its number in `dead list`.
        number: u64,
        /// Write the original bytes to standard output, nothing else.
        #[arg(long)]
        raw: bool,
    },
    /// Put letters on the queue again, after the cause was mended.
    Replay {
        /// Their numbers in `dead list`.
        #[arg(required_unless_present = "all")]
        numbers: Vec<u64>,
        /// Every letter not replayed yet.
        #[arg(long)]
        all: bool,
        /// Who does it.
        #[arg(long)]
        by: String,
    },
}

struct Letters {
    letters: BTreeMap<u64, DeadLetter>,
    replayed: BTreeMap<u64, String>,
}

/// Runs the verb.
pub fn run(verb: &DeadVerb, common: &Common, out: &mut impl Write) -> Outcome {
    let loaded = load::prepared(common)?;
    let runtime = app::small_runtime().map_err(Failure::later)?;
    runtime.block_on(async {
        let backend = app::open_backend(&loaded.settings).await.map_err(Failure::later)?;
        let letters = read(&*backend.store).await?;
        match verb {
            DeadVerb::List => list(&letters, common.format, out),
            DeadVerb::Show { number, raw } => show(&letters, *number, *raw, &backend.store, common.format, out).await,
            DeadVerb::Replay { numbers, all, by } => {
                let chosen: Vec<u64> = match all {
                    true => letters.letters.keys().copied().filter(|number| !letters.replayed.contains_key(number)).collect(),
                    false => numbers.clone(),
                };
                replay(&letters, &chosen, by, &backend, out).await
            }
        }
    })
}

async fn read(store: &dyn Store) -> Result<Letters, Failure> {
    let mut letters = Letters { letters: BTreeMap::new(), replayed: BTreeMap::new() };
    for (seq, entry) in bury::read_all(store).await? {
        match entry {
            DeadEntry::Letter(letter) => _ = letters.letters.insert(seq, letter),
            DeadEntry::Replay { letter, by, .. } => _ = letters.replayed.insert(letter, by),
        }
    }
    Ok(letters)
}

fn list(letters: &Letters, format: Format, out: &mut impl Write) -> Outcome {
    for (number, letter) in &letters.letters {
        let replayed = letters.replayed.get(number);
        if format == Format::Json {
            writeln!(out, "{}", json!({"number": number, "letter": letter, "replayed_by": replayed}))?;
        } else {
            let state = replayed.map_or(String::new(), |by| format!("  再投入済み({by})"));
            writeln!(out, "{number:>5}  {}  {:<14} {}  {}{state}", letter.received_at, letter.code, letter.identity.id, letter.reason)?;
        }
    }
    if letters.letters.is_empty() && format == Format::Text {
        writeln!(out, "判定できなかった受信はありません。")?;
    }
    Ok(Exit::Done)
}

async fn show(letters: &Letters, number: u64, raw: bool, store: &Arc<dyn Store>, format: Format, out: &mut impl Write) -> Outcome {
    let letter = letter(letters, number)?;
    let original = store.get_blob(&letter.content).await?;
    if raw {
        let original = original.ok_or_else(|| Failure::later(format!("the original of {number} is not in the store")))?;
        out.write_all(&original)?;
        return Ok(Exit::Done);
    }
    if format == Format::Json {
        writeln!(out, "{}", json!({"number": number, "letter": letter, "bytes": original.map(|bytes| bytes.len())}))?;
        return Ok(Exit::Done);
    }
    writeln!(
        out,
        "番号      {number}\nID        {}\n受信      {}\n理由      {} ({})",
        letter.identity.id, letter.received_at, letter.reason, letter.code
    )?;
    writeln!(out, "原本      sha256:{} {} バイト", letter.content, original.map_or(0, |bytes| bytes.len()))?;
    writeln!(out, "取り出し  mimamori dead show {number} --raw")?;
    Ok(Exit::Done)
}

async fn replay(letters: &Letters, numbers: &[u64], by: &str, backend: &app::Backend, out: &mut impl Write) -> Outcome {
    for number in numbers {
        let letter = letter(letters, *number)?;
        let payload = backend.store.get_blob(&letter.content).await?;
        let payload = payload.ok_or_else(|| Failure::later(format!("the original of {number} is not in the store")))?;
        let now = Timestamp::now();
        let mut accepted = backend.queue.submit(vec![letter.envelope(*number, payload, now)]).await;
        let accepted = accepted.pop().ok_or_else(|| Failure::later("the queue gave no answer"))??;
        let id = accepted.identity.id.to_string();
        let entry = DeadEntry::Replay { letter: *number, by: by.to_owned(), at: now, id: id.clone() };
        let body = serde_json::to_vec(&entry).map_err(|error| Failure::later(error.to_string()))?;
        backend.store.append(Stream::Dead, &format!("replay-{number}"), None, body.into()).await?;
        writeln!(out, "{number} → {id}{}", if accepted.duplicate { "(再投入済みでした)" } else { "" })?;
    }
    Ok(Exit::Done)
}

fn letter(letters: &Letters, number: u64) -> Result<&DeadLetter, Failure> {
    letters
        .letters
        .get(&number)
        .ok_or_else(|| Failure { exit: Exit::SomeFailed, message: format!("there is no dead letter {number}; see `mimamori dead list`") })
}
