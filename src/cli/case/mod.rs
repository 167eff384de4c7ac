//! `case …`: what supervisors, operators and compliance do without the console.

use crate::app;
use crate::case::mistake::Mistake;
use crate::case::people::{Closing, Judging, Taking};
use crate::case::{CaseRecord, Finding};
use crate::cli::{Common, Exit, Failure, Outcome, desk};
use crate::edge::http::desk::{CaseDesk, DeskError, FlagKind, FlagRequest};
use crate::model::ids::CaseId;
use crate::policy::Policy;
use crate::worker::desk::{Desk, Found};
use crate::worker::enroll::read_cases;
use args::{Actor, FlagArguments, KindArgument};
use jiff::Timestamp;
use std::io::Write;

pub mod args;
mod export;
mod show;
mod silence;

pub use args::CaseVerb;

/// Runs the verb.
pub fn run(verb: &CaseVerb, common: &Common, out: &mut impl Write) -> Outcome {
    app::small_runtime().map_err(Failure::later)?.block_on(async {
        let desk = &desk::open(common).await?;
        let zone = desk.policy().time_zone.clone();
        let shown = |at: Timestamp| jiff::ZonedDateTime::new(at, zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        match verb {
            CaseVerb::List { all } => show::list(read_cases(&*desk.store).await?, *all, common.format, &shown, out),
            CaseVerb::Show { id, history: true } => show::history(desk, &find(desk, id).await?, common.format, &shown, out).await,
            CaseVerb::Show { id, history: false } => show::show(&find(desk, id).await?, common.format, &shown, out),
            CaseVerb::Flag(arguments) => flag(desk, arguments, out).await,
            CaseVerb::Silence(arguments) => silence::run(desk, arguments, common, &shown, out).await,
            CaseVerb::Export { id, sheet, out: file } => {
                export::run(desk, &find(desk, id).await?, *sheet, file.as_deref(), &shown, out).await
            }
            acting => act(desk, acting, out).await,
        }
    })
}

/// Verbs by which a named person changes one case.
async fn act(desk: &Desk, verb: &CaseVerb, out: &mut impl Write) -> Outcome {
    let (policy, now) = (desk.policy(), Timestamp::now());
    let policy = &*policy;
    let (CaseVerb::Ack(actor)
    | CaseVerb::Pass(actor)
    | CaseVerb::Judge { actor, .. }
    | CaseVerb::Note { actor, .. }
    | CaseVerb::Release { actor, .. }
    | CaseVerb::Set { actor, .. }
    | CaseVerb::Tick { actor, .. }
    | CaseVerb::Close { actor, .. }) = verb
    else {
        return Err(Failure::refused("not a verb of a person"));
    };
    let (by, case) = (named(actor)?, find(desk, &actor.id).await?);
    let line = match verb {
        CaseVerb::Ack(_) => {
            let taking = desk.act(&case, |case| Some(case.acknowledge(by, policy, now))).await?;
            taking_line(&taking.unwrap_or(Taking::Unchanged), by, policy)
        }
        CaseVerb::Pass(_) => {
            let done = desk.act(&case, |case| case.hand_over(by, policy, now).then_some(())).await?;
            done.map(|()| "次の担当へ通知します".to_owned()).ok_or_else(closed)
        }
        CaseVerb::Judge { finding, mistake, reason, .. } => {
            judge(desk, &case, Finding::from(*finding), mistake.map(Mistake::from), by, filled(reason)?).await?
        }
        CaseVerb::Note { text, .. } => {
            let text = filled(text)?;
            desk.act(&case, |case| {
                case.remark(by, text, policy, now);
                Some(())
            })
            .await?;
            Ok(format!("記録しました({by})"))
        }
        CaseVerb::Release { reason, .. } => {
            let reason = filled(reason)?;
            let done = desk.act(&case, |case| case.release(by, reason, now).then_some(())).await?;
            done.map(|()| format!("返信保留を解除しました({by})")).ok_or_else(|| "変わりません(保留していません)".to_owned())
        }
        CaseVerb::Set { .. } | CaseVerb::Tick { .. } => write_down(desk, verb, &case, by, now).await?,
        CaseVerb::Close { reason, .. } => {
            let reason = filled(reason)?;
            match desk.act(&case, |case| Some(case.close(by, reason, now))).await? {
                Some(Closing::Closed) => Ok(format!("終了: {by}({reason})")),
                Some(Closing::NeedsJudgement) => {
                    Err("変わりません(レベル4は、先に判断が必要です。非該当とするには二人の判断が必要です)".to_owned())
                }
                Some(Closing::Already) | None => Err(closed()),
            }
        }
        _ => Err(closed()),
    };
    told(out, &case, &line)
}

async fn judge(
    desk: &Desk,
    case: &CaseRecord,
    finding: Finding,
    mistake: Option<Mistake>,
    by: &str,
    reason: &str,
) -> Result<Result<String, String>, Failure> {
    if mistake.is_some() && finding != Finding::DoesNotApply {
        return Err(Failure::refused("--mistake says why it is none: it belongs to --finding 非該当"));
    }
    let (policy, now) = (desk.policy(), Timestamp::now());
    let judged = desk
        .act(case, |case| {
            let judging = case.judge_as(finding, mistake, by, reason, &policy, now);
            Some((judging, case.clone()))
        })
        .await?;
    let Some((judging, case)) = judged else { return Ok(Err(closed())) };
    desk.settle_weight(&case).await?;
    let kind = mistake.map(|mistake| format!("・誤検知({})", mistake.name())).unwrap_or_default();
    Ok(match judging {
        Judging::Stands => Ok(format!("判断: {}{kind}({by})", finding.name())),
        Judging::NeedsSecond => Ok(format!("判断: {}{kind}({by})。レベル4を下げるには、もう一人の同じ判断が必要です", finding.name())),
        Judging::Closed => Err(closed()),
    })
}

/// Fields and checklist of the emergency sheet.
async fn write_down(desk: &Desk, verb: &CaseVerb, case: &CaseRecord, by: &str, now: Timestamp) -> Result<Result<String, String>, Failure> {
    Ok(match verb {
        CaseVerb::Set { field, text, .. } => {
            let text = filled(text)?;
            desk.act(case, |case| {
                case.fill(field.0, text, by, now);
                Some(())
            })
            .await?;
            Ok(format!("{}: {text}({by})", field.0.name()))
        }
        CaseVerb::Tick { item, .. } => {
            let done = desk.act(case, |case| case.tick(item.0, by, now).then_some(())).await?;
            done.map(|()| format!("☑ {}({by})", item.0.name())).ok_or_else(|| format!("変わりません(☑ {} は済んでいます)", item.0.name()))
        }
        _ => Err(closed()),
    })
}

async fn flag(desk: &Desk, arguments: &FlagArguments, out: &mut impl Write) -> Outcome {
    let request = FlagRequest {
        id: None,
        conversation: arguments.conversation.clone(),
        customer: arguments.customer.clone(),
        tenant: arguments.tenant.clone(),
        queue: arguments.queue.clone(),
        channel: arguments.channel.clone(),
        operator: arguments.by.clone(),
        kind: match arguments.kind {
            KindArgument::Flag => FlagKind::Flag,
            KindArgument::SwapNow => FlagKind::SwapNow,
            KindArgument::OtherThanSupervisor => FlagKind::OtherThanSupervisor,
        },
        level: arguments.level,
        note: arguments.note.clone(),
    };
    match CaseDesk::flag(desk, request).await {
        Ok(view) => {
            writeln!(out, "{} 受け付けました({})", view.case, view.flag)?;
            Ok(Exit::Done)
        }
        Err(DeskError::Unavailable) => Err(Failure::later("the store is not available")),
        Err(error) => Err(Failure::refused(error.to_string())),
    }
}

fn closed() -> String {
    "変わりません(終了済みです)".to_owned()
}

fn told(out: &mut impl Write, case: &CaseRecord, line: &Result<String, String>) -> Outcome {
    let (Ok(text) | Err(text)) = line;
    writeln!(out, "{} {text}", case.id)?;
    Ok(if line.is_ok() { Exit::Done } else { Exit::SomeFailed })
}

fn taking_line(taking: &Taking, by: &str, policy: &Policy) -> Result<String, String> {
    let names = |missing: &[String]| missing.iter().map(|slot| policy.name_of(slot)).collect::<Vec<_>>().join("、");
    match taking {
        Taking::Whole => Ok(format!("受領: {by}")),
        Taking::Partly { missing } => Ok(format!("受領: {by}(ほかに受領が必要: {})", names(missing))),
        Taking::NotTheirs { missing } => {
            Err(format!("変わりません(この事案は担当ごとの受領が必要です。残り: {}。--by には対処方針にある名前を)", names(missing)))
        }
        Taking::Unchanged => Err("変わりません(終了済みか、すでに受領しています)".to_owned()),
    }
}

/// A decision needs a person with a name.
fn named(actor: &Actor) -> Result<&str, Failure> {
    filled(&actor.by)
}

fn filled(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    if text.is_empty() { Err(Failure::refused("a name or reason must not be empty")) } else { Ok(text) }
}

async fn find(desk: &Desk, id: &str) -> Result<CaseRecord, Failure> {
    let failed = |message: String| Failure { exit: Exit::SomeFailed, message };
    match desk.find(id).await? {
        Found::One(case) => Ok(*case),
        Found::None => Err(failed(format!("there is no case {id}; see `mimamori case list --all`"))),
        Found::Many(ids) => {
            let ids: Vec<&str> = ids.iter().map(CaseId::as_str).collect();
            Err(failed(format!("{id} is not clear: {}", ids.join(", "))))
        }
    }
}
