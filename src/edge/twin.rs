//! An adversarial in-memory backend for tests: the same contract as the durable ones, with seeded faults.
//!
//! With [`Faults::none`] it is a plain model of the contract. With faults it does what a network and other writers do:
//! conflicts, lost replies, stale scans, messages delivered twice, change signals that come late. It never breaks the
//! contract itself: what it acknowledged is there, and a lost reply is said as [`StoreError::Unavailable`].
//!
//! The same seed and the same order of calls give the same faults. It keeps nothing on disk: never a production backend.

mod state;

use crate::edge::twin::state::{State, within};
use crate::model::digest::Digest;
use crate::model::envelope::{Envelope, MESSAGE_BYTES_HARD};
use crate::store::{
    Accepted, Appended, Key, LEASE_DURATION, Leased, Queue, QueueState, Record, Revision, SettledPage, Settlement, Store, StoreError,
    Stream, StreamEntry, VALUE_BYTES_MAX,
};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// How often each fault strikes, in calls of a thousand that could suffer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// `Unavailable`, and nothing was done.
    pub refused: u32,
    /// `Unavailable`, although it was done.
    pub lost_reply: u32,
    /// `Conflict` on update, delete or expecting append, and nothing was done.
    pub conflict: u32,
    /// A scan shows the records as they were some writes ago.
    pub stale_scan: u32,
    /// A message in somebody's hands is handed out once more.
    pub delivered_twice: u32,
    /// `changed` notices nothing until its time is over.
    pub late_change: u32,
}

impl Faults {
    /// The contract at its kindest.
    pub const fn none() -> Self {
        Self { refused: 0, lost_reply: 0, conflict: 0, stale_scan: 0, delivered_twice: 0, late_change: 0 }
    }

    /// Every fault, often enough that a few dozen calls meet all of them.
    pub const fn rough() -> Self {
        Self { refused: 100, lost_reply: 100, conflict: 100, stale_scan: 300, delivered_twice: 200, late_change: 300 }
    }
}

/// The in-memory backend; both [`Store`] and [`Queue`].
#[derive(Debug)]
pub struct Twin {
    state: Mutex<State>,
    lease: Duration,
    work: Notify,
    records: watch::Sender<u64>,
    generation_seen: Mutex<u64>,
}

impl Twin {
    /// An empty backend whose faults follow from `seed`.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self::with_lease(seed, faults, LEASE_DURATION)
    }

    /// The same with another lease duration.
    pub fn with_lease(seed: u64, faults: Faults, lease: Duration) -> Self {
        let state = Mutex::new(State::new(seed, faults));
        Self { state, lease, work: Notify::new(), records: watch::Sender::new(0), generation_seen: Mutex::new(0) }
    }

    /// Releases every lease, as a worker does that starts after another one died. The deaths stay counted.
    pub fn release_all(&self) {
        self.state().queue.values_mut().for_each(|waiting| waiting.leased_until = None);
        self.work.notify_waiters();
    }

    /// Changes the faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How many faults have struck so far: a test of faults must have met some.
    pub fn faults_struck(&self) -> u64 {
        self.state().struck
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(&self, apply: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut state = self.state();
        if state.strikes(|faults| faults.refused) {
            return Err(StoreError::Unavailable("fault: refused".into()));
        }
        let answer = apply(&mut state)?;
        if state.strikes(|faults| faults.lost_reply) {
            return Err(StoreError::Unavailable("fault: the reply was lost".into()));
        }
        Ok(answer)
    }

    fn write_record<T>(&self, apply: impl FnOnce(&mut State) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let answer = self.write(apply);
        self.records.send_modify(|generation| *generation += 1);
        answer
    }

    fn look<T>(&self, query: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut state = self.state();
        if state.strikes(|faults| faults.refused) {
            return Err(StoreError::Unavailable("fault: refused".into()));
        }
        Ok(query(&mut state))
    }
}

#[async_trait]
impl Store for Twin {
    async fn create(&self, key: &Key, value: Bytes) -> Result<Revision, StoreError> {
        within(value.len(), VALUE_BYTES_MAX)?;
        let taken = |state: &State| if state.records.contains_key(key) { Err(StoreError::Exists) } else { Ok(()) };
        self.write_record(|state| taken(state).map(|()| state.put(key, Some(value))))
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.look(|state| state.records.get(key).cloned())
    }

    async fn update(&self, key: &Key, expected: Revision, value: Bytes) -> Result<Revision, StoreError> {
        within(value.len(), VALUE_BYTES_MAX)?;
        self.write_record(|state| state.expect(key, expected).map(|()| state.put(key, Some(value))))
    }

    async fn delete(&self, key: &Key, expected: Revision) -> Result<(), StoreError> {
        self.write_record(|state| state.expect(key, expected).map(|()| state.put(key, None))).map(|_| ())
    }

    async fn scan(&self, prefix: &Key) -> Result<Vec<Record>, StoreError> {
        self.look(|state| state.scanned().into_values().filter(|record| record.key.is_below(prefix)).collect())
    }

    async fn append(&self, stream: Stream, dedupe: &str, expect_last: Option<u64>, body: Bytes) -> Result<Appended, StoreError> {
        within(body.len(), VALUE_BYTES_MAX)?;
        self.write(|state| {
            let conflict = expect_last.is_some() && state.strikes(|faults| faults.conflict);
            let entries = state.streams.entry(stream).or_default();
            if let Some(found) = entries.iter().find(|entry| entry.dedupe == dedupe) {
                return Ok(Appended { seq: found.seq, duplicate: true });
            }
            let last = entries.len() as u64;
            if conflict || expect_last.is_some_and(|expected| expected != last) {
                return Err(StoreError::Conflict);
            }
            entries.push(StreamEntry { seq: last + 1, dedupe: dedupe.to_owned(), at: Timestamp::now(), body });
            Ok(Appended { seq: last + 1, duplicate: false })
        })
    }

    async fn read(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<StreamEntry>, StoreError> {
        self.look(|state| state.entries(stream).filter(|entry| entry.seq > after).take(limit).cloned().collect())
    }

    async fn find(&self, stream: Stream, dedupe: &str) -> Result<Option<StreamEntry>, StoreError> {
        self.look(|state| state.entries(stream).find(|entry| entry.dedupe == dedupe).cloned())
    }

    async fn last(&self, stream: Stream) -> Result<Option<StreamEntry>, StoreError> {
        self.look(|state| state.entries(stream).last().cloned())
    }

    async fn put_blob(&self, bytes: Bytes) -> Result<Digest, StoreError> {
        within(bytes.len(), MESSAGE_BYTES_HARD)?;
        let digest = Digest::of(&bytes);
        self.write(|state| {
            state.blobs.entry(digest).or_insert(bytes);
            Ok(digest)
        })
    }

    async fn get_blob(&self, digest: &Digest) -> Result<Option<Bytes>, StoreError> {
        self.look(|state| state.blobs.get(digest).cloned())
    }

    async fn changed(&self, longest: Duration) {
        let late = {
            let mut state = self.state();
            state.strikes(|faults| faults.late_change)
        };
        if late {
            return tokio::time::sleep(longest).await;
        }
        let mut generation = self.records.subscribe();
        let now = *generation.borrow_and_update();
        let seen = |now| std::mem::replace(&mut *self.generation_seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        if now == seen(now)
            && let Ok(Ok(())) = tokio::time::timeout(longest, generation.changed()).await
        {
            seen(*generation.borrow());
        }
    }
}

#[async_trait]
impl Queue for Twin {
    async fn submit(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        let answers = envelopes.into_iter().map(|envelope| self.write(|state| state.accept(envelope))).collect();
        self.work.notify_waiters();
        answers
    }

    async fn lease(&self, limit: usize, longest: Duration) -> Result<Vec<Leased>, StoreError> {
        let until = Instant::now() + longest;
        loop {
            let mut signal = std::pin::pin!(self.work.notified());
            signal.as_mut().enable();
            let (leased, next_due) = self.look(|state| state.lease(limit, self.lease))?;
            let left = until.saturating_duration_since(Instant::now());
            if !leased.is_empty() || left.is_zero() || limit == 0 {
                return Ok(leased);
            }
            let pause = next_due.map_or(left, |due| due.min(left));
            // Woken or not, the next look decides.
            tokio::time::timeout(pause, signal).await.unwrap_or_default();
        }
    }

    async fn settle(&self, ticket: u64, settlement: Settlement) -> Result<(), StoreError> {
        let answer = self.write(|state| {
            state.settle(ticket, &settlement);
            Ok(())
        });
        self.work.notify_waiters();
        answer
    }

    async fn state(&self) -> Result<QueueState, StoreError> {
        self.look(|state| QueueState {
            pending: state.queue.len() as u64,
            leased: state.in_hands(Timestamp::now()).count() as u64,
            oldest: state.queue.values().next().map(|waiting| waiting.accepted_at),
        })
    }

    async fn settled(&self, after: u64, limit: usize) -> Result<SettledPage, StoreError> {
        self.look(|state| SettledPage {
            rows: state.settled.iter().filter(|row| row.number > after).take(limit).cloned().collect(),
            newest: state.settled_count,
        })
    }

    async fn forget_settled(&self, upto: u64) -> Result<(), StoreError> {
        self.write(|state| {
            state.settled.retain(|row| row.number > upto);
            Ok(())
        })
    }
}
