//! The evidence chain: originals of alert-due and dead messages, append-only and hash-chained.
//!
//! Each entry of [`Stream::Evidence`] names the digest of the original bytes (kept as a blob) and the chain value of the
//! entry before; its own chain value covers all of that. Whoever changes a byte of an original or of an entry, drops an
//! entry or swaps two, breaks a link that [`EvidenceChain::verify`] finds.
//!
//! What it cannot see by itself: entries cut off at the end. Whoever needs that notes the head of a report elsewhere and
//! compares later: the entry with that number must still have that chain value.
//!
//! It never changes or deletes an entry. Cost: two commits for each message kept; entries are appended one at a time.

use crate::model::digest::Digest;
use crate::model::envelope::Identity;
use crate::store::record::{Versioned, decode, encode};
use crate::store::{Store, StoreError, Stream, StreamEntry};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Attempts to append when other processes append too, before the caller is told to come back later.
const APPEND_ATTEMPTS_MAX: usize = 32;

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
    /// Tasks of one process take turns instead of losing races against each other.
    turn: Mutex<()>,
}

impl EvidenceChain {
    /// The chain in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, turn: Mutex::new(()) }
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
        self.append(&dedupe, entry).await
    }

    async fn append(&self, dedupe: &str, mut entry: EvidenceEntry) -> Result<EvidenceReceipt, StoreError> {
        let _turn = self.turn.lock().await;
        for _ in 0..APPEND_ATTEMPTS_MAX {
            let last = self.store.last(Stream::Evidence).await?;
            let seq = last.as_ref().map_or(0, |last| last.seq) + 1;
            entry.previous = last.map_or(Digest::of(ORIGIN), |last| chain_of(&last));
            entry.chain = entry.link(seq);
            match self.store.append(Stream::Evidence, dedupe, Some(seq - 1), encode(&entry)?).await {
                Ok(appended) if appended.duplicate => return self.first_receipt(dedupe).await,
                Ok(appended) => return Ok(EvidenceReceipt { seq: appended.seq, digest: entry.sha256, chain: entry.chain }),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict)
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

/// What the next entry continues. A damaged entry must not stop the evidence of other messages: the next one then continues
/// the digest of its bytes, and the damage stays visible.
fn chain_of(stored: &StreamEntry) -> Digest {
    decode::<EvidenceEntry>(&stored.body).map_or_else(|_| Digest::of(&stored.body), |entry| entry.chain)
}

fn receipt_of(entry: &StreamEntry) -> Result<EvidenceReceipt, StoreError> {
    let kept: EvidenceEntry = decode(&entry.body)?;
    Ok(EvidenceReceipt { seq: entry.seq, digest: kept.sha256, chain: kept.chain })
}
