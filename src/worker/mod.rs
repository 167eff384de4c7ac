//! The worker: messages in, verdicts and cases out, then acknowledgement; and due alerts out to people.
//!
//! Two loops that never wait for each other. *Intake* takes messages from the queue and settles each one last, after its
//! verdict and the alert intent are durable. *Announce* is driven only by due times in case records, so a dead mail
//! server never stalls intake, and a crash anywhere only repeats work.

use crate::case::CaseRecord;
use crate::conversation::{Assessment, Conversation, LedgerLimits};
use crate::decode::settings::DecodeSettings;
use crate::edge::metrics::Metrics;
use crate::edge::metrics::labels::AlertChannel;
use crate::edge::notify::Notifier;
use crate::edge::notify::render::Ways;
use crate::engine::Engine;
use crate::engine::scan::Scratch;
use crate::model::ids::{QueueName, Tenant};
use crate::policy::Policy;
use crate::store::{Leased, Queue, Store};
use crate::wording::Texts;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub mod alarm;
pub mod announce;
pub mod answer;
pub mod audit;
pub mod bundles;
pub mod bury;
pub mod canary;
mod courtesy;
pub mod crowd;
pub mod desk;
pub mod digests;
pub mod door;
pub mod drill;
pub mod enroll;
pub mod events;
pub mod exposure;
pub mod flag;
mod keys;
mod notice;
pub mod process;
pub mod quiet;
mod reply;
pub mod staff;
mod together;
pub mod weight;

use crate::worker::courtesy::Courtesy;
use crate::worker::desk::Desk;
use crate::worker::together::Together;

/// Bytes of messages in the hands of this process at once: what a small server can spare, whatever arrives.
pub const IN_FLIGHT_BYTES_MAX: usize = 256 << 20;

/// Share of the messages in flight that are fetched at once under load: a request for each one would cost more than judging it.
const ROW_SHARE: usize = 8;

/// Longest wait for room for a whole row: what came before is still in work then.
const ROW_WAIT: Duration = Duration::from_millis(3);

/// Times a settlement is tried before the message is left to its lease: a leader change takes a second or two.
const SETTLE_TRIES: u32 = 3;

/// Pause between two tries to settle.
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

/// How long one look into an empty queue waits before it looks at the stop signal again.
const LEASE_WAIT: Duration = Duration::from_millis(500);

/// Pause after the queue failed to answer, so that a broken disk is not hammered.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);

/// The time an orderly shutdown gives to work in hand; what is not done by then goes back to the queue. With what comes after it,
/// the process ends within ten seconds.
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(6);

/// The time for giving back what is left.
const HAND_BACK_MAX: Duration = Duration::from_secs(1);

/// Which engine judges a tenant's queue.
pub trait Engines: Send + Sync {
    /// The engine of that tenant and queue.
    fn engine(&self, tenant: &Tenant, queue: &QueueName) -> Arc<Engine>;
}

/// Everything the worker works with.
pub struct Worker {
    /// Records, streams, blobs.
    pub store: Arc<dyn Store>,
    /// The work queue.
    pub queue: Arc<dyn Queue>,
    /// Cases, their policy and their evidence.
    pub desk: Arc<Desk>,
    /// Engines by tenant and queue.
    pub engines: Arc<dyn Engines>,
    /// How people answer alerts.
    pub ways: Ways,
    /// The words of alerts.
    texts: RwLock<Arc<Texts>>,
    /// Forms, shared senders, own addresses.
    pub decode: DecodeSettings,
    /// What counts over time.
    pub ledger: LedgerLimits,
    /// Which channel alerts leave by.
    pub channel: AlertChannel,
    /// The way out.
    pub notifier: Arc<dyn Notifier>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Deliveries of one message that may fail for a reason other than the store before it is buried.
    pub attempts_max: u32,
    /// No other worker shares the store: sends that were under way when this process started are nobody's.
    pub is_sole: bool,
    /// Told of every alert that left, for `demo`.
    pub on_alert: Option<AlertListener>,
    pulse: Pulse,
    /// Which channels do not work.
    pub(crate) channels: alarm::Channels,
    /// Messages in hand at once.
    in_flight: usize,
    /// Bytes that one message may have.
    message_bytes: usize,
    /// Bytes of those in hand.
    bytes: Arc<AtomicUsize>,
    /// Writers of one conversation's memory.
    memories: Arc<Together<Conversation, Assessment>>,
    /// Messages decoded or judged at the same time: more than processors only wait for each other.
    judging: Semaphore,
    /// Who is in work, so that a flood lets the others go first.
    courtesy: Courtesy,
    scratches: Mutex<Vec<Scratch>>,
}

/// Called with the case and the rendered text of every alert that left.
pub type AlertListener = Box<dyn Fn(&CaseRecord, &str) + Send + Sync>;

/// When the loops last turned, for readiness.
#[derive(Debug, Default)]
pub struct Pulse {
    intake_ms: AtomicI64,
    announce_ms: AtomicI64,
    busy: AtomicU64,
}

impl Pulse {
    fn beat(clock: &AtomicI64) {
        clock.store(jiff::Timestamp::now().as_millisecond(), Ordering::Relaxed);
    }

    /// Age of the older of the two loops' last turn.
    pub fn age(&self, now: jiff::Timestamp) -> Duration {
        let last = self.intake_ms.load(Ordering::Relaxed).min(self.announce_ms.load(Ordering::Relaxed));
        Duration::from_millis(u64::try_from(now.as_millisecond() - last).unwrap_or(0))
    }

    /// Messages in hand.
    pub fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }
}

/// What [`Worker::new`] needs; the rest is the worker's own.
#[allow(missing_docs)]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub queue: Arc<dyn Queue>,
    pub engines: Arc<dyn Engines>,
    pub desk: Arc<Desk>,
    pub ways: Ways,
    pub texts: Arc<Texts>,
    pub decode: DecodeSettings,
    pub ledger: LedgerLimits,
    pub channel: AlertChannel,
    pub notifier: Arc<dyn Notifier>,
    pub metrics: Arc<Metrics>,
    pub attempts_max: u32,
    pub concurrency: usize,
    pub in_flight: usize,
    pub message_bytes: usize,
    pub is_sole: bool,
    pub on_alert: Option<AlertListener>,
}

/// Bytes of one message in hand, given back when it is done, a panic included.
struct Held(Arc<AtomicUsize>, usize);

impl Held {
    fn new(sum: &Arc<AtomicUsize>, bytes: usize) -> Self {
        sum.fetch_add(bytes, Ordering::Relaxed);
        Self(Arc::clone(sum), bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Worker {
    /// A worker that has not started.
    pub fn new(parts: Parts) -> Self {
        let pulse = Pulse::default();
        Pulse::beat(&pulse.intake_ms);
        Pulse::beat(&pulse.announce_ms);
        Self {
            store: parts.store,
            desk: parts.desk,
            ways: parts.ways,
            texts: RwLock::new(parts.texts),
            queue: parts.queue,
            engines: parts.engines,
            decode: parts.decode,
            ledger: parts.ledger,
            channel: parts.channel,
            notifier: parts.notifier,
            metrics: parts.metrics,
            attempts_max: parts.attempts_max,
            is_sole: parts.is_sole,
            on_alert: parts.on_alert,
            pulse,
            channels: alarm::Channels::default(),
            in_flight: parts.in_flight.max(1),
            message_bytes: parts.message_bytes.max(1),
            bytes: Arc::default(),
            memories: Arc::default(),
            judging: Semaphore::new(parts.concurrency),
            courtesy: Courtesy::default(),
            scratches: Mutex::default(),
        }
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.desk.policy()
    }

    /// The words of alerts in force.
    pub fn texts(&self) -> Arc<Texts> {
        Arc::clone(&self.texts.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other words in force, for every alert that leaves from now on.
    pub fn set_texts(&self, texts: Texts) {
        *self.texts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(texts);
    }

    /// When the loops last turned.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Runs both loops until `stop`, then finishes what is in hand, at most [`SHUTDOWN_MAX`]. True if everything was finished.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> bool {
        let announcer = tokio::spawn(announce::run(Arc::clone(&self), stop.clone()));
        let tasks = TaskTracker::new();
        self.intake(&stop, &tasks).await;
        let end = tokio::time::Instant::now() + SHUTDOWN_MAX;
        self.hand_back(false).await;
        tasks.close();
        let work = async {
            tasks.wait().await;
            announcer.await.is_ok()
        };
        let is_orderly = tokio::time::timeout_at(end, work).await.unwrap_or(false);
        self.hand_back(true).await;
        is_orderly
    }

    async fn hand_back(&self, all: bool) {
        if tokio::time::timeout(HAND_BACK_MAX, self.queue.hand_back(all)).await.is_err() {
            tracing::warn!("not everything could be given back to the queue; it comes again when its lease has run out");
        }
    }

    async fn intake(self: &Arc<Self>, stop: &CancellationToken, tasks: &TaskTracker) {
        let permits = Arc::new(Semaphore::new(self.in_flight));
        while !stop.is_cancelled() {
            Pulse::beat(&self.pulse.intake_ms);
            let room = tokio::select! {
                () = stop.cancelled() => break,
                room = self.room(&permits) => room,
            };
            let leased = tokio::select! {
                () = stop.cancelled() => break,
                leased = self.queue.lease(room, LEASE_WAIT) => leased,
            };
            match leased {
                Ok(leased) => self.hand_out(leased, &permits, tasks).await,
                Err(error) => {
                    tracing::error!(%error, "the queue does not answer");
                    tokio::time::sleep(QUEUE_PAUSE).await;
                }
            }
        }
    }

    /// Waits for room, and says for how many messages, of whatever size, there is some.
    async fn room(&self, permits: &Semaphore) -> usize {
        let row = u32::try_from((self.in_flight / ROW_SHARE).max(1)).unwrap_or(1);
        if tokio::time::timeout(ROW_WAIT, permits.acquire_many(row)).await.is_err() {
            drop(permits.acquire().await);
        }
        while self.bytes.load(Ordering::Relaxed) >= IN_FLIGHT_BYTES_MAX {
            tokio::time::sleep(ROW_WAIT).await;
        }
        let spare = (IN_FLIGHT_BYTES_MAX - self.bytes.load(Ordering::Relaxed).min(IN_FLIGHT_BYTES_MAX)) / self.message_bytes;
        permits.available_permits().min(spare).max(1)
    }

    async fn hand_out(self: &Arc<Self>, leased: Vec<Leased>, permits: &Arc<Semaphore>, tasks: &TaskTracker) {
        for one in leased {
            let Ok(permit) = Arc::clone(permits).acquire_owned().await else { return };
            let worker = Arc::clone(self);
            let held = Held::new(&self.bytes, one.envelope.payload.len());
            tasks.spawn(async move {
                worker.pulse.busy.fetch_add(1, Ordering::Relaxed);
                worker.handle(one).await;
                worker.pulse.busy.fetch_sub(1, Ordering::Relaxed);
                drop((permit, held));
            });
        }
    }

    fn scratch(&self) -> Scratch {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, scratch: Scratch) {
        self.scratches.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}
