//! Intake that survives the broker: on disk before the answer, handed over once, in order, after whatever happened.

use crate::e2e::address;
use crate::nats::{count, init, site};
use crate::store::nats::{NEWEST, NatsServer};
use crate::support::wait_for;
use async_trait::async_trait;
use bytes::Bytes;
use mimamori::edge::shelter::{Options, Shelter};
use mimamori::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::store::{Accepted, Leased, Queue, QueueState, SettledPage, Settlement, StoreError};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the broker does with a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    /// Takes it and never answers.
    Mute,
    Away,
    Full,
    /// Takes no message of this many bytes or more.
    Picky(usize),
}

/// A broker in memory that knows nothing of duplicates: each arrival is seen.
struct Broker {
    mood: Mutex<Mood>,
    seen: Mutex<Vec<Envelope>>,
}

impl Broker {
    fn new(mood: Mood) -> Arc<Self> {
        Arc::new(Self { mood: Mutex::new(mood), seen: Mutex::default() })
    }

    fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn seen(&self) -> Vec<Envelope> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl Queue for Broker {
    async fn submit(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Mute {
            self.seen.lock().unwrap().extend(envelopes);
            return std::future::pending().await;
        }
        let take = |envelope: Envelope| match mood {
            Mood::Away => Err(StoreError::Unavailable("away".to_owned())),
            Mood::Full => Err(StoreError::Full("full".to_owned())),
            Mood::Picky(limit) if envelope.payload.len() >= limit => Err(StoreError::TooLarge { size: envelope.payload.len(), limit }),
            _ => {
                let identity = Identity::of(&envelope).expect("fixed before it comes here");
                self.seen.lock().unwrap().push(envelope);
                Ok(Accepted { identity, duplicate: false, variant: false })
            }
        };
        envelopes.into_iter().map(take).collect()
    }

    async fn lease(&self, _: usize, _: Duration) -> Result<Vec<Leased>, StoreError> {
        Ok(vec![])
    }

    async fn settle(&self, _: u64, _: Settlement) -> Result<(), StoreError> {
        Ok(())
    }

    async fn settled(&self, _: u64, _: usize) -> Result<SettledPage, StoreError> {
        Ok(SettledPage::default())
    }

    async fn forget_settled(&self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn state(&self) -> Result<QueueState, StoreError> {
        Ok(QueueState::default())
    }
}

fn envelope(id: Option<&str>, text: &str) -> Envelope {
    Envelope {
        kind: ContentKind::JsonLine,
        payload: Bytes::from(format!("{{\"channel\":\"chat\",\"text\":\"{text}\"}}")),
        given_id: id.map(str::to_owned),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        received_at: "2026-11-24T01:02:03.004Z".parse().expect("a time"),
        source: Source::Http,
        purpose: Purpose::Live,
    }
}

fn options() -> Options {
    Options { try_max: Duration::from_millis(100), ..Options::new(10_000) }
}

fn open(folder: &Path, broker: &Arc<Broker>, options: Options) -> Shelter {
    Shelter::open(folder, Arc::clone(broker) as Arc<dyn Queue>, options).expect("opens")
}

async fn submit(shelter: &Shelter, envelope: Envelope) -> Result<Accepted, StoreError> {
    shelter.submit(vec![envelope]).await.pop().expect("an answer")
}

fn files(folder: &Path) -> Vec<String> {
    let rows = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = rows.map(|row| row.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "lock" && name != "aside");
    names.sort();
    names
}

#[tokio::test]
async fn what_waits_is_handed_over_in_order_as_it_was_accepted() {
    let folder = tempfile::tempdir().expect("folder");
    let broker = Broker::new(Mood::Away);
    let shelter = open(folder.path(), &broker, options());
    let mut accepted = vec![];
    for n in 0..5 {
        let id = (n % 2 == 0).then(|| format!("a-{n}"));
        accepted.push(submit(&shelter, envelope(id.as_deref(), &format!("日本語 {n}\\n"))).await.expect("kept").identity);
    }
    assert_eq!((shelter.waiting().messages, files(folder.path()).len()), (5, 5));
    assert!(broker.seen().is_empty());
    // Behind what waits, although the broker is back: order.
    broker.turn(Mood::Takes);
    accepted.push(submit(&shelter, envelope(Some("late"), "x")).await.expect("kept").identity);
    shelter.hand_over().await;
    let seen = broker.seen();
    assert_eq!(seen.iter().filter_map(Identity::of).collect::<Vec<_>>(), accepted);
    assert!(seen.iter().all(|one| one.received_at == envelope(None, "").received_at), "time of acceptance");
    assert_eq!((shelter.waiting().messages, files(folder.path())), (0, vec![]));
    submit(&shelter, envelope(Some("direct"), "x")).await.expect("taken");
    assert!(files(folder.path()).is_empty() && broker.seen().len() == 7);
}

#[tokio::test]
async fn a_crash_keeps_what_is_complete_and_the_identity_given_at_acceptance() {
    let folder = tempfile::tempdir().expect("folder");
    let broker = Broker::new(Mood::Mute);
    let shelter = open(folder.path(), &broker, options());
    assert!(Shelter::open(folder.path(), broker.clone(), options()).is_err(), "one process uses a folder");
    let identity = submit(&shelter, envelope(None, "同じ言葉")).await.expect("kept").identity;
    drop(shelter);
    fs::write(folder.path().join("0000000000000009-1.part"), b"{\"v\":1").expect("half a file");
    broker.turn(Mood::Takes);
    let shelter = open(folder.path(), &broker, options());
    assert_eq!((shelter.waiting().messages, files(folder.path()).len()), (1, 1), "the half one is gone");
    shelter.hand_over().await;
    let seen: Vec<Identity> = broker.seen().iter().filter_map(Identity::of).collect();
    assert_eq!(seen, [identity.clone(), identity.clone()], "what seemed to fail and what came later is one message");
    let other = submit(&shelter, envelope(None, "同じ言葉")).await.expect("taken").identity;
    assert_ne!(other.id, identity.id, "the same words again are another message");
}

#[tokio::test]
async fn what_cannot_be_handed_over_is_set_aside_and_stops_nobody() {
    let folder = tempfile::tempdir().expect("folder");
    let broker = Broker::new(Mood::Away);
    let shelter = open(folder.path(), &broker, options());
    for (id, text) in [("damaged", "x".to_owned()), ("large", "x".repeat(500)), ("good", "x".to_owned())] {
        submit(&shelter, envelope(Some(id), &text)).await.expect("kept");
    }
    let first = folder.path().join(&files(folder.path())[0]);
    let mut bytes = fs::read(&first).expect("read");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&first, bytes).expect("written");
    broker.turn(Mood::Picky(400));
    shelter.hand_over().await;
    assert_eq!(broker.seen().iter().filter_map(|one| one.given_id.clone()).collect::<Vec<_>>(), ["good"]);
    assert_eq!((files(folder.path()).len(), files(&folder.path().join("aside")).len()), (0, 2), "nothing is deleted");
}

#[tokio::test]
async fn the_shelter_is_bounded_and_full_is_no_absence() {
    let folder = tempfile::tempdir().expect("folder");
    let broker = Broker::new(Mood::Full);
    let shelter = open(folder.path(), &broker, Options { messages_max: 2, ..options() });
    assert!(matches!(submit(&shelter, envelope(Some("a"), "x")).await, Err(StoreError::Full(_))));
    assert!(files(folder.path()).is_empty());
    broker.turn(Mood::Away);
    assert!(matches!(submit(&shelter, envelope(Some("b"), &"x".repeat(20_000))).await, Err(StoreError::TooLarge { .. })));
    for (id, is_kept) in [("c", true), ("d", true), ("e", false)] {
        let answer = submit(&shelter, envelope(Some(id), "x")).await;
        assert_eq!(answer.is_ok(), is_kept, "{id}: {answer:?}");
        assert!(is_kept || matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    drop(shelter);
    let shelter = open(folder.path(), &broker, Options { bytes_max: 600, ..options() });
    assert!(submit(&shelter, envelope(Some("f"), &"x".repeat(500))).await.is_err(), "bytes are bounded, too");
}

fn post(app: &str, line: &str) -> u16 {
    let request = ureq::post(format!("http://{app}/v1/messages")).config().http_status_as_error(false).build();
    request.content_type("application/json").send(line).expect("answers").status().as_u16()
}

#[test]
fn messages_sent_while_the_broker_is_away_are_judged_once_after_a_kill() {
    let mut server = NatsServer::start(NEWEST);
    let site = site(&server);
    init(&site);
    let worker = site.start_ready();
    let app = address(&site, "app");
    let line = |id: &str| format!("{{{id}\"channel\":\"chat\",\"text\":\"商品が届きません。\"}}");
    assert_eq!(post(&app, &line("\"id\":\"before\",")), 202);
    server.kill();
    for id in ["\"id\":\"away\",", "\"id\":\"away\",", ""] {
        assert_eq!(post(&app, &line(id)), 202, "{id}\n{}", site.log());
    }
    let ready = format!("http://{}/readyz", address(&site, "ops"));
    wait_for("the note", Duration::from_secs(10), || {
        let answer = ureq::get(&ready).config().http_status_as_error(false).build().call();
        answer.expect("answers").body_mut().read_to_string().expect("text").contains("wait on the local disk").then_some(())
    });
    worker.kill();
    let folder = site.path("spool/broker-away");
    assert_eq!(files(&folder).len(), 3);
    fs::write(folder.join("0000000000000099-1.part"), b"half").expect("written");
    server.launch();
    let ready = || site.run(&["case", "list"]).status.success().then_some(());
    wait_for("JetStream", Duration::from_secs(20), ready);
    let worker = site.start_ready();
    let verdicts = || count(&server, "TRIAGE_VERDICTS", "triage.verdict.>");
    // What the killed worker had in its hands comes back when its lease has run out.
    wait_for("every verdict", Duration::from_secs(100), || (verdicts() >= 3).then_some(()));
    wait_for("an empty folder", Duration::from_secs(10), || files(&folder).is_empty().then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(verdicts(), 3, "before, away (sent twice), and the one without an id");
    assert_eq!(count(&server, "CC_INBOUND", "cc.inbound.>"), 3);
    drop(worker);
}
