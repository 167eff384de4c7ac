//! `case list|show|ack|pass|judge|note|close`: what supervisors do without the console.

use crate::app;
use crate::case::people::Taking;
use crate::case::{CaseRecord, Finding};
use crate::cli::{Common, Exit, Failure, Outcome, load};
use crate::policy::Policy;
use crate::store::Store;
use crate::store::record::{self, Change};
use crate::worker::enroll::{case_key, read_cases};
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use std::io::Write;

mod show;

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
    /// Ask that somebody else takes it: no reason needed, the next rung is told at once.
    Pass {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
        /// Your name.
        #[arg(long)]
        by: String,
    },
    /// Record what a person found; the machine's level stays beside it.
    Judge {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
        /// Your name.
        #[arg(long)]
        by: String,
        /// The finding.
        #[arg(long, value_enum)]
        finding: FindingArgument,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Put something on record.
    Note {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
        /// Your name.
        #[arg(long)]
        by: String,
        /// What.
        #[arg(long)]
        text: String,
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

/// Findings as they are typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FindingArgument {
    /// 該当
    #[value(alias = "該当")]
    Applies,
    /// 非該当
    #[value(alias = "非該当")]
    DoesNotApply,
    /// 判断保留
    #[value(alias = "判断保留")]
    Undecided,
}

impl From<FindingArgument> for Finding {
    fn from(argument: FindingArgument) -> Self {
        match argument {
            FindingArgument::Applies => Self::Applies,
            FindingArgument::DoesNotApply => Self::DoesNotApply,
            FindingArgument::Undecided => Self::Undecided,
        }
    }
}

/// Runs the verb.
pub fn run(verb: &CaseVerb, common: &Common, out: &mut impl Write) -> Outcome {
    let loaded = load::prepared(common)?;
    let policy = &*loaded.policy;
    let zone = policy.time_zone.clone();
    let runtime = app::small_runtime().map_err(Failure::later)?;
    runtime.block_on(async {
        let backend = app::open_backend(&loaded.settings).map_err(Failure::later)?;
        let store = &*backend.store;
        let cases = read_cases(store).await?;
        let shown = |at: Timestamp| jiff::ZonedDateTime::new(at, zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let now = Timestamp::now();
        match verb {
            CaseVerb::List { all } => show::list(cases, *all, common.format, &shown, out),
            CaseVerb::Show { id } => show::show(find(&cases, id)?, common.format, &shown, out),
            CaseVerb::Ack { id, by } => {
                let (by, case) = (name(by)?, find(&cases, id)?);
                let taking = change(store, case, |case| with_change(case.acknowledge(by, policy, now))).await?;
                told(out, case, &taking_line(&taking.unwrap_or(Taking::Unchanged), by, policy))
            }
            CaseVerb::Pass { id, by } => {
                let (by, case) = (name(by)?, find(&cases, id)?);
                let done = change(store, case, |case| case.hand_over(by, policy, now).then_some(())).await?;
                told(out, case, &done.map(|()| "次の担当へ通知します".to_owned()).ok_or_else(closed))
            }
            CaseVerb::Judge { id, by, finding, reason } => {
                let (by, reason, case) = (name(by)?, name(reason)?, find(&cases, id)?);
                let finding = Finding::from(*finding);
                let done = change(store, case, |case| case.judge(finding, by, reason, policy, now).then_some(())).await?;
                told(out, case, &done.map(|()| format!("判断: {}({by})", finding.name())).ok_or_else(closed))
            }
            CaseVerb::Note { id, by, text } => {
                let (by, text, case) = (name(by)?, name(text)?, find(&cases, id)?);
                let remark = |case: &mut CaseRecord| {
                    case.remark(by, text, policy, now);
                    Some(())
                };
                change(store, case, remark).await?;
                told(out, case, &Ok(format!("記録しました({by})")))
            }
            CaseVerb::Close { id, by, reason } => {
                let (by, reason, case) = (name(by)?, name(reason)?, find(&cases, id)?);
                let done = change(store, case, |case| case.close(by, reason, now).then_some(())).await?;
                told(out, case, &done.map(|()| format!("終了: {by}({reason})")).ok_or_else(closed))
            }
        }
    })
}

fn closed() -> String {
    "変わりません(終了済みです)".to_owned()
}

fn told(out: &mut impl Write, case: &CaseRecord, line: &Result<String, String>) -> Outcome {
    let (Ok(text) | Err(text)) = line;
    writeln!(out, "{} {text}", case.id)?;
    Ok(if line.is_ok() { Exit::Done } else { Exit::SomeFailed })
}

fn with_change(taking: Taking) -> Option<Taking> {
    (taking.is_new() || matches!(taking, Taking::NotTheirs { .. })).then_some(taking)
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

/// Changes the stored case; nothing is written where `act` says nothing.
async fn change<R: Send>(
    store: &dyn Store,
    case: &CaseRecord,
    act: impl Fn(&mut CaseRecord) -> Option<R> + Send + Sync,
) -> Result<Option<R>, Failure> {
    let key = case_key(&case.scope, case.generation);
    let done = record::change::<CaseRecord, Option<R>>(store, &key, |case| {
        let Some(mut case) = case else { return Change::Keep(None) };
        let before = case.clone();
        match act(&mut case) {
            Some(done) if case != before => Change::Write(case, Some(done)),
            other => Change::Keep(other),
        }
    })
    .await?;
    Ok(done)
}
