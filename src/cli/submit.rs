//! `submit`: messages onto the configured queue. Exit 0 means durable on disk.

use crate::app::{self, Backend};
use crate::cli::input;
use crate::cli::{Common, Exit, Failure, Outcome, load};
use crate::edge::intake::{self, Shape, Submission, Terms};
use crate::model::envelope::{Envelope, MESSAGE_BYTES_HARD, Purpose, Source};
use crate::model::ids::{QueueName, Tenant};
use crate::store::StoreError;
use clap::Args;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Messages per commit: large enough to share one flush to disk, small enough to answer soon.
const BATCH: usize = 256;

/// Arguments of `submit`.
#[derive(Debug, Args)]
pub struct SubmitArguments {
    /// Raw mails, mbox files, Maildir folders or JSON Lines; `-` or none reads standard input.
    files: Vec<PathBuf>,
    /// For a mail server's pipe: one raw mail on standard input; exits only 0 (durable) or 75 (try again), never bounces.
    #[arg(long, conflicts_with_all = ["files", "history"])]
    pipe: bool,
    /// Past traffic: feeds the conversation memory and alerts nobody.
    #[arg(long)]
    history: bool,
    /// Tenant of raw mails (JSON lines carry their own).
    #[arg(long, default_value = "default")]
    tenant: String,
    /// Queue of raw mails (JSON lines carry their own).
    #[arg(long, default_value = "default")]
    queue: String,
}

/// Runs the verb.
pub fn run(arguments: &SubmitArguments, common: &Common, out: &mut impl Write) -> Outcome {
    if arguments.pipe {
        // A mail server bounces to the customer on any other code: whatever is wrong here is ours to mend.
        return match pipe(arguments, common) {
            Ok(()) => Ok(Exit::Done),
            Err(failure) => Err(Failure { exit: Exit::TryLater, message: failure.message }),
        };
    }
    let (tenant, queue) = names(arguments)?;
    let loaded = load::prepared(common)?;
    let runtime = app::small_runtime().map_err(Failure::later)?;
    runtime.block_on(async {
        let backend = app::open_backend(&loaded.settings).await.map_err(Failure::later)?;
        let mut told = Told::default();
        let terms = terms(arguments, tenant, queue, loaded.settings.limits.message_bytes);
        let maildir_mails = arguments.files.iter().any(|path| path.is_dir());
        for file in files(&arguments.files)? {
            submit_file(&file, maildir_mails, &terms, &backend, &mut told).await?;
        }
        writeln!(
            out,
            "{}",
            json!({"accepted": told.accepted, "duplicates": told.duplicates, "variants": told.variants, "errors": told.errors})
        )?;
        Ok(if told.errors > 0 { Exit::SomeFailed } else { Exit::Done })
    })
}

#[derive(Debug, Default)]
struct Told {
    accepted: u64,
    duplicates: u64,
    variants: u64,
    errors: u64,
}

fn names(arguments: &SubmitArguments) -> Result<(Tenant, QueueName), Failure> {
    let tenant = Tenant::new(&arguments.tenant).map_err(|error| Failure::refused(error.to_string()))?;
    let queue = QueueName::new(&arguments.queue).map_err(|error| Failure::refused(error.to_string()))?;
    Ok((tenant, queue))
}

fn pipe(arguments: &SubmitArguments, common: &Common) -> Result<(), Failure> {
    let (tenant, queue) = names(arguments)?;
    let loaded = load::prepared(common)?;
    // A mail beyond the configured size is still taken here: refusing it would bounce to the customer.
    let terms = terms(arguments, tenant, queue, MESSAGE_BYTES_HARD);
    let submission = Submission::open(std::io::stdin().lock(), Some(Shape::Mail), terms)?;
    let mut envelopes = vec![];
    for item in submission {
        match item? {
            Ok(piece) => envelopes.push(piece.envelope),
            Err(refused) => return Err(Failure::later(refused.message)),
        }
    }
    let runtime = app::small_runtime().map_err(Failure::later)?;
    runtime.block_on(async {
        let backend = app::open_backend(&loaded.settings).await.map_err(Failure::later)?;
        for answer in backend.queue.submit(envelopes).await {
            answer?;
        }
        Ok(())
    })
}

fn terms(arguments: &SubmitArguments, tenant: Tenant, queue: QueueName, message_bytes: usize) -> Terms {
    let purpose = if arguments.history { Purpose::History } else { Purpose::Live };
    Terms { tenant, queue, source: Source::Submit, purpose, message_bytes }
}

async fn submit_file(file: &Path, mail: bool, terms: &Terms, backend: &Backend, told: &mut Told) -> Result<(), Failure> {
    let hint = (mail || input::is_mail(file)).then_some(Shape::Mail);
    let name = file.display().to_string();
    let mut batch = vec![];
    for item in Submission::open(input::open(file)?, hint, terms.clone())? {
        match item? {
            Ok(piece) => batch.push(piece.envelope),
            Err(refused) => told.fault(&name, Some(refused.line), refused.code, &refused.message),
        }
        if batch.len() == BATCH {
            commit(std::mem::take(&mut batch), backend, told).await?;
        }
    }
    commit(batch, backend, told).await
}

async fn commit(batch: Vec<Envelope>, backend: &Backend, told: &mut Told) -> Result<(), Failure> {
    for answer in backend.queue.submit(batch).await {
        match answer {
            Ok(accepted) => {
                told.accepted += 1;
                told.duplicates += u64::from(accepted.duplicate);
                told.variants += u64::from(accepted.variant);
            }
            Err(error @ StoreError::TooLarge { .. }) => told.fault("queue", None, "too_large", &error.to_string()),
            // Not durable: say so with the exit code, and let the caller submit again; what was taken is recognised.
            Err(error) => return Err(Failure::later(format!("not everything was accepted: {error}"))),
        }
    }
    Ok(())
}

impl Told {
    fn fault(&mut self, file: &str, line: Option<u64>, code: &str, message: &str) {
        self.errors += 1;
        let row = json!({"file": file, "line": line, "error": {"code": code, "message": message}});
        // Standard error is the only place left for it.
        _ = writeln!(std::io::stderr().lock(), "{row}");
    }
}

/// The files themselves; a Maildir folder stands for its mails.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = vec![];
    for path in input::or_stdin(named) {
        if !path.is_dir() {
            files.push(path);
            continue;
        }
        match intake::maildir(&path) {
            Ok(Some(mails)) => files.extend(mails),
            Ok(None) => {
                return Err(Failure::refused(format!("{} is a folder, but no Maildir (it has no `new` and `cur`)", path.display())));
            }
            Err(error) => return Err(Failure::refused(format!("cannot read {}: {error}", path.display()))),
        }
    }
    Ok(files)
}
