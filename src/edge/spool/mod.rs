//! The watched folder: files dropped into it (or into its `new/`) become messages.
//!
//! A file is moved to `done/` only after everything in it is durable. A crash in between only repeats it: mails are known by their
//! digest, lines by their id, and lines without one get an id made from the file, so that the repeat is recognised. Lines that are no
//! message are reported in `failed/`; files without any message are moved there. Nothing is ever deleted or overwritten, and
//! symbolic links are not followed. Polling, not notifications: it also works on network drives.

mod folders;
mod watch;

use crate::edge::intake::{Piece, Refused, Shape, Submission, Terms};
use crate::edge::metrics::Metrics;
use crate::edge::metrics::labels::Refusal;
use crate::edge::spool::folders::{Folders, Report, Unread};
use crate::edge::spool::watch::{Stamp, Watch};
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Purpose, Source};
use crate::model::ids::{QueueName, Tenant};
use crate::store::{Queue, StoreError};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Pause between two looks at the folder.
pub const POLL_PAUSE: Duration = Duration::from_millis(500);

/// How long size and time of a file must stay the same before it is taken: longer than a pause within one copy.
pub const SETTLE: Duration = Duration::from_millis(500);

/// Pause before a file is tried again that could not be finished: the store did not answer, or the file could not be moved.
pub const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Largest file, in bytes: it is read whole. Larger ones are for `mimamori submit`, which reads a stream.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Most messages handed to the queue at once.
const BATCH_PIECES_MAX: usize = 256;

/// Most bytes handed to the queue at once.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// What one look at the folder did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Files moved to `done/`.
    pub done: usize,
    /// Files moved to `failed/`.
    pub failed: usize,
    /// Files to be tried again.
    pub postponed: usize,
}

/// What the spool hands messages to.
#[derive(Clone)]
pub struct SpoolTarget {
    /// Where messages go.
    pub queue: Arc<dyn Queue>,
    /// Counts what is accepted and refused.
    pub metrics: Arc<Metrics>,
    /// Largest message, in bytes.
    pub message_bytes: usize,
}

/// The watched folder.
pub struct Spool {
    folders: Folders,
    watch: Watch,
    target: SpoolTarget,
}

/// How a file ended.
enum Ending {
    Done,
    Failed,
    Postponed,
}

/// What became of a file's messages.
#[derive(Default)]
struct Tally {
    accepted: usize,
    report: Report,
}

impl Spool {
    /// Opens the folder, creating it with `new/`, `done/` and `failed/` where they are missing.
    pub fn open(dir: &Path, target: SpoolTarget) -> io::Result<Self> {
        Ok(Self { folders: Folders::open(dir)?, watch: Watch::default(), target })
    }

    /// Looks every [`POLL_PAUSE`] until `shutdown`. `report` hears after each look whether the folder can be read; a look cut off by
    /// the shutdown is repeated at the next start.
    pub async fn run(&mut self, shutdown: CancellationToken, report: impl Fn(Result<Round, String>)) {
        loop {
            let round = tokio::select! {
                () = shutdown.cancelled() => return,
                round = self.round() => round,
            };
            report(round.map_err(|error| format!("the folder cannot be read: {error}")));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(POLL_PAUSE) => {}
            }
        }
    }

    /// One look: takes every file that has not changed since an earlier look at least [`SETTLE`] ago.
    pub async fn round(&mut self) -> io::Result<Round> {
        let folders = self.folders.clone();
        let found = blocking(move || folders.scan()).await?;
        let mut round = Round::default();
        for (path, stamp) in self.watch.settled(found, Instant::now()) {
            match self.file(&path, stamp).await {
                Ok(Ending::Done) => round.done += 1,
                Ok(Ending::Failed) => round.failed += 1,
                Ok(Ending::Postponed) => {
                    round.postponed += 1;
                    self.watch.postpone(&path, Instant::now() + RETRY_PAUSE);
                }
                Err(error) => {
                    // The name is the integrator's and may hold a customer's: only the kind of trouble is logged.
                    tracing::warn!(%error, "a file in the watched folder could not be finished; it is tried again");
                    round.postponed += 1;
                    self.watch.postpone(&path, Instant::now() + RETRY_PAUSE);
                }
            }
        }
        Ok(round)
    }

    async fn file(&self, path: &Path, stamp: Stamp) -> io::Result<Ending> {
        let from = path.to_path_buf();
        let bytes = match blocking(move || folders::read(&from, stamp)).await {
            Ok(bytes) => Bytes::from(bytes),
            Err(Unread::Changed) => return Ok(Ending::Postponed),
            Err(Unread::Broken(error)) => return Err(error),
            Err(Unread::Refused(refused)) => {
                self.target.metrics.refused(refusal(&refused));
                return self.finish(path, Tally { accepted: 0, report: Report::of(refused) }).await;
            }
        };
        let marker = file_marker(path, stamp, &bytes);
        let mut tally = Tally::default();
        if !self.messages(path, &bytes, &marker, &mut tally).await? {
            return Ok(Ending::Postponed);
        }
        if tally.accepted == 0 && tally.report.is_empty() {
            let message = "the file holds no message".to_owned();
            tally.report.add(Refused { line: 1, code: "empty", message, original: vec![] });
        }
        self.finish(path, tally).await
    }

    /// Submits every message of a file; false if the queue could not take one of them now.
    async fn messages(&self, path: &Path, bytes: &Bytes, marker: &str, tally: &mut Tally) -> io::Result<bool> {
        let (mut batch, mut size) = (vec![], 0);
        for item in pieces(path, bytes, self.terms())? {
            match item? {
                Ok(mut piece) => {
                    give_id(&mut piece, marker);
                    size += piece.envelope.payload.len();
                    batch.push(piece);
                }
                Err(refused) => {
                    self.target.metrics.refused(refusal(&refused));
                    tally.report.add(refused);
                }
            }
            if batch.len() >= BATCH_PIECES_MAX || size >= BATCH_BYTES_MAX {
                size = 0;
                if !self.submit(std::mem::take(&mut batch), tally).await {
                    return Ok(false);
                }
            }
        }
        Ok(batch.is_empty() || self.submit(batch, tally).await)
    }

    async fn submit(&self, batch: Vec<Piece>, tally: &mut Tally) -> bool {
        let lines: Vec<u64> = batch.iter().map(|piece| piece.line).collect();
        let outcomes = self.target.queue.submit(batch.into_iter().map(|piece| piece.envelope).collect()).await;
        let mut is_taken = true;
        for (line, outcome) in lines.into_iter().zip(outcomes) {
            match outcome {
                Ok(accepted) => {
                    self.target.metrics.taken(Source::Spool, accepted.duplicate, accepted.variant);
                    tally.accepted += 1;
                }
                Err(error @ StoreError::TooLarge { .. }) => {
                    self.target.metrics.refused(Refusal::TooLarge);
                    tally.report.add(Refused { line, code: crate::edge::intake::TOO_LARGE, message: error.to_string(), original: vec![] });
                }
                Err(error) => {
                    tracing::warn!(%error, "the queue does not take messages of the watched folder");
                    is_taken = false;
                }
            }
        }
        is_taken
    }

    /// Writes the report first: a crash before the move only repeats both.
    async fn finish(&self, path: &Path, tally: Tally) -> io::Result<Ending> {
        let (folders, path) = (self.folders.clone(), path.to_path_buf());
        blocking(move || {
            if !tally.report.is_empty() {
                folders.write_report(&path, &tally.report)?;
            }
            if tally.accepted > 0 {
                folders.move_to_done(&path)?;
                return Ok(Ending::Done);
            }
            folders.move_to_failed(&path)?;
            Ok(Ending::Failed)
        })
        .await
    }

    fn terms(&self) -> Terms {
        Terms {
            tenant: Tenant::default(),
            queue: QueueName::default(),
            source: Source::Spool,
            purpose: Purpose::Live,
            message_bytes: self.target.message_bytes,
        }
    }
}

type Pieces<'a> = Box<dyn Iterator<Item = io::Result<Result<Piece, Refused>>> + Send + 'a>;

fn pieces<'a>(path: &Path, bytes: &'a Bytes, terms: Terms) -> io::Result<Pieces<'a>> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let hint = match extension.as_deref() {
        Some("eml") => Some(Shape::Mail),
        Some("mbox") => Some(Shape::Mbox),
        Some("json" | "jsonl" | "ndjson") => Some(Shape::Lines),
        _ => None,
    };
    if extension.as_deref() == Some("json") && crate::edge::intake::is_one_json_value(bytes) {
        // One object printed over several lines.
        return Ok(Box::new(std::iter::once(Ok(Piece::of_line(1, bytes, &terms)))));
    }
    Ok(Box::new(Submission::open(bytes.as_ref(), hint, terms)?))
}

/// Says which file this is, for lines without an id. Name and time are part of it: a customer who writes the same words
/// twice has two files with the same bytes, and both count.
fn file_marker(path: &Path, stamp: Stamp, bytes: &[u8]) -> String {
    let name = path.file_name().unwrap_or_default();
    Digest::of_fields(&[name.as_encoded_bytes(), &stamp.modified_nanoseconds().to_be_bytes(), bytes]).key()
}

fn give_id(piece: &mut Piece, marker: &str) {
    if piece.envelope.kind == ContentKind::JsonLine {
        let line = piece.line;
        piece.envelope.given_id.get_or_insert_with(|| format!("spool:{marker}:{line}"));
    }
}

fn refusal(refused: &Refused) -> Refusal {
    if refused.is_too_large() { Refusal::TooLarge } else { Refusal::Invalid }
}

/// Runs file work where it may block; a panic there is passed on as an error.
async fn blocking<T: Send + 'static, E: From<io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

/// Paths with their state.
type Found = Vec<(PathBuf, Stamp)>;
