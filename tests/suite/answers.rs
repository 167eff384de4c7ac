//! People answer alerts without a console: links, replies by mail, calls of other systems, flags, holds. Real worker, real store.

use crate::e2e::address;
use crate::support::{Site, Worker, wait_for};
use mimamori::case::{CaseRecord, CaseState};
use mimamori::edge::embedded::Embedded;
use mimamori::edge::http::ack::{self, AckState};
use mimamori::edge::http::desk::{AckView, Act, CaseDesk, DeskError, FlagRequest, FlagView, HoldView};
use mimamori::store::{Store, Stream};
use mimamori::worker::enroll::read_cases;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WAYS: &str = "[ack]\nbase_url = \"https://mimamori.example.jp\"\nreply_address = \"mimamori@cc.example.jp\"\n";
const GRAVE: &str = r#"{"id":"g-1","channel":"chat","conversation":"c-1","text":"お前の家はわかってるからな。殺してやる"}"#;

struct Scene {
    site: Site,
    worker: Worker,
    app: String,
}

/// One alert as it lies in the folder.
#[derive(Debug, Clone)]
struct Alert {
    to: String,
    subject: String,
    text: String,
    html: String,
    reply_to: String,
}

impl Alert {
    fn token(&self) -> String {
        let (_, rest) = self.text.split_once("/ack/").expect("a link");
        rest.split_whitespace().next().expect("a token").to_owned()
    }
}

impl Scene {
    fn start(more: &str) -> Self {
        let site = Site::new(&format!("{WAYS}{more}"));
        let worker = site.start_ready();
        let app = address(&site, "app");
        Self { site, worker, app }
    }

    fn submit(&self, line: &str) {
        assert_eq!(self.site.run_with(&["submit"], line.as_bytes()).status.code(), Some(0));
    }

    fn alerts(&self) -> Vec<Alert> {
        let rows = fs::read_dir(self.site.path("outbox")).map(|rows| rows.flatten().collect::<Vec<_>>()).unwrap_or_default();
        let read = |path| {
            let raw = fs::read(path).expect("read");
            let mail = mail_parser::MessageParser::default().parse(&raw).expect("parses");
            let first = |list: Option<&mail_parser::Address<'_>>| {
                list.and_then(|list| list.first()).and_then(|one| one.address()).unwrap_or_default().to_owned()
            };
            Alert {
                to: first(mail.to()),
                subject: mail.subject().unwrap_or_default().to_owned(),
                text: mail.body_text(0).expect("text").into_owned(),
                html: mail.body_html(0).expect("html").into_owned(),
                reply_to: first(mail.reply_to()),
            }
        };
        rows.into_iter().map(|row| row.path()).filter(|path| path.extension().is_some_and(|end| end == "eml")).map(read).collect()
    }

    fn alert_to(&self, whom: &str) -> Alert {
        wait_for(&format!("an alert to {whom}"), Duration::from_secs(20), || self.alerts().into_iter().find(|one| one.to.starts_with(whom)))
    }

    fn http(&self, method: &str, path: &str, body: &str) -> (u16, String, Vec<(String, String)>) {
        let url = format!("http://{}{path}", self.app);
        let mut answer = if method == "GET" {
            ureq::get(url).config().http_status_as_error(false).build().call().expect("answers")
        } else {
            ureq::post(url).config().http_status_as_error(false).build().send(body).expect("answers")
        };
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned())).collect();
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("body"), headers)
    }

    fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, text, _) = self.http(method, path, &body.to_string());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn cases(&self) -> Vec<CaseRecord> {
        self.with_store(|store| Box::pin(async move { read_cases(&*store).await.expect("cases") }))
    }

    fn with_store<T>(&self, act: impl FnOnce(Arc<dyn Store>) -> std::pin::Pin<Box<dyn Future<Output = T>>>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async { act(Arc::new(Embedded::open(&self.site.path("mimamori.db")).expect("opens"))).await })
    }

    fn holder(&self) -> Option<String> {
        let case = self.cases().into_iter().find(|case| case.messages.iter().any(|one| one.id.as_str() == "g-1"));
        let CaseState::Acknowledged { by, .. } = case.expect("the case").state else { return None };
        Some(by)
    }
}

#[test]
fn a_link_shows_and_its_button_acts() {
    let scene = Scene::start("");
    scene.submit(GRAVE);
    let (to_sv, to_manager) = (scene.alert_to("sv@example"), scene.alert_to("manager@example"));
    let (path, other) = (format!("/ack/{}", to_sv.token()), format!("/ack/{}", to_manager.token()));
    assert_ne!(path, other, "each has a link of their own");
    assert!(to_sv.html.contains(&format!("href=\"https://mimamori.example.jp{path}\"")));

    for _ in 0..100 {
        assert_eq!(scene.http("GET", &path, "").0, 200, "scanners follow links");
    }
    assert_eq!(scene.holder(), None);
    let (_, page, headers) = scene.http("GET", &path, "");
    for part in ["SV当番", "受領する", "ほかの人に代わってもらう", "3 重度の疑い"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("殺") && !page.contains("<script"), "no word of the customer, no script");
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str()).to_owned();
    assert_eq!((header("referrer-policy").as_str(), header("cache-control").as_str()), ("no-referrer", "no-store"));
    assert!(header("content-security-policy").contains("default-src 'none'"));

    let began = Instant::now();
    let (status, page, _) = scene.http("POST", &path, "do=take");
    assert!(status == 200 && page.contains("受領しました"), "{page}");
    assert_eq!(scene.holder().as_deref(), Some("SV当番"));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(scene.http("POST", &path, "do=take").1.contains("すでに受領しています"));
    assert!(scene.http("POST", &other, "do=take").1.contains("受領しました"), "a manager may take over");

    assert_eq!(scene.http("POST", &path, "do=anything").0, 400);
    let mut forged = path.clone();
    let end = forged.pop();
    forged.push(if end == Some('a') { 'b' } else { 'a' });
    assert_eq!(scene.http("GET", &forged, "").0, 404);
    let slowed = (0..100).any(|_| scene.http("GET", &forged, "").0 == 429);
    assert!(slowed, "guessing is slowed down");
    let log = scene.site.log();
    assert!(!log.contains(&to_sv.token()) && !log.contains(&to_manager.token()), "no token in the log");
    drop(scene.worker);
}

#[test]
fn passing_on_wakes_the_next_at_once_and_only_once() {
    let scene = Scene::start("");
    scene.submit(r#"{"id":"s-1","channel":"chat","conversation":"c-1","text":"お前みたいな無能は消えろ、このクズ"}"#);
    let alert = scene.alert_to("sv@example");
    assert_eq!(scene.alerts().len(), 1);
    let path = format!("/ack/{}", alert.token());
    assert!(scene.http("POST", &path, "do=pass").1.contains("次の担当へ通知します"));
    let next = scene.alert_to("manager@example");
    assert!(next.subject.contains("【次の担当へ】"), "{}", next.subject);
    scene.http("POST", &path, "do=pass");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.alerts().len(), 2, "a second press wakes nobody more");
}

#[test]
fn a_reply_takes_a_case_if_it_comes_from_whom_it_went_to() {
    let scene = Scene::start("");
    scene.submit(GRAVE);
    let alert = scene.alert_to("sv@example");
    assert!(alert.reply_to.starts_with("mimamori+") && alert.reply_to.ends_with("@cc.example.jp"), "{}", alert.reply_to);
    let reply = |from: &str, more: &str, body: &str| {
        let mail = format!(
            "From: {from}\r\nTo: {}\r\nSubject: =?UTF-8?B?UmU6?=\r\n{more}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n\r\n> {}\r\n",
            alert.reply_to,
            alert.text.replace('\n', "\r\n> ")
        );
        assert_eq!(scene.site.run_with(&["submit", "--pipe"], mail.as_bytes()).status.code(), Some(0));
        wait_for("the reply to be done", Duration::from_secs(20), || (scene.site.pending() == 0).then_some(()));
    };
    let verdicts = scene.site.counts().0;
    reply("sv@example.jp", "Auto-Submitted: auto-replied\r\n", "受領");
    assert_eq!(scene.holder(), None, "a machine takes nothing");
    reply("sv@example.jp", "", "今は出られません");
    assert_eq!(scene.holder(), None, "a refusal takes nothing");
    assert!(scene.cases().iter().flat_map(|case| &case.events).any(|event| event.detail.contains("読み取れませんでした")));
    assert_eq!(scene.site.counts().0, verdicts, "replies of our own people are not judged");
    reply("stranger@example.com", "", "受領");
    assert_eq!(scene.holder(), None, "a stranger takes nothing");
    assert_eq!(scene.site.counts().0, verdicts + 1, "and a stranger's mail is judged like any other");
    reply("SV <SV@example.jp>", "", "了解です。");
    assert_eq!(scene.holder().as_deref(), Some("SV当番"));
}

#[test]
fn an_operator_flags_and_sees_what_becomes_of_it() {
    let scene = Scene::start("");
    let flag = json!({"id": "f-1", "conversation": "c-9", "operator": "田中", "kind": "flag", "note": "さっきから怖い <b>"});
    let (status, seen) = scene.json("POST", "/v1/flags", &flag);
    assert_eq!((status, seen["state"].as_str()), (200, Some("受付")), "{seen}");
    let alert = scene.alert_to("sv@example");
    assert!(alert.subject.contains("2 カスハラ疑い") && alert.text.contains("さっきから怖い"), "{}\n{}", alert.subject, alert.text);
    assert!(alert.html.contains("&lt;b&gt;") && !alert.html.contains("<b>"));
    assert_eq!(scene.json("POST", "/v1/flags", &flag).1["case"], seen["case"]);
    assert_eq!(scene.cases()[0].message_count(), 1, "the same flag twice is one");

    let swap = json!({"id": "f-2", "conversation": "c-9", "operator": "田中", "kind": "swap_now"});
    assert_eq!(scene.json("POST", "/v1/flags", &swap).1["case"], seen["case"], "the same conversation, the same case");
    assert!(scene.alert_to("manager@example").subject.contains("3 重度の疑い"));
    let aside = json!({"id": "f-3", "conversation": "c-9", "operator": "田中", "kind": "other_than_supervisor", "note": "上司のことで"});
    let (_, other) = scene.json("POST", "/v1/flags", &aside);
    assert_ne!(other["case"], seen["case"], "never in a case that supervisors read");
    wait_for("the manager to be told", Duration::from_secs(20), || scene.alerts().into_iter().find(|one| one.subject.contains("相談")));
    assert!(scene.alerts().iter().all(|one| !one.to.starts_with("sv@") || !one.text.contains("上司のことで")));

    let case = seen["case"].as_str().expect("a case");
    assert_eq!(scene.site.run(&["case", "ack", case, "--by", "manager"]).status.code(), Some(0));
    assert_eq!(scene.json("GET", "/v1/flags/f-1", &Value::Null).1["state"], "対応中");
    let judge = ["case", "judge", case, "--by", "センター長", "--finding", "非該当", "--reason", "行き違いでした"];
    assert_eq!(scene.site.run(&judge).status.code(), Some(0));
    let (_, result) = scene.json("GET", "/v1/flags/f-1", &Value::Null);
    assert_eq!((result["state"].as_str(), result["reason"].as_str()), (Some("結果"), Some("行き違いでした")));

    let refused = [
        json!({"operator": "", "kind": "flag"}),
        json!({"operator": "田中", "kind": "other"}),
        json!({"operator": "田中", "kind": "flag", "level": 1}),
        json!({"operator": "田中", "kind": "flag", "channel": "fax"}),
        json!({"operator": "田中", "kind": "flag", "tenant": "a b"}),
        json!({"operator": "田中", "kind": "flag", "whatever": 1}),
        json!({"operator": "田中", "kind": "flag", "note": "あ".repeat(1001)}),
    ];
    for bad in refused {
        assert_eq!(scene.json("POST", "/v1/flags", &bad).0, 400, "{bad}");
    }
    assert_eq!(scene.json("GET", "/v1/flags/f-none", &Value::Null).0, 404);
}

#[test]
fn replies_are_held_until_somebody_takes_the_case() {
    let scene = Scene::start("");
    let hold = |conversation: &str| scene.json("GET", &format!("/v1/holds/{conversation}"), &Value::Null).1;
    assert_eq!(hold("c-1")["hold"], false);
    scene.submit(GRAVE);
    let alert = scene.alert_to("sv@example");
    assert!(alert.text.contains("返信を保留中です"), "{}", alert.text);
    let held = hold("c-1");
    assert_eq!((held["hold"].as_bool(), held["reason"].as_str()), (Some(true), Some("レベル3 重度の疑い")));
    let case = held["case"].as_str().expect("a case").to_owned();
    let decision = scene.with_store(|store| Box::pin(async move { store.last(Stream::Decision).await.expect("reads").expect("one") }));
    let decision: Value = serde_json::from_slice(&decision.body).expect("json");
    assert_eq!(decision["decision"]["hold"]["reason"], "レベル3 重度の疑い");
    let (status, taken) = scene.json("POST", "/v1/ack", &json!({"case": case, "by": "manager"}));
    assert_eq!((status, taken["done"].as_str(), taken["holder"].as_str()), (200, Some("taken"), Some("センター長")), "{taken}");
    assert_eq!(hold("c-1")["hold"], false);
    for (body, status) in [
        (json!({"case": case, "by": "nobody"}), 404),
        (json!({"case": "C-NONE", "by": "manager"}), 404),
        (json!({"token": "a-1-b"}), 403),
        (json!({"case": case}), 400),
        (json!({}), 400),
    ] {
        assert_eq!(scene.json("POST", "/v1/ack", &body).0, status, "{body}");
    }
    let history = scene.site.run(&["case", "show", &case, "--history"]);
    let history = String::from_utf8(history.stdout).expect("utf-8");
    let names: Vec<&str> = history.lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
    assert_eq!(names.iter().filter(|name| **name == "alert_sent").count(), 4, "{history}");
    assert!(["opened", "hold_set", "acknowledged", "hold_released"].iter().all(|name| names.contains(name)), "{history}");
    let numbers: Vec<u64> = history.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no event is missing");
}

#[test]
fn calls_of_systems_need_the_token_where_there_is_one() {
    let site = Site::new(WAYS);
    fs::write(site.path("token"), "a-token-long-enough-1234").expect("written");
    let config = fs::read_to_string(site.path("mimamori.toml")).expect("read");
    let token = format!("listen = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n[intake.spool]", site.path("token").display());
    fs::write(site.path("mimamori.toml"), config.replacen("listen = \"127.0.0.1:0\"\n[intake.spool]", &token, 1)).expect("written");
    let worker = site.start_ready();
    let app = address(&site, "app");
    let scene = Scene { site, worker, app };
    for (method, path) in [("POST", "/v1/flags"), ("GET", "/v1/flags/x"), ("GET", "/v1/holds/x")] {
        assert_eq!(scene.http(method, path, "{}").0, 401, "{path}");
    }
    assert_eq!(scene.http("POST", "/v1/ack", r#"{"case":"C-1","by":"manager"}"#).0, 401);
    assert_eq!(scene.http("POST", "/v1/ack", r#"{"token":"a-1-b"}"#).0, 403, "a token speaks for itself");
}

/// A desk whose store is away.
struct Away;

#[async_trait::async_trait]
impl CaseDesk for Away {
    async fn look(&self, _: &str) -> Result<AckView, DeskError> {
        Err(DeskError::Unavailable)
    }
    async fn act(&self, _: &str, _: Act) -> Result<AckView, DeskError> {
        Err(DeskError::Unavailable)
    }
    async fn take(&self, _: &str, _: &str) -> Result<AckView, DeskError> {
        Err(DeskError::Unavailable)
    }
    async fn flag(&self, _: FlagRequest) -> Result<FlagView, DeskError> {
        Err(DeskError::Unavailable)
    }
    async fn flagged(&self, _: Option<&str>, _: &str) -> Result<FlagView, DeskError> {
        Err(DeskError::Unavailable)
    }
    async fn hold(&self, _: Option<&str>, _: &str) -> Result<HoldView, DeskError> {
        Err(DeskError::Unavailable)
    }
}

#[test]
fn a_store_that_is_away_never_means_free() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("binds");
    let address = listener.local_addr().expect("an address");
    let router = ack::router(AckState { desk: Arc::new(Away), token: None });
    runtime.spawn(mimamori::edge::http::server::serve(listener, router, std::future::pending()));
    for (path, expected) in [("/v1/holds/c-1", "\"hold\":\"unknown\""), ("/ack/abc-1-def", "いま確認できません")] {
        let mut answer = ureq::get(format!("http://{address}{path}")).config().http_status_as_error(false).build().call().expect("answers");
        assert_eq!(answer.status(), 503, "{path}");
        assert!(answer.body_mut().read_to_string().expect("body").contains(expected), "{path}");
    }
}
