//! What is in this process's hands: messages handed out, and messages fetched that must wait.
//!
//! Senders take turns: of one there are at most [`SHARE_OUT_MAX`] messages out, and what came too much of him waits here, within
//! bounds, while the messages behind are fetched and handed out.
//!
//! A message that was in the hands of workers that died is suspect and goes alone: nothing else may be out in this process, and
//! what was fetched beside it waits. Plain memory: what dies with the process comes again from the server.
//!
//! The server waits only a short time for an answer, so that what a dead worker had comes again soon. A living one says again and
//! again that what it has is in work ([`Hands::progress`]), but not for ever: a message whose work hangs is let go when its lease ends.

use crate::edge::nats::unavailable;
use crate::model::envelope::Share;
use crate::store::{Leased, SHARE_OUT_MAX, StoreError};
use async_nats::jetstream::AckKind;
use async_nats::{Client, Subject};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Bits of a ticket that say which delivery it stands for: a late retry of an earlier one must not pull the message out of
/// later hands.
const DELIVERY_BITS: u32 = 16;

/// Grace after the end of a lease before it counts as lost here, too: the server decides, and its word needs a moment.
const GRACE: Duration = Duration::from_millis(250);

/// Handles kept of leases that were lost: whoever still finishes such a message says something true.
const LATE_MAX: usize = 1_024;

/// Messages that may wait here for their turn: a flood of that length is looked past. At all workers together they stay below
/// what the server lets out.
const WAITING_MAX: usize = 4_096;

/// Bytes of them: beside what is out, a worker's memory must hold them.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Longest time that the server waits for a word before it hands a message out again: that long a message waits whose worker has
/// died. Longer than the usual election in a cluster, in which no word arrives.
const ACK_WAIT_MAX: Duration = Duration::from_secs(10);

/// Words of progress within one wait of the server: two may be lost.
const WORDS_PER_WAIT: u32 = 3;

/// How long the server waits for a word about a message whose lease is this long.
pub(crate) fn ack_wait(lease: Duration) -> Duration {
    lease.min(ACK_WAIT_MAX)
}

/// A fetched message and how to answer for it.
pub(crate) struct Fetched {
    pub(crate) sequence: u64,
    pub(crate) leased: Leased,
    pub(crate) reply: Subject,
    /// When the server was last told that it is in work.
    pub(crate) touched: Instant,
}

struct Out {
    ticket: u64,
    share: Option<Share>,
    reply: Subject,
    since: Instant,
    /// When the server last heard of it.
    touched: Instant,
    /// Somebody is done with it and has tried to say so: if that failed, it must come again soon.
    is_answered: bool,
    alone: bool,
}

#[derive(Default)]
struct State {
    /// By number in the stream.
    out: HashMap<u64, Out>,
    /// Messages out of each sender.
    shares: HashMap<Share, usize>,
    late: VecDeque<(u64, Subject)>,
    /// By number in the stream.
    waiting: BTreeMap<u64, Fetched>,
    waiting_bytes: usize,
}

/// The hands of one process.
pub(crate) struct Hands {
    lease: Duration,
    state: Mutex<State>,
    /// Told when something was settled.
    pub(crate) settled: Notify,
}

/// The ticket of a delivery.
pub(crate) fn ticket(sequence: u64, delivery: u32) -> u64 {
    (sequence << DELIVERY_BITS) | u64::from(delivery & 0xffff)
}

/// The number of a message in the stream.
pub(crate) fn sequence_of(ticket: u64) -> u64 {
    ticket >> DELIVERY_BITS
}

/// What the hands say of a ticket that is to be settled.
pub(crate) enum Grip {
    /// In hand.
    Firm(Subject),
    /// Its lease was lost; it may be in other hands.
    Late(Subject),
    /// Settled before, or never seen.
    Unknown,
}

impl Hands {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { lease, state: Mutex::default(), settled: Notify::new() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what was fetched. A message that was out has come again: its lease was lost.
    pub(crate) fn take_in(&self, fetched: Vec<Fetched>) {
        self.with(|state| {
            for one in fetched {
                state.lose(one.sequence);
                state.forget_waiting(one.sequence);
                state.waiting_bytes += one.leased.envelope.payload.len();
                state.waiting.insert(one.sequence, one);
            }
        });
    }

    /// Lets go of leases that have run out.
    pub(crate) fn let_go(&self) {
        let longest = self.lease + GRACE;
        self.with(|state| {
            let gone: Vec<u64> = state.out.iter().filter(|(_, out)| out.since.elapsed() > longest).map(|(at, _)| *at).collect();
            for sequence in gone {
                state.lose(sequence);
            }
        });
    }

    /// What may be handed out now, oldest first and senders in turn; a suspect alone, and nothing while one is out. `None`: what
    /// waits must wait on.
    pub(crate) fn hand_out(&self, limit: usize) -> Option<Vec<Leased>> {
        self.with(|state| {
            if state.out.values().any(|out| out.alone) {
                return None;
            }
            let suspect = state.waiting.values().find(|one| one.leased.suspect).map(|one| one.sequence);
            let taken = match suspect {
                Some(_) if !state.out.is_empty() => return None,
                Some(sequence) => vec![sequence],
                None => state.turns(limit),
            };
            Some(taken.into_iter().filter_map(|sequence| state.hand_out(sequence)).collect())
        })
    }

    /// Messages that may be fetched beside those that wait for their turn, each of at most so many bytes.
    pub(crate) fn spare(&self, message_bytes: usize) -> usize {
        self.with(|state| {
            if state.waiting.is_empty() {
                return usize::MAX;
            }
            let of_bytes = WAITING_BYTES_MAX.saturating_sub(state.waiting_bytes) / message_bytes.max(1);
            of_bytes.min(WAITING_MAX.saturating_sub(state.waiting.len()))
        })
    }

    /// Whether something waits for its turn.
    pub(crate) fn is_waiting(&self) -> bool {
        self.with(|state| !state.waiting.is_empty())
    }

    /// Tells the server that what waits, and what is out and still has its lease, is in work.
    async fn progress(&self, client: &Client) -> Result<(), StoreError> {
        let wait = ack_wait(self.lease);
        let due = wait / WORDS_PER_WAIT;
        let old: Vec<Subject> = self.with(|state| {
            let waiting = state.waiting.values_mut().map(|one| (&one.reply, &mut one.touched));
            let out = state.out.values_mut().filter(|out| !out.is_answered && out.since.elapsed() + wait <= self.lease);
            let out = out.map(|out| (&out.reply, &mut out.touched));
            let old = waiting.chain(out).filter(|(_, touched)| touched.elapsed() > due);
            old.map(|(reply, touched)| {
                *touched = Instant::now();
                reply.clone()
            })
            .collect()
        });
        for reply in old {
            client.publish(reply, AckKind::Progress.into()).await.map_err(unavailable)?;
        }
        Ok(())
    }

    /// Keeps telling until the hands are gone. Beside the loop that fetches: that one may be waiting for room.
    pub(crate) fn keep_telling(self: &Arc<Self>, client: Client) {
        let hands = Arc::downgrade(self);
        let pause = ack_wait(self.lease) / WORDS_PER_WAIT / 2;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(hands) = hands.upgrade() else { return };
                if let Err(error) = hands.progress(&client).await {
                    tracing::warn!(%error, "the server cannot be told that messages are in work");
                }
            }
        });
    }

    /// Whether something suspect waits or is out: then nothing more should be fetched.
    pub(crate) fn is_careful(&self) -> bool {
        self.with(|state| state.out.values().any(|out| out.alone) || state.waiting.values().any(|one| one.leased.suspect))
    }

    /// Takes out what waits, and with `all` what is out.
    pub(crate) fn empty(&self, all: bool) -> Vec<(u64, Subject)> {
        self.with(|state| {
            state.waiting_bytes = 0;
            let mut taken: Vec<(u64, Subject)> =
                std::mem::take(&mut state.waiting).into_values().map(|one| (one.sequence, one.reply)).collect();
            if all {
                state.shares.clear();
                taken.extend(state.out.drain().map(|(sequence, out)| (sequence, out.reply)));
                taken.sort_unstable_by_key(|(sequence, _)| *sequence);
            }
            taken
        })
    }

    /// Messages handed out.
    pub(crate) fn out(&self) -> u64 {
        self.with(|state| state.out.len() as u64)
    }

    /// How a ticket is held that is to be settled; from now on nobody says any more that it is in work.
    pub(crate) fn grip(&self, ticket: u64) -> Grip {
        self.with(|state| {
            if let Some(out) = state.out.get_mut(&sequence_of(ticket)).filter(|out| out.ticket == ticket) {
                out.is_answered = true;
                return Grip::Firm(out.reply.clone());
            }
            let late = state.late.iter().find(|(known, _)| *known == ticket);
            late.map_or(Grip::Unknown, |(_, reply)| Grip::Late(reply.clone()))
        })
    }

    /// The ticket is settled.
    pub(crate) fn drop_ticket(&self, ticket: u64) {
        self.with(|state| {
            if state.out.get(&sequence_of(ticket)).is_some_and(|out| out.ticket == ticket) {
                state.take_out(sequence_of(ticket));
            }
            state.late.retain(|(known, _)| *known != ticket);
        });
        self.settled.notify_waiters();
    }

    /// A message is done, whoever still has it.
    pub(crate) fn drop_sequence(&self, sequence: u64) {
        self.with(|state| {
            state.take_out(sequence);
            state.late.retain(|(ticket, _)| sequence_of(*ticket) != sequence);
            state.forget_waiting(sequence);
        });
        self.settled.notify_waiters();
    }
}

impl State {
    /// The oldest of those that wait, at most `limit`, and of each sender no more than may be out.
    fn turns(&self, limit: usize) -> Vec<u64> {
        let mut taken: HashMap<Share, usize> = HashMap::new();
        let mut has_turn = |one: &Fetched| {
            let Some(share) = one.leased.share else { return true };
            let count = taken.entry(share).or_insert_with(|| self.shares.get(&share).copied().unwrap_or(0));
            *count += 1;
            *count <= SHARE_OUT_MAX
        };
        self.waiting.values().filter(|one| has_turn(one)).take(limit).map(|one| one.sequence).collect()
    }

    fn hand_out(&mut self, sequence: u64) -> Option<Leased> {
        let one = self.forget_waiting(sequence)?;
        if let Some(share) = one.leased.share {
            *self.shares.entry(share).or_default() += 1;
        }
        let out = Out {
            ticket: one.leased.ticket,
            share: one.leased.share,
            reply: one.reply,
            since: Instant::now(),
            touched: one.touched,
            is_answered: false,
            alone: one.leased.suspect,
        };
        self.out.insert(sequence, out);
        Some(one.leased)
    }

    fn forget_waiting(&mut self, sequence: u64) -> Option<Fetched> {
        let one = self.waiting.remove(&sequence)?;
        self.waiting_bytes -= one.leased.envelope.payload.len();
        Some(one)
    }

    fn take_out(&mut self, sequence: u64) -> Option<Out> {
        let out = self.out.remove(&sequence)?;
        if let Some(share) = out.share
            && let Some(count) = self.shares.get_mut(&share)
        {
            *count -= 1;
            if *count == 0 {
                self.shares.remove(&share);
            }
        }
        Some(out)
    }

    fn lose(&mut self, sequence: u64) {
        if let Some(out) = self.take_out(sequence) {
            self.late.push_back((out.ticket, out.reply));
            while self.late.len() > LATE_MAX {
                self.late.pop_front();
            }
        }
    }
}
