//! The program on NATS JetStream: init, submit, two workers, kill -9, demo; real servers.

use crate::store::nats::{NEWEST, NatsServer};
use crate::support::{Site, wait_for};
use futures_util::StreamExt;
use std::fs;
use std::time::{Duration, Instant};

pub(crate) fn site(server: &NatsServer) -> Site {
    let site = Site::new(&format!("[nats]\nurl = \"{}\"\n", server.url()));
    let config = fs::read_to_string(site.path("mimamori.toml")).expect("read");
    fs::write(site.path("mimamori.toml"), config.replacen("[store]\n", "[store]\nbackend = \"nats\"\n", 1)).expect("written");
    site
}

pub(crate) fn told(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let output = site.run(arguments);
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("utf-8"))
}

pub(crate) fn init(site: &Site) {
    wait_for("JetStream", Duration::from_secs(20), || (told(site, &["init"]).0 == Some(0)).then_some(()));
}

fn alerts(site: &Site) -> usize {
    let is_mail = |row: &fs::DirEntry| row.path().extension().is_some_and(|end| end == "eml");
    fs::read_dir(site.path("outbox")).map_or(0, |rows| rows.flatten().filter(is_mail).count())
}

/// Messages of a stream, by a client that shares nothing with the program.
pub(crate) fn count(server: &NatsServer, stream: &str, subject: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
        let stream = context.get_stream(stream).await.expect("there");
        let mut found = stream.info_with_subjects(subject).await.expect("info");
        let mut count = 0;
        while let Some(row) = found.next().await {
            count += u64::try_from(row.expect("a subject").1).expect("small");
        }
        count
    })
}

#[test]
fn messages_become_alerts_and_verdicts_stand_on_their_subjects() {
    let server = NatsServer::start(NEWEST);
    let site = site(&server);
    assert_eq!(told(&site, &["run"]).0, Some(75), "before init nothing runs");
    init(&site);
    let worker = site.start_ready();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo/samples/07-emergency.eml");
    assert!(site.run(&["submit", sample]).status.success());
    let line = r#"{"id":"c-1","channel":"chat","conversation":"c","text":"担当者と店長、二人そろって土下座しろ"}"#;
    assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
    wait_for("the alerts", Duration::from_secs(30), || (alerts(&site) >= 7).then_some(()));
    wait_for("the verdicts", Duration::from_secs(10), || (count(&server, "TRIAGE_VERDICTS", "triage.verdict.>") == 2).then_some(()));
    assert_eq!(count(&server, "TRIAGE_VERDICTS", "triage.verdict.default.email.4.*"), 1);
    assert_eq!(count(&server, "TRIAGE_VERDICTS", "triage.verdict.default.chat.2.*"), 1);
    assert_eq!(count(&server, "TRIAGE_VERDICTS", "triage.decision.default.*"), 2);
    assert_eq!(count(&server, "TRIAGE_EVIDENCE", "triage.evidence.>"), 2);
    let listed = told(&site, &["case", "list"]).1;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let id = listed.split_whitespace().next().expect("an id").to_owned();
    assert_eq!(told(&site, &["case", "ack", &id, "--by", "manager"]).0, Some(0));
    assert!(told(&site, &["case", "show", &id, "--history"]).1.contains("alert_sent"));
    let (code, took) = worker.terminate();
    assert!(code == Some(0) && took < Duration::from_secs(10), "{code:?} {took:?}\n{}", site.log());
}

#[test]
fn two_workers_share_the_work_and_a_killed_one_leaves_nothing_behind() {
    const MESSAGES: usize = 400;
    let server = NatsServer::start(NEWEST);
    let (one, two) = (site(&server), site(&server));
    init(&one);
    let lines: Vec<String> = (0..MESSAGES)
        .map(|n| format!("{{\"id\":\"m-{n}\",\"channel\":\"chat\",\"conversation\":\"c-{n}\",\"text\":\"商品が届きません。確認をお願いします。{n}\"}}\n"))
        .collect();
    let lines = lines.concat();
    let (first, second) = (one.start_ready(), two.start_ready());
    assert!(one.run_with(&["submit"], lines.as_bytes()).status.success());
    first.kill();
    // What the dead one had in its hands is handed out again when its lease has run out.
    let began = Instant::now();
    wait_for("every verdict", Duration::from_secs(150), || {
        (count(&server, "TRIAGE_VERDICTS", "triage.verdict.>") >= MESSAGES as u64).then_some(())
    });
    assert_eq!(count(&server, "TRIAGE_VERDICTS", "triage.verdict.>"), MESSAGES as u64, "one verdict each, after {:?}", began.elapsed());
    let again = one.run_with(&["--format", "json", "submit"], lines.as_bytes());
    let row: serde_json::Value = serde_json::from_slice(&again.stdout).expect("json");
    assert_eq!(row["duplicates"], MESSAGES, "{row}");
    drop(second);
}

#[test]
fn the_demo_cleans_up_behind_itself() {
    let server = NatsServer::start(NEWEST);
    let site = site(&server);
    wait_for("JetStream", Duration::from_secs(20), || {
        let output = site.run(&["demo", "--once"]);
        output.status.success().then_some(String::from_utf8(output.stdout).expect("utf-8")).filter(|text| text.contains("判定の一覧"))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let left: Vec<String> = runtime.block_on(async {
        let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
        context.stream_names().map(|name| name.expect("a name")).collect().await
    });
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn the_shipped_rights_are_enough_for_the_worker_and_no_more() {
    let keys: Vec<nkeys::KeyPair> = (0..3).map(|_| nkeys::KeyPair::new_user()).collect();
    let mut config = include_str!("../../deploy/nats-server.conf").to_owned();
    for (name, key) in ["INIT_KEY", "WORKER_KEY", "INTAKE_KEY"].iter().zip(&keys) {
        config = config.replace(name, &key.public_key());
    }
    let server = NatsServer::configured(NEWEST, &config);
    let site = site(&server);
    let seed = |key: &nkeys::KeyPair| fs::write(site.path("key"), key.seed().expect("a seed")).expect("written");
    let text = fs::read_to_string(site.path("mimamori.toml")).expect("read");
    let access = format!("[nats]\nnkey_file = \"{}\"\ninbox_prefix = \"_INBOX_mimamori\"\n", site.path("key").display());
    fs::write(site.path("mimamori.toml"), text.replacen("[nats]\n", &access, 1)).expect("written");

    seed(&keys[2]);
    assert_ne!(told(&site, &["init"]).0, Some(0), "whoever publishes creates nothing");
    seed(&keys[0]);
    init(&site);
    seed(&keys[1]);
    let worker = site.start_ready();
    let line = r#"{"id":"c-1","channel":"chat","conversation":"c","text":"担当者と店長、二人そろって土下座しろ"}"#;
    assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
    wait_for("the alert", Duration::from_secs(30), || (alerts(&site) >= 1).then_some(()));
    let listed = told(&site, &["case", "list"]).1;
    let id = listed.split_whitespace().next().expect("an id").to_owned();
    assert_eq!(told(&site, &["case", "ack", &id, "--by", "manager"]).0, Some(0));
    assert!(told(&site, &["case", "show", &id, "--history"]).1.contains("acknowledged"));
    // Its own consumer is the one thing it may make.
    delete_consumer(&server, &keys[0]);
    wait_for("the consumer to be back", Duration::from_secs(30), || site.log().contains("is there again").then_some(()));
    let line = r#"{"id":"c-2","channel":"chat","conversation":"d","text":"担当者と店長、二人そろって土下座しろ"}"#;
    assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
    wait_for("the second case", Duration::from_secs(30), || (told(&site, &["case", "list"]).1.lines().count() == 2).then_some(()));
    let (code, _) = worker.terminate();
    assert_eq!(code, Some(0), "{}", site.log());
    assert!(!site.log().contains("ermission"), "{}", site.log());
    assert_ne!(told(&site, &["init"]).0, Some(0), "the worker creates nothing");
}

fn delete_consumer(server: &NatsServer, key: &nkeys::KeyPair) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let options = async_nats::ConnectOptions::with_nkey(key.seed().expect("a seed"));
        let context = async_nats::jetstream::new(options.connect(server.url()).await.expect("connects"));
        context.delete_consumer_from_stream("mimamori", "CC_INBOUND").await.expect("deleted");
    });
}
