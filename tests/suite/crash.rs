//! kill -9 at random points in the middle of many messages, restart, repeat: every message gets one verdict, every
//! alert-due message is in exactly one case, every alert is one file.
//!
//! The short form runs in every test run. The long form:
//! `MIMAMORI_CRASH_MESSAGES=10000 MIMAMORI_CRASH_KILLS=40 tests/run --test suite crash:: -- --nocapture`

use crate::support::{MailServer, Site, wait_for};
use mimamori::case::{CaseRecord, Intent, IntentState};
use mimamori::edge::embedded::Embedded;
use mimamori::edge::evidence::EvidenceChain;
use mimamori::store::record;
use mimamori::store::{Bucket, Key, Queue, Store, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A small generator: any seed replays the same kills.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// One message in four is alert-due; conversations hold up to 20 messages, so that cases collect.
fn traffic(count: u64) -> String {
    let mut lines = String::new();
    for n in 0..count {
        let text = match n % 4 {
            0 => "死ね、この無能。お前の名前は覚えたからな",
            1 => "注文した商品はいつ届きますか",
            2 => "死ぬほど美味しかったです",
            _ => "領収書の再発行をお願いします",
        };
        writeln!(lines, r#"{{"id":"k-{n}","channel":"chat","conversation":"c-{}","text":"{text}"}}"#, n / 80).expect("written");
    }
    lines
}

/// Alerts are counted one by one here; what waits for its person is the subject of `throttle`.
fn unthrottled() -> String {
    mimamori::policy::SHIPPED.replace("alerts_max = 5", "alerts_max = 0")
}

#[test]
fn kill_nine_loses_nothing() {
    let (messages, kills) = (setting("MIMAMORI_CRASH_MESSAGES", 1500), setting("MIMAMORI_CRASH_KILLS", 8));
    let seed = setting("MIMAMORI_CRASH_SEED", 0x9E37_79B9);
    let site = Site::new("").with_policy(&unthrottled());
    fs::write(site.path("traffic.jsonl"), traffic(messages)).expect("written");
    let submitted = site.run(&["submit", "traffic.jsonl"]);
    assert!(submitted.status.success(), "{}", String::from_utf8_lossy(&submitted.stderr));

    let mut dice = Dice(seed);
    let midway = kill_at_random(&site, kills, &mut dice);
    let worker = site.start_ready();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let store = runtime.block_on(async { Arc::new(Embedded::open(&site.path("mimamori.db")).expect("opens beside the worker")) });
    wait_for("an empty queue", Duration::from_mins(5), || {
        runtime.block_on(async { store.state().await.is_ok_and(|state| state.pending == 0) }).then_some(())
    });
    // Alerts leave within a moment after the last case.
    let cases = wait_for("every alert sent", Duration::from_mins(1), || {
        let cases = runtime.block_on(read_cases(&*store));
        cases
            .iter()
            .all(|case| case.intents.iter().all(is_settled) && case.intents.iter().any(|intent| intent.state.is_sent()))
            .then_some(cases)
    });
    let (code, took) = worker.terminate();
    assert_eq!(code, Some(0), "{}", site.log());
    assert!(took < Duration::from_secs(11), "{took:?}");
    let figures = runtime.block_on(check(&store, &cases, messages, &site));
    println!("{messages} messages, {kills} kills, {midway} of them with work in hand (seed {seed:#x}): {figures}");
    assert!(midway > 0, "every kill came too early or too late");
}

/// Sent, not due yet, or overtaken by a rise of the case whose own alerts take its place.
fn is_settled(intent: &Intent) -> bool {
    intent.state.is_sent() || intent.state == IntentState::Cancelled || intent.due_at > jiff::Timestamp::now()
}

/// Kills the worker again and again: mostly while it works, sometimes while it starts. Answers how many kills left work behind
/// that had begun.
fn kill_at_random(site: &Site, kills: u64, dice: &mut Dice) -> u64 {
    let mut midway = 0;
    for n in 0..kills {
        let (before, _) = site.counts();
        let (worker, longest_ms) = if n % 5 == 4 { (site.start(), 1_000) } else { (site.start_ready(), 250) };
        std::thread::sleep(Duration::from_millis(dice.roll(longest_ms)));
        worker.kill();
        let (after, _) = site.counts();
        midway += u64::from(after > before && site.pending() > 0);
    }
    midway
}

/// Over a real mail server: nobody is forgotten, and a mail that went out twice carries the same Message-ID.
#[test]
fn kill_nine_over_smtp_repeats_at_most_the_mail_in_hand() {
    let kills = setting("MIMAMORI_CRASH_KILLS", 8);
    let server = MailServer::start(&[]);
    let site = Site::new(&format!(
        "[notify]\ntransport = \"smtp\"\n[notify.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        server.port
    ))
    .with_policy(&unthrottled());
    let mut lines = String::new();
    for n in 0..setting("MIMAMORI_CRASH_MESSAGES", 1500) / 10 {
        writeln!(lines, r#"{{"id":"s-{n}","channel":"chat","conversation":"s-{n}","text":"土下座しろ。話はそれからだ"}}"#)
            .expect("written");
    }
    fs::write(site.path("traffic.jsonl"), lines).expect("written");
    assert!(site.run(&["submit", "traffic.jsonl"]).status.success());
    kill_at_random(&site, kills, &mut Dice(setting("MIMAMORI_CRASH_SEED", 0x5DEE_CE66)));
    let worker = site.start_ready();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let store = runtime.block_on(async { Embedded::open(&site.path("mimamori.db")).expect("opens") });
    let cases = wait_for("every alert sent", Duration::from_mins(2), || {
        let settled = runtime.block_on(async { store.state().await.is_ok_and(|state| state.pending == 0) });
        let cases = runtime.block_on(read_cases(&store));
        (settled && cases.iter().all(|case| case.intents.iter().all(is_settled))).then_some(cases)
    });
    worker.terminate();
    let mut received: BTreeMap<String, usize> = BTreeMap::new();
    for raw in server.mails() {
        let mail = mail_parser::MessageParser::default().parse(&raw).expect("parses");
        *received.entry(mail.message_id().expect("a Message-ID").to_owned()).or_insert(0) += 1;
    }
    let sent: BTreeSet<String> =
        cases.iter().flat_map(|case| &case.intents).filter(|one| one.state.is_sent()).map(|one| one.message_id.clone()).collect();
    assert!(sent.iter().all(|id| received.contains_key(id)), "what is recorded as sent was received");
    assert_eq!(received.len(), sent.len(), "and nothing else was");
    let repeated: usize = received.values().map(|count| count - 1).sum();
    println!("{} alerts over SMTP, {kills} kills: {repeated} mails repeated with the same Message-ID", sent.len());
    // At most the sends under way at each kill may repeat.
    assert!(repeated as u64 <= kills * mimamori::worker::announce::SENDS_MAX as u64);
}

async fn read_cases(store: &dyn Store) -> Vec<CaseRecord> {
    let rows = store.scan(&Key::new(Bucket::Case, &[])).await.expect("scan");
    rows.iter().map(|row| record::decode(&row.value).expect("a case record")).collect()
}

async fn check(store: &Arc<Embedded>, cases: &[CaseRecord], messages: u64, site: &Site) -> String {
    let mut verdicts = BTreeMap::new();
    let mut due = BTreeSet::new();
    let mut after = 0;
    loop {
        let page = store.read(Stream::Verdict, after, 1000).await.expect("read");
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in &page {
            let row: serde_json::Value = serde_json::from_slice(&entry.body).expect("json");
            let id = row["verdict"]["id"].as_str().expect("id").to_owned();
            if row["verdict"]["level"].as_u64() >= Some(2) {
                due.insert(entry.dedupe.clone());
            }
            *verdicts.entry(id).or_insert(0) += 1;
        }
    }
    assert_eq!(verdicts.len() as u64, messages, "every message has a verdict");
    assert!(verdicts.values().all(|count| *count == 1), "none has two");
    assert_eq!(due.len() as u64, messages.div_ceil(4), "the abusive quarter is alert-due");
    assert!(store.last(Stream::Dead).await.expect("last").is_none(), "no dead letters");

    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases {
        for message in &case.messages {
            *holders.entry(message.identity.as_str()).or_insert(0) += 1;
        }
    }
    assert_eq!(holders.len(), due.len(), "every alert-due message is in a case");
    assert!(due.iter().all(|identity| holders.get(identity.as_str()) == Some(&1)), "and in exactly one");
    let counted: u64 = cases.iter().map(CaseRecord::message_count).sum();
    assert_eq!(counted, due.len() as u64, "counted once each");

    let sent: usize = cases.iter().flat_map(|case| &case.intents).filter(|intent| intent.state.is_sent()).count();
    let files = fs::read_dir(site.path("outbox"))
        .expect("outbox")
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|end| end == "eml"))
        .count();
    assert_eq!(files, sent, "one file per alert");
    let chain = EvidenceChain::new(Arc::clone(store) as Arc<dyn Store>).verify().await.expect("verify");
    assert!(chain.broken.is_empty(), "{chain:?}");
    assert_eq!(chain.entries, due.len() as u64, "one original per alert-due message");
    format!(
        "{} verdicts, {} alert-due in {} cases, {sent} alerts, {} evidence entries",
        verdicts.len(),
        due.len(),
        cases.len(),
        chain.entries
    )
}
