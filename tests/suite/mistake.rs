//! What people correct: a mistake takes its weight out of the memory, an entry is quieted on a queue, a customer is forgotten.

use crate::support::{Site, Worker, wait_for};
use mimamori::case::mistake::Mistake;
use mimamori::case::people::Judging;
use mimamori::case::{CaseRecord, Finding};
use mimamori::diag::SourceText;
use mimamori::edge::embedded::Embedded;
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::model::severity::Level;
use mimamori::policy::{Policy, SHIPPED};
use mimamori::store::{Store, Stream};
use mimamori::worker::enroll::read_cases;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// Messages of which the last makes the conversation a case, and none by itself.
const COURSE: [&str; 6] = [
    "会費を返して",
    "＞できません",
    "できないのはわかったけど会費",
    "会費、何度でも聞きます",
    "同じ答えはいい。会費",
    "会費を返すと言うまで続けます",
];
const NEXT: &str = "会費、何度でも聞きます";

struct Scene {
    site: Site,
    _worker: Worker,
}

impl Scene {
    fn start() -> Self {
        let site = Site::new("");
        let worker = site.start_ready();
        Self { site, _worker: worker }
    }

    fn stored<T>(&self, read: impl AsyncFnOnce(Embedded) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async { read(Embedded::open(&self.site.path("mimamori.db")).expect("opens")).await })
    }

    fn cases(&self) -> Vec<CaseRecord> {
        self.stored(async |store| read_cases(&store).await.expect("cases"))
    }

    /// Submits a message and waits until it is judged; the level its conversation has reached. Nothing for our own words.
    fn submit(&self, id: &str, text: &str, more: &Value) -> Option<u64> {
        let ours = text.strip_prefix('＞');
        let direction = if ours.is_some() { "outbound" } else { "inbound" };
        let mut line = json!({ "id": id, "channel": "chat", "direction": direction, "text": ours.unwrap_or(text) });
        line.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        assert_eq!(self.site.run_with(&["submit"], line.to_string().as_bytes()).status.code(), Some(0));
        if ours.is_some() {
            // Nothing is written for it but the memory.
            std::thread::sleep(Duration::from_millis(500));
            return None;
        }
        wait_for(id, Duration::from_secs(20), || {
            let rows = self.stored(async |store| store.read(Stream::Decision, 0, 1_000).await.expect("decisions"));
            let mut rows = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.body).expect("json"));
            rows.find(|row| row["decision"]["id"] == id).map(|row| row["decision"]["conversation_level"].as_u64())
        })
    }

    /// Sends the whole course of a conversation; its case.
    fn course(&self, conversation: &str, more: &Value) -> CaseRecord {
        let mut place = json!({ "conversation": conversation });
        place.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let levels: Vec<Option<u64>> =
            COURSE.iter().enumerate().map(|(n, text)| self.submit(&format!("{conversation}-{n}"), text, &place)).collect();
        assert!(levels.last().is_some_and(|level| *level >= Some(2)), "the course is a case: {levels:?}");
        self.case_of(&format!("{conversation}-5"))
    }

    fn case_of(&self, message: &str) -> CaseRecord {
        wait_for("the case", Duration::from_secs(20), || {
            self.cases().into_iter().find(|case| case.messages.iter().any(|one| one.id.as_str() == message))
        })
    }

    fn expect(&self, arguments: &[&str], code: i32, part: &str) -> String {
        let output = self.site.run(arguments);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("utf-8");
        assert!(output.status.code() == Some(code) && text.contains(part), "{arguments:?}: {:?} {text}", output.status.code());
        text
    }

    fn alerts(&self) -> usize {
        let rows = fs::read_dir(self.site.path("outbox")).map(|rows| rows.flatten().collect::<Vec<_>>()).unwrap_or_default();
        rows.iter().filter(|row| row.path().extension().is_some_and(|end| end == "eml")).count()
    }
}

#[test]
fn a_mistake_takes_the_weight_of_its_course_out_and_a_mere_finding_leaves_it() {
    let scene = Scene::start();
    let judge = |case: &CaseRecord, more: &[&str]| {
        let id = case.id.as_str();
        let words = ["case", "judge", id, "--by", "supervisor", "--finding", "非該当", "--reason", "身内の冗談"];
        scene.expect(&[&words, more].concat(), 0, "非該当");
        scene.expect(&["case", "close", id, "--by", "supervisor", "--reason", "済"], 0, "終了");
    };
    let (joked, meant) = (scene.course("c-1", &json!({})), scene.course("c-2", &json!({})));
    scene.expect(
        &["case", "judge", joked.id.as_str(), "--by", "supervisor", "--finding", "該当", "--mistake", "冗談", "--reason", "誤り"],
        2,
        "--mistake",
    );
    judge(&joked, &["--mistake", "冗談"]);
    judge(&meant, &[]);
    let shown = scene.expect(&["case", "show", joked.id.as_str()], 0, "誤検知(冗談)");
    assert!(shown.contains("身内の冗談"), "{shown}");
    assert!(scene.submit("c-1-next", NEXT, &json!({ "conversation": "c-1" })) < Some(2), "what was a joke counts for nothing");
    assert!(scene.submit("c-2-next", NEXT, &json!({ "conversation": "c-2" })) >= Some(2), "what was not, counts");
    assert!(scene.cases().iter().any(|case| case.scope == meant.scope && case.generation == 2));
    assert!(!scene.cases().iter().any(|case| case.scope == joked.scope && case.generation == 2));
}

#[test]
fn a_customer_is_forgotten_by_name_and_with_a_reason() {
    let scene = Scene::start();
    let customer = json!({ "customer": "k-1" });
    let case = scene.course("c-1", &customer);
    scene.expect(&["case", "close", case.id.as_str(), "--by", "supervisor", "--reason", "済"], 0, "終了");
    let again = json!({ "customer": "k-1", "conversation": "c-2" });
    assert!(scene.submit("before", NEXT, &again) >= Some(2), "the customer is known in another conversation");
    let forget = ["ledger", "forget", "--customer", "k-1", "--by", "法務", "--reason"];
    scene.expect(&["ledger", "forget", "--by", "法務", "--reason", "だれの"], 2, "--customer");
    scene.expect(&[&forget[..], &[" "]].concat(), 2, "must not be empty");
    scene.expect(&[&forget[..], &["利用停止の請求"]].concat(), 0, "経過を消しました");
    scene.expect(&["ledger", "forget", "--customer", "k-2", "--by", "法務", "--reason", "なし"], 1, "ありません");
    scene.expect(&["ledger", "forgotten"], 0, "利用停止の請求");
    let fresh = json!({ "customer": "k-1", "conversation": "c-3" });
    assert!(scene.submit("after", NEXT, &fresh) < Some(2), "and is not any more");
    let (conversation, known) =
        (["ledger", "forget", "--conversation", "c-1", "--by", "法務", "--reason", "同上"], json!({ "conversation": "c-1" }));
    assert!(scene.submit("still", NEXT, &known) >= Some(2), "the conversation is");
    scene.expect(&conversation, 0, "経過を消しました");
    assert!(scene.submit("nothing", NEXT, &known) < Some(2));
}

#[test]
fn an_entry_that_misfires_on_a_queue_is_listed_there_and_alerts_elsewhere() {
    let scene = Scene::start();
    let text = "お前みたいな無能は消えろ";
    let output = scene.site.run_with(&["triage"], json!({ "id": "t", "channel": "chat", "text": text }).to_string().as_bytes());
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("json");
    assert!(verdict["level"].as_u64() >= Some(2) && verdict["urgent"] == false, "{verdict}");
    let rows = verdict["evidence"].as_array().expect("rows").iter().filter(|row| row["level"].as_u64() >= Some(1));
    let mut entries: Vec<&str> = rows.map(|row| row["entry"].as_str().expect("an id")).collect();
    entries.sort_unstable();
    entries.dedup();
    let quiet = |entry: &str, days: &str, code: i32, part: &str| {
        let words = ["case", "silence", "--entry", entry, "--queue", "shop", "--days", days, "--by", "運用", "--reason", "商品名に反応"];
        scene.expect(&words, code, part)
    };
    scene.expect(&["case", "silence", "--entry", entries[0], "--queue", "shop"], 2, "a silence ends");
    quiet(entries[0], "15", 2, "--days must be 1 to 14");
    quiet("no.such.entry", "14", 2, "no.such.entry");
    for entry in &entries {
        quiet(entry, "14", 0, "まで");
    }
    let listed = scene.expect(&["case", "silence"], 0, entries[0]);
    assert!(listed.contains("商品名に反応") && listed.contains("shop") && listed.contains("運用"), "{listed}");

    assert!(scene.submit("m-1", text, &json!({ "queue": "shop", "conversation": "c-1" })) >= Some(2));
    let case = scene.case_of("m-1");
    assert!(case.intents.is_empty() && case.next_due.is_none(), "nobody is told: {:?}", case.intents);
    assert!(case.events.iter().any(|event| event.detail.contains("商品名に反応")), "and the case says why: {:?}", case.events);
    // Anything else that speaks is told as ever: another entry, another queue, what is urgent.
    let bomb = "明日の10時、渋谷店に爆弾を仕掛けた。返金しないなら爆破する。";
    scene.submit("m-2", &format!("{text} {bomb}"), &json!({ "queue": "shop", "conversation": "c-2" }));
    assert!(!scene.case_of("m-2").intents.is_empty());
    scene.submit("m-3", text, &json!({ "queue": "other", "conversation": "c-3" }));
    assert!(!scene.case_of("m-3").intents.is_empty());
    wait_for("the alerts", Duration::from_secs(20), || (scene.alerts() >= 7).then_some(()));
}

#[test]
fn a_finding_that_does_not_stand_or_is_taken_back_excuses_nothing() {
    let policy = Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    let case = |level: Level| CaseRecord { level, ..CaseRecord::open(&Tenant::default(), &QueueName::default(), "scope", 1, &policy, now) };
    let joke = Some(Mistake::Joke);

    let mut one = case(Level::Severe);
    assert_eq!(one.judge(Finding::DoesNotApply, "甲", "理由", &policy, now), Judging::Stands);
    assert_eq!(one.excused_until(), None, "a mere finding");
    one.judge_as(Finding::DoesNotApply, joke, "乙", "冗談", &policy, now);
    assert_eq!(one.excused_until(), Some(now));
    one.judge_as(Finding::Applies, joke, "甲", "やはり", &policy, now);
    assert_eq!((one.excused_until(), one.judgement.as_ref().and_then(|known| known.mistake)), (None, None), "taken back");

    let mut grave = case(Level::Emergency);
    assert_eq!(grave.judge_as(Finding::DoesNotApply, joke, "甲", "冗談", &policy, now), Judging::NeedsSecond);
    assert_eq!(grave.excused_until(), None, "until a second person agrees");
    assert_eq!(grave.judge_as(Finding::DoesNotApply, None, "乙", "同意", &policy, now), Judging::Stands);
    assert_eq!(grave.excused_until(), Some(now));
}
