//! `init`: creates what the backend needs. For JetStream this is the one verb that needs rights to create streams.

use crate::app;
use crate::cli::{Common, Exit, Failure, Outcome, load};
use std::io::Write;

/// Runs the verb.
pub fn run(common: &Common, out: &mut impl Write) -> Outcome {
    let prepared = load::prepared(common)?;
    let runtime = app::small_runtime().map_err(Failure::later)?;
    for line in runtime.block_on(app::init_backend(&prepared.settings)).map_err(Failure::later)? {
        writeln!(out, "{line}")?;
    }
    Ok(Exit::Done)
}
