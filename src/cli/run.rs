//! `run`: the worker, until a signal.

use crate::app::{self, Ending};
use crate::cli::{Common, Exit, Failure, Outcome, load};
use clap::Args;

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {}

/// Runs the verb.
pub fn run(_: &RunArguments, common: &Common) -> Outcome {
    let loaded = load::loaded(common)?;
    app::init_logging(&loaded.prepared.settings.log);
    match app::run(loaded) {
        Ok(Ending::Orderly) => Ok(Exit::Done),
        Ok(Ending::Hurried) => Ok(Exit::SomeFailed),
        Err(reason) => Err(Failure::later(format!("{reason:#}"))),
    }
}
