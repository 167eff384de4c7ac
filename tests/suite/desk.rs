//! Verbs of supervisors on a real worker: the emergency sheet, two people for a level 4, leavers, silences, drills, checks.

use crate::support::{Site, Worker, wait_for};
use mimamori::case::people::{Closing, Judging};
use mimamori::case::{CaseRecord, Finding, Occasion};
use mimamori::edge::embedded::Embedded;
use mimamori::worker::enroll::read_cases;
use std::fs;
use std::time::Duration;

const LIGHT: &str = r#"{"id":"s-1","channel":"chat","queue":"shop","conversation":"c-1","text":"お前みたいな無能は消えろ、このクズ"}"#;
const BOMB: &str =
    r#"{"id":"b-1","channel":"email","conversation":"c-4","text":"明日の10時、渋谷店に爆弾を仕掛けた。返金しないなら爆破する。"}"#;

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

    fn submit(&self, line: &str) {
        assert_eq!(self.site.run_with(&["submit"], line.as_bytes()).status.code(), Some(0));
    }

    fn subjects(&self) -> Vec<(String, String)> {
        let rows = fs::read_dir(self.site.path("outbox")).map(|rows| rows.flatten().collect::<Vec<_>>()).unwrap_or_default();
        let read = |path| {
            let raw = fs::read(path).expect("read");
            let mail = mail_parser::MessageParser::default().parse(&raw).expect("parses");
            let to = mail.to().and_then(|list| list.first()).and_then(|one| one.address()).unwrap_or_default().to_owned();
            (to, mail.subject().unwrap_or_default().to_owned())
        };
        rows.into_iter().map(|row| row.path()).filter(|path| path.extension().is_some_and(|end| end == "eml")).map(read).collect()
    }

    fn wait_alerts(&self, count: usize) {
        wait_for(&format!("{count} alerts"), Duration::from_secs(20), || (self.subjects().len() >= count).then_some(()));
    }

    fn cases(&self) -> Vec<CaseRecord> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let store = Embedded::open(&self.site.path("mimamori.db")).expect("opens");
            read_cases(&store).await.expect("cases")
        })
    }

    fn case_of(&self, message: &str) -> CaseRecord {
        wait_for("the case", Duration::from_secs(20), || {
            self.cases().into_iter().find(|case| case.messages.iter().any(|one| one.id.as_str() == message))
        })
    }

    /// Runs a verb; its exit code and what it printed.
    fn told(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.site.run(arguments);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("utf-8");
        (output.status.code().expect("exit code"), text)
    }

    fn expect(&self, arguments: &[&str], code: i32, part: &str) {
        let (status, text) = self.told(arguments);
        assert!(status == code && text.contains(part), "{arguments:?}: {status} {text}");
    }
}

/// A threat of a bomb: two roles acknowledge, the ladder goes on for who is missing, the sheet fills, two people lower it.
#[test]
fn a_bomb_threat_from_alert_to_sheet() {
    let scene = Scene::start();
    scene.submit(BOMB);
    scene.wait_alerts(6);
    let case = scene.case_of("b-1");
    assert_eq!(case.level.number(), 4);
    let id = case.id.as_str();
    assert!(scene.subjects().iter().all(|(_, subject)| subject.contains("4 緊急") && subject.contains("受領期限")));

    scene.expect(&["case", "ack", id, "--by", "supervisor"], 0, "ほかに受領が必要: 警備担当");
    scene.expect(&["case", "ack", id, "--by", "通りがかり"], 1, "担当ごとの受領");
    scene.expect(&["case", "set", id, "--by", "SV当番", "--field", "police-number", "--text", "第123号"], 0, "受理番号");
    scene.expect(&["case", "set", id, "--by", "SV当番", "--field", "when", "--text", "11/25 10:00"], 0, "時");
    scene.expect(&["case", "tick", id, "--by", "SV当番", "--item", "police"], 0, "110番");
    scene.expect(&["case", "tick", id, "--by", "別人", "--item", "police"], 1, "済んでいます");
    scene.expect(&["case", "ack", id, "--by", "security"], 0, "受領: security");

    let file = scene.site.path("sheet.html");
    scene.expect(&["case", "export", id, "--sheet", "--out", file.to_str().expect("utf-8")], 0, id);
    let sheet = fs::read_to_string(&file).expect("written");
    for part in ["第123号", "11/25 10:00", "渋谷店", "明日の10時、渋谷店に爆弾を仕掛けた。", "☑ 110番  SV当番", "□ 警備", "SHA-256"]
    {
        assert!(sheet.contains(part), "{part}\n{sheet}");
    }
    let (code, json) = scene.told(&["case", "export", id]);
    let whole: serde_json::Value = serde_json::from_str(&json).expect("json");
    let original =
        data_encoding::BASE64.decode(whole["messages"][0]["original_base64"].as_str().expect("kept").as_bytes()).expect("base64");
    assert_eq!((code, String::from_utf8(original).expect("utf-8").trim_end()), (0, BOMB));
    assert_eq!(whole["history"].as_array().map(Vec::len), Some(usize::try_from(scene.case_of("b-1").event_count).expect("small")));

    scene.expect(&["case", "close", id, "--by", "センター長", "--reason", "済"], 1, "先に判断が必要");
    let judge = |by: &str| scene.told(&["case", "judge", id, "--by", by, "--finding", "非該当", "--reason", "いたずら"]).1;
    assert!(judge("センター長").contains("もう一人"));
    assert!(judge("センター長").contains("もう一人"), "the same person twice is one");
    scene.expect(&["case", "close", id, "--by", "センター長", "--reason", "済"], 1, "先に判断が必要");
    assert!(!judge("警備担当").contains("もう一人"));
    scene.expect(&["case", "close", id, "--by", "センター長", "--reason", "済"], 0, "終了");
}

#[test]
fn lowering_a_level_four_needs_two_people_and_nothing_else_does() {
    use mimamori::diag::SourceText;
    use mimamori::model::ids::{QueueName, Tenant};
    use mimamori::model::severity::Level;
    use mimamori::policy::{Policy, SHIPPED};
    let policy = Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound");
    let now = "2026-11-24T09:00:00Z".parse().expect("a time");
    let case = |level: Level, occasion: Occasion| CaseRecord {
        level,
        occasion,
        ..CaseRecord::open(&Tenant::default(), &QueueName::default(), "scope", 1, &policy, now)
    };
    let rows: [(Level, Occasion, Finding, Judging, Closing); 5] = [
        (Level::Emergency, Occasion::Real, Finding::DoesNotApply, Judging::NeedsSecond, Closing::NeedsJudgement),
        (Level::Emergency, Occasion::Real, Finding::Applies, Judging::Stands, Closing::Closed),
        (Level::Emergency, Occasion::Real, Finding::Undecided, Judging::Stands, Closing::NeedsJudgement),
        (Level::Emergency, Occasion::Drill, Finding::DoesNotApply, Judging::Stands, Closing::Closed),
        (Level::Severe, Occasion::Real, Finding::DoesNotApply, Judging::Stands, Closing::Closed),
    ];
    for (level, occasion, finding, judged, closed) in rows {
        let mut one = case(level, occasion.clone());
        assert_eq!(one.judge(finding, "甲", "理由", &policy, now), judged, "{level} {occasion:?} {finding:?}");
        assert_eq!(one.close("甲", "済", now), closed, "{level} {occasion:?} {finding:?}");
    }
}

#[test]
fn who_leaves_is_told_nothing_more_and_their_cases_go_on() {
    let scene = Scene::start();
    scene.submit(LIGHT);
    scene.wait_alerts(1);
    let id = scene.case_of("s-1").id.to_string();
    scene.expect(&["case", "ack", &id, "--by", "supervisor"], 0, "受領");
    let leave = |who: &'static str| ["person", "disable", who, "--by", "人事", "--reason", "退職"];
    scene.expect(&leave("nobody"), 2, "nobody");
    scene.expect(&leave("operations"), 1, "--substitute");
    scene.expect(&[leave("supervisor").as_slice(), &["--substitute", "manager"]].concat(), 0, &format!("{id} は次の担当へ"));
    // The case they had is told to whoever stands in, by the running worker.
    wait_for("the substitute to be told", Duration::from_secs(20), || {
        scene.subjects().iter().any(|(to, _)| to == "manager@example.jp").then_some(())
    });
    std::thread::sleep(Duration::from_millis(1500));
    scene.submit(&LIGHT.replace("s-1", "s-2").replace("c-1", "c-2"));
    wait_for("the next case", Duration::from_secs(20), || (scene.subjects().len() >= 3).then_some(()));
    let to_leaver = scene.subjects().iter().filter(|(to, _)| to == "sv@example.jp").count();
    assert_eq!(to_leaver, 1, "nothing after they left");
    scene.expect(&["person", "list"], 0, "SV当番");
    assert!(scene.told(&["case", "show", &id]).1.contains("SV当番"), "the history keeps the name");
}

#[test]
fn a_silence_puts_off_what_may_wait_and_nothing_else() {
    let scene = Scene::start();
    let quiet = ["case", "silence", "--minutes", "60", "--queue", "shop", "--by", "運用", "--reason", "移行作業"];
    scene.expect(&["case", "silence", "--minutes", "60"], 2, "--by");
    scene.expect(&["case", "silence", "--minutes", "99999", "--by", "運用", "--reason", "長すぎ"], 2, "--minutes");
    scene.expect(&quiet, 0, "まで");
    let listed = scene.told(&["case", "silence"]).1;
    assert!(listed.contains("移行作業") && listed.contains("shop"), "{listed}");
    let silence = listed.split_whitespace().next().expect("an id").to_owned();

    scene.submit(LIGHT);
    let case = scene.case_of("s-1");
    assert!(case.next_due.is_some(), "its ladder begins when the silence ends");
    assert!(case.events.iter().any(|event| event.detail.contains("移行作業")), "{:?}", case.events);
    scene.submit(&BOMB.replace("\"conversation\"", "\"queue\":\"shop\",\"conversation\""));
    scene.wait_alerts(6);
    assert!(scene.subjects().iter().all(|(_, subject)| subject.contains("4 緊急")), "what is urgent is never silenced");
    scene.submit(&LIGHT.replace("s-1", "s-2").replace("c-1", "c-2").replace("shop", "other"));
    scene.wait_alerts(7);
    scene.expect(&["case", "silence", "--lift", &silence], 0, "解除");
    scene.expect(&["case", "silence", "--lift", &silence], 1, "ありません");
    scene.submit(&LIGHT.replace("s-1", "s-3").replace("c-1", "c-3"));
    scene.wait_alerts(8);
}

#[test]
fn a_drill_climbs_the_real_ladder_and_a_check_tells_everybody_once() {
    let scene = Scene::start();
    scene.expect(&["drill", "--level", "4", "--by", "運用"], 0, "C-");
    scene.wait_alerts(6);
    assert!(
        scene.subjects().iter().all(|(_, subject)| subject.contains("【訓練】") && subject.contains("4 緊急")),
        "{:?}",
        scene.subjects()
    );
    let drill = scene.cases().remove(0);
    assert!(drill.occasion == Occasion::Drill && drill.hold.is_none());
    assert!(scene.told(&["case", "list"]).1.contains("【訓練】"));
    for who in ["manager", "security"] {
        scene.told(&["case", "ack", drill.id.as_str(), "--by", who]);
    }
    let waiting = scene.site.command(&["alert", "test", "--to", "manager", "--to", "care", "--by", "運用", "--wait-minutes", "1"]);
    let mut waiting = waiting;
    let child = waiting.stdout(std::process::Stdio::piped()).spawn().expect("starts");
    scene.wait_alerts(10);
    let check = wait_for("the check", Duration::from_secs(10), || scene.cases().into_iter().find(|case| case.id != drill.id));
    assert_eq!(check.occasion, Occasion::Check { people: vec!["care".into(), "manager".into()] });
    assert_eq!(scene.subjects().iter().filter(|(_, subject)| subject.contains("【見守り｜到達確認】")).count(), 4);
    scene.expect(&["case", "ack", check.id.as_str(), "--by", "manager"], 0, "ほかに受領が必要: ケア担当");
    scene.expect(&["case", "ack", check.id.as_str(), "--by", "care"], 0, "受領");
    let output = child.wait_with_output().expect("ends");
    let table = String::from_utf8(output.stdout).expect("utf-8");
    assert!(output.status.success() && table.contains("受領  センター長") && table.contains("受領  ケア担当"), "{table}");
    scene.expect(&["alert", "test", "--to", "nobody", "--by", "運用"], 2, "nobody");
}

#[test]
fn the_sheet_reads_a_coded_mail_and_keeps_its_bytes() {
    let scene = Scene::start();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo/samples/07-emergency.eml");
    assert!(scene.site.run(&["submit", sample]).status.success());
    scene.wait_alerts(6);
    let case = scene.cases().remove(0);
    let (code, sheet) = scene.told(&["case", "export", case.id.as_str(), "--sheet"]);
    assert_eq!(code, 0);
    for part in ["件名: ", "もう話し合いは終わりだ", "Message-ID: &lt;", "Content-Transfer-Encoding: base64"] {
        assert!(sheet.contains(part), "{part}\n{sheet}");
    }
    let order: Vec<usize> = ["発生", "返信保留", "通知済み"].iter().filter_map(|name| sheet.find(&format!("<td>{name}</td>"))).collect();
    assert!(order.len() == 3 && order.is_sorted(), "{order:?}");
}
