//! Death at each numbered step: a worker is stopped for good right after its n-th durable write, settlement or send, for every
//! n; the next worker on the same store finishes what it began. Nothing is lost, nobody is told under two Message-IDs, and a
//! person is told twice only where the death fell between the send and its record.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use mimamori::case::CaseRecord;
use mimamori::conversation::LedgerLimits;
use mimamori::decode::settings::DecodeSettings;
use mimamori::diag::SourceText;
use mimamori::edge::embedded::{Embedded, Options};
use mimamori::edge::metrics::Metrics;
use mimamori::edge::metrics::labels::AlertChannel;
use mimamori::edge::notify::render::Ways;
use mimamori::edge::notify::{Notifier, Outcome, Outgoing};
use mimamori::engine::Engine;
use mimamori::model::digest::Digest;
use mimamori::model::envelope::{ContentKind, Envelope, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::policy::{Policy, SHIPPED};
use mimamori::store::{
    Accepted, Appended, Key, Leased, Queue, QueueState, Record, Revision, SettledPage, Settlement, Store, StoreError, Stream, StreamEntry,
};
use mimamori::worker::desk::Desk;
use mimamori::worker::enroll::read_cases;
use mimamori::worker::{Engines, Parts, Worker};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(|| {
    let sources: Vec<SourceText> = mimamori::app::lexicons::BUILT_IN
        .iter()
        .map(|(name, text)| SourceText { name: (*name).to_owned(), text: (*text).to_owned() })
        .collect();
    let lexicon = mimamori::engine::lexicon::compile(&sources).lexicon.expect("sound");
    Arc::new(Engine::new(lexicon).expect("fits"))
});

struct One;
impl Engines for One {
    fn engine(&self, _: &Tenant, _: &QueueName) -> Arc<Engine> {
        Arc::clone(&ENGINE)
    }
}

/// Steps a process may still take.
struct Life {
    left: AtomicI64,
}

impl Life {
    fn of(steps: i64) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(steps) })
    }

    fn is_over(&self) -> bool {
        self.left.load(Ordering::SeqCst) <= 0
    }

    /// The step that was just taken is durable; with the last one everything ends.
    async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 1 {
            std::future::pending::<()>().await;
        }
    }

    /// The dead do nothing.
    async fn alive(&self) {
        if self.is_over() {
            std::future::pending::<()>().await;
        }
    }
}

/// A store and queue in the hands of a mortal process.
struct Mortal {
    it: Arc<Embedded>,
    life: Arc<Life>,
}

#[async_trait]
impl Store for Mortal {
    async fn create(&self, key: &Key, value: Bytes) -> Result<Revision, StoreError> {
        self.life.alive().await;
        let done = self.it.create(key, value).await;
        self.life.step().await;
        done
    }
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.life.alive().await;
        self.it.get(key).await
    }
    async fn update(&self, key: &Key, expected: Revision, value: Bytes) -> Result<Revision, StoreError> {
        self.life.alive().await;
        let done = self.it.update(key, expected, value).await;
        self.life.step().await;
        done
    }
    async fn delete(&self, key: &Key, expected: Revision) -> Result<(), StoreError> {
        self.life.alive().await;
        self.it.delete(key, expected).await
    }
    async fn scan(&self, prefix: &Key) -> Result<Vec<Record>, StoreError> {
        self.life.alive().await;
        self.it.scan(prefix).await
    }
    async fn append(&self, stream: Stream, dedupe: &str, expect_last: Option<u64>, body: Bytes) -> Result<Appended, StoreError> {
        self.life.alive().await;
        let done = self.it.append(stream, dedupe, expect_last, body).await;
        self.life.step().await;
        done
    }
    async fn read(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<StreamEntry>, StoreError> {
        self.life.alive().await;
        self.it.read(stream, after, limit).await
    }
    async fn find(&self, stream: Stream, dedupe: &str) -> Result<Option<StreamEntry>, StoreError> {
        self.life.alive().await;
        self.it.find(stream, dedupe).await
    }
    async fn last(&self, stream: Stream) -> Result<Option<StreamEntry>, StoreError> {
        self.life.alive().await;
        self.it.last(stream).await
    }
    async fn put_blob(&self, bytes: Bytes) -> Result<Digest, StoreError> {
        self.life.alive().await;
        let done = self.it.put_blob(bytes).await;
        self.life.step().await;
        done
    }
    async fn get_blob(&self, digest: &Digest) -> Result<Option<Bytes>, StoreError> {
        self.life.alive().await;
        self.it.get_blob(digest).await
    }
    async fn changed(&self, longest: Duration) {
        self.it.changed(longest).await;
    }
}

#[async_trait]
impl Queue for Mortal {
    async fn submit(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        self.it.submit(envelopes).await
    }
    async fn lease(&self, limit: usize, longest: Duration) -> Result<Vec<Leased>, StoreError> {
        self.life.alive().await;
        self.it.lease(limit, longest).await
    }
    async fn settle(&self, ticket: u64, settlement: Settlement) -> Result<(), StoreError> {
        self.life.alive().await;
        let done = self.it.settle(ticket, settlement).await;
        self.life.step().await;
        done
    }
    async fn settled(&self, after: u64, limit: usize) -> Result<SettledPage, StoreError> {
        self.it.settled(after, limit).await
    }
    async fn forget_settled(&self, upto: u64) -> Result<(), StoreError> {
        self.it.forget_settled(upto).await
    }
    async fn state(&self) -> Result<QueueState, StoreError> {
        self.life.alive().await;
        self.it.state().await
    }
}

/// Person, channel and Message-ID of everything that left, over all lives.
type Sent = Arc<Mutex<Vec<(String, String, String)>>>;

struct Post {
    sent: Sent,
    life: Arc<Life>,
}

#[async_trait]
impl Notifier for Post {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        self.life.alive().await;
        let row = (alert.to.person.clone(), alert.to.channel.clone(), alert.message_id.clone());
        self.sent.lock().expect("lock").push(row);
        self.life.step().await;
        Outcome::Sent
    }
}

/// One life of a worker: until everything is settled, or its steps are used up. True if it lived to the end.
fn live(path: &Path, steps: i64, sent: &Sent) -> bool {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let life = Life::of(steps);
    let finished = runtime.block_on(async {
        let embedded = Arc::new(Embedded::open_with(path, Options { disk_reserve_bytes: 0, ..Options::default() }).expect("opens"));
        // What a dead worker had in its hands is given back, as at every start.
        let _lock = embedded.worker_lock().await.expect("alone");
        let mortal = Arc::new(Mortal { it: embedded, life: Arc::clone(&life) });
        let policy = Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound");
        let store: Arc<dyn Store> = mortal.clone();
        let worker = Arc::new(Worker::new(Parts {
            store: Arc::clone(&store),
            queue: mortal,
            engines: Arc::new(One),
            desk: Arc::new(Desk::new(store, Arc::new(policy))),
            ways: Ways::default(),
            texts: Arc::new(mimamori::wording::Texts::built_in(mimamori::wording::Language::Japanese)),
            decode: DecodeSettings::default(),
            ledger: LedgerLimits::default(),
            channel: AlertChannel::Outbox,
            notifier: Arc::new(Post { sent: Arc::clone(sent), life: Arc::clone(&life) }),
            metrics: Arc::new(Metrics::new()),
            attempts_max: 5,
            concurrency: 2,
            in_flight: 64,
            message_bytes: 1 << 20,
            is_sole: true,
            on_alert: None,
        }));
        let stop = CancellationToken::new();
        let running = tokio::spawn(Arc::clone(&worker).run(stop.clone()));
        let end = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            assert!(std::time::Instant::now() < end, "a life of {steps} steps does not end");
            if life.is_over() {
                return false;
            }
            let settled = tokio::time::timeout(Duration::from_millis(500), worker.is_settled()).await;
            if matches!(settled, Ok(Ok(true))) {
                // A moment for what is still on its way into the history.
                tokio::time::sleep(Duration::from_millis(50)).await;
                stop.cancel();
                return tokio::time::timeout(Duration::from_secs(5), running).await.is_ok() && !life.is_over();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    // Like kill -9: no task of this life runs on.
    runtime.shutdown_timeout(Duration::from_millis(200));
    finished
}

fn submit(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let embedded = Embedded::open_with(path, Options { disk_reserve_bytes: 0, ..Options::default() }).expect("opens");
        let envelope = Envelope {
            kind: ContentKind::JsonLine,
            payload: Bytes::from_static(
                r#"{"id":"a","channel":"chat","conversation":"c","text":"お前の家はわかってるからな。殺してやる"}"#.as_bytes(),
            ),
            given_id: Some("a".to_owned()),
            tenant: Tenant::default(),
            queue: QueueName::default(),
            received_at: Timestamp::now(),
            source: Source::Submit,
            purpose: Purpose::Live,
        };
        embedded.submit(vec![envelope]).await.pop().expect("one").expect("accepted");
    });
}

/// Alerts that the store knows to have left.
fn recorded(path: &Path) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let store = Embedded::open(path).expect("opens");
        let cases = read_cases(&store).await.expect("cases");
        cases.iter().flat_map(|case| &case.intents).filter(|intent| intent.state.is_sent()).count()
    })
}

fn check(path: &Path, step: i64, sent: &Sent) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let store = Embedded::open(path).expect("opens");
        for (stream, count) in [(Stream::Verdict, 1), (Stream::Decision, 1), (Stream::Evidence, 1), (Stream::Dead, 0)] {
            let last = store.last(stream).await.expect("reads").map_or(0, |entry| entry.seq);
            assert_eq!(last, count, "step {step}: {stream:?}");
        }
        let cases = read_cases(&store).await.expect("cases");
        assert_eq!(cases.iter().map(CaseRecord::message_count).collect::<Vec<_>>(), [1], "step {step}");
        let history = store.read(Stream::CaseEvent, 0, 1000).await.expect("reads");
        let mut numbers: Vec<u64> = history
            .iter()
            .map(|entry| serde_json::from_slice::<serde_json::Value>(&entry.body).expect("json")["n"].as_u64().expect("a number"))
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=cases[0].event_count).collect::<Vec<_>>(), "step {step}: the history is whole");
    });
    let mut told: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (person, channel, id) in sent.lock().expect("lock").iter() {
        told.entry((person.clone(), channel.clone())).or_default().push(id.clone());
    }
    assert_eq!(told.len(), 4, "step {step}: two people over two channels: {told:?}");
    for (whom, ids) in &told {
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "step {step}: {whom:?} knows one Message-ID: {ids:?}");
        assert!(ids.len() <= 2, "step {step}: {whom:?} {ids:?}");
    }
}

#[test]
fn death_after_any_step_loses_and_repeats_nothing_unseen() {
    let mut deaths = 0;
    let mut repeats = 0;
    for step in 1.. {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let sent: Sent = Arc::default();
        submit(&path);
        let lived = live(&path, step, &sent);
        if !lived {
            deaths += 1;
            let unrecorded = sent.lock().expect("lock").len() - recorded(&path);
            assert!(live(&path, i64::MAX, &sent), "step {step}: the next life finishes");
            // Exactly what left without a record leaves again.
            assert_eq!(sent.lock().expect("lock").len(), 4 + unrecorded, "step {step}");
            repeats += unrecorded;
        }
        check(&path, step, &sent);
        if lived {
            break;
        }
        assert!(step < 200, "no life reaches the end");
    }
    assert!(deaths >= 20, "only {deaths} deaths");
    assert!(repeats > 0, "no death fell between a send and its record");
}
