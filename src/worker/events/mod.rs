//! Events out: what is stored anyway is told to other systems, in order, again and again until they have it.
//!
//! One task per target, so that one that does not answer never delays another; one sender per target over all workers, by a
//! lease in its record ([`cursor`]). An event is told at least once: after a crash the last ones come again with the same id.
//! Nothing is skipped: what a target refuses waits, loudly, until it takes it or a person sets the place.

use crate::case::outward::Outward;
use crate::edge::metrics::Metrics;
use crate::edge::metrics::labels::EventOutcome;
use crate::edge::notify::event::{EventSink, Handed};
use crate::model::digest::Digest;
use crate::store::{Store, StoreError};
use crate::worker::events::cursor::{Claim, Cursor, Holder, LEASE_LEFT_MIN, Trouble};
use crate::worker::events::wish::{PAGE, Wish};
use crate::worker::keys;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub mod cursor;
pub mod wish;

/// How often a target that has everything is looked at: what happened is told within a second or two.
const LOOK: Duration = Duration::from_secs(1);

/// How often the place is noted while many events leave: a crash repeats at most these.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// First pause after a failure that passes by itself; doubled each time up to [`LATER_MAX`].
const LATER_FIRST: Duration = Duration::from_secs(1);

/// Longest pause after such failures: a receiver that is back after an hour is told within this.
const LATER_MAX: Duration = Duration::from_mins(1);

/// First pause after a refusal that a person must look at; doubled each time up to [`REFUSED_MAX`].
const REFUSED_FIRST: Duration = Duration::from_mins(1);

/// Longest pause after refusals.
const REFUSED_MAX: Duration = Duration::from_mins(15);

/// Largest random share added to a pause, in percent: the targets of a proxy that was restarted must not all return at once.
const JITTER_PERCENT_MAX: u64 = 20;

/// Another system, and the way to it.
pub struct Target {
    /// What it wants to hear.
    pub wish: Wish,
    /// The way.
    pub sink: Arc<dyn EventSink>,
}

/// What all targets share.
pub struct Feed {
    /// Where the entries are.
    pub store: Arc<dyn Store>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// No other worker shares the store.
    pub is_sole: bool,
}

/// Tells every target until `stop`.
pub async fn run(feed: Arc<Feed>, targets: Vec<Target>, stop: CancellationToken) {
    feed.metrics.event_targets(&targets.iter().map(|target| target.wish.id.as_str()).collect::<Vec<_>>());
    let mut tasks = JoinSet::new();
    for target in targets {
        let (feed, stop) = (Arc::clone(&feed), stop.clone());
        tasks.spawn(async move { Sender::new(&feed, &target).run(&stop).await });
    }
    tasks.join_all().await;
}

/// Whoever tells one target in this process.
struct Sender<'a> {
    target: &'a Target,
    metrics: &'a Metrics,
    store: &'a dyn Store,
    is_sole: bool,
    name: String,
    /// Attempts that failed in a row.
    failed: u32,
    /// No attempt before this, and when the event was stored that waits.
    not_before: Option<(Instant, Timestamp)>,
    /// Turn of the place that the last attempt belonged to.
    turn: u64,
}

/// Whether there is more to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    AtOnce,
    Later,
}

impl<'a> Sender<'a> {
    fn new(feed: &'a Feed, target: &'a Target) -> Self {
        let (store, metrics) = (&*feed.store, &*feed.metrics);
        Self { target, metrics, store, is_sole: feed.is_sole, name: String::new(), failed: 0, not_before: None, turn: 0 }
    }

    async fn run(mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let next = match self.round(stop).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(to = self.id(), %error, "events wait: the store does not answer");
                    Next::Later
                }
            };
            if next == Next::Later {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
        if let Err(error) = self.holder().release(self.id()).await {
            tracing::info!(to = self.id(), %error, "the right to send was not given back; it ends by itself");
        }
    }

    fn id(&self) -> &'a str {
        &self.target.wish.id
    }

    fn holder(&self) -> Holder<'_> {
        Holder { store: self.store, name: &self.name, is_sole: self.is_sole }
    }

    /// Claims the right to send and tells what is there.
    async fn round(&mut self, stop: &CancellationToken) -> Result<Next, StoreError> {
        if self.name.is_empty() {
            self.name = Digest::of(&keys::random()?).key();
        }
        let now = Timestamp::now();
        let mut cursor = match self.holder().claim(&self.target.wish, now).await? {
            Claim::Ours(cursor) => cursor,
            Claim::Others => {
                self.metrics.event_lag(self.id(), Duration::ZERO);
                return Ok(Next::Later);
            }
            Claim::Stopped(since) => {
                self.metrics.event_lag(self.id(), age(since));
                return Ok(Next::Later);
            }
        };
        if cursor.turn != self.turn {
            (self.turn, self.failed, self.not_before) = (cursor.turn, 0, None);
        }
        if let Some((_, stored_at)) = self.not_before.filter(|(at, _)| Instant::now() < *at) {
            self.metrics.event_lag(self.id(), age(stored_at));
            return Ok(Next::Later);
        }
        self.tell(&mut cursor, stop).await
    }

    /// Tells a page of entries, in order, up to the first that is not accepted.
    async fn tell(&mut self, cursor: &mut Cursor, stop: &CancellationToken) -> Result<Next, StoreError> {
        let rows = Wish::rows(self.store, cursor.place).await?;
        let (count, mut saved) = (rows.len(), Instant::now());
        for row in rows {
            if stop.is_cancelled() {
                break;
            }
            if let Some(event) = self.target.wish.event(&row) {
                self.metrics.event_lag(self.id(), age(row.entry.at));
                let is_short = cursor.left(Timestamp::now()) < LEASE_LEFT_MIN;
                if is_short && !self.holder().save(self.id(), cursor, Timestamp::now()).await? {
                    return Ok(Next::AtOnce);
                }
                let handed = self.target.sink.hand_over(event.kind, &event.id, &event.body).await;
                if !self.note(cursor, &event, row.entry.at, handed) {
                    self.holder().save(self.id(), cursor, Timestamp::now()).await?;
                    return Ok(Next::Later);
                }
            }
            cursor.place.pass(&row);
            if saved.elapsed() >= SAVE_EVERY {
                if !self.holder().save(self.id(), cursor, Timestamp::now()).await? {
                    return Ok(Next::AtOnce);
                }
                saved = Instant::now();
            }
        }
        if count > 0 && !self.holder().save(self.id(), cursor, Timestamp::now()).await? {
            return Ok(Next::AtOnce);
        }
        if count < PAGE {
            self.metrics.event_lag(self.id(), Duration::ZERO);
        }
        Ok(if count < PAGE { Next::Later } else { Next::AtOnce })
    }

    /// Takes note of an attempt; true if the event was accepted.
    fn note(&mut self, cursor: &mut Cursor, event: &Outward, stored_at: Timestamp, handed: Handed) -> bool {
        let (outcome, reason, pause, is_final) = match handed {
            Handed::Accepted => {
                self.metrics.event_out(self.id(), EventOutcome::Accepted);
                (self.failed, self.not_before) = (0, None);
                if cursor.trouble.take().is_some() {
                    tracing::info!(to = self.id(), "events are accepted again");
                }
                return true;
            }
            Handed::Later { reason, wait } => {
                let pause = pause(LATER_FIRST, LATER_MAX, self.failed, &event.id).max(wait.unwrap_or_default());
                (EventOutcome::Later, reason.id(), pause, false)
            }
            Handed::Refused { reason } => {
                (EventOutcome::Refused, reason.id(), pause(REFUSED_FIRST, REFUSED_MAX, self.failed, &event.id), false)
            }
            Handed::Gone => (EventOutcome::Gone, "gone", Duration::ZERO, true),
        };
        self.metrics.event_out(self.id(), outcome);
        let since = cursor.trouble.as_ref().map_or_else(Timestamp::now, |known| known.since);
        let is_news = cursor.trouble.as_ref().is_none_or(|known| known.reason != reason);
        cursor.trouble = Some(Trouble { since, reason: reason.to_owned(), is_final });
        self.failed = self.failed.saturating_add(1);
        self.not_before = Some((Instant::now() + pause, stored_at));
        let (to, event) = (self.id(), event.id.as_str());
        match outcome {
            EventOutcome::Gone => {
                tracing::error!(
                    to,
                    event,
                    "ALARM: the receiver wants no more events (410); nothing is sent until `events replay --to {to}`"
                );
            }
            EventOutcome::Refused if is_news => {
                tracing::error!(to, event, reason, "the receiver refuses an event; it is tried again slowly");
            }
            _ if is_news => tracing::warn!(to, event, reason, "an event was not accepted; it is tried again"),
            _ => {}
        }
        false
    }
}

/// The pause after so many failures, with a share derived from the event.
fn pause(first: Duration, longest: Duration, failed: u32, event: &str) -> Duration {
    let base = first.saturating_mul(1 << failed.min(16)).min(longest);
    let dice = Digest::of_fields(&[event.as_bytes(), &failed.to_be_bytes()]).as_bytes()[0];
    let percent = u32::try_from(u64::from(dice) * JITTER_PERCENT_MAX / 255).unwrap_or(0);
    base + base * percent / 100
}

fn age(since: Timestamp) -> Duration {
    Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_differ_between_events() {
        let row = |failed| pause(LATER_FIRST, LATER_MAX, failed, "evt_a");
        let share = |base: Duration| base..=base + base / 5;
        for (failed, seconds) in [(0, 1), (1, 2), (2, 4), (5, 32), (6, 60), (60, 60), (u32::MAX, 60)] {
            assert!(share(Duration::from_secs(seconds)).contains(&row(failed)), "{failed}: {:?}", row(failed));
        }
        for (failed, minutes) in [(0, 1), (3, 8), (4, 15), (40, 15)] {
            let found = pause(REFUSED_FIRST, REFUSED_MAX, failed, "evt_a");
            assert!(share(Duration::from_mins(minutes)).contains(&found), "{failed}: {found:?}");
        }
        assert_ne!(pause(LATER_FIRST, LATER_MAX, 6, "evt_a"), pause(LATER_FIRST, LATER_MAX, 6, "evt_b"));
    }
}
