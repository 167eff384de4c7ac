//! The judge on a small lexicon: what fires, what is set aside and by what, and what must hold for any text.

use mimamori::diag::{SourceText, render};
use mimamori::engine::Engine;
use mimamori::engine::lexicon::{compile, examples};
use mimamori::engine::scan::Scratch;
use mimamori::engine::trace::Outcome;
use mimamori::model::ids::EntryId;
use mimamori::model::message::{Field, FieldName, MachineKind, Message, PartKind, PartSpan};
use mimamori::model::severity::{Category, Lane, Level};
use mimamori::model::verdict::{EVIDENCE_MAX, Evidence, EvidenceKind, Role, Verdict};
use proptest::prelude::*;
use std::sync::LazyLock;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let text = include_str!("../cases/engine/small.toml").to_owned();
    let sources = [SourceText { name: "small.toml".to_owned(), text }];
    let compiled = compile(&sources);
    let lexicon = compiled.lexicon.unwrap_or_else(|| panic!("{}", render(&compiled.diagnostics, &sources, false)));
    Engine::new(lexicon).expect("a small automaton")
});

fn judge(message: &Message) -> Verdict {
    ENGINE.judge(message, &mut Scratch::default())
}

/// `level categories | entries | suppressed by`, categories and lanes in one list.
fn summary(verdict: &Verdict) -> String {
    let mut words: Vec<&str> = verdict.categories.iter().map(|category| category.id()).collect();
    words.extend(verdict.lanes.iter().filter(|lane| **lane != Lane::SelfHarm).map(|lane| lane.id()));
    let entries: Vec<&str> = verdict.evidence.iter().map(|row| row.entry.as_str()).collect();
    let aside: Vec<&str> = verdict.suppressed.iter().map(|row| row.by.as_str()).collect();
    format!("{} {} | {} | {}", verdict.level, words.join(" "), entries.join(" "), aside.join(" "))
}

fn check(text: &str, expected: &str) {
    assert_eq!(summary(&judge(&examples::chat(text))), expected, "{text}");
}

#[test]
fn examples_of_the_small_lexicon_hold() {
    assert_eq!(examples::run(&ENGINE), vec![]);
}

#[test]
fn a_text_is_judged_by_its_way_of_speaking() {
    let rows = [
        // moods: the longest form at a place decides
        ("殺すぞ", "3 threat | threat.kill | "),
        ("ぶっ殺してやる", "3 threat | threat.kill | "),
        ("殺されたいのか", "3 threat | threat.kill | "),
        ("殺された", "0  |  | "),
        ("死ね", "2 threat | threat.die | "),
        ("もし私が死ねば保険金は", "0  |  | "),
        ("もう死にたい", "0 self_harm | care.die | "),
        ("死にたいほど恥ずかしい", "0  |  | "),
        // guards
        ("殺到しています", "0  |  | "),
        ("ゴキブリを殺すスプレー", "0  |  | "),
        ("お前、消えろ", "1 insult | insult.address | "),
        ("消えろ", "0  |  | "),
        ("お前。消えろ", "0  |  | "),
        ("お前の作った商品の話だが、消えろ", "0  |  | "),
        // neutral spans mask only themselves
        ("殺虫剤を買った", "0  |  | "),
        ("殺す気かと思うほど熱い", "0  |  | neutral:殺す気かと思うほど熱"),
        ("お忙しいところすみません、殺すぞ", "3 threat | threat.kill | "),
        // overlap within one category
        ("この馬鹿野郎", "2 insult | insult.rude_long | "),
        // folds
        ("殺　す ぞ", "3 threat | threat.kill | "),
        ("殺\u{200b}すぞ", "3 threat | threat.kill | "),
        ("お前を56すぞ", "3 threat | threat.kill | "),
        ("56本すべて届いた", "0  |  | "),
        ("お前氏ね", "2 threat | threat.die | "),
        ("氏名は山田です", "0  |  | "),
        ("ﾀﾋねよ", "2 threat | threat.die | "),
        ("お前、死○", "2 threat | threat.die | "),
        ("死○", "0  |  | "),
        ("○○さんが○月○日に来ます", "0  |  | "),
        ("土◯座しろ！", "2 coercion | coercion.kneel | "),
        ("このバーカ！", "2 insult | insult.fool | "),
        ("ソバカスが気になる", "0  |  | "),
        // a drawn out form is not the short word it folds to
        ("このたーけ", "2 insult | insult.drawn | "),
        ("竹を買っただけ、たけ", "0  |  | "),
        // frames
        ("息子が「殺すぞ」と言われました", "0  |  | reported"),
        ("馬鹿と店の人に、昨日、廊下で長々とと言われた", "2 insult | insult.fool | "),
        ("馬鹿と言われても仕方ないよね", "2 insult | insult.fool | "),
        ("殺すぞ。そう言われた", "3 threat | threat.kill | "),
        ("小説『殺す男』を買った", "0  |  | title"),
        ("小説を殺す", "3 threat | threat.kill | "),
        ("バカという歌が好き", "0  |  | praise"),
        ("「爆破する」と言われた", "4 threat | threat.bomb | "),
        // combinations
        ("家族がどうなっても知らんぞ", "3 threat | threat.family | "),
        ("家族。どうなっても知らんぞ", "0  |  | "),
        ("家族が先週から旅行に出かけているので留守ですが、どうなっても知らんぞ", "0  |  | "),
        ("今から本社に行くから待ってろ", "3 threat | threat.coming | "),
        ("今から家族の所に乗り込む", "4 threat | threat.coming | "),
        ("「今から乗り込む」と言われました", "0  |  | reported"),
        ("返金しないなら、わかるな。晒す", "2 exposure | exposure.unless | "),
        ("晒す。返金しないなら", "0  |  | "),
        // lanes
        ("弁護士に相談します", "0 rights_assertion | rights.lawyer | "),
        ("弁護士に相談する。殺すぞ", "3 threat rights_assertion | threat.kill rights.lawyer | "),
        ("殺すぞ。ビットコインを送れ", "1 threat scam_spam | threat.kill spam.coin | "),
        ("爆破する。ビットコインを送れ", "4 threat scam_spam | threat.bomb spam.coin | "),
        // rude words do not add up to abuse until there are three kinds
        ("呆れる。呆れる。呆れる", "1 insult | insult.rude_a insult.rude_a insult.rude_a | "),
        ("呆れる。ふざけるな", "1 insult | insult.rude_a insult.rude_b | "),
        ("呆れる。ふざけるな。なめてんのか", "2 insult | insult.rude_a insult.rude_b insult.rude_c | "),
        // entries on trial
        ("試験中の語", "0  |  | "),
        ("", "0  |  | "),
    ];
    for (text, expected) in rows {
        check(text, expected);
    }
}

#[test]
fn minimal_pairs_are_told_apart() {
    let pairs = [
        ("今から本社に行くから待ってろ", "今から店舗に受取に行きます"),
        ("返金しないならお前の実名を晒す", "返金がなければ消費生活センターに相談します"),
        ("お前みたいな馬鹿は死ね", "「馬鹿は死ね」と言われました"),
        ("家族がどうなっても知らんぞ", "家族がどうなったか心配で"),
        ("土下座しろ", "土下座したいくらい感謝"),
        ("いつまで待たせるんだ、殺すぞ", "いつまで待たせるんですか、殺生な"),
    ];
    for (alert, quiet) in pairs {
        assert!(judge(&examples::chat(alert)).level.is_flagged(), "{alert}");
        assert!(!judge(&examples::chat(quiet)).level.is_flagged(), "{quiet}");
    }
}

#[test]
fn urgency_follows_life_and_injury() {
    let rows = [
        ("爆破する", true),
        ("死にたい", true),
        ("やけどをしました", true),
        ("煙が出ました", false),
        ("殺すぞ", false),
        ("弁護士に相談します", false),
    ];
    for (text, urgent) in rows {
        assert_eq!(judge(&examples::chat(text)).urgent, urgent, "{text}");
    }
}

#[test]
fn scores_follow_axis_level_and_number() {
    let rows = [
        ("土下座しろ", 60, 0),
        ("土下座しろ、殺すぞ", 60, 85),
        ("殺すぞ、この馬鹿", 0, 87),
        ("爆破する。殺すぞ", 0, 100),
        ("弁護士に相談します", 0, 0),
    ];
    for (text, demand, manner) in rows {
        let verdict = judge(&examples::chat(text));
        assert_eq!((verdict.demand.hundredths(), verdict.manner.hundredths()), (demand, manner), "{text}");
    }
}

fn with_parts(parts: &[(PartKind, &str)]) -> Message {
    let mut message = examples::chat(&parts.iter().map(|(_, text)| *text).collect::<String>());
    let mut start = 0;
    message.fields[0].parts = parts
        .iter()
        .map(|(kind, text)| {
            let span = PartSpan { kind: *kind, start, end: start + text.chars().count() };
            start = span.end;
            span
        })
        .collect();
    message
}

#[test]
fn only_the_senders_own_words_count() {
    use PartKind::{Forwarded, New, Quoted, Signature};
    let rows: [(&[(PartKind, &str)], &str); 6] = [
        (&[(New, "ありがとうございました\n"), (Quoted, "> 殺すぞ\n")], "0  |  | quoted"),
        (&[(New, "こんなメールが届きました\n"), (Forwarded, "殺すぞ\n")], "0  |  | forwarded"),
        (&[(New, "よろしく\n"), (Signature, "馬鹿\n")], "2 insult | insult.fool | "),
        (&[(New, "殺すぞ\n"), (Quoted, "> 殺すぞ\n")], "3 threat | threat.kill | quoted"),
        (&[(New, "今から"), (Quoted, "乗り込む")], "0  |  | "),
        (&[(New, "はい。\n"), (Quoted, "今から乗り込む")], "0  |  | quoted"),
    ];
    for (parts, expected) in rows {
        assert_eq!(summary(&judge(&with_parts(parts))), expected, "{parts:?}");
    }
}

#[test]
fn machine_mail_is_quiet_except_for_an_attack_notice() {
    let rows = [("殺すぞ", "0 machine |  | machine"), ("爆破する", "4 threat machine | threat.bomb | "), ("不在です", "0 machine |  | ")];
    for (text, expected) in rows {
        let mut message = examples::chat(text);
        message.machine = Some(MachineKind::AutoReply);
        assert_eq!(summary(&judge(&message)), expected, "{text}");
    }
}

#[test]
fn every_field_is_read_and_named() {
    let names = [FieldName::Subject, FieldName::Text, FieldName::FromName, FieldName::AttachmentName(1), FieldName::Hidden];
    for name in names {
        let mut message = examples::chat("");
        message.fields = vec![Field::new(name, "よし殺すぞ".to_owned())];
        let verdict = judge(&message);
        let row = &verdict.evidence[0];
        assert_eq!((row.field, row.start, row.end, row.text.as_str()), (name, Some(2), Some(4), "殺す"));
        assert_eq!(row.spans[0].field, name);
    }
}

#[test]
fn a_combination_shows_its_parts() {
    let verdict = judge(&examples::chat("いいか、今から家族の所に乗り込むぞ"));
    let row = &verdict.evidence[0];
    assert_eq!(
        (row.kind, row.text.as_str(), row.start, row.end),
        (EvidenceKind::Combination, "今から家族の所に乗り込む", Some(4), Some(16))
    );
    let spans: Vec<(usize, usize, Role)> = row.spans.iter().map(|span| (span.start, span.end, span.role)).collect();
    assert_eq!(spans, [(4, 7, Role::When), (7, 9, Role::Target), (12, 16, Role::Harm)]);
}

#[test]
fn other_readers_can_add_evidence() {
    let draft = ENGINE.draft(&examples::chat("呆れる"), &mut Scratch::default());
    let extra = Evidence {
        kind: EvidenceKind::Reader,
        entry: EntryId::from("reader.tone"),
        category: Some(Category::Coercion),
        lane: None,
        level: Level::Severe,
        text: String::new(),
        field: FieldName::Text,
        part: PartKind::New,
        start: None,
        end: None,
        spans: vec![],
        via: vec![],
    };
    let verdict = ENGINE.fuse(draft, &[extra]);
    // The rude word stays as evidence; it is no category beside something graver.
    assert_eq!(summary(&verdict), "3 coercion | reader.tone insult.rude_a | ");
    assert_eq!((verdict.demand.hundredths(), verdict.manner.hundredths()), (85, 30));
}

#[test]
fn rows_are_limited_and_counted() {
    let verdict = judge(&examples::chat(&"殺すぞ。".repeat(1_000)));
    assert_eq!((verdict.evidence.len(), verdict.more), (EVIDENCE_MAX, 1_000 - EVIDENCE_MAX));
    assert_eq!(verdict.level, Level::Severe);
}

#[test]
fn what_stopped_an_entry_can_be_told() {
    let rows = [
        ("threat.kill", "ゴキブリを殺す", Some(Outcome::NotNear("ゴキブリ".to_owned()))),
        ("threat.kill", "殺された", Some(Outcome::Quiet)),
        ("threat.kill", "黙殺する", Some(Outcome::NotLeft("黙".to_owned()))),
        ("threat.kill", "「殺すぞ」と言われた", Some(Outcome::Suppressed("reported".to_owned()))),
        ("insult.address", "消えろ", Some(Outcome::Near)),
        ("insult.fool", "馬鹿野郎", Some(Outcome::Covered)),
        ("trial.word", "試験中の語", Some(Outcome::Shadow)),
        ("threat.kill", "こんにちは", None),
    ];
    for (entry, text, expected) in rows {
        let why = ENGINE.why_not(&EntryId::from(entry), &examples::chat(text)).expect("known");
        assert_eq!(why.considered.first().map(|row| row.outcome.clone()), expected, "{entry} {text}");
    }
    let why = ENGINE.why_not(&EntryId::from("threat.family"), &examples::chat("家族が来ます")).expect("known");
    assert_eq!((why.empty_slots, why.live), (vec![2], vec![EntryId::from("cue.family")]));
    assert_eq!(ENGINE.why_not(&EntryId::from("no.such"), &examples::chat("")), None);
    let explanation = ENGINE.explain(&examples::chat("殺すぞ"));
    assert_eq!(explanation.verdict, judge(&examples::chat("殺すぞ")));
}

/// Texts that touch the lexicon, between texts that do not.
fn text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "殺すぞ",
        "死ね",
        "死にたい",
        "馬鹿",
        "お前",
        "家族",
        "今から",
        "乗り込む",
        "どうなっても知ら",
        "と言われ",
        "「",
        "」",
        "\"",
        "。",
        "\n",
        "○",
        "　",
        "\u{200d}",
        "が",
        "殺虫剤",
        "小説『",
        "』",
        "返金しないなら",
        "晒す",
        "ー",
        "っ",
        "゛",
        "👨‍👩‍👧",
        "\u{202e}",
        "１",
    ]);
    let piece = prop_oneof![3 => words.prop_map(str::to_owned), 1 => any::<String>(), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_gets_a_verdict_that_points_into_it(subject in text(), body in text()) {
        let mut message = examples::chat(&body);
        message.fields.insert(0, Field::new(FieldName::Subject, subject));
        let mut scratch = Scratch::default();
        let verdict = ENGINE.judge(&message, &mut scratch);
        for row in &verdict.evidence {
            let field = message.field(row.field).expect("a field of the message");
            for (start, end, text) in row.spans.iter().map(|span| (span.start, span.end, None)).chain([(row.start.unwrap(), row.end.unwrap(), Some(&row.text))]) {
                prop_assert!(start < end && end <= field.text.chars().count());
                let slice: String = field.text.chars().skip(start).take(end - start).collect();
                prop_assert!(text.is_none_or(|text| *text == slice));
            }
        }
        let hull = |row: &Evidence| row.spans.iter().all(|span| Some(span.start) >= row.start && Some(span.end) <= row.end);
        prop_assert!(verdict.evidence.iter().all(hull));
        // The same input gives the same bytes, also with buffers that have seen other messages.
        ENGINE.judge(&examples::chat("今から家族の所に乗り込む。死ね"), &mut scratch);
        let again = ENGINE.judge(&message, &mut scratch);
        prop_assert_eq!(serde_json::to_string(&verdict).unwrap(), serde_json::to_string(&again).unwrap());
    }

    #[test]
    fn a_friendly_sentence_more_lowers_nothing(body in text()) {
        let alone = judge(&examples::chat(&body));
        let more = judge(&examples::chat(&format!("{body}\n。お返事をお待ちしております。")));
        prop_assert!(more.level >= alone.level, "{} {}", summary(&alone), summary(&more));
    }
}

/// Texts of one nasty kind each: eight times the text may not take much more than eight times as long.
#[test]
fn time_is_linear_in_hostile_texts() {
    const SHORT_BYTES: usize = 16 << 10;
    /// A quadratic step would make it 64; the rest is for a busy machine.
    const FACTOR_MAX: u32 = 32;
    /// A busy machine is given another chance; a quadratic step fails every one.
    const TRIES: usize = 5;
    let kinds = [
        "殺す",
        "殺すと言われ",
        "今から",
        "今から乗り込む家族",
        "「殺す」",
        "「",
        "\"殺す",
        "○",
        "死",
        "お前消えろ",
        "殺虫剤",
        "返金しないなら晒す",
        "払わないなら返金しないなら",
        "殺す\n",
        "👨‍👩‍👧",
    ];
    let mut scratch = Scratch::default();
    let mut time = |kind: &str, bytes: usize| {
        let message = examples::chat(&kind.repeat(bytes / kind.len()));
        let once = |_| {
            let start = std::time::Instant::now();
            ENGINE.judge(&message, &mut scratch);
            start.elapsed()
        };
        (0..3).map(once).min().unwrap_or_default()
    };
    for kind in kinds {
        let linear = (0..TRIES).any(|_| time(kind, SHORT_BYTES * 8) < time(kind, SHORT_BYTES) * FACTOR_MAX);
        assert!(linear, "{kind}: more than {FACTOR_MAX} times as long for 8 times the text");
    }
}
