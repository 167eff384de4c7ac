//! The conversation ledger: the same record whatever the order, each rule with its twin, labelled conversations, the worker.

use crate::support::{Site, wait_for};
use jiff::{SignedDuration, Timestamp};
use mimamori::conversation::{Assessment, Contribution, Conversation, LedgerLimits};
use mimamori::diag::SourceText;
use mimamori::engine::Engine;
use mimamori::engine::lexicon::compile;
use mimamori::engine::scan::Scratch;
use mimamori::model::ids::{MessageId, QueueName, Tenant};
use mimamori::model::message::{Channel, Coverage, Direction, Event, Field, FieldName, Message};
use mimamori::store::record;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let sources: Vec<SourceText> = crate::lexicons::shipped();
    Engine::new(compile(&sources).lexicon.expect("compiles")).expect("builds")
});

fn message(channel: Channel, direction: Direction, event: Event, text: &str) -> Message {
    Message {
        id: MessageId::from("m"),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        channel,
        direction,
        event,
        conversation: None,
        customer: None,
        operator: None,
        ticket: None,
        url: None,
        at: None,
        fields: vec![Field::new(FieldName::Text, text.to_owned())],
        coverage: Coverage::default(),
        machine: None,
        derivation: vec![],
        headers: vec![],
    }
}

fn contribution(scratch: &mut Scratch, identity: &str, at: Timestamp, message: &Message) -> Contribution {
    if message.direction != Direction::Inbound {
        return Contribution::of(message, identity, at);
    }
    let (verdict, cues) = ENGINE.judge_with_cues(message, scratch);
    Contribution::judged(message, identity, at, &verdict, &cues)
}

fn gather(contributions: &[Contribution]) -> Conversation {
    let (mut memory, mut scratch) = (Conversation::default(), Scratch::default());
    let chat = message(Channel::Chat, Direction::Inbound, Event::Message, "");
    for one in contributions {
        memory.add(one.clone(), &LedgerLimits::default(), &mut |text| ENGINE.judge(&chat.with_text(text), &mut scratch));
    }
    memory
}

/// Everything a record of these (minute, text) says; `＞` marks our reply, `×` our refusal.
fn assessed(channel: Channel, rows: &[(i64, &str)]) -> Assessment {
    let mut scratch = Scratch::default();
    let all: Vec<Contribution> = rows
        .iter()
        .enumerate()
        .map(|(number, (minute, text))| {
            let (direction, event) = match text.chars().next() {
                Some('＞') => (Direction::Outbound, Event::Reply),
                Some('×') => (Direction::Outbound, Event::Refusal),
                _ => (Direction::Inbound, Event::Message),
            };
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(*minute);
            contribution(&mut scratch, &format!("{number:03}"), at, &message(channel, direction, event, text))
        })
        .collect();
    everything(&gather(&all))
}

/// What a record says at any of its messages.
fn everything(memory: &Conversation) -> Assessment {
    let mut whole = Assessment::default();
    for one in &memory.contributions {
        whole.absorb(memory.assess(one.at, &one.identity, &LedgerLimits::default()));
    }
    whole
}

fn check(channel: Channel, rows: &[(i64, &str)], rule: &str, level: u8) {
    let found = assessed(channel, rows);
    let said = found.evidence.iter().find(|row| row.entry == rule).map_or(0, |row| row.level.number());
    assert_eq!(said, level, "{rule} on {rows:?}: {found:?}");
}

const DAY: i64 = 1_440;

type Rows<'a> = &'a [(i64, &'a str)];

#[test]
fn each_rule_speaks_and_its_twin_is_silent() {
    use Channel::{Chat, Email};
    let rows: &[(Channel, Rows<'_>, &str, u8)] = &[
        (
            Chat,
            &[
                (0, "会費を返して"),
                (1, "＞できません"),
                (2, "できないのはわかったけど会費"),
                (4, "会費、何度でも聞きます"),
                (6, "同じ答えはいい。会費"),
                (8, "会費を返すと言うまで続けます"),
            ],
            "ledger.repeat",
            2,
        ),
        (
            Chat,
            &[
                (0, "会費を返して"),
                (2, "会費はいつ返りますか"),
                (4, "会費の件、お願いします"),
                (6, "会費の件です"),
                (8, "会費を待っています"),
            ],
            "ledger.repeat",
            0,
        ),
        (
            Email,
            &[
                (0, "修理代の件です"),
                (DAY, "×今後のご連絡はお断りします"),
                (2 * DAY, "修理代の件です"),
                (3 * DAY, "修理代の件です"),
                (4 * DAY, "修理代の件です"),
            ],
            "ledger.after_refusal",
            3,
        ),
        (
            Email,
            &[(0, "修理代の件です"), (DAY, "×今後のご連絡はお断りします"), (2 * DAY, "修理代の件です"), (3 * DAY, "修理代の件です")],
            "ledger.after_refusal",
            2,
        ),
        (
            Email,
            &[(0, "修理代の件です"), (DAY, "×今後のご連絡はお断りします"), (2 * DAY, "承知しました。失礼しました")],
            "ledger.after_refusal",
            0,
        ),
        (
            Email,
            &[
                (0, "道路課御中 時計の費用を教えてください"),
                (5, "財政課御中 時計の費用です。先に答えてください"),
                (9, "観光課御中 時計の費用です。ほかの課にも送っています"),
                (13, "福祉課御中 同文です。答えるまで続けます"),
            ],
            "ledger.windows",
            2,
        ),
        (
            Email,
            &[
                (0, "道路課御中 届けの件です"),
                (5, "財政課御中 道路課で、聞くように言われました"),
                (9, "観光課御中 こちらと言われましたので"),
                (13, "福祉課御中 ご案内いただいた届けです"),
            ],
            "ledger.windows",
            0,
        ),
        (Chat, &[(0, "し"), (0, "ね")], "ledger.fragments", 2),
        (Chat, &[(0, "し"), (0, "途中で送っちゃいました"), (0, "ね")], "ledger.fragments", 0),
        (Chat, &[(0, "し"), (5, "ね")], "ledger.fragments", 0),
        (Chat, &[(0, "し"), (0, "＞はい"), (0, "ね")], "ledger.fragments", 0),
        (
            Email,
            &[
                (0, "点検の希望日です"),
                (DAY, "お返事がないので再送します"),
                (2 * DAY, "まだですか"),
                (3 * DAY, "ご連絡がないので困っています"),
            ],
            "ledger.repeat",
            0,
        ),
        (
            Email,
            &[
                (0, "あと三日です。お元気でお過ごしですか"),
                (DAY, "あと二日です。会っておきたい方はいますか"),
                (2 * DAY, "明日です。思い残すことのないように"),
            ],
            "ledger.countdown",
            3,
        ),
        (
            Email,
            &[(0, "開店まであと三日です"), (DAY, "あと二日です。看板の納品をお願いします"), (2 * DAY, "明日です。看板は届きますか")],
            "ledger.countdown",
            0,
        ),
    ];
    for (channel, rows, rule, level) in rows {
        check(*channel, rows, rule, *level);
    }
}

#[test]
fn accommodation_doubles_counts_but_not_threats() {
    let asked = "耳が聞こえないので文字でお願いします。会費を返して";
    let repeat = [
        (0, asked),
        (1, "＞できません"),
        (2, "できないのはわかったけど会費"),
        (4, "会費、何度でも聞きます"),
        (6, "同じ答えはいい。会費"),
        (8, "会費を返すと言うまで続けます"),
    ];
    check(Channel::Chat, &repeat, "ledger.repeat", 0);
    let threat = [
        (0, "耳が聞こえないので文字でお願いします"),
        (1, "あと三日です。お元気でお過ごしですか"),
        (DAY, "あと二日です。会っておきたい方はいますか"),
        (2 * DAY, "明日です。思い残すことのないように"),
    ];
    check(Channel::Email, &threat, "ledger.countdown", 3);
}

#[test]
fn without_a_reply_the_evidence_says_so() {
    let found =
        assessed(Channel::Email, &[(0, "点検の件、お返事がない"), (DAY, "点検の件、まだですか"), (2 * DAY, "点検の件、ご連絡がない")]);
    assert!(!found.reply_seen && found.level.number() == 0);
    assert!(found.evidence.iter().all(|row| row.text.ends_with("当方の返信は未取得")), "{found:?}");
}

/// Trying again while nobody answers is watched; after an answer the same number is a flood.
#[test]
fn a_flood_needs_an_answer_or_three_times_the_number() {
    let again = |count: usize| vec![(0, "注文した商品の到着日を教えてください"); count];
    check(Channel::Chat, &again(9), "ledger.flood", 0);
    check(Channel::Chat, &again(12), "ledger.flood", 1);
    check(Channel::Chat, &again(30), "ledger.flood", 2);
    let answered: Vec<(i64, &str)> = std::iter::once((0, "＞明日届きます")).chain(again(12)).collect();
    check(Channel::Chat, &answered, "ledger.flood", 2);
}

/// A message in the middle that comes last completes the row and tells somebody; an ordinary one is not blamed for the rest.
#[test]
fn a_late_message_answers_for_what_it_completes_only() {
    let mut scratch = Scratch::default();
    let rows = [
        "あと三日です。お元気でお過ごしですか",
        "あと二日です。会っておきたい方はいますか",
        "領収書の再発行をお願いします",
        "明日です。思い残すことのないように",
    ];
    let all: Vec<Contribution> = (0i64..)
        .zip(rows)
        .map(|(day, text)| {
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * day);
            contribution(&mut scratch, &day.to_string(), at, &message(Channel::Email, Direction::Inbound, Event::Message, text))
        })
        .collect();
    let memory = gather(&all);
    let level = |index: usize| memory.assess(all[index].at, &all[index].identity, &LedgerLimits::default()).level.number();
    assert_eq!((0..4).map(level).collect::<Vec<_>>(), [3, 3, 0, 3]);
}

#[test]
fn records_of_the_first_schema_are_read() {
    let old = br#"{"v":1,"body":{"contributions":[{"identity":"a","at":"2026-01-01T00:00:00Z","direction":"inbound","event":"message","lines":""}],"forgotten":3}}"#;
    let memory: Conversation = record::decode(old).expect("read");
    assert_eq!(memory.contributions.len(), 1);
}

#[test]
fn the_fullest_record_stays_small_and_text_leaves() {
    let mut scratch = Scratch::default();
    let long: String =
        (0..200).fold(String::new(), |text, n| text + &n.to_string() + "行目の長い苦情で、送料と返金と交換とクーポンのことを書きます\n");
    let letter = message(Channel::Email, Direction::Inbound, Event::Message, &long);
    let all: Vec<Contribution> = (0..80)
        .map(|n| contribution(&mut scratch, &format!("{n:0>64}"), Timestamp::UNIX_EPOCH + SignedDuration::from_hours(n), &letter))
        .collect();
    let size = record::encode(&gather(&all)).expect("fits").len();
    assert!(size < 96 << 10, "{size} bytes");

    let chat = |text: &str| message(Channel::Chat, Direction::Inbound, Event::Message, text);
    let mut row =
        |n: i64, text: &str| contribution(&mut scratch, &n.to_string(), Timestamp::UNIX_EPOCH + SignedDuration::from_secs(n), &chat(text));
    let fragments = [row(0, "し"), row(3, "ね"), row(7_200, "支払い方法を変えたいのですが、どうすればよいでしょうか")];
    let stored = String::from_utf8(record::encode(&gather(&fragments)).expect("fits").to_vec()).expect("utf-8");
    assert!(stored.contains("joined") && !stored.contains('し'), "{stored}");
}

fn traffic() -> impl Strategy<Value = Vec<(i64, u8, usize)>> {
    prop::collection::vec((0i64..3_000, 0u8..12, 0usize..TEXTS.len()), 1..90)
}

const TEXTS: [&str; 9] = [
    "し",
    "ね",
    "く",
    "ず",
    "送料を返して。何度でも聞きます",
    "できないのはわかりました。送料は?",
    "ありがとうございました",
    "髪を切られましたか。お姿が見えず寂しいです",
    "死ね",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Redelivery, reordering and any interleaving give the same record and the same level, also beyond the bound.
    #[test]
    fn order_and_redelivery_do_not_matter(rows in traffic(), seed in any::<u64>(), again in any::<usize>()) {
        let mut scratch = Scratch::default();
        let all: Vec<Contribution> = rows.iter().enumerate().map(|(n, (second, kind, text))| {
            let (direction, event) = match kind {
                0 => (Direction::Outbound, Event::Reply),
                1 => (Direction::Outbound, Event::Refusal),
                _ => (Direction::Inbound, Event::Message),
            };
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(*second);
            contribution(&mut scratch, &format!("{n:03}"), at, &message(Channel::Chat, direction, event, TEXTS[*text]))
        }).collect();
        let mut sorted = all.clone();
        sorted.sort_by(|a, b| a.place().cmp(&b.place()));
        let mut shuffled = all.clone();
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, (state >> 33) as usize % (at + 1));
        }
        shuffled.push(shuffled[again % shuffled.len()].clone());
        let (one, other) = (gather(&sorted), gather(&shuffled));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(everything(&one), everything(&other));
    }
}

#[test]
fn own_conversations_are_told_apart() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/conversations/own.jsonl");
    let answer = Site::new("").run(&["triage", &file.display().to_string()]);
    let said = String::from_utf8(answer.stdout).expect("utf-8");
    let text = fs::read_to_string(file).expect("readable");
    let mut wrong = vec![];
    for (gold, said) in text.lines().zip(said.lines()) {
        let gold: serde_json::Value = serde_json::from_str(gold).expect("json");
        let said: serde_json::Value = serde_json::from_str(said).expect("json");
        let flagged = |row: &serde_json::Value| row["conversation_level"].as_u64() >= Some(2);
        if flagged(&gold) != flagged(&said) {
            wrong.push(format!("{} {}", gold["id"], said["evidence"]));
        }
    }
    assert_eq!(text.lines().count(), said.lines().count());
    assert!(wrong.len() <= 1, "{}", wrong.join("\n"));
}

/// No single message is flagged; the row of them opens one case, and a killed worker and a second submission change nothing.
#[test]
fn the_worker_opens_one_case_for_a_row_of_mild_messages() {
    let site = Site::new("");
    let texts = [
        "会費を返して",
        "できないのはわかったけど会費",
        "会費、何度でも聞きます",
        "同じ答えはいい。会費",
        "会費を返すと言うまで続けます",
        "会費。まだいますよ",
    ];
    let line = |(n, text): (usize, &&str)| {
        format!(
            r#"{{"id":"r-{n}","channel":"chat","conversation":"c-r","customer":"k-r","at":"2026-11-02T10:0{n}:00+09:00","text":"{text}"}}"#
        )
    };
    let lines: Vec<String> = texts.iter().enumerate().map(line).collect();
    fs::write(site.path("row.jsonl"), lines.join("\n")).expect("written");
    assert!(site.run(&["submit", "row.jsonl"]).status.success());
    site.start().kill();
    let worker = site.start_ready();
    let cases = || String::from_utf8(site.run(&["case", "list", "--format", "json"]).stdout).expect("utf-8");
    wait_for("a case", Duration::from_secs(30), || cases().contains("persistence").then_some(()));
    wait_for("an empty queue", Duration::from_secs(30), || (site.pending() == 0).then_some(()));
    let before = cases();
    let alert = wait_for("the alert", Duration::from_secs(30), || {
        fs::read_dir(site.path("outbox")).ok()?.flatten().find(|row| row.path().extension().is_some_and(|end| end == "eml"))
    });
    let mail = fs::read(alert.path()).expect("readable");
    let mail = mail_parser::MessageParser::default().parse(&mail).expect("parses");
    let text = mail.body_text(0).expect("text");
    assert!(text.contains("会話の経過") && text.contains("同じ要求が続く"), "{text}");
    _ = site.run(&["submit", "row.jsonl"]);
    wait_for("an empty queue", Duration::from_secs(30), || (site.pending() == 0).then_some(()));
    assert_eq!(cases().matches("persistence").count(), before.matches("persistence").count());
    worker.terminate();
}
