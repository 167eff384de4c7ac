//! `policy simulate --traffic`: how much this policy would ask of whom, from messages of the past.

use crate::case::CaseMessage;
use crate::case::forecast::{Forecast, Told};
use crate::case::summary::Summary;
use crate::case::transitions::Joining;
use crate::cli::input::{self, InputLine};
use crate::cli::load::{self, Memory};
use crate::cli::policy::table;
use crate::cli::{Common, Exit, Failure, Format, Outcome};
use crate::decode::line::{self, Line};
use crate::model::digest::Digest;
use crate::model::message::Message;
use crate::policy::Policy;
use crate::policy::route::customer_key;
use crate::worker::Engines;
use jiff::civil::Date;
use jiff::{Timestamp, ZonedDateTime};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most messages of one forecast: they are held in memory, because they must be in order of time.
const MESSAGES_MAX: usize = 200_000;

/// How long after the last message the forecast goes on: a ladder without an answer has said all it says by then.
const AFTER: Duration = Duration::from_hours(1);

/// What one person would get in one kind of shift.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Load {
    person: String,
    /// Clock times of the shift, or how the hours of those without a rota are called.
    shift: String,
    /// Shifts of that kind in the time of the traffic.
    shifts: usize,
    /// Alerts.
    alerts: usize,
    /// Of these, those that nobody may sleep through.
    urgent: usize,
    /// Of these, those that leave together in a list because too many came at once.
    bundled: usize,
    /// In the mean shift.
    mean: f64,
    /// In the worst shift.
    most: usize,
}

/// Runs the verb.
pub(crate) fn run(files: &[PathBuf], answers_after: Option<Duration>, common: &Common, out: &mut impl Write) -> Outcome {
    let loaded = load::loaded(common)?;
    let policy = &loaded.prepared.policy;
    let messages = read(files, common)?;
    let (Some(first), Some(last)) = (messages.first().map(|(at, _)| *at), messages.last().map(|(at, _)| *at)) else {
        return Err(Failure::refused("there is no message"));
    };
    let mut forecast = Forecast::new(policy, answers_after);
    let mut memory = Memory::new(loaded.prepared.settings.ledger);
    let (mut inbound, mut flagged) = (0, 0);
    for (number, (at, mut message)) in messages.into_iter().enumerate() {
        let engine = loaded.profiles.engine(&message.tenant, &message.queue);
        let identity = format!("{number:08}");
        let Some((verdict, assessment)) = memory.judge(&engine, &mut message, &identity, at) else { continue };
        inbound += 1;
        let decision = policy.decide(&verdict, assessment.level);
        if decision.tracks.is_empty() {
            continue;
        }
        flagged += 1;
        let level = verdict.level.max(assessment.level);
        let evidence = Digest::of(identity.as_bytes());
        let member = CaseMessage { identity, id: message.id.clone(), level, channel: message.channel, received_at: at, evidence };
        let summary = Summary { level, ..Summary::default() };
        let mut categories = verdict.categories;
        categories.extend(assessment.categories);
        let joining = Joining {
            categories,
            lanes: verdict.lanes,
            customer: message.customer.as_ref().map(|customer| customer_key(customer.as_str())),
            ..Joining::new(member, decision.tracks.iter().map(|track| (*track, summary.clone())).collect())
        };
        forecast.join(&message.tenant, &message.queue, &message.conversation_key(), &joining);
    }
    let outlook = forecast.finish(last.saturating_add(AFTER).unwrap_or(last));
    let rows = loads(&outlook.told, first, last, policy);
    show(
        &Report {
            answers_after_minutes: answers_after.map(|pause| pause.as_secs() / 60),
            messages: inbound,
            flagged,
            cases: outlook.cases,
            listed: outlook.listed,
            from: first,
            to: last,
            people: rows,
        },
        policy,
        common.format,
        out,
    )
}

/// What the forecast says.
#[derive(Debug, Serialize)]
struct Report {
    answers_after_minutes: Option<u64>,
    messages: usize,
    flagged: usize,
    cases: u64,
    listed: u64,
    from: Timestamp,
    to: Timestamp,
    people: Vec<Load>,
}

/// Messages in order of time. Every message must say when it came.
fn read(files: &[PathBuf], common: &Common) -> Result<Vec<(Timestamp, Message)>, Failure> {
    let mut messages = vec![];
    for file in files {
        if input::is_mail(file) {
            let mut raw = vec![];
            input::open(file)?.read_to_end(&mut raw)?;
            let decoded = load::judge(common)?.decode_mail(raw);
            keep(&mut messages, decoded.map_err(|error| fault(file, 1, &error.message))?, file, 1)?;
            continue;
        }
        let (mut reader, mut number) = (input::open(file)?, 0);
        while let Some(line) = input::next_line(&mut *reader)? {
            number += 1;
            let InputLine::Text(bytes) = line else { return Err(fault(file, number, "the line is too long")) };
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let parsed = line::parse(&bytes, &format!("n-{number}")).map_err(|error| fault(file, number, &error.message))?;
            match parsed {
                Line::One(message) => keep(&mut messages, *message, file, number)?,
                Line::Conversation { messages: inner, .. } => {
                    inner.into_iter().try_for_each(|message| keep(&mut messages, message, file, number))?;
                }
            }
        }
    }
    messages.sort_by_key(|(at, _): &(Timestamp, Message)| *at);
    Ok(messages)
}

fn keep(messages: &mut Vec<(Timestamp, Message)>, message: Message, file: &Path, number: usize) -> Result<(), Failure> {
    let at = message.at.ok_or_else(|| fault(file, number, "there is no `at`: shifts cannot be told without the time"))?;
    if messages.len() == MESSAGES_MAX {
        return Err(Failure::refused(format!("more than {MESSAGES_MAX} messages: take a shorter stretch")));
    }
    messages.push((at, message));
    Ok(())
}

fn fault(file: &Path, number: usize, what: &str) -> Failure {
    Failure::refused(format!("{}, line {number}: {what}", file.display()))
}

/// Alerts by person and kind of shift.
fn loads(told: &[Told], first: Timestamp, last: Timestamp, policy: &Policy) -> Vec<Load> {
    let mut by_shift: BTreeMap<(&str, String), BTreeMap<Date, Vec<&Told>>> = BTreeMap::new();
    for one in told {
        let (kind, day) = shift(&one.to.person, one.at, policy);
        by_shift.entry((&one.to.person, kind)).or_default().entry(day).or_default().push(one);
    }
    let row = |((person, kind), days): ((&str, String), BTreeMap<Date, Vec<&Told>>)| {
        let all = || days.values().flatten();
        let shifts = count(person, &kind, first, last, policy).max(days.len());
        #[allow(clippy::cast_precision_loss)] // at most a few million
        let mean = all().count() as f64 / shifts as f64;
        Load {
            person: policy.name_of(person).to_owned(),
            shift: kind,
            shifts,
            alerts: all().count(),
            urgent: all().filter(|one| one.is_urgent).count(),
            bundled: all().filter(|one| one.is_bundled).count(),
            mean,
            most: days.values().map(Vec::len).max().unwrap_or(0),
        }
    };
    by_shift.into_iter().map(row).collect()
}

/// The shift of a person at a moment, and the day on which it begins. Those without a rota have the policy's hours.
fn shift(person: &str, at: Timestamp, policy: &Policy) -> (String, Date) {
    let theirs = policy.overrides.shifts_of(person).chain(policy.rota.shifts_of(person)).find(|shift| shift.covers(at));
    if let Some(shift) = theirs {
        return (clock(shift.from, shift.to, policy), local(shift.from, policy).date());
    }
    let open = policy.hours.first().map(|hours| hours.is_open(at, &policy.calendar, &policy.time_zone));
    let kind = match open {
        Some(true) => "受付時間内",
        Some(false) => "受付時間外",
        None => "終日",
    };
    (kind.to_owned(), local(at, policy).date())
}

/// Shifts of that kind in the time of the traffic.
fn count(person: &str, kind: &str, first: Timestamp, last: Timestamp, policy: &Policy) -> usize {
    let theirs = policy.overrides.shifts_of(person).chain(policy.rota.shifts_of(person));
    let of_kind = theirs.filter(|shift| shift.from <= last && first < shift.to && clock(shift.from, shift.to, policy) == kind);
    let days: BTreeSet<Date> = of_kind.map(|shift| local(shift.from, policy).date()).collect();
    if !days.is_empty() {
        return days.len();
    }
    let days = local(first, policy).date().until(local(last, policy).date()).map_or(0, |span| span.get_days());
    usize::try_from(days).unwrap_or(0) + 1
}

fn clock(from: Timestamp, to: Timestamp, policy: &Policy) -> String {
    format!("{}–{}", local(from, policy).strftime("%H:%M"), local(to, policy).strftime("%H:%M"))
}

fn local(at: Timestamp, policy: &Policy) -> ZonedDateTime {
    ZonedDateTime::new(at, policy.time_zone.clone())
}

fn show(report: &Report, policy: &Policy, format: Format, out: &mut impl Write) -> Outcome {
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string(report).map_err(std::io::Error::from)?)?;
        return Ok(Exit::Done);
    }
    let day = |at: Timestamp| local(at, policy).date();
    writeln!(out, "{} から {}  受信 {}通  要対応 {}通", day(report.from), day(report.to), report.messages, report.flagged)?;
    writeln!(out, "事案 {}件(うち、はじめは一覧のみ {}件)  方針 版{}", report.cases, report.listed, policy.version)?;
    let head = ["だれに", "当番", "回数", "通知", "うち至急", "うち一覧へ", "1回あたり", "最も多い回"].map(str::to_owned);
    let row = |load: &Load| {
        let counts = [load.shifts, load.alerts, load.urgent, load.bundled].map(|count| count.to_string());
        let [shifts, alerts, urgent, bundled] = counts;
        [load.person.clone(), load.shift.clone(), shifts, alerts, urgent, bundled, format!("{:.1}", load.mean), load.most.to_string()]
    };
    let lines: Vec<[String; 8]> = std::iter::once(head).chain(report.people.iter().map(row)).collect();
    table(&lines, out)?;
    match report.answers_after_minutes {
        Some(minutes) => writeln!(out, "受領は通知の{minutes}分後とみなしています。")?,
        None => writeln!(out, "だれも受領しないものとしています。")?,
    }
    writeln!(out, "辞書・方針・当番表は今のもの。担当者の申出、閲覧の上限、同文多数は数えていません。")?;
    Ok(Exit::Done)
}
