//! Lists at fixed times: owners of lanes, the handover of the night, queues that are only observed.

use crate::support::{Site, wait_for};
use jiff::Timestamp;
use mimamori::diag::SourceText;
use mimamori::model::severity::Level;
use mimamori::policy::route::Facts;
use mimamori::policy::{Policy, SHIPPED, Track};
use std::fs;
use std::time::Duration;

fn parse(text: &str) -> (Option<Policy>, String) {
    let source = SourceText { name: "policy.toml".into(), text: text.into() };
    let (policy, faults) = Policy::parse(&source);
    (policy, mimamori::diag::render(&faults, &[source], false))
}

#[test]
fn a_lane_without_an_owner_and_an_observed_queue_without_a_list_are_refused() {
    let observed = format!("{SHIPPED}\n[[mode]]\nqueue = \"shop\"\nmode = \"observe\"\n");
    assert!(parse(&observed).0.is_some(), "{}", parse(&observed).1);
    let rows = [
        (SHIPPED.replace("\"accommodation\", ", ""), "lane `accommodation` (合理的配慮の申出) has no owner"),
        (SHIPPED.replace("lanes = [\"safety_incident\"]", "lanes = []"), "lane `safety_incident`"),
        (observed.replace(", \"observed\"", ""), "no digest lists what would have been told"),
        (SHIPPED.replace("at = [\"07:30\"]", "at = []"), "digest `handover` has no time"),
        (SHIPPED.replace("at = [\"07:30\"]", "at = [\"25:30\"]"), "`25:30` is not a time of day"),
        (SHIPPED.replace("show = [\"watch\"]", "show = [\"wach\"]"), "did you mean `watch`?"),
        (observed.replace("\"observe\"", "\"observ\""), "did you mean `observe`?"),
        (SHIPPED.replace("\"accommodation\", ", "\"acommodation\", "), "did you mean `accommodation`?"),
    ];
    for (text, expected) in rows {
        let (policy, shown) = parse(&text);
        assert!(policy.is_none() && shown.contains(expected), "{expected}\n{shown}");
    }
}

#[test]
fn a_slot_is_the_latest_time_that_has_passed() {
    let policy = parse(&SHIPPED.replace("at = [\"07:30\"]", "at = [\"07:30\", \"19:00\"]")).0.expect("sound");
    let digest = policy.digests.iter().find(|one| one.id == "handover").expect("shipped");
    for (now, expected) in [
        ("2026-11-24T07:29:59+09:00", "2026-11-23T19:00:00+09:00"),
        ("2026-11-24T07:30:00+09:00", "2026-11-24T07:30:00+09:00"),
        ("2026-11-24T19:00:01+09:00", "2026-11-24T19:00:00+09:00"),
        ("2027-01-01T00:00:00+09:00", "2026-12-31T19:00:00+09:00"),
    ] {
        let (now, expected): (Timestamp, Timestamp) = (now.parse().expect("a time"), expected.parse().expect("a time"));
        assert_eq!(policy.slot(digest, now), Some(expected), "{now}");
    }
    // A night in which the clock skips 02:30 has its digest when the clock goes on.
    let spring = crate::roster::awake().replace("Asia/Tokyo", "America/New_York").replace("at = [\"07:30\"]", "at = [\"02:30\"]");
    let policy = parse(&spring).0.expect("sound");
    let digest = policy.digests.iter().find(|one| one.id == "handover").expect("shipped");
    let slot = policy.slot(digest, "2026-03-08T12:00:00Z".parse().expect("a time")).expect("a slot");
    assert_eq!(slot, "2026-03-08T07:30:00Z".parse::<Timestamp>().expect("a time"));
}

#[test]
fn only_what_is_urgent_pages_from_an_observed_queue() {
    let text = format!("{SHIPPED}\n[[mode]]\nqueue = \"vip\"\nmode = \"live\"\n[[mode]]\ntenant = \"default\"\nmode = \"observe\"\n");
    let policy = parse(&text).0.expect("sound");
    let facts = |track: Track, level: Level, tenant: &str, queue: &str| Facts {
        customer: None,
        tenant: Some(tenant.to_owned()),
        queue: Some(queue.to_owned()),
        ..Facts::of(track, level)
    };
    for (facts, expected) in [
        (facts(Track::Harassment, Level::Severe, "default", "shop"), true),
        (facts(Track::Harassment, Level::Emergency, "default", "shop"), false),
        (facts(Track::Care, Level::Ordinary, "default", "shop"), false),
        (facts(Track::Harassment, Level::Severe, "default", "vip"), false),
        (facts(Track::Harassment, Level::Severe, "other", "shop"), false),
    ] {
        assert_eq!(policy.is_observed(&facts), expected, "{facts:?}");
    }
}

#[test]
fn a_digest_lists_what_waits_once_and_observed_cases_disturb_nobody() {
    let minutes: Vec<String> = (0..24 * 60).map(|minute| format!("\"{:02}:{:02}\"", minute / 60, minute % 60)).collect();
    let always = format!("at = [{}]", minutes.join(", "));
    let policy = SHIPPED.replace("at = [\"07:30\"]", &always).replace("at = [\"17:00\"]", &always);
    let policy = format!("{policy}\n[[mode]]\nqueue = \"pilot\"\nmode = \"observe\"\n");
    let site = Site::new("");
    fs::write(site.path("policy.toml"), policy).expect("written");
    let config = fs::read_to_string(site.path("mimamori.toml")).expect("read");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.toml");
    fs::write(site.path("mimamori.toml"), config.replace(shipped, &site.path("policy.toml").display().to_string())).expect("written");
    let worker = site.start_ready();
    let submit = |line: &str| assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
    submit(r#"{"id":"o-1","channel":"chat","queue":"pilot","conversation":"c-1","text":"お前みたいな無能は消えろ、このクズ"}"#);
    submit(r#"{"id":"o-2","channel":"chat","queue":"shop","conversation":"c-2","text":"お前みたいな無能は消えろ、このクズ"}"#);
    submit(r#"{"id":"l-1","channel":"chat","conversation":"c-3","text":"聴覚障害があるので、電話ではなくチャットでの対応をお願いします"}"#);
    let mails = || -> Vec<(String, String, String)> {
        let rows = fs::read_dir(site.path("outbox")).map(|rows| rows.flatten().collect::<Vec<_>>()).unwrap_or_default();
        let read = |path| {
            let raw = fs::read(path).expect("read");
            let mail = mail_parser::MessageParser::default().parse(&raw).expect("parses");
            let to = mail.to().and_then(|list| list.first()).and_then(|one| one.address()).unwrap_or_default().to_owned();
            (to, mail.subject().unwrap_or_default().to_owned(), mail.body_text(0).expect("text").into_owned())
        };
        rows.into_iter().map(|row| row.path()).filter(|path| path.extension().is_some_and(|end| end == "eml")).map(read).collect()
    };
    let with = |part: &str, lines: &str| mails().into_iter().find(|(_, subject, text)| subject.contains(part) && text.contains(lines));
    let handover = wait_for("the handover", Duration::from_secs(90), || with("夜間引継ぎ", "レベル2"));
    let (observed, open) = handover.2.split_once("■ 通知していたはずの件").map(|(open, observed)| (observed, open)).expect("both lists");
    assert!(observed.contains("侮辱・暴言") && open.contains("侮辱・暴言"), "{}", handover.2);
    assert!(!handover.2.contains("クズ"), "no word of a customer");
    let daily = wait_for("the list of lanes", Duration::from_secs(90), || with("本日の一覧", "l-1"));
    assert_eq!(daily.0, "manager@example.jp");
    // One alert for the live queue, none for the observed one; each slot once per recipient.
    let alerts: Vec<String> =
        mails().into_iter().map(|(_, subject, _)| subject).filter(|subject| subject.contains("カスハラ疑い")).collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let mut slots: Vec<(String, String)> =
        mails().into_iter().filter(|(_, subject, _)| subject.contains("夜間引継ぎ")).map(|(to, subject, _)| (to, subject)).collect();
    let all = slots.len();
    slots.sort();
    slots.dedup();
    assert_eq!(slots.len(), all);
    drop(worker);
}

#[test]
fn what_waited_for_days_pages_only_if_it_is_urgent() {
    use jiff::SignedDuration;
    use mimamori::case::summary::Summary;
    use mimamori::case::transitions::Joining;
    use mimamori::case::{CaseMessage, CaseRecord, Happening};
    use mimamori::model::digest::Digest;
    use mimamori::model::ids::{MessageId, QueueName, Tenant};
    use mimamori::model::message::Channel;
    let policy = parse(SHIPPED).0.expect("sound");
    let now: Timestamp = "2026-11-24T09:00:00Z".parse().expect("a time");
    for (hours, level, track, pages) in [
        (23, Level::Severe, Track::Harassment, true),
        (25, Level::Severe, Track::Harassment, false),
        (25, Level::Emergency, Track::Harassment, true),
        (25, Level::Ordinary, Track::Care, true),
    ] {
        let received_at = now - SignedDuration::from_hours(hours);
        let (identity, id, evidence) = ("i".to_owned(), MessageId("m".to_owned()), Digest::of(b"raw"));
        let joining = Joining::new(
            CaseMessage { identity, id, level, channel: Channel::Email, received_at, evidence },
            [(track, Summary { level, ..Summary::default() })].into(),
        );
        let mut case = CaseRecord::open(&Tenant::default(), &QueueName::default(), "scope", 1, &policy, now);
        case.join(&joining, &policy, now);
        let is_listed = case.events.iter().any(|event| event.what == Happening::Observed);
        assert_eq!((!case.intents.is_empty(), is_listed), (pages, !pages), "{hours} h, {level} {track:?}");
    }
}

/// A mail of level 2 as it comes in at `now`.
fn suspected_mail(policy: &Policy, now: Timestamp, asked: bool) -> mimamori::case::CaseRecord {
    use mimamori::case::summary::Summary;
    use mimamori::case::transitions::Joining;
    use mimamori::case::{CaseMessage, CaseRecord};
    use mimamori::model::digest::Digest;
    use mimamori::model::ids::{MessageId, QueueName, Tenant};
    use mimamori::model::message::Channel;
    let (identity, id, evidence, level) = ("i".to_owned(), MessageId("m".to_owned()), Digest::of(b"raw"), Level::Suspected);
    let joining = Joining {
        asked: asked.then(|| ("田中".to_owned(), "代わってほしい".to_owned())),
        ..Joining::new(
            CaseMessage { identity, id, level, channel: Channel::Email, received_at: now, evidence },
            [(Track::Harassment, Summary { level, ..Summary::default() })].into(),
        )
    };
    let mut case = CaseRecord::open(&Tenant::default(), &QueueName::default(), "scope", 1, policy, now);
    case.join(&joining, policy, now);
    case
}

#[test]
fn a_suspected_mail_waits_for_the_list_and_two_hours_of_work_before_it_alerts_anybody() {
    use jiff::SignedDuration;
    let policy = parse(SHIPPED).0.expect("sound");
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    // Friday night: listed on Monday at nine, the manager is told at eleven.
    let mut case = suspected_mail(&policy, at("2026-11-27T22:00:00+09:00"), false);
    let mut now = at("2026-11-27T22:00:00+09:00");
    let (opens, ends) = (at("2026-11-30T09:00:00+09:00"), at("2026-11-30T11:00:00+09:00"));
    while now < ends {
        case.advance(&policy, now);
        assert!(case.intents.is_empty(), "alerted at {now}");
        assert_eq!(case.is_listed(&policy), now >= opens, "{now}");
        now += SignedDuration::from_mins(1);
    }
    case.advance(&policy, ends);
    let told: Vec<&str> = case.intents.iter().map(|intent| intent.to.person.as_str()).collect();
    assert_eq!((told, case.is_listed(&policy)), (vec!["supervisor", "manager"], false));
    // A colleague who asks is not put on a list.
    let asked = suspected_mail(&policy, at("2026-11-27T22:00:00+09:00"), true);
    assert!(asked.intents.iter().any(|intent| intent.to.person == "supervisor"), "{:?}", asked.intents);
    // The list keeps office hours.
    let digest = policy.digests.iter().find(|one| one.id == "suspected").expect("shipped");
    for (now, expected) in [
        ("2026-11-27T17:59:00+09:00", Some("2026-11-27T17:00:00+09:00")),
        ("2026-11-28T12:30:00+09:00", Some("2026-11-27T17:00:00+09:00")),
        ("2026-11-29T12:30:00+09:00", None),
        ("2026-11-30T09:00:00+09:00", Some("2026-11-30T09:00:00+09:00")),
    ] {
        assert_eq!(policy.slot(digest, at(now)), expected.map(at), "{now}");
    }
}

#[test]
fn whoever_is_left_to_a_list_is_sent_one_and_nothing_urgent_is() {
    let urgent = "[[ladders.emergency.step]]\nto = [\"emergency\"]\nby = [\"mail\", \"pager\"]\n";
    for (text, expected) in [
        (SHIPPED.replace("show = [\"listed\"]", "show = [\"open\"]"), "ladder `suspected` leaves `supervisor` to a list that nobody sends"),
        (SHIPPED.replace(urgent, &format!("{urgent}listed = true\n")), "urgent ladder `emergency` waits for a list"),
        (SHIPPED.replace("hours = \"office\"\nskip_empty", "hours = \"ofice\"\nskip_empty"), "did you mean `office`?"),
    ] {
        let (policy, shown) = parse(&text);
        assert!(policy.is_none() && shown.contains(expected), "{expected}\n{shown}");
    }
}
