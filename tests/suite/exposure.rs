//! A daily limit that a person sets: others are asked first, nobody can tell why, and nothing urgent is kept from anybody.

use crate::support::{Site, wait_for};
use jiff::{SignedDuration, Timestamp};
use mimamori::diag::SourceText;
use mimamori::model::severity::Level;
use mimamori::policy::exposure::Exposures;
use mimamori::policy::timeline::timeline;
use mimamori::policy::{Facts, Policy, SHIPPED, Track};
use std::fs;
use std::time::Duration;

const LIMIT: &str = "reach = { mail = \"sv@example.jp\", pager = \"sv\" }";

fn limited(most: &str) -> String {
    SHIPPED.replace(LIMIT, &format!("{LIMIT}\nexposure_max_per_day = {most}"))
}

fn parse(text: &str) -> (Option<Policy>, String) {
    let source = SourceText { name: "policy.toml".into(), text: text.into() };
    let (policy, faults) = Policy::parse(&source);
    (policy, mimamori::diag::render(&faults, &[source], false))
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A policy after the supervisor was sent `count` cases on that day.
fn after(count: u32, day: &str, people: &[&str]) -> Policy {
    let mut policy = parse(&limited("2")).0.expect("sound");
    policy.exposures =
        Exposures { day: Some(day.parse().expect("a date")), cases: people.iter().map(|id| ((*id).to_owned(), count)).collect() };
    for person in policy.people.iter_mut().filter(|person| people.contains(&person.id.as_str())) {
        person.exposure_max_per_day = Some(2);
    }
    policy
}

fn first(policy: &Policy, facts: &Facts, now: Timestamp) -> (Vec<String>, Vec<String>) {
    let rows = timeline(policy, facts, now, &[], now + SignedDuration::from_mins(1));
    (
        rows.iter().map(|row| format!("{}/{}", row.to.person, row.to.channel)).collect(),
        rows.first().map(|row| row.skipped.clone()).unwrap_or_default(),
    )
}

#[test]
fn whoever_has_had_enough_is_passed_over_until_the_next_day() {
    let chat = Facts { channel: Some(mimamori::model::message::Channel::Chat), ..Facts::of(Track::Harassment, Level::Suspected) };
    let (evening, midnight) = (at("2026-11-24T23:50:00+09:00"), at("2026-11-25T00:00:00+09:00"));
    let day = "2026-11-24";
    let told = |policy: &Policy, facts: &Facts, now: Timestamp| first(policy, facts, now).0.join(" ");
    assert_eq!(told(&after(1, day, &["supervisor"]), &chat, evening), "supervisor/mail", "below the limit");
    let full = after(2, day, &["supervisor"]);
    assert_eq!(
        first(&full, &chat, evening),
        (vec!["manager/mail".to_owned()], vec!["自動割当".to_owned()]),
        "at once, and nobody is told why"
    );
    assert_eq!(told(&full, &chat, midnight), "supervisor/mail", "a new day");
    for (track, level) in [(Track::Harassment, Level::Emergency), (Track::Care, Level::Ordinary), (Track::Unchecked, Level::Ordinary)] {
        let facts = Facts::of(track, level);
        assert_eq!(told(&full, &facts, evening), told(&after(0, day, &[]), &facts, evening), "{track:?}");
    }
    let everybody = after(9, day, &["supervisor", "manager"]);
    assert_eq!(told(&everybody, &chat, evening), "supervisor/mail manager/mail", "nobody is left: told as the last step says");
}

#[test]
fn a_limit_is_a_number_of_cases() {
    for wrong in ["0", "-1", "1001"] {
        let (policy, shown) = parse(&limited(wrong));
        assert!(policy.is_none() && shown.contains("`exposure_max_per_day` must be 1 to 1000"), "{shown}");
    }
}

#[test]
fn a_worker_counts_cases_and_asks_others_first() {
    let site = Site::new("").with_policy(&limited("1"));
    let worker = site.start_ready();
    let told = |n: usize| {
        let line =
            format!("{{\"id\":\"x-{n}\",\"channel\":\"chat\",\"conversation\":\"c-{n}\",\"text\":\"お前みたいな無能は消えろ、このクズ\"}}");
        assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
        wait_for("an alert", Duration::from_secs(30), || {
            let rows = fs::read_dir(site.path("outbox")).map(|rows| rows.flatten().collect::<Vec<_>>()).unwrap_or_default();
            let mails: Vec<_> =
                rows.into_iter().map(|row| row.path()).filter(|path| path.extension().is_some_and(|end| end == "eml")).collect();
            (mails.len() == n).then_some(mails)
        })
    };
    told(1);
    // Counted when it has left, and known to every worker a second later.
    std::thread::sleep(Duration::from_secs(3));
    let to: Vec<String> = told(2)
        .into_iter()
        .map(|path| {
            let raw = fs::read(path).expect("read");
            let mail = mail_parser::MessageParser::default().parse(&raw).expect("parses");
            mail.to().and_then(|list| list.first()).and_then(|one| one.address()).unwrap_or_default().to_owned()
        })
        .collect();
    assert!(to.contains(&"sv@example.jp".to_owned()) && to.contains(&"manager@example.jp".to_owned()), "{to:?}");
    let list = String::from_utf8(site.run(&["case", "list"]).stdout).expect("UTF-8");
    let ids = list.split_whitespace().filter(|word| word.starts_with("C-"));
    let shown: String = ids.map(|id| String::from_utf8(site.run(&["case", "show", id]).stdout).expect("UTF-8")).collect();
    assert!(shown.contains("自動割当") && !shown.contains("上限"), "{shown}");
    drop(worker);
}
