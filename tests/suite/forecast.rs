//! `policy simulate --traffic`: the forecast agrees with the timeline, answers and throttles count, the table adds up.

use crate::support::Site;
use jiff::{SignedDuration, Timestamp};
use mimamori::case::CaseMessage;
use mimamori::case::forecast::{Forecast, Outlook};
use mimamori::case::summary::Summary;
use mimamori::case::transitions::Joining;
use mimamori::diag::SourceText;
use mimamori::model::digest::Digest;
use mimamori::model::ids::{MessageId, QueueName, Tenant};
use mimamori::model::message::Channel;
use mimamori::model::severity::Level;
use mimamori::policy::route::Facts;
use mimamori::policy::timeline::timeline;
use mimamori::policy::{Policy, SHIPPED, Track};
use serde_json::Value;
use std::fs;
use std::time::Duration;

fn policy() -> Policy {
    Policy::parse(&SourceText { name: "policy.toml".into(), text: SHIPPED.into() }).0.expect("sound")
}

/// A Tuesday at noon in Tokyo.
fn start() -> Timestamp {
    "2026-11-24T12:00:00+09:00".parse().expect("a time")
}

fn joining(n: u32, level: Level, at: Timestamp) -> Joining {
    let (identity, id, evidence) = (format!("i{n}"), MessageId(format!("m{n}")), Digest::of(b"raw"));
    let message = CaseMessage { identity, id, level, channel: Channel::Chat, received_at: at, evidence };
    Joining::new(message, [(Track::Harassment, Summary { level, ..Summary::default() })].into())
}

/// What comes of messages (scope, level, minute), an hour after the last.
fn forecast(policy: &Policy, answers_after: Option<u64>, messages: &[(&str, Level, i64)]) -> Outlook {
    let mut forecast = Forecast::new(policy, answers_after.map(|minutes| Duration::from_secs(minutes * 60)));
    let at = |minutes: i64| start() + SignedDuration::from_mins(minutes);
    for (n, (scope, level, minute)) in messages.iter().enumerate() {
        let joining = joining(n as u32, *level, at(*minute));
        forecast.join(&Tenant::default(), &QueueName::default(), scope, &joining);
    }
    forecast.finish(at(messages.last().map_or(0, |(.., minute)| *minute) + 60))
}

#[test]
fn one_message_is_told_as_the_timeline_says() {
    let policy = policy();
    for level in [Level::Suspected, Level::Severe, Level::Emergency] {
        let facts = Facts {
            tenant: Some("default".into()),
            queue: Some("default".into()),
            channel: Some(Channel::Chat),
            ..Facts::of(Track::Harassment, level)
        };
        let rows = timeline(&policy, &facts, start(), &[], start() + SignedDuration::from_hours(1));
        let mut expected: Vec<(Timestamp, String, String)> =
            rows.into_iter().filter(|row| !row.is_listed).map(|row| (row.at, row.to.person, row.to.channel)).collect();
        let outlook = forecast(&policy, None, &[("a", level, 0)]);
        let mut found: Vec<(Timestamp, String, String)> =
            outlook.told.iter().map(|told| (told.at, told.to.person.clone(), told.to.channel.clone())).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{level}");
        assert!(!found.is_empty() && outlook.told.iter().all(|told| told.is_urgent == (level == Level::Emergency)));
    }
}

#[test]
fn answers_end_ladders_and_a_case_that_was_closed_is_followed_by_another() {
    let policy = policy();
    let twice = [("a", Level::Severe, 0), ("a", Level::Severe, 600)];
    let (asleep, awake) = (forecast(&policy, None, &twice), forecast(&policy, Some(1), &twice));
    assert_eq!((asleep.cases, awake.cases), (1, 2), "nobody took it; it was taken and closed in between");
    assert!(awake.told.len() < asleep.told.len(), "{} {}", awake.told.len(), asleep.told.len());
    let last = awake.told.last().expect("somebody").at;
    assert!(last < start() + SignedDuration::from_mins(602), "nothing after the answer");
    let soon = forecast(&policy, Some(1), &[("a", Level::Severe, 0), ("a", Level::Severe, 5)]);
    assert_eq!(soon.cases, 1, "what somebody has is joined");
    assert_eq!(soon.told.len(), forecast(&policy, Some(1), &[("a", Level::Severe, 0)]).told.len(), "and nobody is told again");
}

#[test]
fn a_storm_is_bundled_unless_it_is_urgent() {
    let policy = policy();
    let names: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    for (level, is_bundled) in [(Level::Severe, true), (Level::Emergency, false)] {
        let messages: Vec<(&str, Level, i64)> = names.iter().map(|name| (name.as_str(), level, 0)).collect();
        let outlook = forecast(&policy, Some(1), &messages);
        assert_eq!(outlook.cases, 20);
        assert_eq!(outlook.told.iter().any(|told| told.is_bundled), is_bundled, "{level}");
        let alone = outlook.told.iter().filter(|told| !told.is_bundled).count();
        assert!(alone > 0 && (is_bundled || alone == outlook.told.len()));
    }
}

#[test]
fn the_table_adds_up_and_a_message_without_a_time_is_refused() {
    let site = Site::new("");
    let line = |id: &str, at: &str, text: &str| format!(r#"{{"id":"{id}","channel":"chat","conversation":"{id}"{at},"text":"{text}"}}"#);
    let abuse = "お前みたいな無能は消えろ、このクズ";
    let rows = [
        line("a", r#","at":"2026-11-24T12:00:00+09:00""#, abuse),
        line("b", r#","at":"2026-11-25T02:00:00+09:00""#, abuse),
        line("c", r#","at":"2026-11-24T11:00:00+09:00""#, "荷物はいつ届きますか"),
    ];
    let file = site.path("traffic.jsonl");
    fs::write(&file, rows.join("\n")).expect("written");
    let name = file.to_str().expect("utf-8");
    let run = |arguments: &[&str]| {
        let output = site.run(&[&["policy", "simulate", "--traffic", name], arguments].concat());
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("utf-8"))
    };
    let (code, text) = run(&[]);
    assert!(code == Some(0) && text.contains("受信 3通  要対応 2通") && text.contains("受付時間外") && text.contains("5分後"), "{text}");
    let (code, text) = run(&["--no-ack"]);
    assert!(code == Some(0) && text.contains("だれも受領しない"), "{text}");
    let (code, json) = run(&["--format", "json", "--ack-after", "1"]);
    let report: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let people = report["people"].as_array().expect("rows");
    assert_eq!((code, &report["cases"], report["flagged"].as_u64()), (Some(0), &Value::from(2), Some(2)), "{json}");
    for row in people {
        let number = |key: &str| row[key].as_u64().expect("a number");
        assert!(number("alerts") >= number("most") && number("most") >= 1 && number("shifts") == 2, "{row}");
        let sum = row["mean"].as_f64().expect("a number") * 2.0;
        assert_eq!(format!("{sum:.1}"), format!("{}.0", number("alerts")), "{row}");
    }
    fs::write(&file, line("d", "", abuse)).expect("written");
    let (code, text) = run(&[]);
    assert!(code == Some(2) && text.contains("line 1") && text.contains("`at`"), "{text}");
    let (code, text) = run(&["--level", "3"]);
    assert!(code == Some(2) && text.contains("cannot be used with"), "{text}");
}
