//! `watchdog`: looks at the worker from outside. Touches neither store nor broker.

use crate::app::{self, watchdog::Watchdog};
use crate::cli::{Common, Exit, Failure, Outcome, load};
use clap::Args;
use std::io::Write;

/// Arguments of `watchdog`.
#[derive(Debug, Args)]
pub struct WatchdogArguments {
    /// One look, for cron: exit 0 if all is well, 1 if not (whether people were told already or not), 2 if the configuration is refused.
    #[arg(long)]
    once: bool,
}

/// Runs the verb.
pub fn run(arguments: &WatchdogArguments, common: &Common, out: &mut impl Write) -> Outcome {
    let prepared = load::prepared(common)?;
    app::init_logging(&prepared.settings.log);
    let later = |error: anyhow::Error| Failure::later(format!("{error:#}"));
    let runtime = app::small_runtime().map_err(Failure::later)?;
    runtime.block_on(async {
        let mut watchdog = Watchdog::new(prepared).map_err(|error| Failure::refused(format!("{error:#}")))?;
        if arguments.once {
            let is_well = watchdog.look().await.map_err(later)?;
            writeln!(out, "{}", if is_well { "正常です" } else { "受信を確認できていません" })?;
            return Ok(if is_well { Exit::Done } else { Exit::SomeFailed });
        }
        watchdog.run().await.map_err(later)?;
        Ok(Exit::Done)
    })
}
