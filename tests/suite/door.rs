//! The operator's page on the whole program: personal links, flags from a phone, what the operator sees afterwards.

use crate::e2e::address;
use crate::support::{Site, Worker, wait_for};
use mimamori::case::CaseRecord;
use mimamori::edge::embedded::Embedded;
use mimamori::worker::enroll::read_cases;
use std::fs;
use std::time::Duration;

struct Scene {
    site: Site,
    app: String,
    _worker: Worker,
}

/// What a browser was answered.
struct Page {
    status: u16,
    text: String,
    headers: Vec<(String, String)>,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// The number of the form on the page.
    fn form(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"form\" value=\"").expect("a form");
        rest.split('"').next().expect("a number").to_owned()
    }

    fn shows(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.text.contains(part), "{part}\n{}", self.text);
        }
    }
}

impl Scene {
    fn start() -> Self {
        let site = Site::new("[ack]\nbase_url = \"https://mimamori.example.jp\"\n");
        let worker = site.start_ready();
        let app = address(&site, "app");
        Self { site, app, _worker: worker }
    }

    /// The path of a new link for that operator.
    fn link(&self, operator: &str) -> String {
        let output = self.site.run(&["person", "link", "--operator", operator, "--queue", "shop"]);
        let text = String::from_utf8(output.stdout).expect("utf-8");
        let path = text.trim_end().strip_prefix("https://mimamori.example.jp").unwrap_or_else(|| panic!("{text}"));
        assert!(path.starts_with("/flag/") && path.is_ascii(), "{path}");
        path.to_owned()
    }

    fn http(&self, body: Option<&str>, path: &str) -> Page {
        let url = format!("http://{}{path}", self.app);
        let mut answer = match body {
            None => ureq::get(url).config().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false).build().call(),
            Some(body) => {
                let request = ureq::post(url).header("Content-Type", "application/x-www-form-urlencoded");
                request.config().http_status_as_error(false).max_redirects(0).max_redirects_will_error(false).build().send(body)
            }
        }
        .expect("answers");
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned())).collect();
        Page { status: answer.status().as_u16(), text: answer.body_mut().read_to_string().expect("text"), headers }
    }

    /// Sends a form; the path of what became of it.
    fn send(&self, link: &str, kind: &str, conversation: &str, note: &str, form: &str) -> String {
        let note = note.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
        let sent = self.http(Some(&format!("form={form}&conversation={conversation}&note={note}&do={kind}")), link);
        assert_eq!(sent.status, 303, "{}", sent.text);
        let own = link.rsplit('/').next().expect("a link");
        let flag = sent.header("location").strip_prefix(&format!("{own}/")).expect("a relative address");
        format!("{link}/{flag}")
    }

    fn cases(&self) -> Vec<CaseRecord> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async { read_cases(&Embedded::open(&self.site.path("mimamori.db")).expect("opens")).await.expect("cases") })
    }

    fn told(&self, arguments: &[&str]) {
        let output = self.site.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn alerts(&self) -> usize {
        let is_mail = |row: &fs::DirEntry| row.path().extension().is_some_and(|end| end == "eml");
        fs::read_dir(self.site.path("outbox")).map_or(0, |rows| rows.flatten().filter(is_mail).count())
    }
}

#[test]
fn an_operator_asks_for_help_and_sees_the_result_with_its_reason() {
    let scene = Scene::start();
    let link = scene.link("田中");
    let page = scene.http(None, &format!("{link}?conversation=c-9%22%3E%3Cscript%3E"));
    assert_eq!(page.status, 200);
    page.shows(&[
        "田中",
        "今すぐ代わってほしい",
        "上司以外(相談窓口)に伝える",
        "value=\"c-9&quot;&gt;&lt;script&gt;\"",
        "評価には使いません",
    ]);
    assert!(!page.text.contains("<script") && !page.text.contains("http"), "no script, nothing from elsewhere: {}", page.text);
    assert_eq!((page.header("referrer-policy"), page.header("cache-control")), ("no-referrer", "no-store"));
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
    for _ in 0..20 {
        assert_eq!(scene.http(None, &link).status, 200);
    }
    assert!(scene.cases().is_empty(), "looking does nothing");

    let form = page.form();
    let state = scene.send(&link, "swap_now", "c-9", "さっきから怒鳴られている", &form);
    assert_eq!(scene.send(&link, "swap_now", "c-9", "さっきから怒鳴られている", &form), state, "a second tap is the same flag");
    let waiting = scene.http(None, &state);
    waiting.shows(&["<li class=\"on\">受付</li>", "届きました"]);
    assert!(waiting.text.contains("http-equiv=\"refresh\"") && !waiting.text.contains("<form"));
    let [case] = scene.cases().try_into().expect("one case");
    assert_eq!((case.message_count(), case.level.number(), case.queue.as_str()), (1, 3, "shop"));
    wait_for("the alerts", Duration::from_secs(20), || (scene.alerts() >= 2).then_some(()));

    scene.told(&["case", "ack", case.id.as_str(), "--by", "supervisor"]);
    scene.http(None, &state).shows(&["<li class=\"on\">対応中</li>", "SV当番", case.id.as_str()]);
    scene.told(&[
        "case",
        "judge",
        case.id.as_str(),
        "--by",
        "supervisor",
        "--finding",
        "非該当",
        "--reason",
        "当社の案内の誤りに対する正当な苦情",
    ]);
    scene.told(&["case", "close", case.id.as_str(), "--by", "supervisor", "--reason", "説明済み"]);
    let result = scene.http(None, &state);
    result.shows(&["<li class=\"on\">結果</li>", "非該当", "当社の案内の誤りに対する正当な苦情", "SV当番"]);
    result.shows(&[&format!("<a href=\"..{}\">もう一度送る</a>", link.trim_start_matches("/flag"))]);

    // Back with the same form and another wish: that is another flag.
    let other = scene.send(&link, "flag", "c-9", "やはり怖い", &form);
    assert_ne!(other, state);
    assert_eq!(scene.cases().len(), 2, "the closed case stays closed");
    let text = ureq::get(format!("http://{}/metrics", address(&scene.site, "ops")))
        .call()
        .expect("answers")
        .body_mut()
        .read_to_string()
        .expect("text");
    assert!(!text.contains("田中"), "no figure about an operator");
    let log = scene.site.log();
    assert!(!log.contains(link.trim_start_matches("/flag/")) && !log.contains("田中") && !log.contains("怖い"), "{log}");
}

#[test]
fn the_way_past_the_supervisor_and_links_that_open_nothing() {
    let scene = Scene::start();
    let (tanaka, suzuki) = (scene.link("田中"), scene.link("鈴木"));
    let state = scene.send(&tanaka, "other_than_supervisor", "c-9", "上司の前では言えない", &scene.http(None, &tanaka).form());
    let [case] = scene.cases().try_into().expect("one case");
    assert_eq!(case.tracks, [mimamori::policy::Track::Consult]);
    assert_ne!(case.scope, mimamori::model::message::conversation_key(&case.tenant, Some(&"c-9".into()), None, &"x".into()));
    let flag = state.rsplit('/').next().expect("a flag");
    assert_eq!(scene.http(None, &format!("{suzuki}/{flag}")).status, 404, "nobody sees another's flag");
    assert_eq!(scene.http(None, &state).status, 200);

    let form = scene.http(None, &tanaka).form();
    for body in ["", "do=swap_now", &format!("form={form}"), &format!("form={form}&do=close"), "form=short&do=flag", "\u{0}"] {
        assert_eq!(scene.http(Some(body), &tanaka).status, 400, "{body}");
    }
    let long = "x".repeat(1_001);
    assert_eq!(scene.http(Some(&format!("form={form}&do=flag&note={long}")), &tanaka).status, 400);
    assert_eq!(scene.http(Some(&format!("form={form}&do=flag&note={}", "x".repeat(20_000))), &tanaka).status, 413);
    assert_eq!(scene.cases().len(), 1);
    scene.http(None, "/flag").shows(&["一人ひとりのリンク"]);

    scene.told(&["person", "link", "--operator", "田中", "--revoke"]);
    assert_eq!(scene.http(None, &tanaka).status, 410, "called back");
    assert_eq!(scene.http(Some(&format!("form={form}&do=flag")), &tanaka).status, 410);
    assert_eq!(scene.http(None, &suzuki).status, 200, "and nobody else's");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(scene.http(None, &scene.link("田中")).status, 200, "a new one opens again");

    let mut forged = suzuki.clone();
    let end = forged.pop();
    forged.push(if end == Some('a') { 'b' } else { 'a' });
    assert_eq!(scene.http(None, &forged).status, 404);
    assert_eq!(scene.http(Some(&format!("form={form}&do=flag")), &forged).status, 404);
    assert!((0..100).any(|_| scene.http(None, &forged).status == 429), "guessing is slowed down");
    assert_eq!(scene.cases().len(), 1);
    assert_eq!(scene.site.run(&["person", "link", "--operator", " "]).status.code(), Some(2));
}
