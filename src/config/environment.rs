//! Every environment variable the program reads, in one place, as a pure mapping from names and values.
//!
//! The environment is stronger than the file. An unknown `MIMAMORI_…` name is a warning, so that a misspelling is not silently without
//! effect and a newer unit file still starts an older program. Empty values count as not set.

use crate::diag::{Diagnostic, Grave, SourceText};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// What all names begin with.
const PREFIX: &str = "MIMAMORI_";

/// Names with this beginning steer the test suite and are none of the program's business.
const TEST_PREFIX: &str = "MIMAMORI_TEST_";

/// How diagnostics name the environment.
pub const ENVIRONMENT: &str = "environment";

macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $means:literal;)+) => {
        /// A variable the program knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Variable {
            $($(#[$doc])* $variant,)+
        }

        impl Variable {
            /// Every variable, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The option it overrides, or what it holds.
            pub const fn means(self) -> &'static str {
                match self { $(Self::$variant => $means),+ }
            }
        }
    };
}

variables! {
    /// Path of the configuration file.
    Config = "MIMAMORI_CONFIG", "path of the configuration file";
    /// `store.backend`
    StoreBackend = "MIMAMORI_STORE_BACKEND", "store.backend";
    /// `nats.url`
    NatsUrl = "MIMAMORI_NATS_URL", "nats.url";
    /// `store.path`
    StorePath = "MIMAMORI_STORE_PATH", "store.path";
    /// `intake.http.listen`
    HttpListen = "MIMAMORI_HTTP_LISTEN", "intake.http.listen";
    /// `intake.http.token_file`
    HttpTokenFile = "MIMAMORI_HTTP_TOKEN_FILE", "intake.http.token_file";
    /// The intake token itself.
    HttpToken = "MIMAMORI_HTTP_TOKEN", "the intake token itself; prefer the file";
    /// `intake.spool.dir`
    SpoolDir = "MIMAMORI_SPOOL_DIR", "intake.spool.dir";
    /// `ops.listen`
    OpsListen = "MIMAMORI_OPS_LISTEN", "ops.listen";
    /// `lexicon.dir`
    LexiconDir = "MIMAMORI_LEXICON_DIR", "lexicon.dir";
    /// `policy.file`
    PolicyFile = "MIMAMORI_POLICY_FILE", "policy.file";
    /// `notify.transport`
    NotifyTransport = "MIMAMORI_NOTIFY_TRANSPORT", "notify.transport";
    /// `notify.outbox.dir`
    OutboxDir = "MIMAMORI_OUTBOX_DIR", "notify.outbox.dir";
    /// `notify.smtp.host`
    SmtpHost = "MIMAMORI_SMTP_HOST", "notify.smtp.host";
    /// `notify.smtp.port`
    SmtpPort = "MIMAMORI_SMTP_PORT", "notify.smtp.port";
    /// `notify.smtp.security`
    SmtpSecurity = "MIMAMORI_SMTP_SECURITY", "notify.smtp.security";
    /// `notify.smtp.user`
    SmtpUser = "MIMAMORI_SMTP_USER", "notify.smtp.user";
    /// `notify.smtp.password_file`
    SmtpPasswordFile = "MIMAMORI_SMTP_PASSWORD_FILE", "notify.smtp.password_file";
    /// The password itself.
    SmtpPassword = "MIMAMORI_SMTP_PASSWORD", "the password for the mail relay itself; prefer the file";
    /// `worker.concurrency`
    WorkerConcurrency = "MIMAMORI_WORKER_CONCURRENCY", "worker.concurrency";
    /// `log.format`
    LogFormat = "MIMAMORI_LOG_FORMAT", "log.format";
    /// `log.level`
    LogLevel = "MIMAMORI_LOG_LEVEL", "log.level";
}

impl Variable {
    /// Whether the value must never be shown.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::HttpToken | Self::SmtpPassword)
    }
}

/// A value with its place in [`Environment::source`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    value: String,
    span: Range<usize>,
}

/// The variables that are set. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    entries: BTreeMap<Variable, Entry>,
    source: SourceText,
    unknown: Vec<Diagnostic>,
}

impl Default for Environment {
    fn default() -> Self {
        Self::read(std::iter::empty())
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.source.text.lines()).finish()
    }
}

impl Environment {
    /// Picks the known variables out of all; the order given does not matter.
    pub fn read(pairs: impl Iterator<Item = (String, String)>) -> Self {
        let ours = |(name, value): &(String, String)| name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX) && !value.is_empty();
        let sorted: BTreeMap<String, String> = pairs.filter(ours).collect();
        let mut environment =
            Self { entries: BTreeMap::new(), source: SourceText { name: ENVIRONMENT.to_owned(), text: String::new() }, unknown: vec![] };
        for (name, value) in sorted {
            environment.take(&name, value);
        }
        environment
    }

    fn take(&mut self, name: &str, value: String) {
        let known = Variable::ALL.iter().copied().find(|variable| variable.name() == name);
        // What is shown: never a secret, and never the value of a name that may be a misspelt secret.
        let shown = if known.is_some_and(|variable| !variable.is_secret()) { value.as_str() } else { "**REDACTED**" };
        let start = self.source.text.len();
        let value_start = start + name.len() + 1;
        // Writing to a string does not fail.
        _ = writeln!(self.source.text, "{name}={shown}");
        match known {
            Some(variable) => {
                let span = value_start..value_start + shown.len();
                self.entries.insert(variable, Entry { value, span });
            }
            None => self.unknown.push(unknown(name, start..start + name.len())),
        }
    }

    /// The value of a variable.
    pub fn get(&self, variable: Variable) -> Option<&str> {
        self.entries.get(&variable).map(|entry| entry.value.as_str())
    }

    /// Where the variable stands in [`Environment::source`].
    pub fn span(&self, variable: Variable) -> Range<usize> {
        self.entries.get(&variable).map_or(0..0, |entry| entry.span.clone())
    }

    /// The variables as a text for diagnostics; secrets are masked.
    pub fn source(&self) -> &SourceText {
        &self.source
    }

    /// Warnings about unknown names.
    pub fn unknown(&self) -> &[Diagnostic] {
        &self.unknown
    }
}

fn unknown(name: &str, span: Range<usize>) -> Diagnostic {
    let near = Variable::ALL.iter().map(|known| (strsim::damerau_levenshtein(known.name(), name), known.name())).min();
    let help = match near {
        Some((distance, known)) if distance <= 4 => format!("did you mean `{known}`?"),
        _ => "remove it, or see `mimamori config default` for the options there are".to_owned(),
    };
    Diagnostic {
        grave: Grave::Warning,
        code: "config.environment",
        title: format!("unknown variable `{name}`"),
        file: ENVIRONMENT.to_owned(),
        span,
        label: "has no effect".to_owned(),
        help,
    }
}
