//! Policy, cases and alerts: transitions as tables, order and redelivery as properties, what people read as goldens.

use crate::roster::awake;
use jiff::{SignedDuration, Timestamp};
use mimamori::case::intents::Attempt;
use mimamori::case::people::{Closing, Judging, Taking};
use mimamori::case::summary::{Summary, summarise};
use mimamori::case::transitions::{Joined, Joining};
use mimamori::case::{CaseMessage, CaseRecord, CaseState, Finding, Intent, IntentState, Step};
use mimamori::diag::{Grave, SourceText};
use mimamori::edge::notify::outbox::Outbox;
use mimamori::edge::notify::render::{Answers, render};
use mimamori::edge::notify::{Notifier, Outcome, Outgoing};
use mimamori::engine::Engine;
use mimamori::engine::lexicon::compile;
use mimamori::model::digest::Digest;
use mimamori::model::guidance::Hints;
use mimamori::model::ids::{EntryId, MessageId, QueueName, Tenant};
use mimamori::model::message::{Channel, Coverage, Direction, Event, Field, FieldName, Message, PartKind};
use mimamori::model::severity::{Category, Lane, Level};
use mimamori::model::verdict::{Evidence, EvidenceKind, EvidenceSpan, Role, Score, Verdict};
use mimamori::policy::{Policy, Track};
use mimamori::wording::{Language, Texts};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

/// The shipped hints alone: they need no entry to be read.
static GUIDE: LazyLock<Engine> = LazyLock::new(|| {
    let text = include_str!("../../lexicons/guidance.toml").to_owned();
    Engine::new(compile(&[SourceText { name: "guidance.toml".into(), text }]).lexicon.unwrap()).unwrap()
});

fn summarised(message: &Message, verdict: &Verdict, track: Track) -> Summary {
    let guidance = GUIDE.guidance(verdict, message.channel);
    let hints = Hints::of(guidance.iter().filter(|one| track.wants(one.lane)));
    summarise(message, verdict, hints, track == Track::Care)
}

/// The shipped policy with a first step of level 2 that alerts, and once more after an hour.
fn shipped() -> Policy {
    let step = |rest: &str| format!("by = [\"mail\"]\n{rest}\n[ladders.suspected.finally]");
    let text = awake().replace(&step(""), &step("repeat_minutes = 60\nrepeat_max = 1\n"));
    assert!(text.contains(&step("repeat_minutes = 60\nrepeat_max = 1\n")));
    let (policy, faults) = Policy::parse(&SourceText { name: "policy.toml".into(), text });
    assert_eq!(faults, []);
    policy.unwrap()
}

fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-11-23T16:54:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minutes)
}

fn joining(n: u32, level: u8, tracks: &[Track]) -> Joining {
    let level = Level::try_from(level).unwrap();
    let summary = Summary { message_id: n.to_string(), level, ..Summary::default() };
    Joining {
        categories: vec![Category::ALL[n as usize % Category::ALL.len()]],
        lanes: vec![Lane::ALL[n as usize % Lane::ALL.len()]],
        reason: tracks.contains(&Track::Unchecked).then(|| "no-text".to_owned()),
        ..Joining::new(
            CaseMessage {
                identity: format!("identity-{n:06}"),
                id: MessageId(format!("A-{n}")),
                level,
                channel: Channel::Email,
                received_at: at(i64::from(n % 7)),
                evidence: Digest::of(b"raw"),
            },
            tracks.iter().map(|track| (*track, summary.clone())).collect(),
        )
    }
}

fn empty(policy: &Policy) -> CaseRecord {
    CaseRecord::open(&Tenant::default(), &QueueName::default(), "scope", 1, policy, at(0))
}

fn opened(level: u8, policy: &Policy) -> CaseRecord {
    let mut case = empty(policy);
    assert_eq!(case.join(&joining(1, level, &[Track::Harassment]), policy, at(0)), Joined::Announced);
    case
}

fn live(case: &CaseRecord) -> Vec<(Step, &str, &str)> {
    case.intents
        .iter()
        .filter(|intent| intent.state.is_live())
        .map(|one| (one.step, one.to.person.as_str(), one.to.channel.as_str()))
        .collect()
}

#[test]
fn joining_tells_what_the_ladder_says() {
    use Step::{First, Raised};
    type Row<'a> = (u8, u8, Joined, Vec<(Step, &'a str, &'a str)>);
    let both = |step| ["manager", "supervisor"].into_iter().flat_map(|who| [(step, who, "mail"), (step, who, "pager")]).collect();
    let policy = shipped();
    let rows: Vec<Row<'_>> = vec![
        (2, 2, Joined::Counted, vec![(First, "supervisor", "mail")]),
        (3, 2, Joined::Counted, both(First)),
        (2, 3, Joined::Announced, both(Raised)),
    ];
    for (first, second, expected, alerts) in rows {
        let mut case = opened(first, &policy);
        assert_eq!(case.join(&joining(2, second, &[Track::Harassment]), &policy, at(1)), expected, "{first} then {second}");
        assert_eq!(case.join(&joining(2, second, &[Track::Harassment]), &policy, at(1)), Joined::Known);
        let mut found = live(&case);
        found.sort_unstable();
        assert_eq!(found, alerts, "{first} then {second}");
        assert_eq!(case.message_count(), 2);
    }
}

#[test]
fn taking_a_case_stops_alerts_until_it_rises() {
    let policy = shipped();
    let mut case = opened(2, &policy);
    assert_eq!(case.acknowledge("山田", &policy, at(1)), Taking::Whole);
    assert_eq!(case.acknowledge("山田", &policy, at(2)), Taking::Unchanged);
    assert_eq!((live(&case), case.next_due), (vec![], Some(at(241))));
    assert_eq!(case.join(&joining(2, 2, &[Track::Harassment]), &policy, at(3)), Joined::Counted);
    assert!(matches!(case.state, CaseState::Acknowledged { .. }), "the same level disturbs nobody");
    assert_eq!(case.join(&joining(3, 4, &[Track::Harassment]), &policy, at(4)), Joined::Announced);
    assert_eq!((case.state.clone(), case.next_due), (CaseState::Open, Some(at(4))));
    assert_eq!(case.judge(Finding::Applies, "山田", "脅迫", &policy, at(5)), Judging::Stands);
    assert_eq!([case.close("山田", "解決", at(5)), case.close("山田", "解決", at(5))], [Closing::Closed, Closing::Already]);
    assert_eq!(case.join(&joining(4, 4, &[Track::Harassment]), &policy, at(6)), Joined::Refused);
    assert_eq!((live(&case), case.next_due, case.message_count()), (vec![], None, 3));
}

#[test]
fn a_bomb_threat_needs_the_supervisor_and_security() {
    let policy = shipped();
    let mut case = opened(4, &policy);
    let people = |case: &CaseRecord| {
        let mut found: Vec<String> = case.intents.iter().filter(|one| one.state.is_live()).map(|one| one.to.person.clone()).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    assert_eq!(people(&case), ["manager", "security", "supervisor"]);
    let missing = |slots: &[&str]| slots.iter().map(|slot| (*slot).to_owned()).collect::<Vec<_>>();
    assert_eq!(case.acknowledge("通りすがり", &policy, at(0)), Taking::NotTheirs { missing: missing(&["security", "severe"]) });
    assert_eq!(case.acknowledge("SV当番", &policy, at(1)), Taking::Partly { missing: missing(&["security"]) });
    assert_eq!(case.acknowledge("supervisor", &policy, at(1)), Taking::Unchanged, "the same person by key");
    assert_eq!(people(&case), ["security"], "whose part is given is told no more");
    assert!(case.advance(&policy, at(2)) && !case.advance(&policy, at(2)));
    assert_eq!(people(&case), ["security"], "the ladder runs on for whoever is missing");
    assert_eq!(case.acknowledge("security", &policy, at(3)), Taking::Whole);
    assert_eq!((people(&case), case.next_due), (vec![], Some(at(33))));
}

#[test]
fn nobody_is_left_alone_with_a_case() {
    let policy = shipped();
    let mut case = opened(2, &policy);
    assert!(case.hand_over("supervisor", &policy, at(1)));
    assert_eq!(live(&case), [(Step::Next, "manager", "mail")], "the next rung at once, and not the same person again");
    assert_eq!(case.acknowledge("センター長", &policy, at(2)), Taking::Whole);
    assert!(!case.advance(&policy, at(241)), "not early");
    assert_eq!(case.judge(Finding::Undecided, "センター長", "確認中", &policy, at(241)), Judging::Stands);
    assert!(!case.advance(&policy, at(242)), "work on a case puts its return off");
    assert!(case.advance(&policy, at(481)), "taken, and then nothing happened");
    assert_eq!((case.state.clone(), live(&case)), (CaseState::Open, vec![(Step::Returned, "supervisor", "mail")]));
}

#[test]
fn a_ladder_is_climbed_in_time_and_never_ends() {
    let policy = shipped();
    let mut case = opened(2, &policy);
    let steps = |case: &CaseRecord, minute: i64| -> Vec<(Step, String)> {
        case.intents.iter().filter(|one| one.due_at == at(minute)).map(|one| (one.step, one.to.person.clone())).collect()
    };
    for (minute, expected) in [(59, vec![]), (60, vec![(Step::Repeat, "supervisor")]), (119, vec![])] {
        case.advance(&policy, at(minute));
        let expected: Vec<(Step, String)> = expected.into_iter().map(|(step, who)| (step, who.to_owned())).collect();
        assert_eq!(steps(&case, minute), expected, "minute {minute}");
    }
    // After an outage the rung that is due speaks, with its whole wait before the next.
    assert!(case.advance(&policy, at(1_000)));
    assert_eq!(steps(&case, 1_000), [(Step::Next, "supervisor".to_owned()), (Step::Next, "manager".to_owned())]);
    assert!(!case.advance(&policy, at(1_119)) && case.advance(&policy, at(1_120)));
    assert_eq!(steps(&case, 1_120).len(), 2);
}

#[test]
fn a_send_ends_in_one_of_four_ways() {
    let policy = shipped();
    let later = Attempt::Later { at_least: Duration::from_mins(9), reason: "busy".into() };
    let refused = Attempt::Refused { reason: "refused".into() };
    for (attempt, is_live, is_sent, fallbacks) in [(Attempt::Sent, false, true, 0), (later, true, false, 0), (refused, false, false, 1)] {
        let mut case = opened(2, &policy);
        let begun = case.begin_send(1, at(0)).unwrap();
        assert!(case.begin_send(1, at(0)).is_none(), "one sender at a time");
        case.finish_send(1, &attempt, &policy, at(0));
        let intent = case.intent(1).unwrap();
        assert_eq!((intent.state.is_live(), intent.state.is_sent()), (is_live, is_sent), "{attempt:?}");
        assert_eq!(intent.message_id, begun.message_id);
        assert!(!is_live || intent.due_at >= at(9), "the server's wish is kept");
        assert_eq!(case.intents.iter().filter(|one| one.step == Step::Next && one.to.person == "manager").count(), fallbacks);
    }
}

#[test]
fn pauses_grow_and_stay_bounded() {
    let policy = shipped();
    let mut case = opened(2, &policy);
    let mut now = at(0);
    for least in [1, 2, 5, 10, 20, 30, 30, 30] {
        case.begin_send(1, now).unwrap();
        case.finish_send(1, &Attempt::Later { at_least: Duration::ZERO, reason: "busy".into() }, &policy, now);
        let due = case.intent(1).unwrap().due_at;
        let pause = due.duration_since(now).as_secs();
        assert!((least * 60..=least * 72).contains(&pause), "{least} min: {pause} s");
        now = due;
    }
}

#[test]
fn an_unfinished_send_is_sent_again_as_the_same_mail() {
    let policy = shipped();
    let mut case = opened(2, &policy);
    let before = case.begin_send(1, at(0)).unwrap();
    assert!(case.recover_sends(at(1)) && !case.recover_sends(at(1)));
    let after = case.begin_send(1, at(1)).unwrap();
    assert_eq!(after.message_id, before.message_id);
    assert!(case.begin_send(1, at(3)).is_none() && case.begin_send(1, at(4)).is_some(), "a lost sender is replaced after three minutes");
}

#[test]
fn a_refusal_for_good_wakes_the_next_rung_once() {
    let policy = shipped();
    let refused = Attempt::Refused { reason: "refused".into() };
    let mut case = empty(&policy);
    case.join(&joining(1, 0, &[Track::Safety]), &policy, at(0));
    assert_eq!(case.intents.len(), 4, "two people, two channels");
    for number in 1..=4 {
        if case.begin_send(number, at(0)).is_some() {
            case.finish_send(number, &refused, &policy, at(0));
        }
    }
    let told = |case: &CaseRecord, step: Step| {
        case.intents.iter().filter(|one| one.step == step).map(|one| one.to.person.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&case, Step::Next), ["quality", "quality", "manager", "manager"], "{:#?}", case.intents);
    assert!(case.climbs[&Track::Safety].due == at(15), "the end of the ladder keeps its rhythm");
}

#[test]
fn a_flood_stays_within_one_record() {
    let policy = shipped();
    let mut case = empty(&policy);
    for n in 0..5_000 {
        let mut one = joining(n, 2 + u8::try_from(n % 3).unwrap(), &Track::ALL);
        one.message.identity = Digest::of(&n.to_be_bytes()).key();
        one.message.id = MessageId(format!("{n:0>255}"));
        case.join(&one, &policy, at(i64::from(n)));
    }
    let bytes = mimamori::store::record::encode(&case).unwrap().len();
    assert!(bytes < 256 * 1024 && case.message_count() == 5_000, "{bytes}");
}

#[derive(Debug, Clone)]
enum Move {
    Join(u32, u8, Vec<Track>),
    Acknowledge(&'static str),
    Pass(&'static str),
    Advance,
    Close,
    Begin(usize),
    Finish(usize, u8),
    Recover,
}

fn moves() -> impl Strategy<Value = Vec<(Move, i64)>> {
    let tracks = proptest::sample::subsequence(Track::ALL.to_vec(), 1..=4);
    let person = prop_oneof![Just("山田"), Just("supervisor"), Just("manager"), Just("security")];
    let one = prop_oneof![
        5 => (0u32..30, 0u8..=4, tracks).prop_map(|(n, level, tracks)| Move::Join(n, level, tracks)),
        2 => person.clone().prop_map(Move::Acknowledge),
        1 => person.prop_map(Move::Pass),
        6 => Just(Move::Advance),
        1 => Just(Move::Close),
        6 => (0usize..12).prop_map(Move::Begin),
        6 => (0usize..12, 0u8..3).prop_map(|(index, how)| Move::Finish(index, how)),
        1 => Just(Move::Recover),
    ];
    proptest::collection::vec((one, 0i64..40), 1..60)
}

fn apply(case: &mut CaseRecord, step: &Move, policy: &Policy, now: Timestamp) {
    let nth =
        |case: &CaseRecord, index: usize| case.intents.get(case.intents.len().saturating_sub(1 + index)).map_or(0, |intent| intent.number);
    match step {
        Move::Join(n, level, tracks) => _ = case.join(&joining(*n, *level, tracks), policy, now),
        Move::Acknowledge(who) => _ = case.acknowledge(who, policy, now),
        Move::Pass(who) => _ = case.hand_over(who, policy, now),
        Move::Advance => _ = case.advance(policy, now),
        Move::Close => _ = case.close("山田", "解決", now),
        Move::Begin(index) => _ = case.begin_send(nth(case, *index), now),
        Move::Finish(index, how) => {
            let reason = "x".to_owned();
            let attempt = [Attempt::Sent, Attempt::Later { at_least: Duration::ZERO, reason: reason.clone() }, Attempt::Refused { reason }];
            case.finish_send(nth(case, *index), &attempt[usize::from(*how)], policy, now);
        }
        Move::Recover => _ = case.recover_sends(now),
    }
}

fn earliest(case: &CaseRecord) -> Option<Timestamp> {
    let due = |state: &IntentState, due_at: Timestamp| match state {
        IntentState::Pending { .. } => Some(due_at),
        IntentState::Sending { since, .. } => Some(*since + SignedDuration::from_mins(3)),
        _ => None,
    };
    let other = match case.state {
        CaseState::Open => case.climbs.values().map(|climb| climb.due).min(),
        CaseState::Acknowledged { .. } => case.return_at,
        CaseState::Closed { .. } => None,
    };
    case.intents.iter().filter_map(|intent| due(&intent.state, intent.due_at)).chain(other).min()
}

/// Longest wait of any shipped ladder.
const WAIT_MAX: SignedDuration = SignedDuration::from_mins(480);

/// Every track of an open case tells somebody now or will within the longest wait, and nobody is told early.
fn unannounced(case: &CaseRecord, now: Timestamp) -> Vec<Track> {
    let is_silent = |track: &Track| {
        let live = case.intents.iter().any(|intent| intent.track == *track && intent.state.is_live());
        let coming = case.climbs.get(track).is_some_and(|climb| climb.due <= now + WAIT_MAX);
        !live && !coming
    };
    case.tracks.iter().copied().filter(is_silent).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn order_and_redelivery_change_nothing(
        rows in proptest::collection::vec((0u8..=4, proptest::sample::subsequence(Track::ALL.to_vec(), 1..=4)), 1..25),
        order in proptest::collection::vec(any::<proptest::sample::Index>(), 0..60),
    ) {
        let policy = shipped();
        let messages: Vec<Joining> = rows.iter().zip(0u32..).map(|((level, tracks), n)| joining(n, *level, tracks)).collect();
        let (mut straight, mut mixed) = (empty(&policy), empty(&policy));
        for one in &messages {
            straight.join(one, &policy, at(9));
        }
        for one in order.iter().map(|index| index.get(&messages)).chain(messages.iter().rev()) {
            mixed.join(one, &policy, at(9));
        }
        let facts = |case: &CaseRecord| (case.counts.clone(), case.level, case.categories.clone(), case.lanes.clone(), case.tracks.clone(), case.messages.clone(), case.reasons.clone());
        prop_assert_eq!(facts(&straight), facts(&mixed));
        prop_assert_eq!((straight.opened_at, straight.last_at), (mixed.opened_at, mixed.last_at));
    }

    #[test]
    fn an_open_case_always_tells_somebody(moves in moves()) {
        let policy = shipped();
        let mut case = empty(&policy);
        let mut minutes = 0;
        for (step, pause) in &moves {
            minutes += pause;
            apply(&mut case, step, &policy, at(minutes));
            prop_assert_eq!(case.next_due, earliest(&case), "after {:?}", step);
            if case.state == CaseState::Open {
                prop_assert_eq!(unannounced(&case, at(minutes)), vec![], "after {:?}: {:#?}", step, case.intents);
            }
        }
    }
}

/// One row of evidence: kind, entry, its words, role.
type Find = (EvidenceKind, &'static str, Option<Category>, Option<Lane>, u8, &'static [(&'static str, Role)]);

fn judged(text: &str, level: u8, finds: &[Find]) -> (Message, Verdict) {
    let level = Level::try_from(level).unwrap();
    let evidence: Vec<Evidence> = finds.iter().map(|find| evidence(text, find)).collect();
    let mut categories: Vec<Category> = evidence.iter().filter_map(|row| row.category).collect();
    categories.sort_unstable();
    categories.dedup();
    let verdict = Verdict {
        id: "A-1".into(),
        level,
        level_name: level.name().into(),
        categories,
        lanes: evidence.iter().filter_map(|row| row.lane).collect(),
        urgent: true,
        demand: Score::default(),
        manner: Score::default(),
        evidence,
        suppressed: vec![],
        more: 0,
        coverage: Coverage::default(),
        lexicon: "sha256:0".into(),
        engine: "0".into(),
    };
    let message = Message {
        id: "A-1".into(),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        channel: Channel::Email,
        direction: Direction::Inbound,
        event: Event::Message,
        conversation: None,
        customer: Some("taro@customer.example".into()),
        operator: None,
        ticket: Some("T-2044".into()),
        url: Some("https://desk.example.jp/tickets/2044?a=1&b=2".into()),
        at: None,
        fields: vec![Field::new(FieldName::Text, text.into()), Field::new(FieldName::FromName, "山田太郎".into())],
        coverage: Coverage::default(),
        machine: None,
        derivation: vec![],
        headers: vec![],
    };
    (message, verdict)
}

fn evidence(text: &str, (kind, entry, category, lane, level, words): &Find) -> Evidence {
    let span = |(word, role): &(&str, Role)| {
        let start = text.split(word).next().unwrap().chars().count();
        EvidenceSpan { field: FieldName::Text, start, end: start + word.chars().count(), role: *role }
    };
    let spans: Vec<EvidenceSpan> = words.iter().map(span).collect();
    let start = spans.iter().map(|span| span.start).min();
    let end = spans.iter().map(|span| span.end).max();
    Evidence {
        kind: *kind,
        entry: EntryId::from(*entry),
        category: *category,
        lane: *lane,
        level: Level::try_from(*level).unwrap(),
        text: String::new(),
        field: FieldName::Text,
        part: PartKind::New,
        start,
        end,
        spans,
        via: vec![],
    }
}

const INSULT: &str = "おい馬鹿店員、土下座しろ。お前の頭は腐ってんのか。返品の件、早く返事をください。馬鹿店員と話す気はない。山田太郎 taro@customer.example";
const THREAT: &str = "返金の話、まだですか。金を返さないなら、明日の10時に渋谷店へ灯油を持って行き、店長をぶっ殺してやる。死ね、クソ店員。<b>https://evil.example.com/</b>";
const CARE: &str = "返金がないなら、もう生きていけません。\n薬をたくさん飲みました。さようなら。";
const SAFETY: &str = "ヒーターから火が出て、子どもが手にやけどをしました。どうしてくれるんですか。";

/// Words that may stand in no alert of these messages but care.
const MASKED: [&str; 7] = ["馬鹿店員", "頭は腐って", "ぶっ殺", "死ね", "クソ店員", "お前", "https://evil"];

fn insult() -> (Message, Verdict) {
    use EvidenceKind::Entry;
    judged(
        INSULT,
        2,
        &[
            (Entry, "insult.fool_address", Some(Category::Insult), None, 2, &[("馬鹿店員", Role::Harm)]),
            (Entry, "coercion.dogeza", Some(Category::Coercion), None, 2, &[("土下座しろ", Role::Harm)]),
            (Entry, "insult.head", Some(Category::Insult), None, 2, &[("頭は腐って", Role::Harm)]),
            (Entry, "insult.you", Some(Category::Insult), None, 1, &[("お前", Role::Harm)]),
        ],
    )
}

fn threat() -> (Message, Verdict) {
    use EvidenceKind::{Combination, Entry};
    let threat = Some(Category::Threat);
    judged(
        THREAT,
        4,
        &[
            (Combination, "threat.weapon_ready", threat, None, 4, &[("ないなら", Role::Target), ("灯油", Role::Means)]),
            (Combination, "threat.kill_when", threat, None, 4, &[("明日", Role::When), ("ぶっ殺してやる", Role::Harm)]),
            (Combination, "threat.kill_where", threat, None, 4, &[("店へ", Role::Where), ("ぶっ殺してやる", Role::Harm)]),
            (Combination, "threat.unless", threat, None, 4, &[("店長", Role::Condition), ("店長", Role::Target)]),
            (
                Combination,
                "extortion.refund",
                Some(Category::Extortion),
                None,
                3,
                &[("返金", Role::Demand), ("ぶっ殺してやる", Role::Harm)],
            ),
            (Entry, "threat.kill", threat, None, 3, &[("ぶっ殺してやる", Role::Harm)]),
            (Entry, "insult.die", Some(Category::Insult), None, 3, &[("死ね", Role::Harm)]),
            (Entry, "insult.jerk_suffix", Some(Category::Insult), None, 2, &[("クソ店員", Role::Harm)]),
        ],
    )
}

fn case_of(message: &Message, verdict: &Verdict, policy: &Policy) -> CaseRecord {
    let tracks = policy.decide(verdict, verdict.level).tracks;
    let mut one = joining(1, verdict.level.number(), &[]);
    one.message.received_at = at(0);
    (one.categories, one.lanes) = (verdict.categories.clone(), verdict.lanes.clone());
    one.summaries = tracks.iter().map(|track| (*track, summarised(message, verdict, *track))).collect();
    let mut case = empty(policy);
    case.join(&one, policy, at(0));
    case
}

fn nth_alert(case: &CaseRecord, step: Step, policy: &Policy, language: Language) -> Outgoing {
    let is_it = |intent: &&Intent| intent.step == step && intent.state.is_live() && intent.to.channel == "mail";
    let intent = case.intents.iter().rev().find(is_it).unwrap();
    render(case, intent, policy, &Texts::built_in(language), &Answers::default(), at(9))
}

/// Every alert that has a golden, with what the head of its subject must say.
fn alerts(policy: &Policy) -> Vec<(&'static str, &'static str, Outgoing)> {
    let (japanese, english) = (Language::Japanese, Language::English);
    let ((insult, mild), (threat, grave)) = (insult(), threat());
    let mut severe = mild.clone();
    severe.level = Level::Severe;
    let lane = |text: &str, lane: Lane, category: Option<Category>, words: &'static [(&'static str, Role)]| {
        let (message, verdict) = judged(text, 0, &[(EvidenceKind::Entry, "lane.entry", category, Some(lane), 0, words)]);
        case_of(&message, &verdict, policy)
    };
    let care = lane(CARE, Lane::SelfHarm, Some(Category::SelfHarm), &[("生きていけません", Role::Cue)]);
    let safety = lane(SAFETY, Lane::SafetyIncident, None, &[("やけどをし", Role::Cue)]);
    let mut raised = case_of(&insult, &mild, policy);
    let mut worse = joining(2, 4, &[]);
    worse.categories.clone_from(&grave.categories);
    worse.summaries = [(Track::Harassment, summarised(&threat, &grave, Track::Harassment))].into();
    raised.join(&worse, policy, at(8));
    let mut repeated = case_of(&insult, &mild, policy);
    repeated.advance(policy, at(60));
    let mut unchecked = empty(policy);
    unchecked.join(&joining(1, 0, &[Track::Unchecked]), policy, at(0));
    let (mild_case, grave_case) = (case_of(&insult, &mild, policy), case_of(&threat, &grave, policy));
    let severe_case = case_of(&insult, &severe, policy);
    vec![
        ("harassment-2", "2 カスハラ疑い", nth_alert(&mild_case, Step::First, policy, japanese)),
        ("harassment-3", "3 重度の疑い", nth_alert(&severe_case, Step::First, policy, japanese)),
        ("harassment-4", "4 緊急", nth_alert(&grave_case, Step::First, policy, japanese)),
        ("raised", "4 緊急】【上昇】", nth_alert(&raised, Step::Raised, policy, japanese)),
        ("repeat", "2 カスハラ疑い】【再通知】", nth_alert(&repeated, Step::Repeat, policy, japanese)),
        ("care", "至急・ケア", nth_alert(&care, Step::First, policy, japanese)),
        ("safety", "至急・製品事故", nth_alert(&safety, Step::First, policy, japanese)),
        ("unchecked", "未判定", nth_alert(&unchecked, Step::First, policy, japanese)),
        ("harassment-2.en", "2 Suspected harassment", nth_alert(&mild_case, Step::First, policy, english)),
        ("harassment-3.en", "3 Suspected severe harassment", nth_alert(&severe_case, Step::First, policy, english)),
        ("harassment-4.en", "4 Emergency", nth_alert(&grave_case, Step::First, policy, english)),
        ("care.en", "urgent, care", nth_alert(&care, Step::First, policy, english)),
    ]
}

fn golden(file: &Path, shown: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(file, shown).unwrap();
    }
    (fs::read_to_string(file).unwrap_or_default() != shown).then(|| format!("{}:\n{shown}", file.display()))
}

fn cases(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder)
}

#[test]
fn alerts_read_as_recorded() {
    let mut differing = vec![];
    let alerts = alerts(&shipped());
    for (name, _, alert) in &alerts {
        let text = format!("{}\n\n{}", alert.subject, alert.text);
        differing.extend(golden(&cases("alert").join(format!("{name}.txt")), &text));
        differing.extend(golden(&cases("alert").join(format!("{name}.html")), &alert.html));
    }
    let stored = fs::read_dir(cases("alert")).unwrap().count();
    assert_eq!(stored, 2 * alerts.len(), "a golden without a case, or no golden at all");
    assert!(differing.is_empty(), "run with UPDATE_GOLDENS=1 and review:\n{}", differing.join("\n"));
}

#[test]
fn alerts_leak_nothing() {
    for (name, kind, alert) in alerts(&shipped()) {
        let head: String = alert.subject.chars().take(60).collect();
        assert!(head.contains(kind), "{name}: {head}");
        for word in MASKED.iter().chain(&["山田", "太郎", "@", "店長"]) {
            assert!(!alert.subject.contains(word), "{name}: {word} in {}", alert.subject);
        }
        for word in MASKED {
            assert!(!alert.text.contains(word) && !alert.html.contains(word), "{name}: {word} in\n{}", alert.text);
        }
        assert!(!alert.html.contains("<b>"), "{name}: the customer's markup lives");
        let deadline = if name.contains(".en") { "Accept by" } else { "受領期限" };
        assert!(alert.text.contains(deadline) && alert.html.contains(deadline), "{name}");
        if name.starts_with("care") {
            let level = ["レベル", "Level"].iter().any(|word| alert.text.contains(word));
            assert!(!level && alert.text.contains("生きていけません"), "{}", alert.text);
        }
    }
}

#[test]
fn what_leaves_the_company_holds_no_word_of_the_case() {
    let policy = shipped();
    let texts = Texts::built_in(Language::Japanese);
    let (threat, grave) = threat();
    let case = case_of(&threat, &grave, &policy);
    let alert = |channel: &str| {
        let intent = case.intents.iter().find(|intent| intent.to.channel == channel).unwrap();
        let answers = Answers { link: Some("https://desk.example.jp/ack/t".into()), reply_to: None };
        render(&case, intent, &policy, &texts, &answers, at(0))
    };
    let (inside, outside) = (alert("mail"), alert("pager"));
    assert!(!inside.leaves_site && inside.text.contains("■ 要点") && inside.text.contains("■ 理由"), "{}", inside.text);
    assert!(outside.leaves_site && outside.text.contains("受領期限") && outside.text.contains("/ack/t"), "{}", outside.text);
    for title in ["要点", "理由", "経緯", "今すること", "次"] {
        assert!(
            !outside.text.contains(&format!("■ {title}\n")) && !outside.html.contains(&format!(">{title}<")),
            "{title}: {}",
            outside.text
        );
    }
    assert_eq!(inside.subject, outside.subject);
}

#[test]
fn a_company_s_own_words_keep_the_walls() {
    let policy = shipped();
    let file = cases("texts").join("good.toml");
    let source = SourceText { name: "good.toml".into(), text: fs::read_to_string(file).unwrap() };
    let texts = Texts::parse(&source, Language::Japanese).0.unwrap();
    let (threat, grave) = threat();
    let case = case_of(&threat, &grave, &policy);
    let alert = |channel: &str| {
        let intent = case.intents.iter().find(|intent| intent.to.channel == channel).unwrap();
        render(&case, intent, &policy, &texts, &Answers::default(), at(0))
    };
    let (inside, outside) = (alert("mail"), alert("pager"));
    assert!(inside.subject.starts_with("[お客様相談室]段階4(最重要) C-"), "{}", inside.subject);
    assert!(inside.text.contains("\n\n社外への転送はご遠慮ください。\n\n■ まず読むところ\n  レベル4 最重要\n"), "{}", inside.text);
    assert!(inside.text.ends_with("{夜間} 内線 7119\n") && inside.html.contains(">{夜間} 内線 7119<"), "{}", inside.text);
    assert!(!inside.text.contains("■ 理由"), "left out by the company");
    assert!(outside.text.contains("内線 7119") && outside.text.contains("mimamori case ack"), "{}", outside.text);
    for words in ["渋谷店", "店長", "灯油", "●", "レベル"] {
        assert!(!outside.text.contains(words) && !outside.html.contains(words), "{words}: {}", outside.text);
    }
}

#[test]
fn the_time_that_is_left_is_counted_when_the_alert_is_made() {
    let policy = shipped();
    let (threat, grave) = threat();
    let case = case_of(&threat, &grave, &policy);
    let intent = case.intents.iter().find(|intent| intent.to.channel == "mail").unwrap();
    // Received on 11/24 at 01:54 in Tokyo: 「明日の10時」 is 32 hours and 6 minutes ahead.
    for (minutes, japanese, english) in [
        (0, "時=明日の10時(あと1日8時間)／", "Time: 明日の10時 (in 1 d 8 h); "),
        (24 * 60, "時=明日の10時(あと8時間6分)／", "Time: 明日の10時 (in 8 h 6 min); "),
        (32 * 60, "時=明日の10時(あと6分)／", "Time: 明日の10時 (in 6 min); "),
        (32 * 60 + 6, "時=明日の10時／", "Time: 明日の10時; "),
    ] {
        for (language, expected) in [(Language::Japanese, japanese), (Language::English, english)] {
            let alert = render(&case, intent, &policy, &Texts::built_in(language), &Answers::default(), at(minutes));
            assert!(alert.text.contains(expected), "{minutes}: {}", alert.text);
        }
    }
}

/// A date that is written out is kept whole, whichever part of it was the hit.
#[test]
fn a_slot_holds_the_whole_time() {
    for (text, hit, expected) in [
        ("渋谷店を11/24 10時に爆破する", "0時", "11/24 10時"),
        ("11月24日の10時に行く", "10時", "11月24日の10時"),
        ("店で明日 10:30に会う", "明日", "明日 10:30"),
        ("明日の夜9時に店の前で", "明日", "明日の夜9時"),
        ("田中さん 10時に行く", "10時", "10時"),
        ("明日の電車で行く", "明日", "明日の電車"),
    ] {
        let words: &'static [(&'static str, Role)] = Box::leak(Box::new([(hit, Role::When)]));
        let (message, verdict) = judged(text, 4, &[(EvidenceKind::Combination, "x.y", Some(Category::Threat), None, 4, words)]);
        let found = summarised(&message, &verdict, Track::Harassment).slots;
        assert_eq!(found, [(Role::When, expected.to_owned())], "{text}");
    }
}

#[test]
fn a_record_without_hints_is_read() {
    let mut row =
        serde_json::to_value(Summary { hints: Hints { advice: vec!["x".into()], ..Hints::default() }, ..Summary::default() }).unwrap();
    let summary: Summary = serde_json::from_value(row.clone()).unwrap();
    assert_eq!(summary.hints.advice, ["x"]);
    row.as_object_mut().unwrap().remove("hints").unwrap();
    assert_eq!(serde_json::from_value::<Summary>(row).unwrap(), Summary::default());
}

#[test]
fn slots_hold_what_they_are_called() {
    let (message, verdict) = threat();
    let expected = [
        (Role::Target, "店長"),
        (Role::When, "明日の10時"),
        (Role::Where, "渋谷店"),
        (Role::Means, "灯油"),
        (Role::Demand, "返金"),
        (Role::Condition, "金を返さないなら"),
    ];
    let found = summarised(&message, &verdict, Track::Harassment);
    assert_eq!(found.slots, expected.map(|(role, text)| (role, text.to_owned())));
    assert!(found.reasons.len() <= 2, "{:#?}", found.reasons);
}

#[tokio::test]
async fn the_outbox_keeps_one_file_per_alert() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(folder.path().to_owned()).unwrap();
    let alerts = alerts(&shipped());
    let alert = &alerts[2].2;
    for _ in 0..2 {
        assert_eq!(outbox.send(alert).await, Outcome::Sent);
    }
    let second = Outgoing { message_id: "other@example.jp".into(), ..alert.clone() };
    let files = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let [file] = files().try_into().unwrap();
    let raw = fs::read(file).unwrap();
    let mail = mail_parser::MessageParser::default().parse(&raw).unwrap();
    assert_eq!((mail.subject(), mail.message_id()), (Some(alert.subject.as_str()), Some(alert.message_id.as_str())));
    assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n"), alert.text);
    assert_eq!(outbox.send(&second).await, Outcome::Sent);
    assert_eq!(files().len(), 2);
}

#[test]
fn policy_faults_are_rendered_as_recorded() {
    let mut files: Vec<PathBuf> = fs::read_dir(cases("policy")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 10, "only {} cases", files.len());
    let mut differing = vec![];
    for file in files {
        let source =
            SourceText { name: file.file_name().unwrap().to_string_lossy().into_owned(), text: fs::read_to_string(&file).unwrap() };
        let (policy, faults) = Policy::parse(&source);
        assert!(faults.iter().any(|fault| fault.grave == Grave::Error) && policy.is_none(), "{}: accepted", file.display());
        let shown = mimamori::diag::render(&faults, &[source], false) + "\n";
        differing.extend(golden(&file.with_extension("out"), &shown));
    }
    assert!(differing.is_empty(), "run with UPDATE_GOLDENS=1 and review:\n{}", differing.join("\n"));
}
