//! `case list|show|ack|close`: what supervisors do without the console.

use crate::app;
use crate::case::{CaseRecord, CaseState};
use crate::cli::{Common, Exit, Failure, Format, Outcome, load};
use crate::store::Store;
use crate::store::record::{self, Change};
use crate::worker::enroll::{case_key, read_cases};
use clap::Subcommand;
use jiff::Timestamp;
use std::io::Write;

/// Verbs of `case`.
#[derive(Debug, Subcommand)]
pub enum CaseVerb {
    /// Open and taken cases, gravest first.
    List {
        /// Closed ones too.
        #[arg(long)]
        all: bool,
    },
    /// One case: why, what was sent, what happened.
    Show {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
    },
    /// Take a case: nobody else is woken.
    Ack {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
        /// Your name.
        #[arg(long)]
        by: String,
    },
    /// Close a case: the next flagged message opens a new one.
    Close {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
        /// Your name.
        #[arg(long)]
        by: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Runs the verb.
pub fn run(verb: &CaseVerb, common: &Common, out: &mut impl Write) -> Outcome {
    let loaded = load::prepared(common)?;
    let zone = loaded.policy.time_zone.clone();
    let runtime = app::small_runtime().map_err(Failure::later)?;
    runtime.block_on(async {
        let backend = app::open_backend(&loaded.settings).map_err(Failure::later)?;
        let cases = read_cases(&*backend.store).await?;
        let shown = |at: Timestamp| jiff::ZonedDateTime::new(at, zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        match verb {
            CaseVerb::List { all } => list(cases, *all, common.format, &shown, out),
            CaseVerb::Show { id } => show(find(&cases, id)?, common.format, &shown, out),
            CaseVerb::Ack { id, by } => {
                let by = name(by)?;
                let case = find(&cases, id)?;
                let done = change(&*backend.store, case, |case| case.acknowledge(by, Timestamp::now())).await?;
                writeln!(
                    out,
                    "{} {}",
                    case.id,
                    if done {
                        format!("受領: {by}")
                    } else {
                        "変わりません(終了済みか、すでに受領しています)".to_owned()
                    }
                )?;
                Ok(if done { Exit::Done } else { Exit::SomeFailed })
            }
            CaseVerb::Close { id, by, reason } => {
                let (by, reason) = (name(by)?, name(reason)?);
                let case = find(&cases, id)?;
                let done = change(&*backend.store, case, |case| case.close(by, reason, Timestamp::now())).await?;
                writeln!(
                    out,
                    "{} {}",
                    case.id,
                    if done { format!("終了: {by}({reason})") } else { "変わりません(終了済みです)".to_owned() }
                )?;
                Ok(if done { Exit::Done } else { Exit::SomeFailed })
            }
        }
    })
}

/// A decision needs a person with a name.
fn name(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    if text.is_empty() { Err(Failure::refused("a name or reason must not be empty")) } else { Ok(text) }
}

fn find<'a>(cases: &'a [CaseRecord], id: &str) -> Result<&'a CaseRecord, Failure> {
    let wanted = id.to_uppercase();
    let found: Vec<&CaseRecord> = cases.iter().filter(|case| case.id.as_str().starts_with(&wanted)).collect();
    let failed = |message: String| Failure { exit: Exit::SomeFailed, message };
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(failed(format!("there is no case {id}; see `mimamori case list --all`"))),
        many => {
            let ids: Vec<&str> = many.iter().map(|case| case.id.as_str()).collect();
            Err(failed(format!("{id} is not clear: {}", ids.join(", "))))
        }
    }
}

async fn change(store: &dyn Store, case: &CaseRecord, act: impl Fn(&mut CaseRecord) -> bool + Send + Sync) -> Result<bool, Failure> {
    let key = case_key(&case.scope, case.generation);
    let done = record::change::<CaseRecord, bool>(store, &key, |case| {
        let Some(mut case) = case else { return Change::Keep(false) };
        if act(&mut case) { Change::Write(case, true) } else { Change::Keep(false) }
    })
    .await?;
    Ok(done)
}

fn list(mut cases: Vec<CaseRecord>, all: bool, format: Format, shown: &dyn Fn(Timestamp) -> String, out: &mut impl Write) -> Outcome {
    cases.retain(|case| all || !case.state.is_closed());
    cases.sort_by_key(|case| (case.state.is_closed(), case.tracks.first().copied(), std::cmp::Reverse(case.level), case.opened_at));
    for case in &cases {
        if format == Format::Json {
            writeln!(out, "{}", serde_json::to_string(case).map_err(std::io::Error::from)?)?;
            continue;
        }
        let tracks: Vec<&str> = case.tracks.iter().map(|track| track.name()).collect();
        let kinds: Vec<&str> = case.categories.iter().map(|category| category.name()).collect();
        let level = format!("{} {}", case.level, case.level.name());
        writeln!(
            out,
            "{}  {level}  {}  {}  {}  {}通  最新 {}",
            case.id,
            case.state.name(),
            tracks.join("+"),
            kinds.join("・"),
            case.message_count(),
            shown(case.last_at)
        )?;
    }
    if cases.is_empty() && format == Format::Text {
        writeln!(out, "事案はありません。")?;
    }
    Ok(Exit::Done)
}

fn show(case: &CaseRecord, format: Format, shown: &dyn Fn(Timestamp) -> String, out: &mut impl Write) -> Outcome {
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(case).map_err(std::io::Error::from)?)?;
        return Ok(Exit::Done);
    }
    let holder = match &case.state {
        CaseState::Open => String::new(),
        CaseState::Acknowledged { by, at } => format!("({by} {})", shown(*at)),
        CaseState::Closed { by, at, reason } => format!("({by} {} {reason})", shown(*at)),
    };
    writeln!(out, "{}  レベル{} {}  {}{holder}", case.id, case.level, case.level.name(), case.state.name())?;
    writeln!(out, "受信  {}通 {} 〜 {}  方針 版{}", case.message_count(), shown(case.opened_at), shown(case.last_at), case.policy_version)?;
    for (track, summary) in &case.summaries {
        writeln!(out, "\n[{}] {}", track.name(), summary.message_id)?;
        for reason in &summary.reasons {
            writeln!(out, "  レベル{} {}「{}」", reason.level, reason.entries.join(", "), reason.excerpt)?;
        }
        for line in &summary.hints.advice {
            writeln!(out, "  手引  {line}")?;
        }
        if !summary.hints.articles.is_empty() {
            writeln!(out, "  関連しうる条文  {}", summary.hints.articles.join("／"))?;
        }
    }
    writeln!(out, "\n通知")?;
    for intent in &case.intents {
        writeln!(out, "  {}  {}  {}  {:?}", shown(intent.due_at), intent.step.id(), intent.to.name, intent.state)?;
    }
    writeln!(out, "\n経過")?;
    for event in &case.events {
        writeln!(out, "  {}  {}  {}  {}", shown(event.at), event.what.name(), event.by, event.detail)?;
    }
    writeln!(out, "\n受信一覧(新しい{}通まで)", crate::case::MESSAGES_MAX)?;
    for message in &case.messages {
        writeln!(
            out,
            "  {}  レベル{}  {}  {}  原本 sha256:{}",
            shown(message.received_at),
            message.level,
            message.channel.name(),
            message.id,
            message.evidence
        )?;
    }
    Ok(Exit::Done)
}
