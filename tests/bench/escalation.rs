//! `cargo bench --bench escalation`: ten thousand open cases on one embedded store. Prints how long a restart takes until the
//! worker is ready and has read them all, and how late alerts leave whose time comes together.
//!
//! Alerts go to a notifier that notes the time; the store is a real file. `MIMAMORI_CASES` sets the number.

#![allow(clippy::print_stdout)] // a benchmark prints its figures

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use mimamori::case::transitions::Joining;
use mimamori::case::{CaseMessage, CaseRecord};
use mimamori::diag::SourceText;
use mimamori::edge::embedded::Embedded;
use mimamori::edge::metrics::Metrics;
use mimamori::edge::metrics::labels::AlertChannel;
use mimamori::edge::notify::render::Ways;
use mimamori::edge::notify::{Notifier, Outcome, Outgoing};
use mimamori::engine::Engine;
use mimamori::engine::lexicon::compile;
use mimamori::model::digest::Digest;
use mimamori::model::ids::{MessageId, QueueName, Tenant};
use mimamori::model::message::Channel;
use mimamori::model::severity::{Category, Level};
use mimamori::policy::{Policy, SHIPPED, Track};
use mimamori::store::Store;
use mimamori::store::record::encode;
use mimamori::worker::desk::Desk;
use mimamori::worker::enroll::{case_key, read_cases};
use mimamori::worker::{Engines, Parts, Worker};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Minutes over which the second alerts of all cases come due.
const SPREAD: SignedDuration = SignedDuration::from_secs(20);

struct One(Arc<Engine>);
impl Engines for One {
    fn engine(&self, _: &Tenant, _: &QueueName) -> Arc<Engine> {
        Arc::clone(&self.0)
    }
}

/// Notes how late every alert left, by the due time that its case held.
struct Clock {
    sent: Mutex<Vec<(String, Timestamp)>>,
}

#[async_trait]
impl Notifier for Clock {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        self.sent.lock().expect("lock").push((alert.message_id.clone(), Timestamp::now()));
        Outcome::Sent
    }
}

fn policy() -> Policy {
    Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound")
}

/// An open case whose next rung comes due at `due`.
fn case(n: usize, due: Timestamp, policy: &Policy) -> CaseRecord {
    let opened = Timestamp::now() - SignedDuration::from_mins(20);
    let level = Level::Suspected;
    let summary = mimamori::case::summary::Summary { level, ..Default::default() };
    let scope = Digest::of(&n.to_be_bytes()).key();
    let mut case = CaseRecord::open(&Tenant::default(), &QueueName::default(), &scope, 1, policy, opened);
    let joining = Joining {
        categories: vec![Category::Insult],
        ..Joining::new(
            CaseMessage {
                identity: format!("i{n}"),
                id: MessageId(format!("m{n}")),
                level,
                channel: Channel::Chat,
                received_at: opened,
                evidence: Digest::of(b"raw"),
            },
            [(Track::Harassment, summary)].into(),
        )
    };
    case.join(&joining, policy, opened);
    for number in case.due(opened) {
        case.begin_send(number, opened);
        case.finish_send(number, &mimamori::case::intents::Attempt::Sent, policy, opened);
    }
    for climb in case.climbs.values_mut() {
        climb.due = due;
    }
    case.next_due = Some(due);
    case
}

fn main() {
    let count: usize = std::env::var("MIMAMORI_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    runtime.block_on(measure(count));
}

async fn measure(count: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let policy = Arc::new(policy());
    let first = Timestamp::now() + SignedDuration::from_secs(15);
    {
        let store = Arc::new(Embedded::open(&path).expect("opens"));
        let writes = (0..count).map(|n| {
            let share = i32::try_from(n).unwrap_or(0) * 1000 / i32::try_from(count).unwrap_or(1);
            let case = case(n, first + SPREAD * share / 1000, &policy);
            let store = Arc::clone(&store);
            async move { store.create(&case_key(&case.scope, 1), encode(&case).expect("fits")).await }
        });
        for written in futures_util::future::join_all(writes).await {
            written.expect("written");
        }
    }
    let engine = Arc::new(Engine::new(compile(&[]).lexicon.expect("empty is sound")).expect("fits"));
    let began = Instant::now();
    let store: Arc<Embedded> = Arc::new(Embedded::open(&path).expect("opens"));
    let _lock = store.worker_lock().await.expect("alone");
    let clock = Arc::new(Clock { sent: Mutex::default() });
    let shared: Arc<dyn Store> = store.clone();
    let worker = Arc::new(Worker::new(Parts {
        store: Arc::clone(&shared),
        queue: store.clone(),
        engines: Arc::new(One(engine)),
        desk: Arc::new(Desk::new(shared, Arc::clone(&policy))),
        ways: Ways::default(),
        texts: Arc::new(mimamori::wording::Texts::built_in(mimamori::wording::Language::Japanese)),
        decode: mimamori::decode::settings::DecodeSettings::default(),
        ledger: mimamori::conversation::LedgerLimits::default(),
        channel: AlertChannel::Outbox,
        notifier: clock.clone(),
        metrics: Arc::new(Metrics::new()),
        attempts_max: 5,
        concurrency: 2,
        in_flight: 64,
        message_bytes: 1 << 20,
        is_sole: true,
        on_alert: None,
    }));
    let opened = began.elapsed();
    let all = read_cases(&*store).await.expect("cases").len();
    println!("{all} open cases: store opened in {opened:?}, every case read after {:?}", began.elapsed());
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&worker).run(stop.clone()));
    let end = Instant::now() + Duration::from_mins(2);
    while clock.sent.lock().expect("lock").len() < count && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.cancel();
    _ = running.await;
    let cases = read_cases(&*store).await.expect("cases");
    report(&cases, &clock, first, count);
}

/// How late the alerts left.
fn report(cases: &[CaseRecord], clock: &Clock, first: Timestamp, count: usize) {
    let sent: HashMap<String, Timestamp> = clock.sent.lock().expect("lock").iter().cloned().collect();
    let mut late: Vec<f64> = vec![];
    let mut early = 0;
    for case in cases {
        let share = cases_share(case, count);
        let due = first + SPREAD * share / 1000;
        for intent in case.intents.iter().filter(|intent| intent.moment > 0) {
            let Some(at) = sent.get(&intent.message_id) else { continue };
            early += usize::from(*at < due);
            late.push(at.duration_since(due).as_secs_f64());
        }
    }
    late.sort_by(f64::total_cmp);
    let at = |share: usize| late.get((late.len() * share / 1000).min(late.len().saturating_sub(1))).copied().unwrap_or(f64::NAN);
    println!(
        "{} alerts due over {SPREAD:#}: late p50 {:.3} s, p99 {:.3} s, max {:.3} s, early {early}",
        late.len(),
        at(500),
        at(990),
        at(1000)
    );
}

/// Which share of the spread a case had, from the number in its message.
fn cases_share(case: &CaseRecord, count: usize) -> i32 {
    let n: usize = case.messages[0].id.as_str().trim_start_matches('m').parse().unwrap_or(0);
    i32::try_from(n).unwrap_or(0) * 1000 / i32::try_from(count).unwrap_or(1)
}
