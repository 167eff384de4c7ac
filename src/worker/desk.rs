//! The desk: cases as everybody who acts on them finds and changes them, whether worker, page, mail reply or command line.
//!
//! Every change is a compare-and-set of one record; what happened is then appended to the history stream, keyed by case and
//! number of the event. The record comes first: a crash between the two is repaired from the events it still holds.

use crate::case::CaseRecord;
use crate::case::outward;
use crate::case::token::TokenKeys;
use crate::case::transitions::Joined;
use crate::edge::evidence::EvidenceChain;
use crate::model::digest::Digest;
use crate::model::ids::CaseId;
use crate::policy::Policy;
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, Store, StoreError, Stream};
use crate::worker::enroll::{case_key, read_cases};
use crate::worker::keys;
use crate::worker::together::Together;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;

/// Locks that keys share: more than messages in flight would rarely help, fewer would make strangers wait for each other.
const STRIPES: usize = 64;

/// Segment of the records that lead from the id people use to the case.
const BY_ID: &str = "case-id";

/// Where a case stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Whereabouts {
    scope: String,
    generation: u32,
}

impl Versioned for Whereabouts {
    const VERSION: u32 = 1;
}

/// Cases in the store, and the policy in force.
pub struct Desk {
    /// Records, streams, blobs.
    pub store: Arc<dyn Store>,
    /// Originals of alert-due and dead messages.
    pub evidence: EvidenceChain,
    policy: RwLock<Arc<Policy>>,
    keys: tokio::sync::Mutex<Option<(TokenKeys, Timestamp)>>,
    /// Cases changed in this process, for the announcer.
    touched: Mutex<Vec<CaseRecord>>,
    pub(crate) touched_signal: Notify,
    /// One writer at a time per stripe of keys: without it, the messages of one busy conversation would race each other
    /// for the same record and lose. Compare-and-set still decides between processes.
    stripes: [tokio::sync::Mutex<()>; STRIPES],
    /// Messages that join the same case at once.
    pub(crate) joins: Arc<Together<CaseRecord, (Joined, CaseRecord, u64)>>,
}

impl Desk {
    /// A desk over a store.
    pub fn new(store: Arc<dyn Store>, policy: Arc<Policy>) -> Self {
        Self {
            evidence: EvidenceChain::new(Arc::clone(&store)),
            store,
            policy: RwLock::new(policy),
            keys: tokio::sync::Mutex::default(),
            touched: Mutex::default(),
            touched_signal: Notify::new(),
            joins: Arc::default(),
            stripes: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another policy in force: for new cases, and for the next rung of open ones.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Changes one record by compare-and-set, one writer of this process at a time.
    pub(crate) async fn change<T: Versioned + Send, R: Send>(
        &self,
        key: &Key,
        decide: impl FnMut(Option<T>) -> Change<T, R> + Send,
    ) -> Result<R, StoreError> {
        let stripe = usize::from(Digest::of(key.as_str().as_bytes()).as_bytes()[0]) % STRIPES;
        let _turn = self.stripes[stripe].lock().await;
        record::change(&*self.store, key, decide).await
    }

    /// Changes one case, writes its history and wakes the announcer.
    pub async fn change_case<R: Send>(
        &self,
        key: &Key,
        mut decide: impl FnMut(Option<CaseRecord>) -> Change<CaseRecord, R> + Send,
    ) -> Result<R, StoreError> {
        let mut written: Option<(u64, CaseRecord)> = None;
        let answer = self
            .change::<CaseRecord, R>(key, |case| {
                let seen = case.as_ref().map_or(0, |case| case.event_count);
                let change = decide(case);
                written = match &change {
                    Change::Write(next, _) => Some((seen, next.clone())),
                    Change::Keep(_) => None,
                };
                change
            })
            .await?;
        if let Some((seen, case)) = written {
            self.follow(case, seen).await;
        }
        Ok(answer)
    }

    /// Writes the history of a change after event `seen` and wakes the announcer.
    pub(crate) async fn follow(&self, case: CaseRecord, seen: u64) {
        if let Err(error) = self.log(&case, seen).await {
            tracing::warn!(case = %case.id, %error, "the history lags behind the case; the next scan repairs it");
        }
        self.touch(case);
    }

    /// Acts on a case that exists; `None` if it does not, or where `act` says nothing.
    pub async fn act<R: Send>(
        &self,
        case: &CaseRecord,
        act: impl Fn(&mut CaseRecord) -> Option<R> + Send + Sync,
    ) -> Result<Option<R>, StoreError> {
        let decide = |case: Option<CaseRecord>| {
            let Some(mut case) = case else { return Change::Keep(None) };
            let before = case.clone();
            match act(&mut case) {
                Some(done) if case != before => Change::Write(case, Some(done)),
                other => Change::Keep(other),
            }
        };
        self.change_case(&case_key(&case.scope, case.generation), decide).await
    }

    /// Appends the events after number `seen` to the history, and those before if a crash kept them from it. Repeating is harmless.
    async fn log(&self, case: &CaseRecord, seen: u64) -> Result<(), StoreError> {
        let is_whole = seen == 0 || self.store.find(Stream::CaseEvent, &history_id(case, seen)).await?.is_some();
        let seen = if is_whole { seen } else { 0 };
        let policy = self.policy();
        for (n, event) in case.events_after(seen) {
            let entry = outward::entry(case, n, event, &policy);
            self.store.append(Stream::CaseEvent, &history_id(case, n), None, entry.to_string().into()).await?;
        }
        Ok(())
    }

    /// The whole history of a case, oldest first. Cost: one look-up an event.
    pub async fn history(&self, case: &CaseRecord) -> Result<Vec<serde_json::Value>, StoreError> {
        let mut found = vec![];
        for n in 1..=case.event_count {
            let Some(entry) = self.store.find(Stream::CaseEvent, &history_id(case, n)).await? else { continue };
            found.push(serde_json::from_slice(&entry.body).map_err(|error| StoreError::Damaged(error.to_string()))?);
        }
        Ok(found)
    }

    /// Appends what a crash kept from the history; answers the number of the newest event.
    pub(crate) async fn repair_history(&self, case: &CaseRecord) -> Result<u64, StoreError> {
        let newest = case.event_count;
        if newest > 0 && self.store.find(Stream::CaseEvent, &history_id(case, newest)).await?.is_none() {
            self.log(case, 0).await?;
        }
        Ok(newest)
    }

    /// The case of an id as people write it, `C-…`; whole, or the beginning of it where only one fits.
    pub async fn find(&self, id: &str) -> Result<Found, StoreError> {
        let wanted = id.trim().to_uppercase();
        if is_id(&wanted)
            && let Some((at, _)) = record::load::<Whereabouts>(&*self.store, &id_key(&wanted)).await?
            && let Some((case, _)) = record::load::<CaseRecord>(&*self.store, &case_key(&at.scope, at.generation)).await?
        {
            return Ok(Found::One(Box::new(case)));
        }
        let mut found: Vec<CaseRecord> =
            read_cases(&*self.store).await?.into_iter().filter(|case| case.id.as_str().starts_with(&wanted)).collect();
        Ok(match found.len() {
            0 => Found::None,
            1 => Found::One(Box::new(found.remove(0))),
            _ => Found::Many(found.into_iter().map(|case| case.id).collect()),
        })
    }

    /// Notes where a new case stands. Two cases of one id are found by the scan.
    pub(crate) async fn index(&self, case: &CaseRecord) -> Result<(), StoreError> {
        let at = Whereabouts { scope: case.scope.clone(), generation: case.generation };
        match self.store.create(&id_key(case.id.as_str()), record::encode(&at)?).await {
            Ok(_) | Err(StoreError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The signing keys of this installation.
    pub async fn keys(&self, now: Timestamp) -> Result<TokenKeys, StoreError> {
        let mut known = self.keys.lock().await;
        if let Some((keys, until)) = &*known
            && now < *until
        {
            return Ok(keys.clone());
        }
        let (keys, until) = keys::current(&*self.store, now).await?;
        *known = Some((keys.clone(), until));
        Ok(keys)
    }

    /// Tells the announcer that a case changed.
    pub(crate) fn touch(&self, case: CaseRecord) {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).push(case);
        self.touched_signal.notify_one();
    }

    pub(crate) fn take_touched(&self) -> Vec<CaseRecord> {
        std::mem::take(&mut self.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What an id leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No case.
    None,
    /// One case.
    One(Box<CaseRecord>),
    /// Several begin like that.
    Many(Vec<CaseId>),
}

fn is_id(text: &str) -> bool {
    text.len() <= 40 && text.starts_with("C-") && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}

fn id_key(id: &str) -> Key {
    Key::new(Bucket::System, &[BY_ID, id])
}

fn history_id(case: &CaseRecord, n: u64) -> String {
    format!("{}.{}.{n}", case.scope, case.generation)
}
