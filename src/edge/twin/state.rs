//! What the twin remembers, and its dice: the contract of store and queue over plain collections, one step at a time.
//!
//! No waiting and no locks here; whoever calls holds the state alone.

use crate::decode::share::share_of;
use crate::edge::twin::Faults;
use crate::model::digest::Digest;
use crate::model::envelope::{Envelope, Identity, MESSAGE_BYTES_HARD, Share};
use crate::model::ids::{ID_BYTES_MAX, MessageId, Tenant};
use crate::store::{
    Accepted, DEATHS_BEFORE_SUSPECT, Key, Leased, Record, Revision, SHARE_OUT_MAX, Settled, Settlement, StoreError, Stream, StreamEntry,
};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How far back a stale scan may look, in writes.
const STALE_WRITES_MAX: usize = 8;

/// Everything stored, and the dice.
#[derive(Debug)]
pub struct State {
    random: Random,
    /// How often each fault strikes.
    pub faults: Faults,
    /// Faults that have struck.
    pub struck: u64,
    revision: u64,
    /// Records by key.
    pub records: BTreeMap<Key, Record>,
    undo: VecDeque<(Key, Option<Record>)>,
    /// Entries of each stream, in order.
    pub streams: BTreeMap<Stream, Vec<StreamEntry>>,
    /// Blobs by digest.
    pub blobs: BTreeMap<Digest, Bytes>,
    /// Unsettled messages by number of acceptance.
    pub queue: BTreeMap<u64, Waiting>,
    /// Settled messages, in order.
    pub settled: Vec<Settled>,
    /// How many there ever were.
    pub settled_count: u64,
    accepted_count: u64,
    accepted: BTreeMap<(Tenant, MessageId), Vec<Identity>>,
    tickets: BTreeMap<u64, u64>,
    ticket_count: u64,
}

/// An unsettled message.
#[derive(Debug)]
pub struct Waiting {
    identity: Identity,
    envelope: Envelope,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    not_before: Option<Timestamp>,
    /// End of the lease, while it is in somebody's hands.
    pub leased_until: Option<Timestamp>,
    ticket: u64,
    deliveries: u32,
    deaths: u32,
    solo: u32,
    share: Option<Share>,
}

impl State {
    /// An empty state.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            random: Random::new(seed),
            faults,
            struck: 0,
            revision: 0,
            records: BTreeMap::new(),
            undo: VecDeque::new(),
            streams: BTreeMap::new(),
            blobs: BTreeMap::new(),
            queue: BTreeMap::new(),
            settled: vec![],
            settled_count: 0,
            accepted_count: 0,
            accepted: BTreeMap::new(),
            tickets: BTreeMap::new(),
            ticket_count: 0,
        }
    }

    /// Rolls the dice for one fault.
    pub fn strikes(&mut self, rate: impl Fn(&Faults) -> u32) -> bool {
        let per_mille = rate(&self.faults);
        let struck = per_mille > 0 && self.random.below(1000) < u64::from(per_mille);
        self.struck += u64::from(struck);
        struck
    }

    /// Writes or deletes a record; never refuses.
    pub fn put(&mut self, key: &Key, value: Option<Bytes>) -> Revision {
        self.revision += 1;
        let revision = Revision(self.revision);
        let before = match value {
            Some(value) => self.records.insert(key.clone(), Record { key: key.clone(), revision, value }),
            None => self.records.remove(key),
        };
        self.undo.push_back((key.clone(), before));
        if self.undo.len() > STALE_WRITES_MAX {
            self.undo.pop_front();
        }
        revision
    }

    /// The records as a scan sees them: perhaps as they were some writes ago.
    pub fn scanned(&mut self) -> BTreeMap<Key, Record> {
        let mut records = self.records.clone();
        if self.strikes(|faults| faults.stale_scan) {
            let writes = 1 + self.random.below(STALE_WRITES_MAX as u64);
            for (key, before) in self.undo.iter().rev().take(usize::try_from(writes).unwrap_or_default()) {
                match before {
                    Some(record) => records.insert(key.clone(), record.clone()),
                    None => records.remove(key),
                };
            }
        }
        records
    }

    /// Whether a record has that revision; may strike with a conflict.
    pub fn expect(&mut self, key: &Key, expected: Revision) -> Result<(), StoreError> {
        let fits = self.records.get(key).is_some_and(|record| record.revision == expected);
        if !fits || self.strikes(|faults| faults.conflict) { Err(StoreError::Conflict) } else { Ok(()) }
    }

    /// Entries of a stream, in order.
    pub fn entries(&self, stream: Stream) -> impl Iterator<Item = &StreamEntry> {
        self.streams.get(&stream).into_iter().flatten()
    }

    /// Accepts a message or says what it was before.
    pub fn accept(&mut self, envelope: Envelope) -> Result<Accepted, StoreError> {
        within(envelope.payload.len(), MESSAGE_BYTES_HARD)?;
        within(envelope.given_id.as_ref().map_or(0, String::len), ID_BYTES_MAX)?;
        let mut accepted = Accepted { identity: self.identify(&envelope), duplicate: false, variant: false };
        if Identity::of(&envelope).is_some() {
            let of_id = self.accepted.entry((envelope.tenant.clone(), accepted.identity.id.clone())).or_default();
            if let Some(at) = of_id.iter().position(|known| known.content == accepted.identity.content) {
                return Ok(Accepted { identity: of_id[at].clone(), duplicate: true, variant: at > 0 });
            }
            if !of_id.is_empty() {
                accepted.variant = true;
                accepted.identity = accepted.identity.variant();
            }
            of_id.push(accepted.identity.clone());
        }
        self.accepted_count += 1;
        let waiting = Waiting {
            identity: accepted.identity.clone(),
            share: share_of(&envelope),
            envelope,
            accepted_at: Timestamp::now(),
            not_before: None,
            leased_until: None,
            ticket: 0,
            deliveries: 0,
            deaths: 0,
            solo: 0,
        };
        self.queue.insert(self.accepted_count, waiting);
        Ok(accepted)
    }

    fn identify(&self, envelope: &Envelope) -> Identity {
        Identity::of(envelope).unwrap_or_else(|| Identity {
            tenant: envelope.tenant.clone(),
            id: MessageId(format!("n-{}", self.accepted_count + 1)),
            content: Digest::of(&envelope.payload),
        })
    }

    /// Messages in somebody's hands.
    pub fn in_hands(&self, now: Timestamp) -> impl Iterator<Item = &Waiting> {
        self.queue.values().filter(move |waiting| waiting.is_leased(now))
    }

    /// Hands out what may be handed out, or says when to look again.
    pub fn lease(&mut self, limit: usize, duration: Duration) -> (Vec<Leased>, Option<Duration>) {
        let now = Timestamp::now();
        let twice = self.strikes(|faults| faults.delivered_twice);
        let is_ready = |waiting: &Waiting| (twice || !waiting.is_leased(now)) && waiting.not_before.is_none_or(|due| due <= now);
        let mut shares: BTreeMap<Share, usize> = BTreeMap::new();
        for share in self.in_hands(now).filter_map(|waiting| waiting.share) {
            *shares.entry(share).or_default() += 1;
        }
        let mut has_turn = |waiting: &Waiting| {
            let Some(share) = waiting.share else { return true };
            let count = shares.entry(share).or_default();
            *count += 1;
            *count <= SHARE_OUT_MAX
        };
        let ready = self.queue.iter().filter(|(_, waiting)| is_ready(waiting) && has_turn(waiting));
        let ready: Vec<u64> = ready.map(|(seq, _)| *seq).take(limit).collect();
        let suspect = ready.iter().position(|seq| self.queue[seq].is_suspect());
        let out = self.in_hands(now).count();
        let solo_out = self.in_hands(now).any(|waiting| waiting.deaths > DEATHS_BEFORE_SUSPECT);
        let count = match suspect {
            _ if solo_out => 0,
            Some(0) if out == 0 => 1,
            Some(before) => before,
            None => ready.len(),
        };
        let leased: Vec<_> = ready.iter().take(count).filter_map(|seq| self.hand_out(*seq, now, duration)).collect();
        let dues = self.queue.values().filter_map(|waiting| waiting.leased_until.max(waiting.not_before)).filter(|due| *due > now);
        let next_due = dues.min().map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default());
        (leased, next_due)
    }

    fn hand_out(&mut self, seq: u64, now: Timestamp, duration: Duration) -> Option<Leased> {
        let waiting = self.queue.get_mut(&seq)?;
        self.ticket_count += 1;
        self.tickets.insert(self.ticket_count, seq);
        let suspect = waiting.is_suspect();
        waiting.ticket = self.ticket_count;
        waiting.deliveries += 1;
        waiting.deaths += 1;
        waiting.solo += u32::from(suspect);
        waiting.leased_until = Some(later(now, duration));
        Some(Leased {
            ticket: waiting.ticket,
            deliveries: waiting.deliveries,
            suspect,
            solo_deliveries: waiting.solo,
            share: waiting.share,
            identity: waiting.identity.clone(),
            envelope: waiting.envelope.clone(),
        })
    }

    /// Ends a delivery.
    pub fn settle(&mut self, ticket: u64, settlement: &Settlement) {
        let Some(seq) = self.tickets.get(&ticket) else { return };
        let Settlement::Retry(delay) = settlement else {
            if let Some(done) = self.queue.remove(seq) {
                self.settled_count += 1;
                self.settled.push(Settled { number: self.settled_count, message: Some((done.identity, done.envelope)) });
            }
            return;
        };
        if let Some(waiting) = self.queue.get_mut(seq).filter(|waiting| waiting.ticket == ticket && waiting.leased_until.is_some()) {
            waiting.solo = waiting.solo.saturating_sub(u32::from(waiting.deaths > DEATHS_BEFORE_SUSPECT));
            waiting.deaths = waiting.deaths.saturating_sub(1);
            waiting.leased_until = None;
            waiting.not_before = Some(later(Timestamp::now(), *delay));
        }
    }
}

impl Waiting {
    fn is_leased(&self, now: Timestamp) -> bool {
        self.leased_until.is_some_and(|until| until > now)
    }

    fn is_suspect(&self) -> bool {
        self.deaths >= DEATHS_BEFORE_SUSPECT
    }
}

/// xorshift64*: small, and the same on every machine.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // Zero is the one state it cannot leave; the multiplication spreads small seeds.
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

/// Refuses what is beyond a limit.
pub fn within(size: usize, limit: usize) -> Result<(), StoreError> {
    if size > limit { Err(StoreError::TooLarge { size, limit }) } else { Ok(()) }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.saturating_add(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
}
