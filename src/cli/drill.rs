//! `drill` and `alert test`: does it reach people, and how fast. Needs a running worker to send.

use crate::app;
use crate::case::{CaseRecord, Happening, Occasion};
use crate::cli::policy::track_called;
use crate::cli::{Common, Exit, Failure, Format, Outcome, desk};
use crate::model::ids::QueueName;
use crate::model::severity::Level;
use crate::worker::desk::{Desk, Found};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use std::io::Write;
use std::time::Duration;

/// Pause between two looks at the case.
const LOOK: Duration = Duration::from_millis(500);

/// `drill`
#[derive(Debug, Args)]
pub struct DrillArguments {
    /// Level whose ladder is climbed.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=4))]
    level: u8,
    /// Road: care, safety, harassment or consult.
    #[arg(long, default_value = "harassment")]
    track: String,
    /// Queue.
    #[arg(long, default_value = "default")]
    queue: String,
    /// Who orders the drill.
    #[arg(long)]
    by: String,
    /// Minutes to wait for the acknowledgements; then the table is printed. 0: do not wait.
    #[arg(long, default_value_t = 0)]
    wait_minutes: u64,
}

/// Verbs of `alert`.
#[derive(Debug, Subcommand)]
pub enum AlertVerb {
    /// 【到達確認】 Tell people once over every channel they have; lists who did not confirm.
    Test {
        /// Key of a person, or `all`.
        #[arg(long, default_value = "all")]
        to: Vec<String>,
        /// Who orders the test.
        #[arg(long)]
        by: String,
        /// Minutes to wait for confirmations; then the table is printed. 0: do not wait.
        #[arg(long, default_value_t = 0)]
        wait_minutes: u64,
    },
}

/// Runs `drill`.
pub fn run(arguments: &DrillArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let level = Level::try_from(arguments.level).map_err(|_| Failure::refused("level 2, 3 or 4"))?;
    let queue = QueueName::new(&arguments.queue).map_err(|why| Failure::refused(why.to_string()))?;
    let track = track_called(&arguments.track)?;
    app::small_runtime().map_err(Failure::later)?.block_on(async {
        let desk = desk::open(common).await?;
        let case = desk.drill(track, level, &queue, &arguments.by).await?;
        watch(&desk, case, arguments.wait_minutes, common.format, out).await
    })
}

/// Runs `alert`.
pub fn alert(verb: &AlertVerb, common: &Common, out: &mut impl Write) -> Outcome {
    let AlertVerb::Test { to, by, wait_minutes } = verb;
    app::small_runtime().map_err(Failure::later)?.block_on(async {
        let desk = desk::open(common).await?;
        let policy = desk.policy();
        let people: Vec<String> = to.iter().filter(|id| *id != "all").cloned().collect();
        if let Some(unknown) = people.iter().find(|id| policy.person(id).is_none()) {
            return Err(Failure::refused(format!("nobody in the policy has the key `{unknown}`")));
        }
        let case = desk.check_reach(&people, by).await?;
        watch(&desk, case, *wait_minutes, common.format, out).await
    })
}

/// Waits until everybody who is needed has acknowledged, or the time is up, and tells how it went.
async fn watch(desk: &Desk, case: CaseRecord, minutes: u64, format: Format, out: &mut impl Write) -> Outcome {
    if minutes == 0 {
        writeln!(out, "{} を作りました。経過: mimamori case show {}", case.id, case.id)?;
        return Ok(Exit::Done);
    }
    let end = std::time::Instant::now() + Duration::from_secs(minutes * 60);
    let mut now = case;
    while now.state == crate::case::CaseState::Open && std::time::Instant::now() < end {
        tokio::time::sleep(LOOK).await;
        if let Found::One(found) = desk.find(now.id.as_str()).await? {
            now = *found;
        }
    }
    tell(&now, format, out, &|slot| desk.policy().name_of(slot).to_owned(), &now.slots(&desk.policy()))?;
    Ok(if now.state == crate::case::CaseState::Open { Exit::SomeFailed } else { Exit::Done })
}

fn tell(case: &CaseRecord, format: Format, out: &mut impl Write, name: &dyn Fn(&str) -> String, slots: &[String]) -> std::io::Result<()> {
    let seconds = |at: Timestamp| at.duration_since(case.opened_at).as_secs_f64().max(0.0);
    let is_answer = |what: Happening| matches!(what, Happening::Acknowledged | Happening::PartlyAcknowledged);
    let answers: Vec<(&str, f64)> =
        case.events.iter().filter(|event| is_answer(event.what)).map(|event| (event.by.as_str(), seconds(event.at))).collect();
    let sent = case.intents.iter().filter(|intent| intent.state.is_sent()).count();
    let missing: Vec<String> = if case.state == crate::case::CaseState::Open {
        slots.iter().filter(|slot| !case.taken.contains_key(*slot)).map(|slot| name(slot)).collect()
    } else {
        vec![]
    };
    if format == Format::Json {
        let answers: Vec<_> = answers.iter().map(|(by, seconds)| json!({ "by": by, "seconds": seconds })).collect();
        return writeln!(out, "{}", json!({ "case": case.id, "sent": sent, "acknowledged": answers, "missing": missing }));
    }
    writeln!(out, "{} 通知{sent}件", case.id)?;
    for (by, seconds) in &answers {
        writeln!(out, "  受領  {by}  {seconds:.1}秒")?;
    }
    for name in &missing {
        writeln!(out, "  未確認  {name}")?;
    }
    let is_check = matches!(case.occasion, Occasion::Check { .. });
    if answers.is_empty() && missing.is_empty() {
        writeln!(out, "  {}", if is_check { "確認はまだありません" } else { "だれも受領していません" })?;
    }
    Ok(())
}
