//! `cargo bench --bench flood`: one customer sends two thousand abusive mails at once. Prints how long the others' messages take from
//! before their acceptance to their verdict, without and with the flood, on the embedded store and on a real NATS server.
//!
//! Needs the servers that `tests/run` installs. `MIMAMORI_TURNS` sets how often calm and flood take turns.

#![allow(clippy::print_stdout)] // a benchmark prints its figures

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use mimamori::app;
use mimamori::diag::SourceText;
use mimamori::edge::embedded::Embedded;
use mimamori::edge::metrics::Metrics;
use mimamori::edge::metrics::labels::AlertChannel;
use mimamori::edge::nats::{Access, Nats, Options};
use mimamori::edge::notify::render::Ways;
use mimamori::edge::notify::{Notifier, Outcome, Outgoing};
use mimamori::engine::Engine;
use mimamori::engine::lexicon::compile;
use mimamori::engine::reader::model::Model;
use mimamori::model::envelope::{ContentKind, Envelope, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::policy::{Policy, SHIPPED};
use mimamori::store::{Queue, Store, Stream};
use mimamori::worker::desk::Desk;
use mimamori::worker::{Engines, Parts, Worker};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Mails of the flood.
const FLOOD: usize = 2_000;

/// Mails of one submission.
const BATCH: usize = 100;

/// Messages of others per second: a center of 300 seats in a busy hour has fewer.
const PACE: u64 = 50;

/// Length of a calm phase, and least length of one with the flood.
const PHASE: Duration = Duration::from_secs(6);

/// What `in_flight` is by default.
const IN_FLIGHT: usize = 256;

/// Pause between two looks at the verdicts.
const LOOK: Duration = Duration::from_millis(5);

/// Server under measurement.
const VERSION: &str = "2.15.1";

struct One(Arc<Engine>);
impl Engines for One {
    fn engine(&self, _: &Tenant, _: &QueueName) -> Arc<Engine> {
        Arc::clone(&self.0)
    }
}

struct Nobody;
#[async_trait]
impl Notifier for Nobody {
    async fn send(&self, _: &Outgoing) -> Outcome {
        Outcome::Sent
    }
}

struct Server(Child);
impl Drop for Server {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn engine() -> Arc<Engine> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = app::read_lexicons(&[root.join("lexicons")]).expect("the shipped lexicons are readable");
    let engine = Engine::new(compile(&sources).lexicon.expect("they compile")).expect("they fit an automaton");
    let bytes = std::fs::read(root.join("lexicons/reader/weights.bin")).expect("the shipped weights are readable");
    Arc::new(engine.with_reader(Arc::new(Model::from_bytes(&bytes).expect("whole"))))
}

fn envelope(kind: ContentKind, id: String, payload: String) -> Envelope {
    Envelope {
        kind,
        payload: Bytes::from(payload),
        given_id: Some(id),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        received_at: Timestamp::now(),
        source: Source::Submit,
        purpose: Purpose::Live,
    }
}

/// One of another customer; every tenth is abusive, too.
fn other(id: String, n: u64) -> Envelope {
    let text = if n.is_multiple_of(10) {
        "お前みたいな無能は消えろ、このクズ"
    } else {
        "先日注文した商品の発送の状況を教えてください。"
    };
    let line = format!(r#"{{"id":"{id}","channel":"chat","conversation":"c-{id}","customer":"k-{id}","text":"{text}"}}"#);
    envelope(ContentKind::JsonLine, id, line)
}

fn flood(turn: usize, n: usize) -> Envelope {
    let mail = format!(
        "From: flood{turn}@example.com\r\nTo: info@example.jp\r\nSubject: {n}\r\nMessage-ID: <{turn}-{n}@example.com>\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nお前みたいな無能は消えろ、このクズ。{n}回目だ\r\n"
    );
    envelope(ContentKind::Rfc822, format!("f{turn}-{n}"), mail)
}

fn worker(store: &Arc<dyn Store>, queue: &Arc<dyn Queue>, engine: &Arc<Engine>, message_bytes: usize, is_sole: bool) -> Arc<Worker> {
    let policy = Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound");
    Arc::new(Worker::new(Parts {
        store: Arc::clone(store),
        queue: Arc::clone(queue),
        engines: Arc::new(One(Arc::clone(engine))),
        desk: Arc::new(Desk::new(Arc::clone(store), Arc::new(policy))),
        ways: Ways::default(),
        texts: Arc::new(mimamori::wording::Texts::built_in(mimamori::wording::Language::Japanese)),
        decode: mimamori::decode::settings::DecodeSettings::default(),
        ledger: mimamori::conversation::LedgerLimits::default(),
        channel: AlertChannel::Outbox,
        notifier: Arc::new(Nobody),
        metrics: Arc::new(Metrics::new()),
        attempts_max: 5,
        concurrency: std::thread::available_parallelism().map_or(1, usize::from),
        in_flight: IN_FLIGHT,
        message_bytes,
        is_sole,
        on_alert: None,
    }))
}

/// Follows the verdicts: when the store took each, by message id.
struct Verdicts {
    store: Arc<dyn Store>,
    after: u64,
    at: HashMap<String, Timestamp>,
}

impl Verdicts {
    async fn look(&mut self) {
        for entry in self.store.read(Stream::Verdict, self.after, 1_000).await.expect("readable") {
            let body: serde_json::Value = serde_json::from_slice(&entry.body).expect("json");
            self.at.insert(body["verdict"]["id"].as_str().unwrap_or_default().to_owned(), entry.at);
            self.after = entry.seq;
        }
    }

    async fn wait_for(&mut self, ids: &[String]) {
        while !ids.iter().all(|id| self.at.contains_key(id)) {
            self.look().await;
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Others' messages at an even pace while `until` lasts; how long each took in milliseconds, sorted.
async fn others(queue: &Arc<dyn Queue>, verdicts: &mut Verdicts, name: &str, until: impl Fn(&Verdicts) -> bool) -> Vec<f64> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PACE).expect("small"));
    let mut sent = vec![];
    let mut n = 0;
    while until(verdicts) {
        ticks.tick().await;
        let id = format!("{name}-{n}");
        let (queue, message) = (Arc::clone(queue), other(id.clone(), n));
        sent.push((id, Timestamp::now()));
        tokio::spawn(async move { queue.submit(vec![message]).await.pop().expect("an answer").expect("accepted") });
        verdicts.look().await;
        n += 1;
    }
    let ids: Vec<String> = sent.iter().map(|(id, _)| id.clone()).collect();
    verdicts.wait_for(&ids).await;
    let mut times: Vec<f64> = sent.iter().map(|(id, at)| verdicts.at[id].duration_since(*at).as_secs_f64() * 1_000.0).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn at(times: &[f64], share: usize) -> f64 {
    times[(times.len() * share / 100).min(times.len() - 1)]
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn measure(name: &str, store: Arc<dyn Store>, queue: Arc<dyn Queue>, engine: &Arc<Engine>, message_bytes: usize, turns: usize) {
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(&store, &queue, engine, message_bytes, name == "embedded").run(stop.clone()));
    let mut verdicts = Verdicts { store, after: 0, at: HashMap::new() };
    let mut ratios = vec![];
    for turn in 0..turns {
        let began = tokio::time::Instant::now();
        let calm = others(&queue, &mut verdicts, &format!("calm{turn}"), |_| began.elapsed() < PHASE).await;
        let began = tokio::time::Instant::now();
        let sender = Arc::clone(&queue);
        let sending = tokio::spawn(async move {
            for first in (0..FLOOD).step_by(BATCH) {
                let batch = (first..first + BATCH).map(|n| flood(turn, n)).collect();
                for answer in sender.submit(batch).await {
                    answer.expect("accepted");
                }
            }
        });
        let last = format!("f{turn}-{}", FLOOD - 1);
        let stormy = others(&queue, &mut verdicts, &format!("storm{turn}"), |verdicts| !verdicts.at.contains_key(&last)).await;
        let took = began.elapsed().as_secs_f64();
        sending.await.expect("sent");
        println!(
            "{name}, turn {turn}: calm p50 {:.1} ms, p99 {:.1} ms; beside {FLOOD} mails in {took:.1} s: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms ({} messages)",
            at(&calm, 50),
            at(&calm, 99),
            at(&stormy, 50),
            at(&stormy, 99),
            at(&stormy, 100),
            stormy.len()
        );
        ratios.push(at(&stormy, 99) / at(&calm, 99));
    }
    println!("{name}: p99 with the flood / without, median {:.2} (at most 1.2 is wanted)", median(&mut ratios));
    stop.cancel();
    running.await.expect("ended");
}

async fn nats(folder: &Path) -> (Server, Arc<Nats>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let servers = std::env::var_os("MIMAMORI_TEST_SERVERS").map_or_else(|| root.join("target/test-servers"), Into::into);
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address").port();
    let mut command = Command::new(servers.join(format!("nats-{VERSION}/bin/nats-server")));
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(folder);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts: run `tests/run` once");
    let url = format!("nats://127.0.0.1:{port}");
    let access = Access { url, credentials: None, nkey: None, authority: None, client: None, tls: false, inbox: None };
    let server = Server(child);
    while Nats::init(&access, &Options::default()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (server, Arc::new(Nats::open(&access, Options::default()).await.expect("opens")))
}

fn main() {
    let turns = std::env::var("MIMAMORI_TURNS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    tokio::runtime::Runtime::new().expect("runtime").block_on(async {
        let engine = engine();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
        let embedded = Arc::new(Embedded::open(&folder.path().join("store.db")).expect("opens"));
        measure("embedded", embedded.clone(), embedded, &engine, 1 << 20, turns).await;
        let (_server, nats) = nats(&folder.path().join("nats")).await;
        let message_bytes = nats.message_bytes();
        measure("nats", nats.clone(), nats, &engine, message_bytes, turns).await;
    });
}
