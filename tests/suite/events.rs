//! Events out on the whole program: real receivers over HTTP and NATS that take, refuse, fail and vanish; both backends.

use crate::e2e::address;
use crate::nats::{init, site as nats_site};
use crate::store::nats::{NEWEST, NatsServer, free_port};
use crate::support::{Site, wait_for};
use futures_util::StreamExt;
use jiff::Timestamp;
use mimamori::case::outward;
use mimamori::edge::notify::Reason;
use mimamori::edge::notify::event::{EventSink, Handed};
use mimamori::edge::notify::webhook::event::EventHook;
use mimamori::edge::notify::webhook::signature;
use mimamori::model::event::EventKind;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const LIGHT: &str = r#"{"id":"s-1","channel":"chat","queue":"shop","conversation":"c-1","customer":"himitsu@kyaku.example","text":"お前みたいな無能は消えろ、このクズ 合言葉はひまわり"}"#;
const GRAVE: &str = r#"{"id":"s-2","channel":"chat","queue":"shop","conversation":"c-1","customer":"himitsu@kyaku.example","text":"お前の家はわかってるからな。殺してやる ひまわり"}"#;
/// What must never leave: the customer's words and address, our own people's words and addresses, an operator's name.
const SECRETS: [&str; 9] = ["ひまわり", "殺", "無能", "himitsu", "c-1", "ないしょ", "@", "SV当番", "窓口の花子"];

/// From what a person did to the receiver: two looks of the sender, and a slow machine.
const LATENCY_MAX: Duration = Duration::from_secs(5);

/// A request as the receiver saw it, and what it answered.
#[derive(Debug, Clone)]
struct Seen {
    answer: u16,
    head: String,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> String {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a header").trim().to_owned()
    }

    fn id(&self) -> String {
        self.header("webhook-id")
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("json")
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

/// A receiver whose answer can be changed while it runs. Every request's signature is checked.
struct Receiver {
    port: u16,
    answer: Arc<AtomicU16>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    fn start(answer: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self { port: listener.local_addr().unwrap().port(), answer: Arc::new(AtomicU16::new(answer)), seen: Arc::default() };
        let (answer, seen) = (Arc::clone(&receiver.answer), Arc::clone(&receiver.seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                receive(stream.unwrap(), &answer, &seen);
            }
        });
        receiver
    }

    fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn taken(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.answer < 300).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.taken().iter().map(Seen::kind).collect()
    }

    fn wait_taken(&self, count: usize, longest: u64) -> Vec<Seen> {
        wait_for(&format!("{count} events, {:?} so far", self.kinds()), Duration::from_secs(longest), || {
            Some(self.taken()).filter(|taken| taken.len() >= count)
        })
    }

    /// A target of that name.
    fn target(&self, site: &Site, id: &str, more: &str) -> String {
        fs::write(site.path("key"), KEY).expect("written");
        format!(
            "[[events.out]]\nid = \"{id}\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{}/hook\"\nsecret_file = \"{}\"\nprivate_hosts = [\"127.0.0.1\"]\n{more}",
            self.port,
            site.path("key").display()
        )
    }
}

fn receive(mut stream: TcpStream, answer: &AtomicU16, kept: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() || head.is_empty() {
        return; // whoever sent it was killed
    }
    let status = answer.load(Ordering::SeqCst);
    kept.lock().unwrap().push(Seen { answer: status, head, body: String::from_utf8(body).unwrap() });
    _ = stream.write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").as_bytes());
}

fn add(site: &Site, more: &str) {
    let config = fs::read_to_string(site.path("mimamori.toml")).expect("read");
    fs::write(site.path("mimamori.toml"), format!("{config}\n{more}")).expect("written");
}

fn submit(site: &Site, line: &str) {
    assert_eq!(site.run_with(&["submit"], line.as_bytes()).status.code(), Some(0));
}

fn told(site: &Site, arguments: &[&str]) -> String {
    let output = site.run(arguments);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("utf-8");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
    text
}

/// The row of `events list` about a target.
fn listed(site: &Site, id: &str) -> Value {
    let text = told(site, &["--format", "json", "events", "list"]);
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    rows.into_iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id}: {text}"))
}

fn check_signed(seen: &[Seen]) {
    let key = data_encoding::BASE64.decode(KEY.trim_start_matches("whsec_").as_bytes()).expect("base64");
    for one in seen {
        let seconds: i64 = one.header("webhook-timestamp").parse().expect("seconds");
        assert!((Timestamp::now().as_second() - seconds).abs() < 300);
        assert_eq!(one.header("webhook-signature"), signature(&key, &one.id(), seconds, one.body.as_bytes()));
        assert_eq!(one.json()["id"], one.id(), "the id of the body is the id of the request");
    }
}

fn ids(seen: &[Seen]) -> BTreeSet<String> {
    seen.iter().map(Seen::id).collect()
}

/// A case from its first message to its end, step by step, each told before the next.
fn live_through(site: &Site, receiver: &Receiver) {
    let mut expected = 0;
    let mut step = |what: &str, more: usize| {
        expected += more;
        wait_for(&format!("{what}: {:?}", receiver.kinds()), Duration::from_secs(30), || {
            (receiver.taken().len() >= expected).then_some(())
        });
    };
    submit(site, LIGHT);
    step("opened", 2);
    submit(site, GRAVE);
    step("raised", 2);
    let case = receiver.taken()[0].json()["case"].as_str().expect("a case").to_owned();
    let act = |arguments: &[&str]| told(site, &[&["case", arguments[0], case.as_str()], &arguments[1..]].concat());
    act(&["ack", "--by", "supervisor"]);
    let acted = Instant::now();
    step("acked", 1);
    println!("told {:?} after the acknowledgement", acted.elapsed());
    assert!(acted.elapsed() < LATENCY_MAX, "{:?}", acted.elapsed());
    let notice = r#"{"id":"n-1","channel":"chat","queue":"shop","conversation":"c-1","direction":"outbound","event":"caution","operator":"窓口の花子","text":"ひまわりさま、おやめください"}"#;
    submit(site, notice);
    step("notice", 1);
    act(&["note", "--by", "supervisor", "--text", "ないしょのメモ"]);
    act(&["pass", "--by", "supervisor"]);
    step("handed over", 1);
    act(&["judge", "--by", "manager", "--finding", "該当", "--reason", "ないしょの理由"]);
    step("judged", 1);
    act(&["close", "--by", "manager", "--reason", "ないしょの結末"]);
    step("closed", 1);
}

fn check_life(taken: &[Seen]) {
    let by_kind = |kind: &str| taken.iter().filter(|one| one.kind() == kind).map(Seen::json).collect::<Vec<_>>();
    let of_case: Vec<String> = taken.iter().map(Seen::kind).filter(|kind| kind.starts_with("case.")).collect();
    assert_eq!(of_case, ["case.opened", "case.raised", "case.acked", "case.handed_over", "case.judged", "case.closed"]);
    let messages: Vec<Value> = by_kind("verdict.flagged").iter().map(|body| body["message"].clone()).collect();
    assert_eq!(messages, ["s-1", "s-2"]);
    assert_eq!(taken.iter().map(Seen::kind).collect::<BTreeSet<_>>().len(), EventKind::ALL.len(), "every type");
    let revisions: Vec<u64> = taken.iter().filter_map(|one| one.json()["revision"].as_u64()).collect();
    assert!(revisions.is_sorted() && revisions.len() == 6, "{revisions:?}");
    let one = |kind: &str| by_kind(kind).remove(0);
    assert_eq!((&one("case.acked")["person"], &one("case.acked")["state"]), (&"supervisor".into(), &"acknowledged".into()));
    assert_eq!((&one("case.handed_over")["cause"], &one("case.handed_over")["state"]), (&"handed_over".into(), &"open".into()));
    assert_eq!((&one("case.judged")["finding"], &one("case.judged")["stands"]), (&"applies".into(), &true.into()));
    assert_eq!((&one("case.closed")["person"], &one("case.closed")["state"]), (&"manager".into(), &"closed".into()));
    assert_eq!((&one("case.opened")["level"], &one("case.raised")["level"]), (&2.into(), &3.into()));
    assert_eq!((&one("notice.recorded")["notice"], &one("notice.recorded")["case"]), (&"caution".into(), &one("case.opened")["case"]));
    let conversations: BTreeSet<String> = taken.iter().map(|one| one.json()["conversation"].to_string()).collect();
    assert_eq!(conversations.len(), 1, "one key for the conversation everywhere");
    for one in taken {
        for secret in SECRETS {
            assert!(!one.body.contains(secret), "{secret}: {}", one.body);
        }
        assert_eq!((&one.json()["queue"], &one.json()["tenant"]), (&"shop".into(), &"default".into()));
    }
}

#[test]
fn each_type_arrives_once_in_order_signed_and_without_a_word() {
    let (receiver, closed_only) = (Receiver::start(204), Receiver::start(200));
    let site = Site::new("");
    add(&site, &receiver.target(&site, "crm", ""));
    add(&site, &closed_only.target(&site, "hr", "events = [\"case.closed\"]\nqueues = [\"shop\"]\n"));
    add(&site, &closed_only.target(&site, "other", "queues = [\"elsewhere\"]\n"));
    let worker = site.start_ready();
    live_through(&site, &receiver);
    let taken = receiver.wait_taken(9, 5);
    check_life(&taken);
    check_signed(&receiver.seen());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((receiver.seen().len(), ids(&receiver.seen()).len()), (9, 9), "once each");
    assert_eq!(closed_only.kinds(), ["case.closed"], "only what was wished for");
    // A drill and a talk past the supervisor are nobody else's business.
    told(&site, &["drill", "--level", "4", "--by", "運用"]);
    told(&site, &["case", "flag", "--conversation", "c-7", "--by", "窓口の花子", "--kind", "other-than-supervisor", "--note", "ないしょ"]);
    told(&site, &["case", "flag", "--conversation", "c-8", "--by", "窓口の花子", "--kind", "swap-now", "--note", "ないしょ"]);
    let opened = receiver.wait_taken(10, 10).pop().expect("one more");
    assert!(opened.kind() == "case.opened" && SECRETS.iter().all(|secret| !opened.body.contains(secret)), "{}", opened.body);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(receiver.seen().len(), 10, "{:?}", receiver.kinds());
    let page =
        ureq::get(format!("http://{}/metrics", address(&site, "ops"))).call().expect("answers").body_mut().read_to_string().expect("text");
    assert!(page.contains("mimamori_events_out_total{outcome=\"accepted\",target=\"crm\"} 10"), "{page}");
    assert!(page.contains("mimamori_events_out_lag_seconds{target=\"crm\"} 0"));
    let row = wait_for("the end", Duration::from_secs(10), || Some(listed(&site, "crm")).filter(|row| row["cursor"] == row["newest"]));
    assert_eq!((&row["state"], &row["lag_seconds"]), (&"working".into(), &0.into()));
    worker.terminate();
}

#[test]
fn a_receiver_that_is_away_misses_nothing_and_delays_nobody() {
    let (broken, healthy) = (Receiver::start(503), Receiver::start(200));
    let site = Site::new("");
    add(&site, &broken.target(&site, "broken", ""));
    add(&site, &healthy.target(&site, "healthy", ""));
    let worker = site.start_ready();
    submit(&site, LIGHT);
    healthy.wait_taken(2, 10);
    wait_for("attempts", Duration::from_secs(15), || (broken.seen().len() >= 2).then_some(()));
    let first = broken.seen()[0].id();
    assert!(broken.seen().iter().all(|seen| seen.id() == first), "the order is kept: nothing overtakes what was not accepted");
    assert_eq!(listed(&site, "broken")["state"], "failing");
    assert!(told(&site, &["events", "list"]).contains("送れていません(busy)"));
    // The worker dies in the middle of it, and what comes meanwhile is told by the next.
    worker.kill();
    submit(&site, GRAVE);
    let worker = site.start_ready();
    healthy.wait_taken(4, 20);
    assert!(broken.taken().is_empty());
    broken.answers(200);
    let taken = broken.wait_taken(4, 90);
    assert_eq!(taken[0].id(), first, "the same id at last");
    assert_eq!(ids(&taken), ids(&healthy.taken()), "both know the same");
    assert_eq!(
        taken.iter().map(Seen::id).collect::<Vec<_>>(),
        healthy.taken().iter().map(Seen::id).collect::<Vec<_>>(),
        "in the same order"
    );
    check_signed(&broken.seen());
    wait_for("the trouble to be over", Duration::from_secs(5), || (listed(&site, "broken")["state"] == "working").then_some(()));
    worker.terminate();
}

#[test]
fn replay_repeats_ids_and_bytes_and_ends_a_stop() {
    let receiver = Receiver::start(200);
    let site = Site::new("");
    submit(&site, LIGHT);
    let worker = site.start_ready();
    wait_for("the verdict", Duration::from_secs(30), || (site.counts().0 == 1).then_some(()));
    worker.terminate();
    add(&site, &receiver.target(&site, "crm", ""));
    add(&site, &receiver.target(&site, "all", "from = \"beginning\"\n"));
    let worker = site.start_ready();
    let before = receiver.wait_taken(2, 10);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.taken().len(), 2, "a new target begins now, unless it asks for the beginning");
    let middle = Timestamp::now();
    submit(&site, GRAVE);
    receiver.wait_taken(6, 10);

    assert!(told(&site, &["events", "replay", "--to", "crm", "--from", "1"]).contains("事案の履歴 1 番"));
    let all = receiver.wait_taken(10, 10);
    let bodies: BTreeMap<String, String> = all[..6].iter().map(|seen| (seen.id(), seen.body.clone())).collect();
    for seen in &all[6..] {
        assert_eq!(bodies.get(&seen.id()), Some(&seen.body), "the same bytes under the same id");
    }
    assert_eq!(ids(&before), ids(&all[6..8]), "in the same order");
    told(&site, &["events", "replay", "--to", "crm", "--from", &middle.to_string()]);
    let since = receiver.wait_taken(12, 10);
    assert_eq!(since[10..].iter().map(Seen::kind).collect::<Vec<_>>(), ["case.raised", "verdict.flagged"], "what came after that time");

    receiver.answers(410);
    told(&site, &["events", "replay", "--to", "crm", "--from", "verdict:1"]);
    wait_for("the stop", Duration::from_secs(10), || (listed(&site, "crm")["state"] == "stopped").then_some(()));
    assert!(site.log().contains("ALARM"), "{}", site.log());
    let count = receiver.seen().len();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(receiver.seen().len(), count, "nothing is sent after 410");
    receiver.answers(400);
    told(&site, &["events", "replay", "--to", "crm", "--from", "verdict:1"]);
    wait_for("the refusal", Duration::from_secs(10), || (listed(&site, "crm")["reason"] == "refused").then_some(()));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(receiver.seen().len(), count + 1, "a refusal is not hammered");
    receiver.answers(200);
    told(&site, &["events", "replay", "--to", "crm", "--from", "verdict:1"]);
    assert_eq!(receiver.wait_taken(14, 10)[12..].iter().map(Seen::kind).collect::<Vec<_>>(), ["verdict.flagged", "verdict.flagged"]);
    assert_eq!(site.run(&["events", "replay", "--to", "nobody", "--from", "1"]).status.code(), Some(2));
    assert_eq!(site.run(&["events", "replay", "--to", "crm", "--from", "yesterday"]).status.code(), Some(2));
    worker.terminate();
}

/// Messages of the stream that keeps the events: subject, id, body.
fn kept(server: &NatsServer) -> Vec<(String, String, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
        let mut stream = context.get_stream("CC_EVENTS").await.expect("there");
        let count = usize::try_from(stream.info().await.expect("info").state.messages).expect("small");
        let consumer = stream.create_consumer(async_nats::jetstream::consumer::pull::OrderedConfig::default()).await.expect("a consumer");
        let messages = consumer.messages().await.expect("messages").take(count);
        let row = |message: async_nats::jetstream::Message| {
            let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).map(ToString::to_string).expect("an id");
            (message.subject.to_string(), id, String::from_utf8(message.payload.to_vec()).expect("utf-8"))
        };
        messages.map(|message| row(message.expect("a message"))).collect().await
    })
}

fn make_stream(server: &NatsServer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
        let config = async_nats::jetstream::stream::Config {
            name: "CC_EVENTS".to_owned(),
            subjects: vec!["cc.events.>".to_owned()],
            ..async_nats::jetstream::stream::Config::default()
        };
        context.create_stream(config).await.expect("created");
    });
}

#[test]
fn two_workers_on_jetstream_have_one_sender_and_the_other_takes_over() {
    let server = NatsServer::start(NEWEST);
    let receiver = Receiver::start(200);
    let sites = [nats_site(&server), nats_site(&server)];
    init(&sites[0]);
    for site in &sites {
        add(site, &receiver.target(site, "crm", ""));
        add(site, "[[events.out]]\nid = \"bus\"\nkind = \"nats\"\nsubject = \"cc.events\"\n");
    }
    let [one, two] = sites.each_ref().map(Site::start_ready);
    live_through(&sites[0], &receiver);
    check_life(&receiver.wait_taken(9, 5));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((receiver.seen().len(), ids(&receiver.seen()).len()), (9, 9), "one sender: nothing came twice");
    check_signed(&receiver.seen());
    // Nobody kept the subjects so far: nothing counts as told, and all of it comes when a stream is there.
    assert_eq!(listed(&sites[0], "bus")["reason"], "nobody_listens");
    make_stream(&server);
    let found = wait_for("the stream to have all", Duration::from_secs(90), || Some(kept(&server)).filter(|found| found.len() >= 9));
    assert_eq!(found.iter().map(|(_, id, _)| id.clone()).collect::<BTreeSet<_>>(), ids(&receiver.seen()), "the same ids by every way");
    let webhook: BTreeMap<String, String> = receiver.seen().iter().map(|seen| (seen.id(), seen.body.clone())).collect();
    for (subject, id, body) in &found {
        let told: Value = serde_json::from_str(body).expect("json");
        assert_eq!((subject, webhook.get(id)), (&format!("cc.events.{}", told["type"].as_str().expect("a type")), Some(body)));
    }
    // Whoever sends dies; the other one goes on when the lease has run out.
    one.kill();
    submit(&sites[1], &GRAVE.replace("c-1", "c-2").replace("s-2", "s-3"));
    let taken = receiver.wait_taken(11, 120);
    assert_eq!(taken[9..].iter().map(Seen::kind).collect::<BTreeSet<_>>(), ["case.opened", "verdict.flagged"].map(str::to_owned).into());
    two.terminate();
}

#[test]
fn an_embedded_store_tells_a_nats_stream() {
    let server = NatsServer::start(NEWEST);
    let site = Site::new("");
    add(
        &site,
        &format!(
            "[[events.out]]\nid = \"bus\"\nkind = \"nats\"\nsubject = \"cc.events\"\nurl = \"{}\"\nevents = [\"case.opened\"]\n",
            server.url()
        ),
    );
    wait_for("JetStream", Duration::from_secs(20), || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make_stream(&server))).ok());
    let worker = site.start_ready();
    submit(&site, LIGHT);
    let found = wait_for("the event", Duration::from_secs(20), || Some(kept(&server)).filter(|found| !found.is_empty()));
    assert_eq!((found.len(), found[0].0.as_str()), (1, "cc.events.case.opened"));
    assert!(SECRETS.iter().all(|secret| !found[0].2.contains(secret)), "{}", found[0].2);
    worker.terminate();
}

#[test]
fn a_demo_on_the_same_configuration_tells_nobody() {
    let receiver = Receiver::start(200);
    let site = Site::new("");
    add(&site, &receiver.target(&site, "crm", "from = \"beginning\"\n"));
    assert!(told(&site, &["demo", "--once"]).contains("判定の一覧"));
    assert!(receiver.seen().is_empty(), "{:?}", receiver.kinds());
}

#[tokio::test]
async fn only_acceptance_is_acceptance() {
    let receiver = Receiver::start(200);
    let refused = |reason| Handed::Refused { reason };
    let later = Handed::Later { reason: Reason::Busy, wait: None };
    let rows = [
        (200, Handed::Accepted),
        (202, Handed::Accepted),
        (307, refused(Reason::Refused)),
        (400, refused(Reason::Refused)),
        (401, refused(Reason::Authentication)),
        (404, refused(Reason::Refused)),
        (408, later),
        (410, Handed::Gone),
        (413, refused(Reason::Refused)),
        (429, later),
        (500, later),
        (503, later),
    ];
    let listed = ["127.0.0.1".to_owned()];
    let hook = EventHook::new(&format!("http://127.0.0.1:{}/", receiver.port), KEY, &listed).expect("an address");
    for (status, expected) in rows {
        receiver.answers(status);
        assert_eq!(hook.hand_over(EventKind::CaseOpened, "evt_1", "{}").await, expected, "{status}");
    }
    assert_eq!(receiver.seen().len(), rows.len(), "one request each");
    assert!(!format!("{hook:?}").contains("MfKQ"));
    let nobody = EventHook::new(&format!("http://127.0.0.1:{}/", free_port()), KEY, &listed).expect("an address");
    let outcome = nobody.hand_over(EventKind::CaseOpened, "evt_1", "{}").await;
    assert_eq!(outcome, Handed::Later { reason: Reason::Connection, wait: None });
    // A name that leads into a private network is not followed there, whatever it is called.
    let inside = EventHook::new("https://localhost/", KEY, &[]).expect("a name");
    assert_eq!(inside.hand_over(EventKind::CaseOpened, "evt_1", "{}").await, refused(Reason::Refused));
    for url in ["http://crm.example.jp/", "https://10.0.0.1/", "https://169.254.169.254/", "ftp://crm.example.jp/"] {
        assert!(EventHook::new(url, KEY, &[]).is_err(), "{url}");
    }
}

#[test]
fn stored_entries_give_the_events_of_their_goldens() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/events");
    let (mut differing, mut kinds) = (vec![], BTreeSet::new());
    for file in fs::read_dir(&folder).expect("cases").flatten().map(|row| row.path()) {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".entry.json") else { continue };
        let entry: Value = serde_json::from_slice(&fs::read(&file).expect("read")).expect("json");
        let at: Timestamp = "2026-11-24T02:00:01Z".parse().expect("a time");
        let bytes = entry.to_string();
        let made = if entry["verdict"].is_object() {
            outward::of_verdict(name, at, bytes.as_bytes())
        } else {
            outward::of_history(name, bytes.as_bytes())
        };
        let Some(event) = made.expect("readable") else {
            assert!(name.starts_with("none."), "{name} gives no event");
            continue;
        };
        assert!(name.starts_with(event.kind.id()), "{name}: {}", event.kind.id());
        for secret in ["殺", "ないしょ", "SV当番", "田中", "@"] {
            assert!(!event.body.contains(secret), "{name}: {}", event.body);
        }
        kinds.insert(event.kind);
        let golden = folder.join(format!("{name}.json"));
        let shown = event.body + "\n";
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&golden, &shown).expect("written");
        }
        if fs::read_to_string(&golden).unwrap_or_default() != shown {
            differing.push(format!("{name}: {shown}"));
        }
    }
    assert_eq!(kinds.len(), EventKind::ALL.len(), "a type without a golden");
    assert!(differing.is_empty(), "run with UPDATE_GOLDENS=1 and review:\n{}", differing.join("\n"));
}
