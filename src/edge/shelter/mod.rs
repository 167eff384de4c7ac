//! Intake that survives the broker: what cannot be handed to a queue across the network now is kept on the local disk, answered as
//! accepted, and handed over later.
//!
//! A front of the [`Queue`] for intake only. A submission goes to the broker first, for at most [`Options::try_max`]; what the broker
//! did not take then is written to a file and synced, folder included, before the answer. While files wait, later messages queue up
//! behind them, so that order is kept. "Full" is no absence and is passed on: whoever sends must slow down.
//!
//! Invariants:
//! - The identity is fixed before the first try: a line without an id gets one here. A try that only seemed to fail, a crash between
//!   handing over and removing the file, a repeat by the sender: all are recognised as the same message.
//! - A file is removed only after the queue took everything in it. What it will never take is moved to `aside/`, loudly.
//! - Bounded in messages and bytes; beyond, the answer is "unavailable", as without this front.
//!
//! Whether a sheltered message is a duplicate is not known at acceptance; it is counted as new and recognised when handed over.
//! Cost: nothing while the broker is there, except that lines without id are deduplicated like all others.

mod files;

use crate::edge::shelter::files::{Files, Unusable};
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Envelope, Identity};
use crate::store::{Accepted, Leased, Queue, QueueState, SettledPage, Settlement, StoreError};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two looks for what can be handed over.
const PAUSE: Duration = Duration::from_millis(500);

/// Time for handing over one file: as long as a whole request may take at a slow broker.
const HAND_OVER_MAX: Duration = Duration::from_secs(30);

/// What may differ between installations and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Most messages: six hours at five a second.
    pub messages_max: u64,
    /// Most bytes: a small part of any disk, and a thousand of the largest mails.
    pub bytes_max: u64,
    /// Time for the broker to answer: a caller of intake waits this much longer, once, when the broker goes away.
    pub try_max: Duration,
    /// Largest message that the queue would take, in bytes.
    pub message_bytes: usize,
}

impl Options {
    /// The bounds of an installation whose queue takes messages up to `message_bytes`.
    pub const fn new(message_bytes: usize) -> Self {
        Self { messages_max: 100_000, bytes_max: 1 << 30, try_max: Duration::from_secs(2), message_bytes }
    }
}

/// What waits here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Messages.
    pub messages: u64,
    /// When the oldest was accepted.
    pub oldest: Option<Timestamp>,
}

/// One file that waits.
#[derive(Debug, Clone, Copy)]
pub(in crate::edge::shelter) struct Held {
    pub(in crate::edge::shelter) messages: u64,
    pub(in crate::edge::shelter) bytes: u64,
    pub(in crate::edge::shelter) since: Timestamp,
}

/// The front.
pub struct Shelter {
    inner: Arc<dyn Queue>,
    options: Options,
    files: Files,
    held: Arc<Mutex<BTreeMap<u64, Held>>>,
    /// The number of the next file. Held while it is written, so that files are complete in the order of their numbers.
    next: tokio::sync::Mutex<u64>,
}

impl Shelter {
    /// Opens the folder for this process alone; what a killed process left unfinished there was never answered and is removed.
    pub fn open(dir: &Path, inner: Arc<dyn Queue>, options: Options) -> io::Result<Self> {
        let (files, held) = Files::open(dir)?;
        let next = held.last_key_value().map_or(1, |(last, _)| last + 1);
        Ok(Self { inner, options, files, held: Arc::new(Mutex::new(held)), next: tokio::sync::Mutex::new(next) })
    }

    /// What waits.
    pub fn waiting(&self) -> Waiting {
        self.with(|held| Waiting {
            messages: held.values().map(|one| one.messages).sum(),
            oldest: held.first_key_value().map(|(_, one)| one.since),
        })
    }

    /// Hands over what waits, until `stop`. `report` hears after each look what still waits.
    pub async fn run(&self, stop: CancellationToken, report: impl Fn(Waiting)) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.hand_over() => {}
            }
            report(self.waiting());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Hands over file after file, oldest first, until one cannot be.
    pub async fn hand_over(&self) {
        while let Some(number) = self.with(|held| held.first_key_value().map(|(number, _)| *number)) {
            match self.hand_over_one(number).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::error!(%error, "a sheltered file could not be finished; it is tried again");
                    return;
                }
            }
        }
    }

    /// False if the broker does not take everything now.
    async fn hand_over_one(&self, number: u64) -> io::Result<bool> {
        let files = self.files.clone();
        let envelopes = match blocking(move || files.read(number)).await {
            Ok(envelopes) => envelopes,
            Err(Unusable::Broken(error)) => return Err(error),
            Err(Unusable::Damaged(why)) => return self.set_aside(number, &why).await.map(|()| true),
        };
        let answers = tokio::time::timeout(HAND_OVER_MAX, self.inner.submit(envelopes)).await;
        let Ok(answers) = answers else { return Ok(false) };
        if answers.iter().any(|answer| matches!(answer, Err(error) if error.is_transient() || error.is_race())) {
            return Ok(false);
        }
        if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
            self.set_aside(number, &error.to_string()).await?;
            return Ok(true);
        }
        let files = self.files.clone();
        blocking(move || files.remove(number)).await?;
        self.forget(number);
        Ok(true)
    }

    async fn set_aside(&self, number: u64, why: &str) -> io::Result<()> {
        tracing::error!(number, why, "accepted messages cannot be handed over: their file is kept in the folder aside");
        let files = self.files.clone();
        blocking(move || files.set_aside(number)).await?;
        self.forget(number);
        Ok(())
    }

    /// What the broker did not take for its absence is kept here.
    async fn keep(&self, envelopes: Vec<Envelope>) -> Result<(), StoreError> {
        let unavailable = |error: io::Error| StoreError::Unavailable(format!("the shelter cannot be written: {error}"));
        let (messages, since) = (envelopes.len() as u64, envelopes.first().map_or_else(Timestamp::now, |one| one.received_at));
        let mut next = self.next.lock().await;
        let bytes = files::pack(&envelopes).map_err(unavailable)?;
        let size = bytes.len() as u64;
        let (waiting, taken) =
            self.with(|held| (held.values().map(|one| one.messages).sum::<u64>(), held.values().map(|one| one.bytes).sum::<u64>()));
        if waiting + messages > self.options.messages_max || taken + size > self.options.bytes_max {
            return Err(StoreError::Unavailable("the broker is away, and the shelter is full".to_owned()));
        }
        let (number, files) = (*next, self.files.clone());
        *next += 1;
        let held = Arc::clone(&self.held);
        // Counted where it is written: a caller that goes away meanwhile must not leave a file that nobody hands over.
        let write = move || {
            files.write(number, messages, &bytes)?;
            held.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Held { messages, bytes: size, since });
            Ok(())
        };
        blocking(write).await.map_err(unavailable)
    }

    async fn try_broker(&self, envelopes: &[Envelope]) -> Vec<Result<Accepted, StoreError>> {
        let away = || StoreError::Unavailable("the broker does not answer".to_owned());
        if self.with(|held| !held.is_empty()) {
            return vec![Err(away()); envelopes.len()];
        }
        let answers = tokio::time::timeout(self.options.try_max, self.inner.submit(envelopes.to_vec())).await;
        answers.unwrap_or_else(|_| vec![Err(away()); envelopes.len()])
    }

    fn forget(&self, number: u64) {
        self.with(|held| _ = held.remove(&number));
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<u64, Held>) -> T) -> T {
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Queue for Shelter {
    async fn submit(&self, mut envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        envelopes.iter_mut().for_each(fix_identity);
        let mut answers = self.try_broker(&envelopes).await;
        let mut kept = vec![];
        for (envelope, answer) in envelopes.into_iter().zip(&mut answers) {
            let (size, limit) = (envelope.payload.len(), self.options.message_bytes);
            match (&answer, Identity::of(&envelope)) {
                (Err(StoreError::Unavailable(_)), _) if size > limit => *answer = Err(StoreError::TooLarge { size, limit }),
                (Err(StoreError::Unavailable(_)), Some(identity)) => kept.push((envelope, identity, answer)),
                _ => {}
            }
        }
        if kept.is_empty() {
            return answers;
        }
        let kept_envelopes = kept.iter().map(|(envelope, ..)| envelope.clone()).collect();
        let outcome = self.keep(kept_envelopes).await;
        for (_, identity, answer) in kept {
            *answer = outcome.clone().map(|()| Accepted { identity, duplicate: false, variant: false });
        }
        answers
    }

    async fn lease(&self, limit: usize, longest: Duration) -> Result<Vec<Leased>, StoreError> {
        self.inner.lease(limit, longest).await
    }

    async fn settle(&self, ticket: u64, settlement: Settlement) -> Result<(), StoreError> {
        self.inner.settle(ticket, settlement).await
    }

    async fn state(&self) -> Result<QueueState, StoreError> {
        self.inner.state().await
    }

    async fn settled(&self, after: u64, limit: usize) -> Result<SettledPage, StoreError> {
        self.inner.settled(after, limit).await
    }

    async fn forget_settled(&self, upto: u64) -> Result<(), StoreError> {
        self.inner.forget_settled(upto).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner.check().await
    }

    async fn hand_back(&self, all: bool) {
        self.inner.hand_back(all).await;
    }
}

/// Gives a line without an id one that nobody else gives: random, mixed with time and content.
fn fix_identity(envelope: &mut Envelope) {
    if envelope.kind == ContentKind::JsonLine && envelope.given_id.is_none() {
        let random = [RandomState::new().hash_one(0_u8), RandomState::new().hash_one(1_u8)].map(u64::to_be_bytes).concat();
        let time = envelope.received_at.as_nanosecond().to_be_bytes();
        envelope.given_id = Some(format!("h-{}", Digest::of_fields(&[&random, &time, &envelope.payload]).key()));
    }
}

/// Runs file work where it may block; a panic there is passed on as an error.
async fn blocking<T: Send + 'static, E: From<io::Error> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}
