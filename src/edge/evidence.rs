//! The evidence chain: originals of alert-due and dead messages, append-only and hash-chained.
//!
//! Each entry of [`Stream::Evidence`] names the digest of the original bytes (kept as a blob) and the chain value of the
//! entry before; its own chain value covers all of that. Whoever changes a byte of an original or of an entry, drops an
//! entry or swaps two, breaks a link that [`EvidenceChain::verify`] finds.
//!
//! What it cannot see by itself: entries cut off at the end. Whoever needs that notes the head of a report elsewhere and
//! compares later: the entry with that number must still have that chain value.
//!
//! It never changes or deletes an entry. Cost: two commits for each message kept; whoever waits at the same time shares the second.

use crate::model::digest::Digest;
use crate::model::envelope::Identity;
use crate::store::record::{Versioned, decode, encode};
use crate::store::{Appended, Store, StoreError, Stream, StreamEntry};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex, oneshot};

/// Attempts to append when other processes append too, before the caller is told to come back later.
const APPEND_ATTEMPTS_MAX: usize = 32;

/// Entries appended together: whoever comes later must get a turn.
const ROW_MAX: usize = 64;

/// Entries read at a time by a verification: one page stays small whatever the chain's length.
const ENTRIES_PER_PAGE: usize = 256;

/// What stands before the first entry.
const ORIGIN: &[u8] = b"mimamori evidence chain";

/// Why an original is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceReason {
    /// A person must be told about it.
    AlertDue,
    /// It could not be judged.
    Dead,
}

impl EvidenceReason {
    /// Name in records and keys.
    pub const fn id(self) -> &'static str {
        match self {
            Self::AlertDue => "alert_due",
            Self::Dead => "dead",
        }
    }
}

/// One entry of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceEntry {
    /// Whose message, and which.
    pub identity: Identity,
    /// Digest of the original bytes, under which the blob is kept.
    pub sha256: Digest,
    /// Number of original bytes.
    pub bytes: u64,
    /// When the message was accepted.
    pub received_at: Timestamp,
    /// Why it is kept.
    pub reason: EvidenceReason,
    /// Chain value of the entry before.
    pub previous: Digest,
    /// Chain value of this entry.
    pub chain: Digest,
}

impl Versioned for EvidenceEntry {
    const VERSION: u32 = 1;
}

impl EvidenceEntry {
    /// The chain value that this entry must have as number `seq`: a digest over all its other fields.
    pub fn link(&self, seq: u64) -> Digest {
        Digest::of_fields(&[
            self.previous.as_bytes(),
            &seq.to_be_bytes(),
            &Self::VERSION.to_be_bytes(),
            self.identity.tenant.as_str().as_bytes(),
            self.identity.id.as_str().as_bytes(),
            self.identity.content.as_bytes(),
            self.sha256.as_bytes(),
            &self.bytes.to_be_bytes(),
            &self.received_at.as_nanosecond().to_be_bytes(),
            self.reason.id().as_bytes(),
        ])
    }
}

/// Proof that an original is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvidenceReceipt {
    /// Number of the entry.
    pub seq: u64,
    /// Digest of the original bytes.
    pub digest: Digest,
    /// Chain value of the entry.
    pub chain: Digest,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceFault {
    /// Its number does not follow the one before: entries are missing.
    Gap,
    /// Its bytes are not an entry.
    Unreadable,
    /// It does not continue the entry before.
    Detached,
    /// Its fields do not give its chain value.
    Altered,
    /// The original is gone.
    OriginalMissing,
    /// The original is not the bytes that were kept.
    OriginalAltered,
}

/// An entry that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenEvidence {
    /// Number of the entry.
    pub seq: u64,
    /// What is wrong with it.
    pub fault: EvidenceFault,
}

/// Result of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvidenceReport {
    /// Entries read.
    pub entries: u64,
    /// Everything that does not hold, in order.
    pub broken: Vec<BrokenEvidence>,
    /// Number and chain value of the last entry.
    pub head: Option<(u64, Digest)>,
}

/// Keeps originals and proves that they were not touched.
pub struct EvidenceChain {
    store: Arc<dyn Store>,
    /// Entries that wait to be appended. Whoever gets the turn appends them all: each alone would wait for the commit of the one
    /// before, and a flood would hold up everybody whose message must be kept.
    waiting: std::sync::Mutex<Vec<Wish>>,
    turn: Mutex<()>,
}

/// An entry that waits; its place in the chain is not known yet.
struct Wish {
    dedupe: String,
    entry: EvidenceEntry,
    tell: oneshot::Sender<Result<EvidenceReceipt, StoreError>>,
}

impl EvidenceChain {
    /// The chain in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, waiting: std::sync::Mutex::default(), turn: Mutex::new(()) }
    }

    /// Keeps the original bytes of a message. Keeping the same message again for the same reason answers the first receipt,
    /// so whoever got an error may simply repeat.
    pub async fn keep(
        &self,
        identity: &Identity,
        raw: &Bytes,
        received_at: Timestamp,
        reason: EvidenceReason,
    ) -> Result<EvidenceReceipt, StoreError> {
        let dedupe = format!("{}.{}", identity.key(), reason.id());
        if let Some(entry) = self.store.find(Stream::Evidence, &dedupe).await? {
            return receipt_of(&entry);
        }
        // The original first: an entry never names bytes that are not there.
        let sha256 = self.store.put_blob(raw.clone()).await?;
        let origin = Digest::of(ORIGIN);
        let entry = EvidenceEntry {
            identity: identity.clone(),
            sha256,
            bytes: raw.len() as u64,
            received_at,
            reason,
            previous: origin,
            chain: origin,
        };
        self.append(dedupe, entry).await
    }

    async fn append(&self, dedupe: String, entry: EvidenceEntry) -> Result<EvidenceReceipt, StoreError> {
        let (tell, mut told) = oneshot::channel();
        self.waiting().push(Wish { dedupe, entry, tell });
        loop {
            let _turn = self.turn.lock().await;
            match told.try_recv() {
                Ok(answer) => return answer,
                // Whoever wrote for us went away in the middle; a repetition finds what was written.
                Err(TryRecvError::Closed) => return Err(StoreError::Unavailable("the entry was given up".into())),
                Err(TryRecvError::Empty) => {}
            }
            let row = {
                let mut waiting = self.waiting();
                let count = waiting.len().min(ROW_MAX);
                waiting.drain(..count).collect()
            };
            self.append_row(row).await;
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Wish>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends these, one right behind the other, and tells each. Other processes may come between; then what is left is linked anew.
    async fn append_row(&self, mut row: Vec<Wish>) {
        for _ in 0..APPEND_ATTEMPTS_MAX {
            let (after, entries) = match self.link(&mut row).await {
                Ok(linked) => linked,
                Err(error) => return give_up(row, &error),
            };
            let answers = self.store.append_row(Stream::Evidence, after, entries).await;
            let mut left = vec![];
            for (wish, answer) in row.into_iter().zip(answers) {
                let receipt = match answer {
                    Ok(appended) if appended.duplicate => self.first_receipt(&wish.dedupe).await,
                    Ok(Appended { seq, .. }) => Ok(EvidenceReceipt { seq, digest: wish.entry.sha256, chain: wish.entry.chain }),
                    Err(StoreError::Conflict) => {
                        left.push(wish);
                        continue;
                    }
                    Err(error) => Err(error),
                };
                // Nobody listens any more: it is kept all the same.
                _ = wish.tell.send(receipt);
            }
            if left.is_empty() {
                return;
            }
            row = left;
        }
        give_up(row, &StoreError::Conflict);
    }

    /// Links the entries to the end of the chain; answers its number and what is to be appended.
    async fn link(&self, row: &mut [Wish]) -> Result<(u64, Vec<(String, Bytes)>), StoreError> {
        let last = self.store.last(Stream::Evidence).await?;
        let after = last.as_ref().map_or(0, |last| last.seq);
        let mut previous = last.map_or(Digest::of(ORIGIN), |last| chain_of(&last));
        let mut entries = vec![];
        for (seq, Wish { dedupe, entry, .. }) in (after + 1..).zip(row) {
            entry.previous = previous;
            entry.chain = entry.link(seq);
            previous = entry.chain;
            entries.push((dedupe.clone(), encode(entry)?));
        }
        Ok((after, entries))
    }

    async fn first_receipt(&self, dedupe: &str) -> Result<EvidenceReceipt, StoreError> {
        let entry = self.store.find(Stream::Evidence, dedupe).await?;
        receipt_of(&entry.ok_or_else(|| StoreError::Damaged("an evidence entry has vanished".into()))?)
    }

    /// Recomputes every link and the digest of every original. Cost: reads everything kept, one original at a time.
    pub async fn verify(&self) -> Result<EvidenceReport, StoreError> {
        let mut report = EvidenceReport::default();
        let mut before = Digest::of(ORIGIN);
        let mut last = 0;
        loop {
            let page = self.store.read(Stream::Evidence, last, ENTRIES_PER_PAGE).await?;
            if page.is_empty() {
                return Ok(report);
            }
            for stored in page {
                let mut faults = vec![];
                if stored.seq != last + 1 {
                    faults.push(EvidenceFault::Gap);
                }
                last = stored.seq;
                report.entries += 1;
                match decode::<EvidenceEntry>(&stored.body) {
                    Ok(entry) => self.check(&entry, stored.seq, before, &mut faults).await?,
                    Err(_) => faults.push(EvidenceFault::Unreadable),
                }
                before = chain_of(&stored);
                report.head = Some((stored.seq, before));
                report.broken.extend(faults.into_iter().map(|fault| BrokenEvidence { seq: stored.seq, fault }));
            }
        }
    }

    async fn check(&self, entry: &EvidenceEntry, seq: u64, before: Digest, faults: &mut Vec<EvidenceFault>) -> Result<(), StoreError> {
        if before != entry.previous {
            faults.push(EvidenceFault::Detached);
        }
        if entry.link(seq) != entry.chain {
            faults.push(EvidenceFault::Altered);
        }
        match self.store.get_blob(&entry.sha256).await? {
            None => faults.push(EvidenceFault::OriginalMissing),
            Some(raw) if Digest::of(&raw) != entry.sha256 || raw.len() as u64 != entry.bytes => faults.push(EvidenceFault::OriginalAltered),
            Some(_) => {}
        }
        Ok(())
    }
}

fn give_up(row: Vec<Wish>, error: &StoreError) {
    for wish in row {
        _ = wish.tell.send(Err(error.clone()));
    }
}

/// What the next entry continues. A damaged entry must not stop the evidence of other messages: the next one then continues
/// the digest of its bytes, and the damage stays visible.
fn chain_of(stored: &StreamEntry) -> Digest {
    decode::<EvidenceEntry>(&stored.body).map_or_else(|_| Digest::of(&stored.body), |entry| entry.chain)
}

fn receipt_of(entry: &StreamEntry) -> Result<EvidenceReceipt, StoreError> {
    let kept: EvidenceEntry = decode(&entry.body)?;
    Ok(EvidenceReceipt { seq: entry.seq, digest: kept.sha256, chain: kept.chain })
}
