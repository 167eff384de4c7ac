//! `lexicon check|test`: the files compile; every `hit` hits and every `miss` misses.

use crate::app;
use crate::cli::train::{self, TrainArguments};
use crate::cli::{Common, Exit, Failure, Outcome};
use crate::diag::{self, Grave};
use crate::engine::Engine;
use crate::engine::lexicon::{Compiled, compile, examples};
use clap::Subcommand;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Verbs of `lexicon`.
#[derive(Debug, Subcommand)]
pub enum LexiconVerb {
    /// Check files: every fault and warning at once.
    Check {
        /// Lexicon files or folders. Default: the folder of the configuration.
        paths: Vec<PathBuf>,
    },
    /// Run every `hit` and `miss` example.
    Test {
        /// Lexicon files or folders. Default: the folder of the configuration.
        paths: Vec<PathBuf>,
    },
    /// Train the second reader from labelled messages.
    Train(TrainArguments),
}

/// Runs the verb.
pub fn run(verb: &LexiconVerb, common: &Common, out: &mut impl Write) -> Outcome {
    let paths = match verb {
        LexiconVerb::Check { paths } | LexiconVerb::Test { paths } => paths,
        LexiconVerb::Train(arguments) => return train::run(arguments, out),
    };
    let sources = match paths.as_slice() {
        [] => app::configured_lexicons(common.config.as_deref()).map_err(Failure::refused)?,
        named => app::read_lexicons(named).map_err(Failure::refused)?,
    };
    let Compiled { lexicon, diagnostics: faults } = compile(&sources);
    let colour = std::io::stderr().is_terminal();
    let errors = faults.iter().filter(|fault| fault.grave == Grave::Error).count();
    if errors > 0 {
        return Err(Failure::refused(diag::render(&faults, &sources, colour)));
    }
    let Some(lexicon) = lexicon else { return Err(Failure::refused("no lexicon could be made of these files")) };
    if let LexiconVerb::Check { .. } = verb {
        if !faults.is_empty() {
            writeln!(out, "{}\n", diag::render(&faults, &sources, false))?;
        }
        writeln!(
            out,
            "{} files, {} entries, {} combinations, {} frames, {} patterns, 0 errors, {} warnings, {}",
            sources.len(),
            lexicon.entries.len(),
            lexicon.combinations.len(),
            lexicon.frames.len(),
            lexicon.patterns.len(),
            faults.len(),
            lexicon.digest
        )?;
        return Ok(if faults.is_empty() { Exit::Done } else { Exit::SomeFailed });
    }
    let count = lexicon.examples.len();
    let engine = Engine::new(lexicon).map_err(|error| Failure::refused(error.to_string()))?;
    let failures = examples::run(&engine);
    for failure in &failures {
        let line = sources.iter().find(|source| source.name == failure.file).map_or(0, |source| source.line_column(failure.span.start).0);
        writeln!(out, "{}:{line}: {} should {}: 「{}」\n    {}", failure.file, failure.entry, failure.expected, failure.text, failure.got)?;
    }
    writeln!(out, "{count} examples, {} failed", failures.len())?;
    Ok(if failures.is_empty() { Exit::Done } else { Exit::SomeFailed })
}
