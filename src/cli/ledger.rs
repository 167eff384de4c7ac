//! `ledger forget|forgotten`: a named person takes what a customer or a conversation is remembered by out of the judgement.

use crate::app;
use crate::cli::{Common, Exit, Failure, Format, Outcome, desk};
use crate::model::ids::Tenant;
use crate::worker::weight::{Forgotten, Whose};
use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use std::io::Write;

/// Verbs of `ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerVerb {
    /// Forget what earlier messages count for: later ones are judged as if they were the first. Cases and originals stay.
    Forget(ForgetArguments),
    /// What was forgotten, newest first: when, by whom, why.
    Forgotten,
}

/// `ledger forget`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("whose").required(true)))]
pub struct ForgetArguments {
    /// The customer, as messages name them: over all conversations and channels. What a single conversation remembers, stays.
    #[arg(long, group = "whose")]
    customer: Option<String>,
    /// The conversation, as your system names it.
    #[arg(long, group = "whose")]
    conversation: Option<String>,
    /// Tenant.
    #[arg(long, default_value = "default", value_parser = Tenant::new)]
    tenant: Tenant,
    /// Your name.
    #[arg(long)]
    by: String,
    /// Why.
    #[arg(long)]
    reason: String,
}

/// Runs the verb.
pub fn run(verb: &LedgerVerb, common: &Common, out: &mut impl Write) -> Outcome {
    app::small_runtime().map_err(Failure::later)?.block_on(async {
        let desk = desk::open(common).await?;
        match verb {
            LedgerVerb::Forget(arguments) => {
                let (by, reason) = (arguments.by.trim(), arguments.reason.trim());
                if by.is_empty() || reason.is_empty() {
                    return Err(Failure::refused("a name or reason must not be empty"));
                }
                let whose = match (&arguments.customer, &arguments.conversation) {
                    (Some(customer), _) => Whose::Customer(customer),
                    (None, conversation) => Whose::Conversation(conversation.as_deref().unwrap_or_default()),
                };
                let Some(done) = desk.forget(&arguments.tenant, whose, by, reason).await? else {
                    writeln!(out, "覚えているものはありません")?;
                    return Ok(Exit::SomeFailed);
                };
                writeln!(out, "{}通分の経過を消しました({by})。事案と原本は残ります", done.messages)?;
                Ok(Exit::Done)
            }
            LedgerVerb::Forgotten => {
                let zone = desk.policy().time_zone.clone();
                let shown = |at: Timestamp| jiff::ZonedDateTime::new(at, zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
                list(&desk.forgotten().await?, common.format, &shown, out)
            }
        }
    })
}

fn list(all: &[Forgotten], format: Format, shown: &dyn Fn(Timestamp) -> String, out: &mut impl Write) -> Outcome {
    for one in all {
        if format == Format::Json {
            writeln!(out, "{}", serde_json::to_string(one).map_err(std::io::Error::from)?)?;
            continue;
        }
        let whose = if one.whose == "customer" { "お客さま" } else { "会話" };
        let ledger = one.ledger.get(..8).unwrap_or(&one.ledger);
        writeln!(out, "{}  {}  {whose} {ledger}…  {}通  {}  {}", shown(one.at), one.tenant, one.messages, one.by, one.reason)?;
    }
    if all.is_empty() && format == Format::Text {
        writeln!(out, "消した経過はありません。")?;
    }
    Ok(Exit::Done)
}
