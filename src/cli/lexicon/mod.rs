//! The lexicon workbench: the files compile, every `hit` hits and every `miss` misses, and what disguise and ordinary words do to them.

mod measure;
mod mutate;

use crate::app;
use crate::cli::train::{self, TrainArguments};
use crate::cli::{Common, Exit, Failure, Outcome};
use crate::diag::{self, Diagnostic, Grave, SourceText};
use crate::engine::Engine;
use crate::engine::lexicon::compiled::Lexicon;
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
    /// Disguise every live entry by every class of evasion that applies, and measure how much is still found.
    Mutate(mutate::MutateArguments),
    /// Which entries fire inside ordinary words.
    Collisions(measure::CollisionsArguments),
    /// What the lexicon is made of, in numbers.
    Stats {
        /// Lexicon files or folders. Default: the folder of the configuration.
        paths: Vec<PathBuf>,
    },
}

/// Runs the verb.
pub fn run(verb: &LexiconVerb, common: &Common, out: &mut impl Write) -> Outcome {
    match verb {
        LexiconVerb::Check { paths } => check(&Read::of(paths, common)?, out),
        LexiconVerb::Test { paths } => test(Read::of(paths, common)?, out),
        LexiconVerb::Train(arguments) => train::run(arguments, out),
        LexiconVerb::Mutate(arguments) => mutate::run(arguments, common, out),
        LexiconVerb::Collisions(arguments) => measure::collide(arguments, common, out),
        LexiconVerb::Stats { paths } => measure::count(paths, common, out),
    }
}

/// Lexicon files that compile.
struct Read {
    sources: Vec<SourceText>,
    lexicon: Lexicon,
    warnings: Vec<Diagnostic>,
}

impl Read {
    /// The files named, or those of the configuration; refuses with every error rendered.
    fn of(paths: &[PathBuf], common: &Common) -> Result<Self, Failure> {
        let sources = match paths {
            [] => app::configured_lexicons(common.config.as_deref()).map_err(Failure::refused)?,
            named => app::read_lexicons(named).map_err(Failure::refused)?,
        };
        let Compiled { lexicon, diagnostics: faults } = compile(&sources);
        if faults.iter().any(|fault| fault.grave == Grave::Error) {
            return Err(Failure::refused(diag::render(&faults, &sources, std::io::stderr().is_terminal())));
        }
        let lexicon = lexicon.ok_or_else(|| Failure::refused("no lexicon could be made of these files"))?;
        Ok(Self { sources, lexicon, warnings: faults })
    }

    fn engine(self) -> Result<Engine, Failure> {
        Engine::new(self.lexicon).map_err(|error| Failure::refused(error.to_string()))
    }
}

fn check(read: &Read, out: &mut impl Write) -> Outcome {
    let Read { sources, lexicon, warnings } = read;
    if !warnings.is_empty() {
        writeln!(out, "{}\n", diag::render(warnings, sources, false))?;
    }
    writeln!(
        out,
        "{} files, {} entries, {} combinations, {} frames, {} patterns, 0 errors, {} warnings, {}",
        sources.len(),
        lexicon.entries.len(),
        lexicon.combinations.len(),
        lexicon.frames.len(),
        lexicon.patterns.len(),
        warnings.len(),
        lexicon.digest
    )?;
    Ok(if warnings.is_empty() { Exit::Done } else { Exit::SomeFailed })
}

fn test(read: Read, out: &mut impl Write) -> Outcome {
    let (sources, count) = (read.sources.clone(), read.lexicon.examples.len());
    let failures = examples::run(&read.engine()?);
    for failure in &failures {
        let line = sources.iter().find(|source| source.name == failure.file).map_or(0, |source| source.line_column(failure.span.start).0);
        writeln!(out, "{}:{line}: {} should {}: 「{}」\n    {}", failure.file, failure.entry, failure.expected, failure.text, failure.got)?;
    }
    writeln!(out, "{count} examples, {} failed", failures.len())?;
    Ok(if failures.is_empty() { Exit::Done } else { Exit::SomeFailed })
}
