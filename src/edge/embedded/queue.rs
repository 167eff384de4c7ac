//! The work queue in SQLite: at least once, oldest first, senders in turn, suspects alone.
//!
//! A message never handed out has `due = 0` and is ready whatever the clock says; one in a worker's hands, or given back,
//! is ready when its `due` has passed. Deaths are counted when a message is handed out, durably, and taken back when it is
//! given back: so a process that dies at any moment has left its mark already.

use crate::edge::embedded::Embedded;
use crate::edge::embedded::acceptance::{self, Known, Limits};
use crate::edge::embedded::schema::folder_of;
use crate::edge::embedded::writer::{Concerns, Decision, Signals, lock};
use crate::model::envelope::Envelope;
use crate::store::{
    Accepted, DEATHS_BEFORE_SUSPECT, Leased, Queue, QueueState, SETTLED_MAX, SHARE_OUT_MAX, Settled, SettledPage, Settlement, StoreError,
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Messages accepted in one transaction: whoever submits thousands must not keep the writer from everybody else for long.
const ACCEPTED_TOGETHER_MAX: usize = 32;

/// Messages handed out by one `lease`, whatever was asked for.
const LEASED_PER_CALL_MAX: usize = 1024;

/// Messages looked at beyond a sender who has enough out: the first message of any other has its turn beside the first of his,
/// so few stand before it.
const LOOK_AHEAD: usize = 1024;

/// Messages looked at first, and how many times as many the next time.
const LOOK_FIRST: usize = 32;
const LOOK_GROWTH: usize = 4;

/// Payload handed out by one `lease`, in bytes (one message may exceed it): bounds the worker's memory when many large
/// mails wait.
const LEASED_BYTES_MAX: usize = 32 << 20;

/// Longest delay of a retry: a mistaken delay must not put a message away for ever.
const RETRY_DELAY_MAX: Duration = Duration::from_hours(24);

/// Longest wait of one `lease`: a caller who wants more asks again.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// A row that cannot be read is looked at again after this long, and said each time: it must not stop the others.
const DAMAGED_DELAY: Duration = Duration::from_mins(1);

/// A ticket is the number of the message and, in its low bits, which delivery it stands for: a late retry of an earlier
/// delivery must not pull the message out of later hands.
const DELIVERY_BITS: u32 = 16;

/// Tickets whose lease was answered to nobody: the next lease gives them back.
pub type Abandoned = Arc<Mutex<Vec<u64>>>;

impl Embedded {
    async fn accept(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        let count = envelopes.len();
        let known: Vec<_> = envelopes.iter().map(Known::of).collect();
        let limits = Limits { pending: self.options.pending_max, disk_is_full: disk_is_full(&self.path, self.options.disk_reserve_bytes) };
        let decide = move |db: &Connection| acceptance::accept(db, &envelopes, &known, &limits).map(Ok);
        self.writer.run(Concerns::Work, decide).await.unwrap_or_else(|error| vec![Err(error); count])
    }
}

#[async_trait]
impl Queue for Embedded {
    async fn submit(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        let mut answers = Vec::with_capacity(envelopes.len());
        let mut left = envelopes.into_iter().peekable();
        while left.peek().is_some() {
            answers.extend(self.accept(left.by_ref().take(ACCEPTED_TOGETHER_MAX).collect()).await);
        }
        answers
    }

    /// Safe to drop at any moment: what was leased for a caller who went away is given back, and not counted as a death.
    async fn lease(&self, limit: usize, longest: Duration) -> Result<Vec<Leased>, StoreError> {
        let until = Instant::now() + longest.min(WAIT_MAX);
        let limit = limit.min(LEASED_PER_CALL_MAX);
        loop {
            let mut signal = std::pin::pin!(self.signals.work.notified());
            // Listen before looking, so that nothing accepted in between is slept over.
            signal.as_mut().enable();
            let (abandoned, signals, lease) = (Arc::clone(&self.abandoned), Arc::clone(&self.signals), self.options.lease);
            let decide = {
                let abandoned = Arc::clone(&abandoned);
                move |db: &Connection| claim(db, &abandoned, limit, lease).map(Ok)
            };
            let claim = self.writer.run_then(Concerns::Nobody, decide, |found| Claim::new(found, abandoned, signals)).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !claim.found.leased.is_empty() || left.is_zero() || limit == 0 {
                return Ok(claim.take());
            }
            let pause = claim.found.next_due_in.map_or(left, |due| due.min(left));
            if tokio::time::timeout(pause, signal).await.is_err() && pause == left {
                return Ok(vec![]);
            }
        }
    }

    async fn settle(&self, ticket: u64, settlement: Settlement) -> Result<(), StoreError> {
        let keeps = self.options.keeps_settled;
        let decide = move |db: &Connection| match settlement {
            Settlement::Done | Settlement::Dead => finish(db, ticket, keeps),
            Settlement::Retry(delay) => give_back(db, ticket, delay),
        };
        self.writer.run(Concerns::Work, decide).await
    }

    async fn state(&self) -> Result<QueueState, StoreError> {
        self.readers.run(state).await
    }

    async fn settled(&self, after: u64, limit: usize) -> Result<SettledPage, StoreError> {
        self.readers.run(move |db| settled(db, after, limit)).await
    }

    async fn forget_settled(&self, upto: u64) -> Result<(), StoreError> {
        self.writer.run(Concerns::Nobody, move |db| forget(db, upto).map(Ok)).await
    }
}

/// What one look at the queue found.
struct Found {
    leased: Vec<Leased>,
    next_due_in: Option<Duration>,
    given_back: Vec<u64>,
}

/// A committed lease on its way to the caller. Dropped without [`Claim::take`], it gives its messages back.
struct Claim {
    found: Found,
    abandoned: Abandoned,
    signals: Arc<Signals>,
}

impl Claim {
    fn new(found: Found, abandoned: Abandoned, signals: Arc<Signals>) -> Self {
        lock(&abandoned).retain(|ticket| !found.given_back.contains(ticket));
        Self { found, abandoned, signals }
    }

    fn take(mut self) -> Vec<Leased> {
        std::mem::take(&mut self.found.leased)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.found.leased.is_empty() {
            lock(&self.abandoned).extend(self.found.leased.iter().map(|leased| leased.ticket));
            // Another lease may have looked already and found nothing.
            self.signals.work.notify_waiters();
        }
    }
}

/// A row that may be handed out.
struct Candidate {
    seq: u64,
    deliveries: u32,
    deaths: u32,
    solo: u32,
    share: i64,
}

impl Candidate {
    fn is_suspect(&self) -> bool {
        self.deaths >= DEATHS_BEFORE_SUSPECT
    }
}

fn claim(db: &Connection, abandoned: &Abandoned, limit: usize, lease: Duration) -> rusqlite::Result<Found> {
    let given_back = give_back_abandoned(db, abandoned)?;
    let now = Timestamp::now().as_microsecond();
    let mut leased = vec![];
    let mut bytes = 0;
    for candidate in allowed(db, now, limit)? {
        let Some(message) = acceptance::load(db, candidate.seq)? else {
            tracing::error!(seq = candidate.seq, "a message in the queue cannot be read; it stays there");
            set_due(db, candidate.seq, now + micros(DAMAGED_DELAY))?;
            continue;
        };
        bytes += message.envelope.payload.len();
        if bytes > LEASED_BYTES_MAX && !leased.is_empty() {
            break;
        }
        hand_out(db, &candidate, now + micros(lease))?;
        leased.push(Leased {
            ticket: ticket(candidate.seq, candidate.deliveries + 1),
            deliveries: candidate.deliveries + 1,
            suspect: candidate.is_suspect(),
            solo_deliveries: if candidate.is_suspect() { candidate.solo + 1 } else { 0 },
            share: acceptance::share_of_number(candidate.share),
            identity: message.identity,
            envelope: message.envelope,
        });
    }
    let next_due_in = if leased.is_empty() { next_due(db, now)? } else { None };
    Ok(Found { leased, next_due_in, given_back })
}

/// In turn; a suspect waits until nothing else is out, holds back what comes after it, and then goes alone.
fn allowed(db: &Connection, now: i64, limit: usize) -> rusqlite::Result<Vec<Candidate>> {
    let (out, suspects_out): (u64, u64) = db
        .prepare_cached("SELECT count(*), coalesce(sum(deaths > ?2), 0) FROM queue WHERE due > ?1 AND leased = 1")?
        .query_row(params![now, DEATHS_BEFORE_SUSPECT], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if suspects_out > 0 {
        return Ok(vec![]);
    }
    let shares_out = shares_out(db, now)?;
    let mut ready = in_turn(db, now, limit, &shares_out)?;
    match ready.iter().position(Candidate::is_suspect) {
        Some(0) if out == 0 => ready.truncate(1),
        Some(before) => ready.truncate(before),
        None => {}
    }
    Ok(ready)
}

/// The first messages that may go out, senders in turn. Looks at few at first: whoever sends little has an early turn, so in a
/// flood the others stand in front, and the rest of his need not be looked at with every lease.
fn in_turn(db: &Connection, now: i64, limit: usize, shares_out: &HashMap<i64, usize>) -> rusqlite::Result<Vec<Candidate>> {
    let (mut look, longest) = (LOOK_FIRST, limit + LOOK_AHEAD);
    loop {
        let seen = ready(db, now, look.min(longest))?;
        let is_all = seen.len() < look;
        let (mut found, was_full) = within_shares(seen, shares_out.clone());
        let is_enough = found.len() >= limit || (was_full && !found.is_empty());
        if is_all || is_enough || look >= longest {
            found.truncate(limit);
            return Ok(found);
        }
        look *= LOOK_GROWTH;
    }
}

/// Messages out of each sender.
fn shares_out(db: &Connection, now: i64) -> rusqlite::Result<HashMap<i64, usize>> {
    let mut statement =
        db.prepare_cached("SELECT share, count(*) FROM queue WHERE due > ?1 AND leased = 1 AND share <> 0 GROUP BY share")?;
    statement.query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Without what would be too much of one sender; and whether there was any.
fn within_shares(ready: Vec<Candidate>, mut out: HashMap<i64, usize>) -> (Vec<Candidate>, bool) {
    let before = ready.len();
    let fits = |candidate: &Candidate| {
        let count = out.entry(candidate.share).or_default();
        *count += 1;
        candidate.share == 0 || *count <= SHARE_OUT_MAX
    };
    let ready: Vec<Candidate> = ready.into_iter().filter(fits).collect();
    let was_full = ready.len() < before;
    (ready, was_full)
}

fn ready(db: &Connection, now: i64, limit: usize) -> rusqlite::Result<Vec<Candidate>> {
    // Two bounded looks at one index: never handed out (in turn), and due again.
    let mut statement = db.prepare_cached(
        "SELECT seq, deliveries, deaths, solo, share FROM (
             SELECT * FROM (SELECT * FROM queue WHERE due = 0 ORDER BY turn, seq LIMIT ?2)
             UNION ALL
             SELECT * FROM (SELECT * FROM queue WHERE due > 0 AND due <= ?1 ORDER BY due LIMIT ?2)
         ) ORDER BY turn, seq LIMIT ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Candidate { seq: row.get(0)?, deliveries: row.get(1)?, deaths: row.get(2)?, solo: row.get(3)?, share: row.get(4)? })
    };
    statement.query_map(params![now, limit], read)?.collect()
}

fn hand_out(db: &Connection, candidate: &Candidate, due: i64) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(
        "UPDATE queue SET due = ?2, leased = 1, deliveries = deliveries + 1, deaths = deaths + 1, solo = solo + ?3 WHERE seq = ?1",
    )?;
    statement.execute(params![candidate.seq, due, candidate.is_suspect()])?;
    Ok(())
}

fn set_due(db: &Connection, seq: u64, due: i64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE queue SET due = ?2, leased = 0 WHERE seq = ?1")?.execute(params![seq, due])?;
    Ok(())
}

fn next_due(db: &Connection, now: i64) -> rusqlite::Result<Option<Duration>> {
    let due: Option<i64> = db.prepare_cached("SELECT min(due) FROM queue WHERE due > ?1")?.query_row([now], |row| row.get(0))?;
    // One microsecond more, because the clock is read in whole ones.
    Ok(due.map(|due| Duration::from_micros((due - now).unsigned_abs() + 1)))
}

/// Done or dead is true whoever says it, also after the lease was lost.
fn finish(db: &Connection, ticket: u64, keeps: bool) -> Decision<()> {
    let (seq, _) = opened(ticket);
    if db.prepare_cached("DELETE FROM queue WHERE seq = ?1")?.execute([seq])? == 1 {
        db.prepare_cached("UPDATE intake SET pending = pending - 1")?.execute([])?;
        if keeps {
            db.prepare_cached("INSERT INTO settled (seq) VALUES (?1)")?.execute([seq])?;
            forget(db, u64::try_from(db.last_insert_rowid()).unwrap_or(0).saturating_sub(SETTLED_MAX))?;
        } else {
            db.prepare_cached("DELETE FROM message WHERE seq = ?1")?.execute([seq])?;
        }
    }
    Ok(Ok(()))
}

fn settled(db: &Connection, after: u64, limit: usize) -> rusqlite::Result<SettledPage> {
    let newest: Option<u64> = db.prepare_cached("SELECT max(number) FROM settled")?.query_row([], |row| row.get(0))?;
    let mut statement = db.prepare_cached("SELECT number, seq FROM settled WHERE number > ?1 ORDER BY number LIMIT ?2")?;
    let numbers = statement.query_map(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let numbers: Vec<(u64, u64)> = numbers.collect::<rusqlite::Result<_>>()?;
    let mut rows = vec![];
    for (number, seq) in numbers {
        let message = acceptance::load(db, seq)?.map(|stored| (stored.identity, stored.envelope));
        rows.push(Settled { number, message });
    }
    // What was forgotten had lower numbers, and numbers are never given twice.
    Ok(SettledPage { rows, newest: newest.unwrap_or(after).max(after) })
}

fn forget(db: &Connection, upto: u64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM message WHERE seq IN (SELECT seq FROM settled WHERE number <= ?1)")?.execute([upto])?;
    db.prepare_cached("DELETE FROM settled WHERE number <= ?1")?.execute([upto])?;
    Ok(())
}

fn give_back(db: &Connection, ticket: u64, delay: Duration) -> Decision<()> {
    // One microsecond more, because the clock is read in whole ones.
    return_to_queue(db, ticket, Timestamp::now().as_microsecond() + micros(delay.min(RETRY_DELAY_MAX)) + 1)?;
    Ok(Ok(()))
}

/// Ends one delivery without a death, unless the message has gone to other hands since.
fn return_to_queue(db: &Connection, ticket: u64, due: i64) -> rusqlite::Result<()> {
    let (seq, delivery) = opened(ticket);
    let mut statement = db.prepare_cached(
        "UPDATE queue SET due = ?3, leased = 0, deaths = max(deaths - 1, 0), solo = max(solo - (deaths > ?5), 0)
         WHERE seq = ?1 AND leased = 1 AND deliveries & ?4 = ?2",
    )?;
    statement.execute(params![seq, delivery, due, DELIVERY_MASK, DEATHS_BEFORE_SUSPECT])?;
    Ok(())
}

/// Undoes leases that reached nobody: their messages were never in anyone's hands. The delivery stays counted, because it
/// makes the next ticket another one.
pub fn give_back_abandoned(db: &Connection, abandoned: &Abandoned) -> rusqlite::Result<Vec<u64>> {
    let tickets = lock(abandoned).clone();
    for ticket in &tickets {
        return_to_queue(db, *ticket, 0)?;
    }
    Ok(tickets)
}

/// Makes every leased message ready at once; the death stays counted. Only for whoever holds the worker lock.
pub fn release_all(db: &Connection) -> Decision<()> {
    db.prepare_cached("UPDATE queue SET due = 0, leased = 0 WHERE leased = 1")?.execute([])?;
    Ok(Ok(()))
}

fn state(db: &Connection) -> rusqlite::Result<QueueState> {
    let now = Timestamp::now().as_microsecond();
    let pending = acceptance::read_counts(db)?.pending;
    let leased = db.prepare_cached("SELECT count(*) FROM queue WHERE due > ?1 AND leased = 1")?.query_row([now], |row| row.get(0))?;
    let mut oldest = db.prepare_cached("SELECT accepted_at FROM queue ORDER BY seq LIMIT 1")?;
    let oldest: Option<i64> = oldest.query_row([], |row| row.get(0)).optional()?;
    Ok(QueueState { pending, leased, oldest: oldest.and_then(|at| Timestamp::from_microsecond(at).ok()) })
}

const DELIVERY_MASK: u64 = (1 << DELIVERY_BITS) - 1;

fn ticket(seq: u64, delivery: u32) -> u64 {
    seq << DELIVERY_BITS | u64::from(delivery) & DELIVERY_MASK
}

fn opened(ticket: u64) -> (u64, u64) {
    (ticket >> DELIVERY_BITS, ticket & DELIVERY_MASK)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// Whether the disk has less room than the reserve. A disk that cannot be asked counts as having room: the write itself will tell.
fn disk_is_full(path: &Path, reserve: u64) -> bool {
    #[cfg(unix)]
    let free = rustix::fs::statvfs(folder_of(path)).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    #[cfg(not(unix))]
    let free = folder_of(path).metadata().ok().map(|_| u64::MAX);
    free.is_some_and(|free| free < reserve)
}
