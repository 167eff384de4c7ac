//! The auditor: what is missing is found and done again, what cannot be done again is told, and what is in work is no finding.

use crate::nats;
use crate::store::nats::{NEWEST, NatsServer};
use crate::support::{Site, wait_for};
use bytes::Bytes;
use jiff::Timestamp;
use mimamori::edge::embedded::Embedded;
use mimamori::edge::nats::{Nats, Options};
use mimamori::model::envelope::{ContentKind, Envelope, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::store::{Queue, Settlement};
use mimamori::worker::audit::Audited;
use mimamori::worker::enroll::read_cases;
use std::fs;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(40);
const EVERY_SECOND: &str = "[audit]\nevery_seconds = 1\n";
const THREAT: &str = r#"{"id":"lost-1","channel":"chat","customer":"c","text":"お前ら全員ぶっ殺してやる"}"#;

fn envelope(id: &str, line: &str) -> Envelope {
    Envelope {
        kind: ContentKind::JsonLine,
        payload: Bytes::copy_from_slice(line.as_bytes()),
        given_id: Some(id.to_owned()),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        received_at: Timestamp::now(),
        source: Source::Submit,
        purpose: Purpose::Live,
    }
}

/// What a worker does that forgets the work: takes a message and says that it is done.
async fn settle_unjudged(queue: &dyn Queue) {
    assert!(queue.submit(vec![envelope("lost-1", THREAT)]).await.pop().expect("an answer").is_ok());
    let leased = queue.lease(1, LONG).await.expect("leased");
    queue.settle(leased[0].ticket, Settlement::Done).await.expect("settled");
    assert_eq!(queue.state().await.expect("state").pending, 0);
}

fn with_store<T>(site: &Site, act: impl AsyncFnOnce(Embedded) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { act(Embedded::open(&site.path("mimamori.db")).expect("opens")).await })
}

fn database(site: &Site) -> rusqlite::Connection {
    rusqlite::Connection::open(site.path("mimamori.db")).expect("opens")
}

fn count(site: &Site, query: &str) -> u64 {
    database(site).query_row(query, [], |row| row.get(0)).expect("counted")
}

fn audited(site: &Site) -> Audited {
    with_store(site, async |store| Audited::read(&store).await.expect("read"))
}

fn told(site: &Site) -> Vec<String> {
    let Ok(rows) = fs::read_dir(site.path("outbox")) else { return vec![] };
    let mails = rows.flatten().filter(|row| row.path().extension().is_some_and(|end| end == "eml"));
    let subject = |mail: Vec<u8>| {
        mail_parser::MessageParser::default().parse(&mail).and_then(|mail| mail.subject().map(str::to_owned)).unwrap_or_default()
    };
    mails.map(|row| subject(fs::read(row.path()).expect("a mail"))).collect()
}

#[test]
fn a_message_that_was_settled_without_a_verdict_is_judged_after_all() {
    let site = Site::new(EVERY_SECOND);
    with_store(&site, async |store| settle_unjudged(&store).await);
    assert_eq!(site.run(&["audit"]).status.code(), Some(1), "no pass was made yet");
    let worker = site.start_ready();
    wait_for("its verdict", LONG, || (site.counts() == (1, 0)).then_some(()));
    wait_for("its case", LONG, || with_store(&site, async |store| read_cases(&store).await.expect("cases").pop()));
    wait_for("the end of the pass", LONG, || (audited(&site).repaired == 1).then_some(()));
    let output = site.run(&["audit", "--format", "json"]);
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).expect("json");
    assert_eq!((output.status.code(), &row["repaired"], &row["lost_count"]), (Some(0), &1.into(), &0.into()), "{row}");
    assert!(site.log().contains("lost-1"), "it is told by its id");
    // What was audited is not kept.
    wait_for("the original to go", LONG, || (count(&site, "SELECT count(*) FROM message") == 0).then_some(()));
    drop(worker);
}

#[test]
fn a_flagged_message_that_is_in_no_case_gets_one() {
    let site = Site::new("[audit]\nevery_seconds = 0\n");
    let worker = site.start_ready();
    assert!(site.run_with(&["submit"], THREAT.as_bytes()).status.success());
    wait_for("its verdict", LONG, || (site.counts() == (1, 0)).then_some(()));
    worker.kill();
    assert_eq!(count(&site, "SELECT count(*) FROM settled"), 0, "without an auditor nothing is kept");
    let gone = database(&site).execute("DELETE FROM record WHERE key LIKE 'case.%' OR key LIKE 'member.%'", []).expect("deleted");
    assert!(gone >= 2, "{gone}");
    let config = fs::read_to_string(site.path("mimamori.toml")).expect("config");
    fs::write(site.path("mimamori.toml"), config.replace("[audit]\nevery_seconds = 0", "[audit]\nevery_seconds = 1")).expect("written");
    let worker = site.start_ready();
    let case = wait_for("its case", LONG, || with_store(&site, async |store| read_cases(&store).await.expect("cases").pop()));
    assert_eq!(case.message_count(), 1);
    wait_for("the end of the pass", LONG, || (audited(&site).repaired == 1).then_some(()));
    assert_eq!(site.counts(), (1, 0), "the verdict stands once");
    drop(worker);
}

#[test]
fn what_cannot_be_done_again_is_told() {
    let site = Site::new(EVERY_SECOND);
    with_store(&site, async |store| settle_unjudged(&store).await);
    assert_eq!(database(&site).execute("DELETE FROM message", []).expect("deleted"), 1);
    let worker = site.start_ready();
    let subject = "【見守り】判定か事案の見つからない受信が1件あります";
    wait_for("the alarm", LONG, || told(&site).iter().any(|one| one == subject).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    // To operations, by mail and by pager, once each.
    assert_eq!(told(&site).iter().filter(|one| *one == subject).count(), 2, "{:?}", told(&site));
    let output = site.run(&["audit"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && shown.contains("失われた受信: 1件"), "{shown}");
    drop(worker);
}

#[test]
fn what_is_in_work_is_no_finding() {
    const MESSAGES: usize = 600;
    let site = Site::new(EVERY_SECOND);
    let worker = site.start_ready();
    let line = |n: usize| {
        let text = if n.is_multiple_of(7) { "お前みたいな無能は消えろ" } else { "発送はいつですか" };
        let direction = if n.is_multiple_of(5) { "outbound" } else { "inbound" };
        format!("{{\"id\":\"w-{n}\",\"channel\":\"chat\",\"direction\":\"{direction}\",\"customer\":\"c-{n}\",\"text\":\"{text}{n}\"}}\n")
    };
    let lines: Vec<String> = (0..MESSAGES).map(line).collect();
    for part in lines.chunks(100) {
        assert!(site.run_with(&["submit"], part.concat().as_bytes()).status.success());
    }
    wait_for("all to be audited", LONG, || (audited(&site).settled == MESSAGES as u64).then_some(()));
    let found = audited(&site);
    assert_eq!((found.repaired, found.lost_count), (0, 0), "{}", site.log());
    assert_eq!(found.verdicts, (MESSAGES - MESSAGES / 5) as u64);
    assert_eq!(count(&site, "SELECT count(*) FROM message") + count(&site, "SELECT count(*) FROM settled"), 0);
    drop(worker);
}

#[test]
fn on_jetstream_a_message_without_verdict_is_judged_after_all() {
    let server = NatsServer::start(NEWEST);
    let site = nats::site(&server);
    let config = fs::read_to_string(site.path("mimamori.toml")).expect("config");
    fs::write(site.path("mimamori.toml"), config + EVERY_SECOND).expect("written");
    nats::init(&site);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let queue = Nats::open(&server.access(), Options::default()).await.expect("opens");
        settle_unjudged(&queue).await;
    });
    let worker = site.start_ready();
    let verdicts = || nats::count(&server, "TRIAGE_VERDICTS", "triage.verdict.>");
    wait_for("its verdict", LONG, || (verdicts() == 1).then_some(()));
    wait_for("the end of the pass", LONG, || {
        runtime.block_on(async {
            let store = Nats::open(&server.access(), Options::default()).await.expect("opens");
            (Audited::read(&store).await.expect("read").repaired == 1).then_some(())
        })
    });
    let listed = nats::told(&site, &["case", "list"]).1;
    assert_eq!(listed.lines().count(), 1, "{listed}");
    drop(worker);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settled_messages_are_listed_once_in_order_and_forgotten() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Embedded::open(&folder.path().join("store.db")).expect("opens");
    let lines = (0..2_500).map(|n| envelope(&format!("m-{n}"), "{}")).collect();
    for accepted in store.submit(lines).await {
        accepted.expect("accepted");
    }
    let mut settled = vec![];
    loop {
        let leased = store.lease(500, Duration::ZERO).await.expect("leased");
        if leased.is_empty() {
            break;
        }
        for one in leased.into_iter().rev() {
            store.settle(one.ticket, Settlement::Done).await.expect("settled");
            settled.push(one.identity.id.to_string());
        }
    }
    let (mut listed, mut after) = (vec![], 0);
    loop {
        let page = store.settled(after, 1_000).await.expect("listed");
        assert_eq!(page.newest, 2_500);
        let Some(last) = page.rows.last() else { break };
        after = last.number;
        listed.extend(page.rows.iter().map(|row| row.message.as_ref().expect("kept").0.id.to_string()));
    }
    assert_eq!(listed, settled);
    store.forget_settled(2_499).await.expect("forgotten");
    let page = store.settled(0, 10).await.expect("listed");
    assert_eq!((page.rows.len(), page.newest), (1, 2_500));
    store.forget_settled(2_500).await.expect("forgotten");
    assert_eq!(store.settled(2_500, 10).await.expect("listed").newest, 2_500, "numbers are never given twice");
}
