//! `policy check|simulate`: is the policy sound, and who would be told, how, when, why.

use crate::app::{self, Faults};
use crate::cli::{Common, Exit, Failure, Format, Outcome, load};
use crate::diag;
use crate::model::message::Channel;
use crate::model::severity::{Category, Level};
use crate::policy::route::customer_key;
use crate::policy::timeline::{Acknowledging, Row, timeline};
use crate::policy::{Facts, Policy, Track};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

mod traffic;

/// Longest time a simulation looks ahead, in minutes: a week.
const MINUTES_MAX: i64 = 7 * 24 * 60;

/// Minutes after which people in a forecast take what they are told of, where nothing else is said: a month in which nobody ever
/// answers says nothing about a month.
const ANSWER_MINUTES: u64 = 5;

/// Verbs of `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Read the policy, run its own tests, print every fault at once.
    Check {
        /// The file; else the configured one.
        file: Option<PathBuf>,
        /// List every stretch until the end of this day in which a step of a ladder would reach nobody.
        #[arg(long, value_name = "DATE")]
        until: Option<Date>,
    },
    /// Print who would be told of a case, how, when and why; nobody is told.
    Simulate(Box<SimulateArguments>),
}

/// Arguments of `policy simulate`.
#[derive(Debug, Args)]
pub struct SimulateArguments {
    /// When the case is opened, RFC 3339.
    #[arg(long, required_unless_present = "traffic")]
    at: Option<Timestamp>,
    /// Instead of one case, messages of the past (JSON Lines with `at`, raw mails): how many alerts each person would get, shift by shift.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["at", "level", "track", "categories", "tenant", "queue", "customer", "channel", "by", "ahead"])]
    traffic: Vec<PathBuf>,
    /// Its level.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=4))]
    level: u8,
    /// Its road: care, safety, harassment, consult or unchecked.
    #[arg(long, default_value = "harassment")]
    track: String,
    /// A category of it; may be given several times.
    #[arg(long = "category")]
    categories: Vec<String>,
    /// Tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Queue.
    #[arg(long)]
    queue: Option<String>,
    /// The customer, as messages name them.
    #[arg(long)]
    customer: Option<String>,
    /// Channel of the message: chat, email, phone, sns, letter or visit.
    #[arg(long)]
    channel: Option<String>,
    /// Nobody acknowledges (the default, but for traffic, where everybody takes what they are told of after 5 minutes).
    #[arg(long, conflicts_with = "ack_after")]
    no_ack: bool,
    /// Somebody acknowledges after so many minutes.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i64).range(0..=MINUTES_MAX))]
    ack_after: Option<i64>,
    /// Who does; needed where several roles must.
    #[arg(long, requires = "ack_after")]
    by: Option<String>,
    /// How far to look, in minutes.
    #[arg(long = "minutes", default_value_t = 60, value_parser = clap::value_parser!(i64).range(0..=MINUTES_MAX))]
    ahead: i64,
}

/// Runs the verb.
pub fn run(verb: &PolicyVerb, common: &Common, out: &mut impl Write) -> Outcome {
    match verb {
        PolicyVerb::Check { file, until } => check(file.as_ref(), *until, common, out),
        PolicyVerb::Simulate(arguments) if !arguments.traffic.is_empty() => {
            let minutes = arguments.ack_after.map_or(ANSWER_MINUTES, i64::unsigned_abs);
            let answers_after = (!arguments.no_ack).then(|| Duration::from_mins(minutes));
            traffic::run(&arguments.traffic, answers_after, common, out)
        }
        PolicyVerb::Simulate(arguments) => simulate(arguments, arguments.at.unwrap_or_default(), common, out),
    }
}

fn check(file: Option<&PathBuf>, until: Option<Date>, common: &Common, out: &mut impl Write) -> Outcome {
    let policy = match file {
        None => load::prepared(common)?.policy,
        Some(path) => {
            let mut faults = Faults::default();
            let policy = app::policy::read(path, None, &mut faults);
            let shown = diag::render(&faults.diagnostics, &faults.sources, false);
            let Some(policy) = policy else { return Err(Failure::refused(shown)) };
            if !faults.diagnostics.is_empty() {
                writeln!(out, "{shown}")?;
            }
            Arc::new(policy)
        }
    };
    writeln!(out, "対処方針に誤りはありません。版{} {}施行 {}", policy.version, policy.effective, policy.digest())?;
    writeln!(
        out,
        "  人 {}  班 {}  手段 {}  流れ {}",
        policy.people.len(),
        policy.teams.len(),
        policy.channels.len(),
        policy.ladders.len()
    )?;
    let Some(until) = until else { return Ok(Exit::Done) };
    let today = ZonedDateTime::new(Timestamp::now(), policy.time_zone.clone()).date();
    let holes = policy.unmanned(today, until);
    for hole in &holes {
        let (from, to) = (clock(hole.from, &policy), clock(hole.to, &policy));
        writeln!(out, "だれにも届かない時間: {from} から {to}  流れ `{}` の{}段目", hole.ladder, hole.rung + 1)?;
    }
    if let Some(end) = policy.rota_ends_at().filter(|end| ZonedDateTime::new(*end, policy.time_zone.clone()).date() < until) {
        writeln!(out, "当番表は {} で終わっています。", clock(end, &policy))?;
    }
    if holes.is_empty() {
        writeln!(out, "{until}まで、どの段にも受け取る人がいます。")?;
    }
    Ok(if holes.is_empty() { Exit::Done } else { Exit::SomeFailed })
}

fn facts(arguments: &SimulateArguments) -> Result<Facts, Failure> {
    let unknown = |what: &str, given: &str, known: Vec<&str>| {
        Failure::refused(format!("no {what} is called `{given}`; one of: {}", known.join(", ")))
    };
    let track = track_called(&arguments.track)?;
    let level = Level::try_from(arguments.level).map_err(|_| Failure::refused("levels are 0 to 4"))?;
    let mut facts = Facts::of(track, level);
    (facts.tenant, facts.queue) = (arguments.tenant.clone(), arguments.queue.clone());
    facts.customer = arguments.customer.as_deref().map(customer_key);
    if let Some(given) = &arguments.channel {
        let channel = Channel::ALL.into_iter().find(|channel| channel.id() == given);
        facts.channel = Some(channel.ok_or_else(|| unknown("channel", given, Channel::ALL.map(Channel::id).to_vec()))?);
    }
    for given in &arguments.categories {
        let ids = || Category::ALL.iter().map(|category| category.id()).collect();
        facts.categories.push(Category::parse(given).ok_or_else(|| unknown("category", given, ids()))?);
    }
    Ok(facts)
}

fn simulate(arguments: &SimulateArguments, at: Timestamp, common: &Common, out: &mut impl Write) -> Outcome {
    let policy = load::prepared(common)?.policy;
    let facts = facts(arguments)?;
    let later = |minutes: i64| at.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(Timestamp::MAX);
    let acknowledged: Vec<Acknowledging> =
        arguments.ack_after.map(|minutes| Acknowledging { at: later(minutes), by: arguments.by.clone() }).into_iter().collect();
    let rows = timeline(&policy, &facts, at, &acknowledged, later(arguments.ahead));
    if common.format == Format::Json {
        for row in &rows {
            writeln!(out, "{}", serde_json::to_string(row).map_err(std::io::Error::from)?)?;
        }
        return Ok(Exit::Done);
    }
    let ladder = policy.ladder_for(&facts);
    writeln!(out, "流れ `{}`  方針 版{}  {} レベル{}", ladder.id, policy.version, facts.track.name(), facts.level)?;
    if !ladder.acknowledge_by.is_empty() {
        let names: Vec<&str> = ladder.acknowledge_by.iter().map(|slot| policy.name_of(slot)).collect();
        writeln!(out, "受領が必要な担当: {}", names.join("、"))?;
    }
    let mut lines = vec![["時刻", "だれに", "手段", "宛先", "なぜ"].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| line(row, at, &policy)));
    table(&lines, out)?;
    if let Some(taken) = acknowledged.first() {
        writeln!(out, "{}に受領{}", clock(taken.at, &policy), taken.by.as_ref().map(|by| format!("({by})")).unwrap_or_default())?;
    }
    Ok(Exit::Done)
}

fn line(row: &Row, opened: Timestamp, policy: &Policy) -> [String; 5] {
    let minutes = row.at.duration_since(opened).as_mins();
    let why = match (row.is_final, row.is_repeat) {
        (_, false) if row.rung == 1 => "発生".to_owned(),
        (true, false) => format!("{minutes}分 受領なし(以後くり返し)"),
        (_, true) => format!("{minutes}分 受領なし・再通知"),
        (false, false) => format!("{minutes}分 受領なし・{}段目", row.rung),
    };
    let why = if row.skipped.is_empty() { why } else { format!("{why}  対象外: {}", row.skipped.join("、")) };
    let (how, address) = if row.is_listed { ("一覧", "(次の定時)") } else { (row.to.channel.as_str(), row.to.address.as_str()) };
    [clock(row.at, policy), row.to.name.clone(), how.to_owned(), address.to_owned(), why]
}

fn clock(at: Timestamp, policy: &Policy) -> String {
    ZonedDateTime::new(at, policy.time_zone.clone()).strftime("%m-%d %H:%M").to_string()
}

/// Columns side by side, full-width characters counted as two.
fn table<const COLUMNS: usize>(lines: &[[String; COLUMNS]], out: &mut impl Write) -> std::io::Result<()> {
    let width = |column: usize| lines.iter().map(|line| line[column].width()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    for line in lines {
        let padded = line.iter().zip(widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width()))));
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// The track of that id.
pub(crate) fn track_called(id: &str) -> Result<Track, Failure> {
    let unknown = || Failure::refused(format!("no track is called `{id}`: {}", Track::ALL.map(Track::id).join(", ")));
    Track::ALL.into_iter().find(|track| track.id() == id).ok_or_else(unknown)
}
