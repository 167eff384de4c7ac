//! Alerts that are due, out to people.
//!
//! Driven only by due times in case records. Truth is the store: a heap in memory says when to look, a full scan at the
//! start and every `RESCAN` repairs whatever the heap missed, and every send begins with a compare-and-set, so that
//! an acknowledgement from another process is always seen and no alert has two senders.

use crate::case::intents::{Attempt, UNSURE_PAUSE};
use crate::case::{CaseRecord, Intent};
use crate::edge::metrics::labels::{AlertChannel, AlertOutcome};
use crate::edge::notify::render::render;
use crate::edge::notify::{Outcome, Reason};
use crate::policy::Policy;
use crate::policy::people::ChannelKind;
use crate::store::record::{self, Change};
use crate::store::{Key, StoreError, Stream};
use crate::worker::enroll::{case_key, read_cases};
use crate::worker::{Pulse, Worker};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often all cases are read again: bounds the delay of anything another process changed unseen.
const RESCAN: Duration = Duration::from_secs(30);

/// Longest sleep: wall time is compared at least this often, because monotonic clocks stop while a machine sleeps.
const SLEEP_MAX: Duration = Duration::from_millis(500);

/// A due alert that has not left after this time counts as overdue: something is broken, not slow.
pub(crate) const OVERDUE_AFTER: Duration = Duration::from_mins(1);

/// Tries to record the outcome of a send, with [`FINISH_PAUSE`] between them: ten seconds, longer than any passing trouble.
const FINISH_TRIES: u32 = 50;

/// Pause between two tries.
const FINISH_PAUSE: Duration = Duration::from_millis(200);

/// Entries of the history read at a time.
const FOLLOW_MAX: usize = 1_000;

/// Alerts under way at once: mail servers refuse more connections than this from one client.
pub const SENDS_MAX: usize = 8;

/// Runs until `stop`; sends under way are finished.
pub async fn run(worker: Arc<Worker>, stop: CancellationToken) {
    let mut due = Due::default();
    let tasks = TaskTracker::new();
    let permits = Arc::new(Permits::new(&worker.policy()));
    let mut next_scan = Timestamp::UNIX_EPOCH;
    let mut recovered = false;
    let mut seen = worker.newest_event().await;
    while !stop.is_cancelled() {
        Pulse::beat(&worker.pulse.announce_ms);
        let now = Timestamp::now();
        if now >= next_scan {
            match worker.rescan(&mut due, worker.is_sole && !recovered).await {
                Ok(()) => recovered = true,
                Err(error) => tracing::error!(%error, "cases cannot be read"),
            }
            next_scan = now + RESCAN;
        }
        for case in worker.desk.take_touched() {
            due.note(&case);
        }
        if let Err(error) = worker.follow(&mut due, &mut seen).await {
            tracing::warn!(%error, "what others did to cases cannot be read; the next scan tells");
        }
        for key in due.take_due(Timestamp::now()) {
            let (worker, permits) = (Arc::clone(&worker), Arc::clone(&permits));
            tasks.spawn(async move { worker.announce(&key, &permits).await });
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = worker.desk.touched_signal.notified() => {}
            () = tokio::time::sleep(SLEEP_MAX) => {}
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// Alerts that may be under way at once, per channel: one that stalls must not use up the others' share.
struct Permits {
    channels: BTreeMap<String, Semaphore>,
    other: Semaphore,
}

impl Permits {
    fn new(policy: &Policy) -> Self {
        let channels = policy.channels.iter().map(|channel| (channel.id.clone(), Semaphore::new(SENDS_MAX))).collect();
        Self { channels, other: Semaphore::new(SENDS_MAX) }
    }

    /// A channel that the policy has lost since is shared with the other lost ones.
    fn of(&self, channel: &str) -> &Semaphore {
        self.channels.get(channel).unwrap_or(&self.other)
    }
}

/// What an entry of the history says of its case.
#[derive(serde::Deserialize)]
struct Told {
    scope: String,
    generation: u32,
    n: u64,
}

/// When to look at which case.
#[derive(Debug, Default)]
struct Due {
    by_key: BTreeMap<Key, Timestamp>,
    /// Number of the newest event known to be in the history.
    logged: BTreeMap<Key, u64>,
}

impl Due {
    fn note(&mut self, case: &CaseRecord) {
        let key = case_key(&case.scope, case.generation);
        let newest = self.logged.entry(key.clone()).or_default();
        *newest = case.event_count.max(*newest);
        self.set(key, case.next_due);
    }

    fn set(&mut self, key: Key, at: Option<Timestamp>) {
        match at {
            Some(at) => _ = self.by_key.insert(key, at),
            None => _ = self.by_key.remove(&key),
        }
    }

    fn take_due(&mut self, now: Timestamp) -> Vec<Key> {
        let ready: Vec<Key> = self.by_key.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in &ready {
            self.by_key.remove(key);
        }
        ready
    }
}

impl Worker {
    /// Reads every case; at the start of a worker also gives sends of a dead one back.
    async fn rescan(&self, due: &mut Due, recover: bool) -> Result<(), StoreError> {
        let (mut overdue, mut open, now) = (0, 0, Timestamp::now());
        let mut longest = Duration::ZERO;
        for case in read_cases(&*self.store).await? {
            let key = case_key(&case.scope, case.generation);
            let is_sending = case.intents.iter().any(|intent| matches!(intent.state, crate::case::IntentState::Sending { .. }));
            open += u64::from(!case.state.is_closed());
            let late = case.next_due.map_or(Duration::ZERO, |at| Duration::try_from(now.duration_since(at)).unwrap_or_default());
            overdue += u64::from(late > OVERDUE_AFTER);
            longest = longest.max(late);
            let next = if recover && is_sending { self.recover(&key).await? } else { case.next_due };
            // What a person who judged could not finish; almost always there is nothing to do.
            if let Err(error) = self.desk.settle_weight(&case).await {
                tracing::warn!(case = %case.id, %error, "the memory does not follow the finding yet; the next scan tries again");
            }
            if due.logged.get(&key) != Some(&case.event_count) {
                let newest = self.desk.repair_history(&case).await?;
                due.logged.insert(key.clone(), newest);
            }
            due.set(key, next);
        }
        self.metrics.cases(open, overdue);
        self.metrics.overdue(longest);
        Ok(())
    }

    /// Number of the newest entry of the history.
    async fn newest_event(&self) -> u64 {
        // Whatever this misses, the scan at the start finds.
        self.store.last(Stream::CaseEvent).await.ok().flatten().map_or(0, |entry| entry.seq)
    }

    /// Looks at the cases that somebody else changed: a supervisor at a terminal, another worker.
    async fn follow(&self, due: &mut Due, seen: &mut u64) -> Result<(), StoreError> {
        for entry in self.store.read(Stream::CaseEvent, *seen, FOLLOW_MAX).await? {
            *seen = entry.seq;
            let Ok(told) = serde_json::from_slice::<Told>(&entry.body) else { continue };
            let key = case_key(&told.scope, told.generation);
            if due.logged.get(&key).is_some_and(|known| *known >= told.n) {
                continue;
            }
            if let Some((case, _)) = record::load::<CaseRecord>(&*self.store, &key).await? {
                due.note(&case);
            }
        }
        Ok(())
    }

    async fn recover(&self, key: &Key) -> Result<Option<Timestamp>, StoreError> {
        let now = Timestamp::now();
        let decide = |case: Option<CaseRecord>| match case {
            Some(mut case) => {
                let changed = case.recover_sends(now);
                let next = case.next_due;
                if changed { Change::Write(case, next) } else { Change::Keep(next) }
            }
            None => Change::Keep(None),
        };
        self.desk.change_case(key, decide).await
    }

    /// Climbs the ladders of one case; answers the alerts that are due now.
    async fn climb(&self, key: &Key) -> Result<Vec<(u32, String)>, StoreError> {
        let policy = self.policy();
        let decide = |case: Option<CaseRecord>| {
            let Some(mut case) = case else { return Change::Keep(vec![]) };
            let now = Timestamp::now();
            let changed = case.advance(&policy, now);
            let channel = |number: u32| case.intent(number).map(|intent| (number, intent.to.channel.clone()));
            let due = case.due(now).into_iter().filter_map(channel).collect();
            if changed { Change::Write(case, due) } else { Change::Keep(due) }
        };
        self.desk.change_case(key, decide).await
    }

    /// Sends what is due in one case.
    async fn announce(self: Arc<Self>, key: &Key, permits: &Arc<Permits>) {
        let numbers = match self.climb(key).await {
            Ok(numbers) => numbers,
            Err(error) => {
                tracing::error!(%error, "a case cannot be read; the next scan tries again");
                return;
            }
        };
        // Side by side: a mail server that stalls must not keep the pager silent.
        let mut sends = JoinSet::new();
        for (number, channel) in numbers {
            let (worker, permits, key) = (Arc::clone(&self), Arc::clone(permits), key.clone());
            sends.spawn(async move {
                let Ok(_permit) = permits.of(&channel).acquire().await else { return };
                if let Err(error) = worker.dispatch(&key, number).await {
                    tracing::error!(%error, "an alert could not be recorded; the next scan tries again");
                }
            });
        }
        sends.join_all().await;
        if let Ok(Some((case, _))) = record::load::<CaseRecord>(&*self.store, key).await {
            self.desk.touch(case);
        }
    }

    /// Sends one alert by itself.
    pub(crate) async fn send(&self, key: &Key, number: u32) -> Result<(), StoreError> {
        let hand_over = |case: Option<CaseRecord>| {
            let Some(mut case) = case else { return Change::Keep(None) };
            let before = case.clone();
            match case.begin_send(number, Timestamp::now()) {
                Some(intent) => Change::Write(case.clone(), Some((case, intent))),
                None if case != before => Change::Write(case, None),
                None => Change::Keep(None),
            }
        };
        let begun: Option<(CaseRecord, Intent)> = self.desk.change_case(key, hand_over).await?;
        let Some((case, intent)) = begun else { return Ok(()) };
        let token = self.token(&case, &intent).await;
        let answers = self.ways.answers(token.as_deref());
        let outgoing = render(&case, &intent, &self.policy(), &self.texts(), &answers, Timestamp::now());
        let outcome = self.notifier.send(&outgoing).await;
        self.channels.note(&intent.to.channel, outcome, Timestamp::now());
        self.metrics.alert(self.label(&intent.to.channel), label_of(outcome));
        self.metrics.alert_delay(Duration::try_from(Timestamp::now().duration_since(intent.due_at)).unwrap_or_default());
        self.record_send(key, number, &attempt_of(outcome)).await?;
        if outcome == Outcome::Sent {
            tracing::info!(case = %case.id, step = intent.step.id(), to = %intent.to.person, "alert sent");
            self.count_exposure(&case, &intent, Timestamp::now()).await;
            if let Some(listener) = &self.on_alert {
                listener(&case, &format!("宛先: {}\n件名: {}\n\n{}", intent.to.name, outgoing.subject, outgoing.text));
            }
        } else {
            tracing::warn!(case = %case.id, step = intent.step.id(), to = %intent.to.person, ?outcome, "alert not sent");
        }
        Ok(())
    }

    /// What opens the case to whom this alert goes; an alert without it is better than none.
    pub(crate) async fn token(&self, case: &CaseRecord, intent: &Intent) -> Option<String> {
        if !self.ways.are_open() {
            return None;
        }
        let now = Timestamp::now();
        match self.desk.keys(now).await {
            Ok(keys) => Some(keys.sign(case, &intent.to.person, now)),
            Err(error) => {
                tracing::error!(%error, "an alert leaves without a link: the signing keys cannot be read");
                None
            }
        }
    }

    /// What a channel of the policy is in metrics.
    pub(crate) fn label(&self, channel: &str) -> AlertChannel {
        let policy = self.policy();
        let kind = policy.channels.iter().find(|known| known.id == channel).map_or(ChannelKind::Mail, |known| known.kind);
        match kind {
            _ if self.channel == AlertChannel::Outbox => AlertChannel::Outbox,
            ChannelKind::Mail => self.channel,
            ChannelKind::Webhook | ChannelKind::Slack | ChannelKind::Teams => AlertChannel::Webhook,
            ChannelKind::Nats => AlertChannel::Nats,
        }
    }

    /// Records the outcome of a send. Tried hard: an outcome that is lost means that a person is told twice.
    pub(crate) async fn record_send(&self, key: &Key, number: u32, attempt: &Attempt) -> Result<(), StoreError> {
        for _ in 0..FINISH_TRIES {
            let policy = self.policy();
            let finish = |case: Option<CaseRecord>| match case {
                Some(mut case) => {
                    case.finish_send(number, attempt, &policy, Timestamp::now());
                    Change::Write(case, ())
                }
                None => Change::Keep(()),
            };
            match self.desk.change_case(key, finish).await {
                Err(error) if error.is_race() || error.is_transient() => tokio::time::sleep(FINISH_PAUSE).await,
                other => return other,
            }
        }
        Err(StoreError::Conflict)
    }

    /// Nothing waits in the queue and no alert is due.
    pub async fn is_settled(&self) -> Result<bool, StoreError> {
        if self.queue.state().await?.pending > 0 {
            return Ok(false);
        }
        let now = Timestamp::now();
        let busy = |case: &CaseRecord| {
            case.next_due.is_some_and(|at| at <= now)
                || case.intents.iter().any(|intent| matches!(intent.state, crate::case::IntentState::Sending { .. }))
        };
        Ok(!read_cases(&*self.store).await?.iter().any(busy))
    }
}

pub(crate) fn attempt_of(outcome: Outcome) -> Attempt {
    match outcome {
        Outcome::Sent => Attempt::Sent,
        Outcome::Transient { reason, slow_down } => {
            let at_least = if slow_down || reason == Reason::MaybeSent { UNSURE_PAUSE } else { Duration::ZERO };
            Attempt::Later { at_least, reason: reason.id().to_owned() }
        }
        Outcome::Later { wait } => Attempt::Later { at_least: wait, reason: Reason::Busy.id().to_owned() },
        Outcome::RecipientRefused { reason } => Attempt::Refused { reason: reason.id().to_owned() },
        // The channel is broken for everybody: keep trying, loudly, until somebody mends it.
        Outcome::ChannelBroken { reason } => Attempt::Later { at_least: Duration::ZERO, reason: reason.id().to_owned() },
    }
}

pub(crate) fn label_of(outcome: Outcome) -> AlertOutcome {
    match outcome {
        Outcome::Sent => AlertOutcome::Sent,
        Outcome::Transient { .. } | Outcome::Later { .. } => AlertOutcome::Transient,
        Outcome::RecipientRefused { .. } => AlertOutcome::Recipient,
        Outcome::ChannelBroken { .. } => AlertOutcome::Channel,
    }
}
