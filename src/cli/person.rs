//! `person disable|list|link`: somebody left; an operator gets their own way to ask for help.

use crate::app;
use crate::case::pass::{OPERATOR_CHARS_MAX, Pass};
use crate::cli::{Common, Exit, Failure, Outcome, desk};
use crate::config::settings::Settings;
use crate::model::ids::{QueueName, Tenant};
use crate::worker::desk::Desk;
use crate::worker::staff::{Leaver, Leavers, Leaving};
use clap::Subcommand;
use jiff::Timestamp;
use std::io::Write;

/// Verbs of `person`.
#[derive(Debug, Subcommand)]
pub enum PersonVerb {
    /// Tell this person nothing any more, from now on: links die, cases they had are told to others. The history keeps the name.
    Disable {
        /// Key of the person in the policy.
        id: String,
        /// Key of whoever is told instead; needed where a step would reach nobody else.
        #[arg(long)]
        substitute: Option<String>,
        /// Your name.
        #[arg(long)]
        by: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Who is disabled.
    List,
    /// Print the personal address of the page on which an operator asks for help; good for 30 days.
    Link {
        /// The operator, as the company calls them.
        #[arg(long)]
        operator: String,
        /// Tenant.
        #[arg(long, default_value = "default", value_parser = Tenant::new)]
        tenant: Tenant,
        /// Queue on which they work.
        #[arg(long, default_value = "default", value_parser = QueueName::new)]
        queue: QueueName,
        /// Give out none, and end all that this operator has been given so far.
        #[arg(long)]
        revoke: bool,
    },
}

/// Runs the verb.
pub fn run(verb: &PersonVerb, common: &Common, out: &mut impl Write) -> Outcome {
    app::small_runtime().map_err(Failure::later)?.block_on(async {
        let prepared = crate::cli::load::prepared(common)?;
        let policy = &prepared.policy;
        let desk = desk::open(common).await?;
        match verb {
            PersonVerb::List => {
                for (id, leaver) in Leavers::read(&*desk.store).await?.people {
                    let instead = leaver.substitute.map(|id| format!("  代わり {}", policy.name_of(&id))).unwrap_or_default();
                    writeln!(out, "{id}  {}  {}  {}{instead}", policy.name_of(&id), leaver.by, leaver.reason)?;
                }
                Ok(Exit::Done)
            }
            PersonVerb::Link { operator, tenant, queue, revoke } => {
                let wrong = || Failure::refused(format!("`--operator` must be 1 to {OPERATOR_CHARS_MAX} characters"));
                let pass = Pass::new(operator, tenant.clone(), queue.clone(), Timestamp::now()).ok_or_else(wrong)?;
                link(&pass, *revoke, &desk, &prepared.settings, out).await
            }
            PersonVerb::Disable { id, substitute, by, reason } => {
                let leaver = Leaver { substitute: substitute.clone(), by: by.clone(), reason: reason.clone(), at: Timestamp::now() };
                match desk.disable(policy, id, leaver).await? {
                    Leaving::Unknown(name) => Err(Failure::refused(format!("nobody in the policy has the key `{name}`"))),
                    Leaving::Refused { holes } => {
                        let hint = "代わりの人を --substitute で指定してください";
                        Err(Failure { exit: Exit::SomeFailed, message: format!("{}\n{hint}", holes.join("\n")) })
                    }
                    Leaving::Done { cases, holes } => {
                        writeln!(out, "{} への通知を止めました", policy.name_of(id))?;
                        for case in cases {
                            writeln!(out, "  {case} は次の担当へ通知します")?;
                        }
                        for hole in holes {
                            writeln!(out, "  注意: {hole}")?;
                        }
                        Ok(Exit::Done)
                    }
                }
            }
        }
    })
}

/// Gives out a link, or ends those that were given out.
async fn link(pass: &Pass, revoke: bool, desk: &Desk, settings: &Settings, out: &mut impl Write) -> Outcome {
    let now = Timestamp::now();
    if revoke {
        desk.call_back_links(&pass.tenant, &pass.operator, now).await?;
        writeln!(out, "{} に渡したリンクは、もう使えません", pass.operator)?;
        return Ok(Exit::Done);
    }
    let base = settings.ack.base_url.clone().unwrap_or_else(|| format!("http://{}", settings.intake.http.listen));
    writeln!(out, "{base}/flag/{}", desk.give_link(pass, now).await?)?;
    Ok(Exit::Done)
}
