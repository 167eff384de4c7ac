//! `person disable`: somebody left.

use crate::app;
use crate::cli::{Common, Exit, Failure, Outcome, desk};
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
}

/// Runs the verb.
pub fn run(verb: &PersonVerb, common: &Common, out: &mut impl Write) -> Outcome {
    app::small_runtime().map_err(Failure::later)?.block_on(async {
        let policy = crate::cli::load::prepared(common)?.policy;
        let desk = desk::open(common).await?;
        match verb {
            PersonVerb::List => {
                for (id, leaver) in Leavers::read(&*desk.store).await?.people {
                    let instead = leaver.substitute.map(|id| format!("  代わり {}", policy.name_of(&id))).unwrap_or_default();
                    writeln!(out, "{id}  {}  {}  {}{instead}", policy.name_of(&id), leaver.by, leaver.reason)?;
                }
                Ok(Exit::Done)
            }
            PersonVerb::Disable { id, substitute, by, reason } => {
                let leaver = Leaver { substitute: substitute.clone(), by: by.clone(), reason: reason.clone(), at: Timestamp::now() };
                match desk.disable(&policy, id, leaver).await? {
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
