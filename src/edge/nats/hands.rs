//! What is in this process's hands: messages handed out, and messages fetched that must wait.
//!
//! A message that was in the hands of workers that died is suspect and goes alone: nothing else may be out in this process, and
//! what was fetched beside it waits. Plain memory: what dies with the process comes again from the server.
//!
//! The server waits only a short time for an answer, so that what a dead worker had comes again soon. A living one says again and
//! again that what it has is in work ([`Hands::progress`]), but not for ever: a message whose work hangs is let go when its lease ends.

use crate::edge::nats::unavailable;
use crate::store::{Leased, StoreError};
use async_nats::jetstream::AckKind;
use async_nats::{Client, Subject};
use std::collections::{HashMap, VecDeque};
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
    reply: Subject,
    since: Instant,
    /// When the server last heard of it.
    touched: Instant,
    alone: bool,
}

#[derive(Default)]
struct State {
    out: HashMap<u64, Out>,
    late: VecDeque<(u64, Subject)>,
    waiting: Vec<Fetched>,
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
                let lost: Vec<u64> = state.out.keys().copied().filter(|ticket| sequence_of(*ticket) == one.sequence).collect();
                for ticket in lost {
                    state.lose(ticket);
                }
                state.waiting.retain(|known| known.sequence != one.sequence);
                state.waiting.push(one);
            }
            state.waiting.sort_by_key(|one| one.sequence);
        });
    }

    /// Lets go of leases that have run out.
    pub(crate) fn let_go(&self) {
        let longest = self.lease + GRACE;
        self.with(|state| {
            let gone: Vec<u64> = state.out.iter().filter(|(_, out)| out.since.elapsed() > longest).map(|(ticket, _)| *ticket).collect();
            for ticket in gone {
                state.lose(ticket);
            }
        });
    }

    /// What may be handed out now, oldest first; a suspect alone, and nothing while one is out. `None`: what waits must wait on.
    pub(crate) fn hand_out(&self, limit: usize) -> Option<Vec<Leased>> {
        self.with(|state| {
            if state.out.values().any(|out| out.alone) {
                return None;
            }
            let suspect = state.waiting.iter().position(|one| one.leased.suspect);
            let taken: Vec<Fetched> = match suspect {
                Some(_) if !state.out.is_empty() => return None,
                Some(at) => vec![state.waiting.remove(at)],
                None => state.waiting.drain(..limit.min(state.waiting.len())).collect(),
            };
            let now = Instant::now();
            let hand = |one: Fetched| {
                let out = Out { reply: one.reply, since: now, touched: one.touched, alone: one.leased.suspect };
                state.out.insert(one.leased.ticket, out);
                one.leased
            };
            Some(taken.into_iter().map(hand).collect())
        })
    }

    /// Tells the server that what waits, and what is out and still has its lease, is in work.
    async fn progress(&self, client: &Client) -> Result<(), StoreError> {
        let wait = ack_wait(self.lease);
        let due = wait / WORDS_PER_WAIT;
        let old: Vec<Subject> = self.with(|state| {
            let waiting = state.waiting.iter_mut().map(|one| (&one.reply, &mut one.touched));
            let out = state.out.values_mut().filter(|out| out.since.elapsed() + wait <= self.lease);
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
        self.with(|state| state.out.values().any(|out| out.alone) || state.waiting.iter().any(|one| one.leased.suspect))
    }

    /// Takes out what waits, and with `all` what is out.
    pub(crate) fn empty(&self, all: bool) -> Vec<(u64, Subject)> {
        self.with(|state| {
            let mut taken: Vec<(u64, Subject)> = state.waiting.drain(..).map(|one| (one.sequence, one.reply)).collect();
            if all {
                taken.extend(state.out.drain().map(|(ticket, out)| (sequence_of(ticket), out.reply)));
                taken.sort_unstable_by_key(|(sequence, _)| *sequence);
            }
            taken
        })
    }

    /// Messages handed out.
    pub(crate) fn out(&self) -> u64 {
        self.with(|state| state.out.len() as u64)
    }

    /// Takes a ticket out of the hands; `give_back` puts it in again if the server could not be told.
    pub(crate) fn grip(&self, ticket: u64) -> Grip {
        self.with(|state| {
            if let Some(out) = state.out.get(&ticket) {
                return Grip::Firm(out.reply.clone());
            }
            let late = state.late.iter().find(|(known, _)| *known == ticket);
            late.map_or(Grip::Unknown, |(_, reply)| Grip::Late(reply.clone()))
        })
    }

    /// The ticket is settled.
    pub(crate) fn drop_ticket(&self, ticket: u64) {
        self.with(|state| {
            state.out.remove(&ticket);
            state.late.retain(|(known, _)| *known != ticket);
        });
        self.settled.notify_waiters();
    }

    /// A message is done, whoever still has it.
    pub(crate) fn drop_sequence(&self, sequence: u64) {
        self.with(|state| {
            state.out.retain(|ticket, _| sequence_of(*ticket) != sequence);
            state.late.retain(|(ticket, _)| sequence_of(*ticket) != sequence);
            state.waiting.retain(|one| one.sequence != sequence);
        });
        self.settled.notify_waiters();
    }
}

impl State {
    fn lose(&mut self, ticket: u64) {
        if let Some(out) = self.out.remove(&ticket) {
            self.late.push_back((ticket, out.reply));
            while self.late.len() > LATE_MAX {
                self.late.pop_front();
            }
        }
    }
}
