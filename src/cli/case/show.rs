//! Cases as people read them in a terminal.

use crate::case::sheet::{SheetField, Tick};
use crate::case::{CaseRecord, CaseState, Occasion};
use crate::cli::{Exit, Format, Outcome};
use crate::worker::desk::Desk;
use jiff::Timestamp;
use std::io::Write;

pub(crate) fn list(
    mut cases: Vec<CaseRecord>,
    all: bool,
    format: Format,
    shown: &dyn Fn(Timestamp) -> String,
    out: &mut impl Write,
) -> Outcome {
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
            "{}  {}{level}  {}  {}  {}  {}通  最新 {}",
            case.id,
            match case.occasion {
                Occasion::Real => "",
                Occasion::Drill => "【訓練】",
                Occasion::Check { .. } => "【到達確認】",
            },
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

pub(crate) fn show(case: &CaseRecord, format: Format, shown: &dyn Fn(Timestamp) -> String, out: &mut impl Write) -> Outcome {
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
    if let Some(judgement) = &case.judgement {
        let kind = judgement.mistake.map(|mistake| format!("・誤検知({})", mistake.name())).unwrap_or_default();
        writeln!(out, "判断  {}{kind}  {} {}  {}", judgement.finding.name(), judgement.by, shown(judgement.at), judgement.reason)?;
    }
    if let Some(second) = case.judgement.as_ref().and_then(|judgement| judgement.seconded.as_ref()) {
        writeln!(out, "      二人目  {second}")?;
    }
    if let Some(hold) = &case.hold {
        writeln!(out, "返信保留  {}から  {}", shown(hold.since), hold.reason)?;
    }
    for field in SheetField::ALL {
        if let Some(filled) = case.sheet.fields.get(&field) {
            writeln!(out, "{}  {}  ({} {})", field.name(), filled.text, filled.by, shown(filled.at))?;
        }
    }
    for tick in Tick::ALL {
        if let Some(taken) = case.sheet.ticks.get(&tick) {
            writeln!(out, "☑ {}  {} {}", tick.name(), taken.by, shown(taken.at))?;
        }
    }
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
        let together = match intent.held.filter(|_| intent.state.is_live()) {
            Some(at) => format!("  まとめて通知({})", shown(at)),
            None if intent.bundle.is_some() => "  まとめて通知".to_owned(),
            None => String::new(),
        };
        let (at, step, to) = (shown(intent.due_at), intent.step.id(), &intent.to);
        writeln!(out, "  {at}  {step}  {}  {}  {:?}{together}", to.name, to.channel, intent.state)?;
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

pub(crate) async fn history(
    desk: &Desk,
    case: &CaseRecord,
    format: Format,
    shown: &dyn Fn(Timestamp) -> String,
    out: &mut impl Write,
) -> Outcome {
    for entry in desk.history(case).await? {
        if format == Format::Json {
            writeln!(out, "{entry}")?;
            continue;
        }
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let at = text("at").parse().map(shown).unwrap_or_default();
        writeln!(out, "{:>5}  {at}  {}  {}  {}", entry["n"], text("event"), text("by"), text("detail"))?;
    }
    Ok(Exit::Done)
}
