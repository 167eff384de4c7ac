//! What every way out promises, whatever carries the alert: one table of promises, run against each.

use crate::smtp::alert;
use crate::smtp_faults::Server as MailServer;
use crate::store::nats::{NEWEST, NatsServer};
use crate::webhook::Server as WebServer;
use futures_util::StreamExt;
use mimamori::app::pop::Pop;
use mimamori::app::transport::{notifier, subject_access};
use mimamori::config::secret::Secrets;
use mimamori::config::settings::Settings;
use mimamori::diag::SourceText;
use mimamori::edge::nats::Access;
use mimamori::edge::notify::outbox::Outbox;
use mimamori::edge::notify::smtp::Smtp;
use mimamori::edge::notify::webhook::Shape;
use mimamori::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use mimamori::policy::Policy;
use mimamori::policy::people::ChannelKind;
use mimamori::wording::{Language, Texts};
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A way out, and what has arrived at its other end.
struct Way {
    name: &'static str,
    notifier: Arc<dyn Notifier>,
    arrived: Box<dyn Fn() -> Vec<String>>,
}

fn ways(folder: &tempfile::TempDir) -> Vec<Way> {
    let outbox = folder.path().join("outbox");
    let mail = MailServer::start(None);
    let mut ways = vec![
        Way {
            name: "outbox",
            notifier: Arc::new(Outbox::new(outbox.clone()).expect("a folder")),
            arrived: Box::new(move || {
                let rows = fs::read_dir(&outbox).expect("there").flatten();
                rows.map(|row| fs::read_to_string(row.path()).expect("a mail")).collect()
            }),
        },
        Way {
            name: "mail",
            notifier: Arc::new(Smtp::new(mail.relay()).expect("settings")),
            arrived: Box::new(move || mail.mails.lock().expect("lock").clone()),
        },
    ];
    for (name, shape) in [("webhook", Shape::Plain), ("slack", Shape::Slack), ("teams", Shape::Teams)] {
        let server = WebServer::start("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned());
        let notifier = Arc::new(server.webhook(shape));
        ways.push(Way { name, notifier, arrived: Box::new(move || server.seen()) });
    }
    let server = NatsServer::start(NEWEST);
    let (notifier, screen) = (Arc::new(Pop::new(SUBJECT.to_owned(), server.access())), Screen::open(&server, Duration::ZERO));
    ways.push(Way { name: "nats", notifier, arrived: Box::new(move || (screen.seen(), &server).0) });
    ways
}

const SUBJECT: &str = "cc.pop.alerts";

/// One runtime for all, as in the program: a connection lives on it.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime"))
}

/// Whoever shows alerts: replies after `pause`, and keeps what it was sent.
struct Screen {
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Screen {
    fn open(server: &NatsServer, pause: Duration) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, url) = (Arc::clone(&seen), server.url());
        let client = runtime().block_on(async {
            let client = async_nats::connect(url).await.expect("connects");
            let alerts = client.subscribe(SUBJECT).await.expect("subscribes");
            // What comes back on the same connection says that the server knows the subscription before it.
            let mut echo = client.subscribe("echo").await.expect("subscribes");
            client.publish("echo", "".into()).await.expect("published");
            echo.next().await.expect("there");
            (client, alerts)
        });
        let task = runtime().spawn(async move {
            let (client, mut alerts) = client;
            while let Some(message) = alerts.next().await {
                let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).expect("an id").to_string();
                let body = String::from_utf8(message.payload.to_vec()).expect("text");
                kept.lock().expect("lock").push(format!("{id}\n{body}"));
                tokio::time::sleep(pause).await;
                client.publish(message.reply.expect("a request"), "ok".into()).await.expect("replied");
            }
        });
        Self { seen, task }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("lock").clone()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn send(way: &Way, alert: &Outgoing) -> Outcome {
    runtime().block_on(way.notifier.send(alert))
}

fn pop(pop: &Pop) -> (Outcome, Duration) {
    let began = Instant::now();
    let outcome = runtime().block_on(pop.send(&alert("sv", "佐藤")));
    (outcome, began.elapsed())
}

const fn transient(reason: Reason) -> Outcome {
    Outcome::Transient { reason, slow_down: false }
}

#[test]
fn a_subject_counts_only_when_somebody_certainly_has_the_alert() {
    let mut server = NatsServer::start(NEWEST);
    let bell = Pop::new(SUBJECT.to_owned(), server.access());
    let (outcome, took) = pop(&bell);
    assert_eq!(outcome, transient(Reason::NobodyListens));
    assert!(took < Duration::from_secs(2), "{took:?}");
    let slow = Screen::open(&server, Duration::from_secs(20));
    let (outcome, took) = pop(&bell);
    assert_eq!(outcome, transient(Reason::Timeout));
    assert!(took < Duration::from_secs(7), "{took:?}");
    assert_eq!(slow.seen().len(), 1);
    drop(slow);
    let screen = Screen::open(&server, Duration::ZERO);
    assert_eq!(pop(&bell).0, Outcome::Sent);
    assert!(screen.seen()[0].contains("C-TEST") && !screen.seen()[0].contains("Bcc"), "{:?}", screen.seen());
    drop(screen);
    server.kill();
    let (outcome, took) = pop(&bell);
    assert!(matches!(outcome, Outcome::Transient { .. }), "{outcome:?}");
    assert!(took < Duration::from_secs(7), "{took:?}");
    server.launch();
    let screen = Screen::open(&server, Duration::ZERO);
    crate::support::wait_for("the connection to come back", Duration::from_secs(20), || (pop(&bell).0 == Outcome::Sent).then_some(()));
    assert!(!screen.seen().is_empty());
}

#[test]
fn a_stream_that_takes_the_subject_keeps_one_of_two() {
    let server = NatsServer::start(NEWEST);
    let bell = Pop::new(SUBJECT.to_owned(), server.access());
    let context = runtime().block_on(async { async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects")) });
    let config = |max_messages| async_nats::jetstream::stream::Config {
        name: "POP".to_owned(),
        subjects: vec!["cc.pop.>".to_owned()],
        discard: async_nats::jetstream::stream::DiscardPolicy::New,
        max_messages,
        ..Default::default()
    };
    let stream = runtime().block_on(context.create_stream(config(1))).expect("made");
    assert_eq!([pop(&bell).0, pop(&bell).0], [Outcome::Sent; 2]);
    assert_eq!(runtime().block_on(stream.get_info()).expect("info").state.messages, 1, "the second is a duplicate of the first");
    let other = Outgoing { message_id: "C-TEST-first-2@example.jp".to_owned(), ..alert("sv", "佐藤") };
    assert_eq!(runtime().block_on(bell.send(&other)), transient(Reason::Busy), "a full stream refuses, and that is no reply");
}

#[test]
fn a_missing_right_is_a_broken_channel_and_soon_told() {
    let key = nkeys::KeyPair::new_user();
    let public = key.public_key();
    let config = format!(
        "port: 4222\nauthorization {{ users = [ {{ nkey: {public}, permissions: {{ publish: {{ deny: [\"cc.pop.>\"] }} }} }} ] }}\n"
    );
    let server = NatsServer::configured(NEWEST, &config);
    let stranger = Pop::new(SUBJECT.to_owned(), server.access());
    assert_eq!(pop(&stranger).0, Outcome::ChannelBroken { reason: Reason::Authentication }, "nobody is let in without a name");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key"), key.seed().expect("a seed")).expect("written");
    let access = Access { nkey: Some(folder.path().join("key")), ..server.access() };
    let (outcome, took) = pop(&Pop::new(SUBJECT.to_owned(), access));
    assert_eq!(outcome, Outcome::ChannelBroken { reason: Reason::Authentication });
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_channel_of_the_policy_leads_to_the_subject_and_keeps_the_words_inside() {
    let server = NatsServer::start(NEWEST);
    let screen = Screen::open(&server, Duration::ZERO);
    let text = format!(
        "[nats]\nurl = \"{}\"\n[notify]\ntransport = \"smtp\"\n[notify.smtp]\nhost = \"localhost\"\nsecurity = \"none\"\n\
         [[notify.channel]]\nid = \"pager\"\nsubject = \"{SUBJECT}\"\n",
        server.url()
    );
    let settings = Settings::parse(&SourceText { name: "mimamori.toml".into(), text }).0.expect("sound");
    let policy = include_str!("../../config/policy.toml").replacen("kind = \"webhook\"", "kind = \"nats\"", 1);
    let policy = Policy::parse(&SourceText { name: "policy.toml".into(), text: policy }).0.expect("sound");
    assert!(policy.channels.iter().any(|channel| channel.kind == ChannelKind::Nats && channel.leaves_site), "outside unless decided");
    let (_, board) = notifier(&settings, &Secrets::default(), &policy, &Texts::built_in(Language::Japanese)).expect("built");
    let mut alert = alert("sv", "佐藤");
    alert.to.channel = "pager".to_owned();
    alert.text = "お客さまの言葉".to_owned();
    for (leaves_site, is_told) in [(true, false), (false, true)] {
        alert.leaves_site = leaves_site;
        assert_eq!(runtime().block_on(board.send(&alert)), Outcome::Sent);
        let told = screen.seen().pop().expect("told");
        assert!(told.contains("受領期限 07:08") && told.contains(&alert.message_id), "{told}");
        assert_eq!(told.contains("お客さまの言葉"), is_told, "{told}");
    }
}

#[test]
fn servers_of_their_own_are_shown_no_credentials_of_ours() {
    let ours =
        "[nats]\nurl = \"nats://ours.example.jp:4222\"\ncreds_file = \"ours.creds\"\nca_file = \"ours.pem\"\ninbox_prefix = \"_OURS\"\n";
    let access = |row: &str| {
        let text = format!("{ours}[[notify.channel]]\nid = \"pop\"\nsubject = \"cc.pop\"\n{row}");
        let (settings, faults) = Settings::parse(&SourceText { name: "mimamori.toml".into(), text });
        let settings = settings.unwrap_or_else(|| panic!("{faults:?}"));
        subject_access(&settings.notify.subjects[0], &settings.nats)
    };
    let by_default = access("");
    assert_eq!((by_default.url.as_str(), by_default.credentials), ("nats://ours.example.jp:4222", Some("ours.creds".into())));
    let named = access("nkey_file = \"pop-nkey\"\n");
    assert_eq!((named.credentials, named.nkey, named.authority), (None, Some("pop-nkey".into()), Some("ours.pem".into())));
    let url = "nats://theirs.example.jp:4222";
    let theirs = access(&format!("url = \"{url}\"\n"));
    assert_eq!(theirs, Access { url: url.to_owned(), ..Access::default() });
}

#[test]
fn every_way_keeps_the_same_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    for way in ways(&folder) {
        let began = Instant::now();
        let alert = alert("sv@example.jp", "佐藤");
        // Twice the same is recognisable as the same.
        for _ in 0..2 {
            assert_eq!(send(&way, &alert), Outcome::Sent, "{}", way.name);
        }
        let arrived = (way.arrived)();
        assert!(!arrived.is_empty() && arrived.iter().all(|one| one.contains(&alert.message_id)), "{}: {arrived:?}", way.name);
        // What came from outside adds no header, no field and no line of its own.
        let hostile = Outgoing {
            subject: "件名\r\nBcc: evil@example.com\u{0}\u{202e}".to_owned(),
            message_id: "C-TEST-first-2-def@example.jp".to_owned(),
            ..alert.clone()
        };
        assert_eq!(send(&way, &hostile), Outcome::Sent, "{}", way.name);
        let last = (way.arrived)().into_iter().find(|one| one.contains(&hostile.message_id)).expect(way.name);
        assert!(last.lines().all(|line| !line.starts_with("Bcc:")), "{}: {last}", way.name);
        assert!(began.elapsed() < Duration::from_secs(10), "{}", way.name);
    }
}

#[test]
fn no_way_panics_or_waits_for_what_cannot_be_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    for way in ways(&folder) {
        let began = Instant::now();
        for address in ["", "nobody", "a b@example.jp", "a@b@c", "\u{0}@example.jp", &"x".repeat(2_000)] {
            let outcome = send(&way, &alert(address, ""));
            // Webhooks name the person by key; only mail needs an address.
            let is_fine = matches!(outcome, Outcome::Sent | Outcome::RecipientRefused { .. });
            assert!(is_fine, "{} to {address:?}: {outcome:?}", way.name);
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{}", way.name);
    }
}

/// The whole program: a ladder whose second way is the desks' screen.
#[test]
fn a_ladder_calls_a_screen_until_somebody_takes_the_case_and_goes_on_where_nobody_listens() {
    use crate::support::{MailServer, Site, wait_for};
    use mimamori::policy::SHIPPED;
    use serde_json::Value;
    let (server, mail) = (NatsServer::start(NEWEST), MailServer::start(&[]));
    let notify = format!(
        "[notify]\ntransport = \"smtp\"\n[notify.smtp]\nhost = \"localhost\"\nport = {}\nsecurity = \"none\"\n\
         [[notify.channel]]\nid = \"pager\"\nsubject = \"{SUBJECT}\"\nurl = \"{}\"\n",
        mail.port,
        server.url()
    );
    let site = Site::new(&notify).with_policy(&SHIPPED.replacen("kind = \"webhook\"", "kind = \"nats\"", 1));
    let _worker = site.start_ready();
    let submit = |id: &str| {
        let line = format!(r#"{{"id":"{id}","channel":"chat","conversation":"{id}","text":"お前ら全員殺すぞ。夜道に気をつけろ"}}"#);
        assert_eq!(site.run_with(&["submit"], line.as_bytes()).status.code(), Some(0));
    };
    let case = |id: &str| {
        wait_for("the case", Duration::from_secs(20), || {
            let listed = String::from_utf8(site.run(&["--format", "json", "case", "list"]).stdout).expect("text");
            let mut cases = listed.lines().map(|line| serde_json::from_str::<Value>(line).expect("json"));
            cases.find(|case| case["messages"][0]["id"] == id)
        })
    };
    let events = |case: &Value| case["events"].as_array().expect("events").clone();

    // Nobody listens: that way is tried again, the mails leave all the same, and the ladder stands at its next step.
    submit("n-1");
    let alone = wait_for("the case to say so", Duration::from_secs(20), || {
        let case = case("n-1");
        let retried = events(&case).iter().any(|event| event["what"] == "alert_retried" && event["detail"].to_string().contains("nobody"));
        let mailed = events(&case).iter().any(|event| event["what"] == "alert_sent");
        (retried && mailed).then_some(case)
    });
    assert!(alone["next_due"].is_string() && alone["state"]["state"] == "open", "{alone}");

    let screen = Screen::open(&server, Duration::ZERO);
    submit("n-2");
    let id = case("n-2")["id"].as_str().expect("an id").to_owned();
    let of_case = |id: &str| screen.seen().into_iter().filter(|seen| seen.contains(id)).collect::<Vec<_>>();
    let seen = wait_for("the screens", Duration::from_secs(20), || Some(of_case(&id)).filter(|seen| seen.len() >= 2));
    for one in &seen {
        let (message_id, body) = one.split_once('\n').expect("two parts");
        let facts: Value = serde_json::from_str(body).expect("json");
        assert!(message_id.contains(&id) && !body.contains("殺す") && !body.contains("夜道"), "{one}");
        assert!(facts.to_string().contains(&id), "{facts}");
    }
    assert_eq!(site.run(&["case", "ack", &id, "--by", "supervisor"]).status.code(), Some(0));
    let count = of_case(&id).len();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(of_case(&id).len(), count, "somebody has it");
    let taken = case("n-2");
    assert!(
        taken["intents"].as_array().expect("intents").iter().any(|one| one["to"]["channel"] == "pager" && one["state"]["is"] == "sent"),
        "{taken}"
    );
}
