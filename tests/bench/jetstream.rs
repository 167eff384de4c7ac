//! `cargo bench --bench jetstream`: messages per second through one worker on a real NATS server, against a bare async-nats loop
//! that does the same without judging, and against raw publishing; and how long a message waits for its verdict at a given rate.
//!
//! Needs the servers that `tests/run` installs (`MIMAMORI_TEST_SERVERS`, or `target/test-servers`). Everything runs on one
//! machine, the server too, on its default `sync_interval`. Worker and bare loop take turns, so that whatever else the machine does meets both.

#![allow(clippy::print_stdout)] // a benchmark prints its figures

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use mimamori::app;
use mimamori::diag::SourceText;
use mimamori::edge::metrics::Metrics;
use mimamori::edge::metrics::labels::AlertChannel;
use mimamori::edge::nats::{Access, Nats, Options};
use mimamori::edge::notify::render::Ways;
use mimamori::edge::notify::{Notifier, Outcome, Outgoing};
use mimamori::engine::Engine;
use mimamori::engine::lexicon::compile;
use mimamori::engine::reader::model::Model;
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::policy::{Policy, SHIPPED};
use mimamori::store::{Queue, Store};
use mimamori::worker::desk::Desk;
use mimamori::worker::{Engines, Parts, Worker};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Server under measurement.
const VERSION: &str = "2.15.1";
/// Messages of one turn.
const MESSAGES: usize = 10_000;
/// Turns of worker and bare loop.
const TURNS: usize = 5;
/// Messages in flight, of both.
const IN_FLIGHT: usize = 512;
/// Messages of one pull request of the bare loop.
const BATCH: usize = 200;
/// Acknowledgements of which one waits for its answer, as in `edge::nats::queue`.
const CONFIRMED_EVERY: u64 = 32;
/// Messages a second, and for how long, for the time to the verdict.
const PACE: (u64, Duration) = (1_000, Duration::from_secs(10));

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

struct Server(Child, u16, #[allow(dead_code, reason = "held until the end")] tempfile::TempDir);
impl Server {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let servers = std::env::var_os("MIMAMORI_TEST_SERVERS").map_or_else(|| root.join("target/test-servers"), Into::into);
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address").port();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
        let mut command = Command::new(servers.join(format!("nats-{VERSION}/bin/nats-server")));
        command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(folder.path());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts: run `tests/run` once");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(50));
        }
        Self(child, port, folder)
    }

    fn access(&self) -> Access {
        let url = format!("nats://127.0.0.1:{}", self.1);
        Access { url, credentials: None, nkey: None, authority: None, client: None, tls: false, inbox: None }
    }
}
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

/// An ordinary chat message of a hundred characters; with `ledger`, of a conversation and a customer.
fn message(id: &str, ledger: bool) -> Bytes {
    let place = if ledger { format!(r#","conversation":"c-{id}","customer":"k-{id}""#) } else { String::new() };
    let text = "先日注文した商品がまだ届いていないようです。発送の状況を教えていただけますでしょうか。".repeat(2);
    format!(r#"{{"id":"{id}","channel":"chat"{place},"text":"{text}"}}"#).into()
}

async fn fill(context: &Context, prefix: &str, subject: &str, ledger: bool) -> f64 {
    let began = Instant::now();
    let sends = futures_util::stream::iter(0..MESSAGES).for_each_concurrent(IN_FLIGHT, |n| async move {
        let body = message(&format!("{prefix}-{n}"), ledger);
        context.publish(subject.to_owned(), body).await.expect("sent").await.expect("stored");
    });
    sends.await;
    per_second(MESSAGES, began)
}

#[allow(clippy::cast_precision_loss)]
fn per_second(count: usize, began: Instant) -> f64 {
    count as f64 / began.elapsed().as_secs_f64()
}

/// Consumes, publishes a verdict and a decision of the usual size, waits for both, acknowledges.
async fn bare(context: &Context, name: &str) -> f64 {
    let config = pull::Config { durable_name: Some(name.to_owned()), max_ack_pending: 20_000, ..pull::Config::default() };
    let consumer = context.create_consumer_on_stream(config, "BARE").await.expect("made");
    let (client, began) = (context.client(), Instant::now());
    let messages = consumer.stream().max_messages_per_batch(BATCH).messages().await.expect("messages").take(MESSAGES);
    let (verdict, decision) = (Bytes::from(vec![b'v'; 620]), Bytes::from(vec![b'd'; 420]));
    messages
        .for_each_concurrent(IN_FLIGHT, |message| {
            let (client, verdict, decision) = (client.clone(), verdict.clone(), decision.clone());
            async move {
                let message = message.expect("a message");
                let sequence = message.info().expect("info").stream_sequence;
                let put = |kind: &str, body: Bytes| {
                    let subject = format!("bareout.{kind}.default.chat.0.{name}-{sequence}");
                    let entry = PublishMessage::build().payload(body).header("Mimamori-Dedupe", "x").expected_last_subject_sequence(0);
                    async move { context.send_publish(subject, entry).await.expect("sent").await.expect("stored") }
                };
                tokio::join!(put("verdict", verdict), put("decision", decision));
                let reply = message.reply.clone().expect("a reply");
                // As the worker does: one in so many waits for its answer.
                if sequence.is_multiple_of(CONFIRMED_EVERY) {
                    client.request(reply, "+ACK".into()).await.expect("acknowledged");
                } else {
                    client.publish(reply, "+ACK".into()).await.expect("acknowledged");
                }
            }
        })
        .await;
    client.flush().await.expect("said");
    per_second(MESSAGES, began)
}

fn worker(nats: &Arc<Nats>, engine: &Arc<Engine>) -> Arc<Worker> {
    let shared: Arc<dyn Store> = nats.clone();
    let policy = Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound");
    Arc::new(Worker::new(Parts {
        store: Arc::clone(&shared),
        queue: nats.clone(),
        engines: Arc::new(One(Arc::clone(engine))),
        desk: Arc::new(Desk::new(shared, Arc::new(policy))),
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
        message_bytes: nats.message_bytes(),
        is_sole: false,
        on_alert: None,
    }))
}

/// Runs a worker over what waits, until nothing does.
async fn ours(nats: &Arc<Nats>, engine: &Arc<Engine>) -> f64 {
    let (stop, began) = (CancellationToken::new(), Instant::now());
    let running = tokio::spawn(worker(nats, engine).run(stop.clone()));
    while nats.state().await.expect("state").pending > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rate = per_second(MESSAGES, began);
    stop.cancel();
    running.await.expect("ended");
    rate
}

/// Milliseconds from publishing to the verdict on its subject, sorted.
async fn paced(context: &Context, nats: &Arc<Nats>, engine: &Arc<Engine>, name: &str, ledger: bool) -> Vec<f64> {
    let stop = CancellationToken::new();
    let running = tokio::spawn(worker(nats, engine).run(stop.clone()));
    let count = PACE.0 * PACE.1.as_secs();
    let mut verdicts = context.client().subscribe("triage.verdict.>").await.expect("subscribed");
    context.client().flush().await.expect("flushed");
    let heard = tokio::spawn(async move {
        let mut at = HashMap::new();
        while (at.len() as u64) < count {
            let Ok(Some(message)) = tokio::time::timeout(Duration::from_secs(20), verdicts.next()).await else { break };
            let body: serde_json::Value = serde_json::from_slice(&message.payload).expect("json");
            at.insert(body["verdict"]["id"].as_str().unwrap_or_default().to_owned(), Instant::now());
        }
        at
    });
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PACE.0).expect("small"));
    let mut sent = HashMap::new();
    for n in 0..count {
        ticks.tick().await;
        let id = format!("{name}-{n}");
        let body = message(&id, ledger);
        sent.insert(id, Instant::now());
        drop(context.publish("cc.inbound.chat.default.default", body).await.expect("sent"));
    }
    let heard = heard.await.expect("heard");
    stop.cancel();
    running.await.expect("ended");
    let mut times: Vec<f64> =
        sent.iter().filter_map(|(id, at)| heard.get(id).map(|end| end.duration_since(*at).as_secs_f64() * 1_000.0)).collect();
    assert_eq!(times.len() as u64, count, "not every message has a verdict");
    times.sort_by(f64::total_cmp);
    times
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    tokio::runtime::Runtime::new().expect("runtime").block_on(measure());
}

async fn measure() {
    let server = Server::start();
    let options = Options::default();
    while Nats::init(&server.access(), &options).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let nats = Arc::new(Nats::open(&server.access(), options).await.expect("opens"));
    let context = jetstream::new(async_nats::connect(&server.access().url).await.expect("connects"));
    for (name, subject) in [("BARE", "bare.>"), ("BAREOUT", "bareout.>")] {
        let config = jetstream::stream::Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..Default::default() };
        context.create_stream(config).await.expect("made");
    }
    let engine = engine();
    let (mut raw, mut bares, mut offs, mut ons) = (vec![], vec![], vec![], vec![]);
    for turn in 0..TURNS {
        raw.push(fill(&context, &format!("b{turn}"), "bare.in", false).await);
        bares.push(bare(&context, &format!("bare{turn}")).await);
        context.get_stream("BARE").await.expect("there").purge().await.expect("emptied");
        for (ledger, rates) in [(false, &mut offs), (true, &mut ons)] {
            fill(&context, &format!("w{turn}{ledger}"), "cc.inbound.chat.default.default", ledger).await;
            rates.push(ours(&nats, &engine).await);
        }
        println!(
            "turn {turn}: raw {:.0}/s  bare {:.0}/s  worker {:.0}/s  with the ledger {:.0}/s",
            raw[turn], bares[turn], offs[turn], ons[turn]
        );
    }
    let mut ratios: Vec<f64> = offs.iter().zip(&bares).map(|(own, bare)| own / bare).collect();
    let mut of_raw: Vec<f64> = bares.iter().zip(&raw).map(|(bare, raw)| bare / raw).collect();
    println!(
        "median: raw {:.0}/s, bare {:.0}/s ({:.2} of raw), worker {:.0}/s, with the ledger {:.0}/s",
        median(&mut raw),
        median(&mut bares),
        median(&mut of_raw),
        median(&mut offs),
        median(&mut ons)
    );
    println!("worker / bare, same turn: median {:.2} (at least 0.8 is wanted)", median(&mut ratios));
    for ledger in [false, true] {
        let times = paced(&context, &nats, &engine, &format!("p{ledger}"), ledger).await;
        let at = |share: usize| times[(times.len() * share / 1_000).min(times.len() - 1)];
        println!(
            "{} messages/s{}: to the verdict p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms (p99 of at most 50 is wanted)",
            PACE.0,
            if ledger { " with the ledger" } else { "" },
            at(500),
            at(990),
            at(1_000)
        );
    }
}
