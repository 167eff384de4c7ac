//! The HTTP routers behind a real listener.

#![allow(clippy::unwrap_used)] // clippy lets tests unwrap, but not the helpers they share

use crate::intake::StubQueue;
use mimamori::edge::http::app::{self, AppState, BATCH_LINES_MAX, BODY_TIMEOUT};
use mimamori::edge::http::health::{Component, Health, Phase};
use mimamori::edge::http::ops::{self, OpsState};
use mimamori::edge::http::request::IntakeToken;
use mimamori::edge::http::server::{self, Patience};
use mimamori::edge::metrics::Metrics;
use mimamori::model::digest::Digest;
use mimamori::model::envelope::ContentKind;
use mimamori::store::{Queue, StoreError};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const GOOD: &str = r#"{"channel":"chat","text":"もしもし"}"#;
const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const MAIL: &str = "message/rfc822";
const MESSAGE_BYTES: usize = 1_000;

/// Both routers on one listener, as `run` would serve them.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    queue: Arc<StubQueue>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

impl Server {
    fn start(token: Option<&str>) -> Self {
        Self::with(token, BODY_TIMEOUT, Patience::default())
    }

    fn with(token: Option<&str>, body_timeout: Duration, patience: Patience) -> Self {
        let (queue, metrics, health) = (Arc::new(StubQueue::default()), Arc::new(Metrics::new()), Arc::new(Health::new()));
        let app = app::router(AppState {
            queue: Arc::clone(&queue) as Arc<dyn Queue>,
            metrics: Arc::clone(&metrics),
            token: token.map(IntakeToken::new),
            message_bytes: MESSAGE_BYTES,
            body_timeout,
        });
        let router = app.merge(ops::router(OpsState { health: Arc::clone(&health), metrics: Arc::clone(&metrics) }));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let ended = runtime.spawn(server::serve_with(listener, router, patience, shutdown.clone().cancelled_owned()));
        Self { runtime, address, queue, metrics, health, shutdown, ended }
    }

    fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = ureq::post(format!("http://{}/v1/messages", self.address)).config().http_status_as_error(false).build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).unwrap();
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_string().unwrap();
        Reply { status, retry_after, body: serde_json::from_str(&body).unwrap_or(Value::String(body)) }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let request = ureq::get(format!("http://{}{path}", self.address)).config().http_status_as_error(false).build();
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    retry_after: Option<u64>,
    body: Value,
}

impl Reply {
    /// `id` or `id=` (duplicate) of what was accepted, `line:code` of what was not.
    fn summary(&self) -> String {
        let accepted = self.body["accepted"].as_array().expect("a list").iter().map(|row| {
            let mark = if row["duplicate"] == true { "=" } else { "" };
            format!("{}{mark}", row["id"].as_str().expect("an id"))
        });
        let errors = self.body["errors"].as_array().expect("a list").iter().map(|row| {
            assert!(row["message"].as_str().is_some_and(|message| !message.is_empty()), "{row}");
            format!("{}:{}", row["line"].as_u64().map_or("-".to_owned(), |line| line.to_string()), row["code"].as_str().expect("a code"))
        });
        accepted.chain(errors).collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn bodies_are_taken_or_refused() {
    let server = Server::start(None);
    let id = |id: &str| format!(r#"{{"id":"{id}","channel":"chat","text":"x"}}"#);
    let mail = "Subject: a\r\n\r\nb\r\n";
    let mail_id = format!("sha256:{}", Digest::of(mail.as_bytes()));
    let pretty = "{\n  \"id\": \"P\",\n  \"channel\": \"chat\",\n  \"text\": \"x\"\n}";
    let many = format!("{GOOD}\n").repeat(BATCH_LINES_MAX + 1);
    let large = format!(r#"{{"channel":"chat","text":"{}"}}"#, "x".repeat(MESSAGE_BYTES));
    let rows: Vec<(&str, String, u16, String)> = vec![
        (JSON, id("A"), 202, "A".into()),
        ("Application/JSON; charset=utf-8", id("B"), 202, "B".into()),
        (JSON, pretty.into(), 202, "P".into()),
        (JSON, format!("{}\n{}\n", id("C"), id("D")), 202, "C D".into()),
        (LINES, format!("{}\nnot json\n\n{}\n", id("E"), id("F")), 202, "E F 2:not_json".into()),
        (LINES, id("E"), 202, "E=".into()),
        (LINES, "[]\nnot json\n".into(), 400, "1:not_json 2:not_json".into()),
        (LINES, format!("{large}\n{}", id("G")), 202, "G 1:too_large".into()),
        (LINES, large.clone(), 413, "1:too_large".into()),
        (JSON, large, 413, "1:too_large".into()),
        (LINES, many, 413, "-:too_many_lines".into()),
        (JSON, "[".repeat(MESSAGE_BYTES), 400, "1:not_json".into()),
        (LINES, r#"{"text":"x"}"#.into(), 400, "1:no_channel".into()),
        (JSON, String::new(), 400, "-:empty".into()),
        (LINES, "\n\n".into(), 400, "-:empty".into()),
        (MAIL, mail.into(), 202, mail_id.clone()),
        (MAIL, mail.into(), 202, format!("{mail_id}=")),
        (MAIL, String::new(), 400, "1:empty".into()),
        (MAIL, "x".repeat(MESSAGE_BYTES + 1), 413, "-:too_large".into()),
        ("application/x-www-form-urlencoded", id("H"), 415, "-:content_type".into()),
        ("", id("H"), 415, "-:content_type".into()),
    ];
    for (kind, body, status, expected) in rows {
        let reply = server.post(&[("Content-Type", kind)], body.as_bytes());
        let shown: String = body.chars().take(60).collect();
        assert_eq!((reply.status, reply.summary()), (status, expected), "{kind} {shown}");
        assert_eq!(reply.retry_after, None);
    }
    let page = server.get("/metrics").1;
    for line in [
        "mimamori_messages_accepted_total{source=\"http\"} 9",
        "mimamori_duplicates_total 2",
        "mimamori_refused_total{reason=\"too_large\"} 5",
        "mimamori_refused_total{reason=\"unsupported\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "missing {line}:\n{page}");
    }
}

#[test]
fn headers_name_the_message() {
    let server = Server::start(None);
    let own = r#"{"id":"own","channel":"chat","text":"x","tenant":"acme"}"#;
    let long = "x".repeat(256);
    for (headers, body, status, expected) in [
        (vec![("Idempotency-Key", "k1")], GOOD.to_owned(), 202, "k1"),
        (vec![("Idempotency-Key", "k1")], GOOD.to_owned(), 202, "k1="),
        (vec![("Idempotency-Key", "鍵")], GOOD.to_owned(), 202, "鍵"),
        (vec![("Idempotency-Key", "k2")], format!("{GOOD}\n{own}\n{GOOD}"), 202, "k2:1 own k2:3"),
        (vec![("Idempotency-Key", "k2")], format!("{GOOD}\n{own}\n{GOOD}"), 202, "k2:1= own= k2:3="),
        (vec![("X-Tenant", "shop"), ("X-Queue", "night"), ("Idempotency-Key", "k3")], format!("{own}\n{GOOD}"), 202, "own k3:2"),
        (vec![("Idempotency-Key", long.as_str())], GOOD.to_owned(), 400, "-:bad_header"),
        (vec![("Idempotency-Key", "")], GOOD.to_owned(), 400, "-:bad_header"),
        (vec![("X-Tenant", "a.b")], GOOD.to_owned(), 400, "-:bad_header"),
        (vec![("X-Queue", "夜間")], GOOD.to_owned(), 400, "-:bad_header"),
    ] {
        let mut all = headers.clone();
        all.push(("Content-Type", LINES));
        let reply = server.post(&all, body.as_bytes());
        // `own` with tenant acme is one message, whatever the header says.
        let expected = if headers.len() == 3 { expected.replace("own", "own=") } else { expected.to_owned() };
        assert_eq!((reply.status, reply.summary()), (status, expected), "{headers:?}");
    }
    let taken = server.queue.taken();
    let last = taken.last().expect("messages");
    assert_eq!((last.tenant.as_str(), last.queue.as_str(), last.kind), ("shop", "night", ContentKind::JsonLine));
    assert!(taken.iter().any(|envelope| envelope.tenant.as_str() == "acme"), "the line's own tenant is stronger than the header's");
}

#[test]
fn callers_must_show_the_token() {
    let server = Server::start(Some("correct-horse-battery"));
    for (header, status) in [
        (None, 401),
        (Some("Bearer correct-horse-batterz"), 401),
        (Some("Bearer correct-horse"), 401),
        (Some("Bearer "), 401),
        (Some("Basic correct-horse-battery"), 401),
        (Some("correct-horse-battery"), 401),
        (Some("Bearer correct-horse-battery"), 202),
        (Some("bearer correct-horse-battery"), 202),
    ] {
        let mut headers = vec![("Content-Type", JSON)];
        headers.extend(header.map(|value| ("Authorization", value)));
        let reply = server.post(&headers, GOOD.as_bytes());
        assert_eq!(reply.status, status, "{header:?}");
        assert!(!reply.body.to_string().contains("horse"), "the token is not echoed");
    }
    assert!(!format!("{:?}", IntakeToken::new("correct-horse-battery")).contains("horse"));
    assert_eq!(server.get("/livez").0, 200, "probes need no token");
}

#[test]
fn a_queue_that_cannot_take_asks_to_come_back() {
    let server = Server::start(None);
    let post = |body: String| server.post(&[("Content-Type", LINES)], body.as_bytes());
    let lines = |ids: &[&str]| {
        let line = |id: &&str| format!("{{\"id\":\"{id}\",\"channel\":\"chat\",\"text\":\"x\"}}");
        ids.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    server.queue.fail_after(0, StoreError::Full("pending".into()));
    let full = post(lines(&["A"]));
    assert_eq!((full.status, full.summary().as_str()), (429, "1:full"));
    assert!(full.retry_after.is_some());
    server.queue.fail_after(1, StoreError::Unavailable("/var/lib/secret.db is locked".into()));
    let partly = post(lines(&["A", "B"]));
    assert_eq!((partly.status, partly.summary().as_str()), (503, "A 2:unavailable"), "one accepted is not all accepted");
    assert!(partly.retry_after.is_some() && !partly.body.to_string().contains("secret.db"), "{partly:?}");
    server.queue.recover();
    assert_eq!(post(lines(&["A", "B"])).summary(), "A= B", "repeating finishes it");
}

#[test]
fn other_methods_and_paths_are_refused() {
    let server = Server::start(None);
    assert_eq!(server.get("/v1/messages").0, 405);
    assert_eq!(server.get("/v1/other").0, 404);
}

#[test]
fn slow_clients_are_sent_away() {
    let patience = Patience { headers: Duration::from_millis(300), ..Patience::default() };
    let server = Server::with(None, Duration::from_millis(300), patience);
    for (sent, expected) in [
        ("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-", ""), // headers that never end
        ("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{", "HTTP/1.1 408 "),
    ] {
        let started = Instant::now();
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut answer = vec![];
        // The server ends the connection; a reset counts as such.
        let closed = stream.read_to_end(&mut answer);
        assert!(started.elapsed() < Duration::from_secs(5), "{sent:?} {closed:?}");
        assert!(String::from_utf8_lossy(&answer).starts_with(expected), "{sent:?}: {}", String::from_utf8_lossy(&answer));
    }
    assert!(server.queue.taken().is_empty());
}

#[test]
fn shutdown_lets_requests_in_progress_end() {
    let server = Server::start(None);
    let body = GOOD.as_bytes();
    let head = format!("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    server.shutdown.cancel();
    std::thread::sleep(Duration::from_millis(200));
    assert!(TcpStream::connect(server.address).is_err(), "nothing new is taken");
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    let started = Instant::now();
    server.runtime.block_on(server.ended).unwrap();
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(server.queue.taken().len(), 1);
}

#[test]
fn probes_tell_the_truth() {
    let server = Server::start(None);
    let ready = || {
        let (status, body) = server.get("/readyz");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["ready"], status == 200, "{body}");
        (status, body["reasons"].to_string())
    };
    assert_eq!(server.get("/livez").0, 200, "starting is alive");
    assert_eq!(ready(), (503, r#"["starting"]"#.into()));
    server.health.enter(Phase::Running);
    assert_eq!(ready(), (503, r#"["starting"]"#.into()), "running begins with the first tick");
    server.health.tick();
    assert_eq!(ready(), (200, "[]".into()));
    server.health.failing(Component::Store, "not available");
    assert_eq!(ready(), (503, r#"["store: not available"]"#.into()));
    server.health.working(Component::Store);
    server.health.note("alerts only go to the folder var/outbox");
    assert_eq!(ready().0, 200);
    assert!(server.get("/readyz").1.contains("alerts only go to the folder"));
    server.health.enter(Phase::Draining);
    assert_eq!(ready(), (503, r#"["draining"]"#.into()));
    assert_eq!(server.get("/livez").0, 200, "draining is alive");
    let (status, page) = server.get("/metrics");
    assert_eq!((status, page), (200, server.metrics.render()));
}
