//! The command line: verbs, exit codes, output formats.
//!
//! Only this floor prints. Every verb is a function from checked arguments to an [`Exit`]; nothing below it leaves the process.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

pub mod audit;
pub mod case;
pub mod config;
pub mod dead;
pub mod demo;
mod desk;
pub mod drill;
pub mod eval;
pub mod events;
pub mod explain;
pub mod init;
pub mod input;
pub mod ledger;
pub mod lexicon;
pub mod load;
pub mod person;
pub mod policy;
pub mod run;
pub mod submit;
pub mod train;
pub mod triage;
pub mod watchdog;

/// How the process ends. The numbers are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// Done, but some of the input was at fault, or a check found something.
    SomeFailed = 1,
    /// Wrong usage, configuration, policy or lexicon: nothing was started.
    Refused = 2,
    /// A needed resource cannot be had now (store, port, disk): try again later. 75 is what mail systems understand as "defer".
    TryLater = 75,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure of a verb, told on standard error.
#[derive(Debug)]
pub struct Failure {
    /// What to exit with.
    pub exit: Exit,
    /// What to tell.
    pub message: String,
}

impl Failure {
    /// Wrong usage or configuration.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into() }
    }

    /// Not now.
    pub fn later(message: impl Into<String>) -> Self {
        Self { exit: Exit::TryLater, message: message.into() }
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::later(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // A closed pipe (`| head`) is the reader's wish, not a failure.
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Done } else { Exit::TryLater };
        Self { exit, message: if exit == Exit::Done { String::new() } else { error.to_string() } }
    }
}

/// Result of a verb.
pub type Outcome = Result<Exit, Failure>;

/// Output for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON value (a line each where there are many).
    Json,
}

/// Finds abusive and threatening customer messages in Japanese e-mail and chat, explains why, and brings them to a named supervisor.
#[derive(Debug, Parser)]
#[command(
    name = "mimamori",
    version,
    after_help = "Exit codes: 0 done; 1 some input was at fault or a check found something; 2 usage, configuration, policy or lexicon refused; 75 not now, try again later."
)]
struct Arguments {
    /// Configuration file. Default: config/mimamori.toml where it exists, else the built-in one (the same).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Output for people or for programs.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
    /// Where the data lies, in the place of what the configuration says.
    #[arg(long, global = true, value_enum)]
    backend: Option<BackendArgument>,
    #[command(subcommand)]
    verb: Verb,
}

/// Backends as they are typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendArgument {
    /// A file on this machine.
    Embedded,
    /// NATS JetStream.
    Nats,
}

/// What every verb knows.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Configuration file, if one was named.
    pub config: Option<PathBuf>,
    /// Output for people or for programs.
    #[arg(value_enum)]
    pub format: Format,
    /// Where the data lies, if it was said.
    #[arg(value_enum)]
    pub backend: Option<BackendArgument>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create what the backend needs: the file, or streams, buckets and consumer with rights of their own.
    Init,
    /// Run the worker: intake → verdict → case → alert.
    Run(run::RunArguments),
    /// What the auditor of the running workers found: is everything accepted accounted for?
    Audit,
    /// Look at a worker from outside, and tell people when it does not watch any more.
    Watchdog(watchdog::WatchdogArguments),
    /// Run the worker on a temporary store with built-in sample traffic, and print the alerts.
    Demo(demo::DemoArguments),
    /// Put messages on the queue: raw mail, mbox, Maildir or JSON Lines.
    Submit(submit::SubmitArguments),
    /// Judge offline: one output line per input line, in order.
    Triage(triage::TriageArguments),
    /// Show why a text gets its verdict.
    Explain(explain::ExplainArguments),
    /// Measure against a labelled set: precision, recall, F1.
    Eval(eval::EvalArguments),
    /// Cases: list, show, take, pass on, judge, note, close, flag, silence, export.
    #[command(subcommand)]
    Case(case::CaseVerb),
    /// What earlier messages count for later ones: forget a customer's or a conversation's, list what was forgotten.
    #[command(subcommand)]
    Ledger(ledger::LedgerVerb),
    /// Messages that could not be judged: list, show, replay.
    #[command(subcommand)]
    Dead(dead::DeadVerb),
    /// The policy: check the file, simulate who would be told.
    #[command(subcommand)]
    Policy(policy::PolicyVerb),
    /// People: who left (disable, list), an operator's own link to the page for help (link).
    #[command(subcommand)]
    Person(person::PersonVerb),
    /// Alerts: see whether they reach people.
    #[command(subcommand)]
    Alert(drill::AlertVerb),
    /// Climb a real ladder, marked 【訓練】 and outside the figures.
    Drill(drill::DrillArguments),
    /// Events to other systems: how far each has been told, tell again.
    #[command(subcommand)]
    Events(events::EventsVerb),
    /// Lexicons: check the files, run their examples.
    #[command(subcommand)]
    Lexicon(lexicon::LexiconVerb),
    /// Configuration: check the file, print the default.
    #[command(subcommand)]
    Config(config::ConfigVerb),
}

/// Parses the command line, runs the verb, tells failures.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers (0); anything else is wrong usage (2).
            let exit = if error.use_stderr() { Exit::Refused } else { Exit::Done };
            _ = error.print();
            return exit.into();
        }
    };
    let common = Common { config: arguments.config, format: arguments.format, backend: arguments.backend };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let outcome = dispatch(arguments.verb, &common, &mut out);
    let flushed = out.flush();
    match (outcome, flushed) {
        (Ok(exit), Ok(())) => exit.into(),
        (Ok(_), Err(error)) => tell(&Failure::from(error)),
        (Err(failure), _) => tell(&failure),
    }
}

fn tell(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        _ = writeln!(io::stderr().lock(), "{}", failure.message.trim_end());
    }
    failure.exit.into()
}

fn dispatch(verb: Verb, common: &Common, out: &mut impl Write) -> Outcome {
    match verb {
        Verb::Init => init::run(common, out),
        Verb::Run(arguments) => run::run(&arguments, common),
        Verb::Audit => audit::run(common, out),
        Verb::Watchdog(arguments) => watchdog::run(&arguments, common, out),
        Verb::Demo(arguments) => demo::run(&arguments, common, out),
        Verb::Submit(arguments) => submit::run(&arguments, common, out),
        Verb::Triage(arguments) => triage::run(&arguments, common, out),
        Verb::Explain(arguments) => explain::run(&arguments, common, out),
        Verb::Eval(arguments) => eval::run(&arguments, common, out),
        Verb::Case(verb) => case::run(&verb, common, out),
        Verb::Ledger(verb) => ledger::run(&verb, common, out),
        Verb::Dead(verb) => dead::run(&verb, common, out),
        Verb::Policy(verb) => policy::run(&verb, common, out),
        Verb::Person(verb) => person::run(&verb, common, out),
        Verb::Alert(verb) => drill::alert(&verb, common, out),
        Verb::Drill(arguments) => drill::run(&arguments, common, out),
        Verb::Events(verb) => events::run(&verb, common, out),
        Verb::Lexicon(verb) => lexicon::run(&verb, common, out),
        Verb::Config(verb) => config::run(&verb, common, out),
    }
}
