//! The checked settings: plain types that nothing downstream validates again.
//!
//! [`Settings::default`] equals the shipped `config/mimamori.toml`; a test holds them together. No secret stands in here,
//! so that settings may be printed and compared. Paths are relative to the current directory.

use crate::config::environment::Environment;
use crate::config::guard::{AuditSettings, CanarySettings, WatchdogSettings};
use crate::config::settings::events::EventTargetSettings;
use crate::conversation::limits::LedgerLimits;
use crate::decode::settings::DecodeSettings;
use crate::diag::{Diagnostic, SourceText};
use crate::model::envelope::MESSAGE_BYTES_DEFAULT;
use crate::model::ids::{QueueName, Tenant};
use crate::wording::Language;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub mod events;
mod log;

pub use crate::config::settings::log::{LogFormat, LogLevel, LogSettings};

/// Messages that may wait before intake answers "full": some months of a large contact center, so that only a real fault reaches it.
pub const PENDING_DEFAULT: u64 = 1_000_000;

/// Attempts before a message becomes a dead letter. One more attempt rarely helps after five, and a person is told sooner.
pub const ATTEMPTS_DEFAULT: u32 = 5;

/// Messages in hand at once: each waits for a handful of answers of the store, and these are what keeps a server busy.
pub const IN_FLIGHT_DEFAULT: usize = 256;

/// Most messages judged at the same time: beyond this, threads only wait for each other.
pub const CONCURRENCY_MAX: usize = 64;

/// Time for one whole mail transaction. Longer than any healthy relay needs, short enough to retry within the deadline of an alert.
pub const SMTP_TIMEOUT_DEFAULT: Duration = Duration::from_mins(1);

/// The profile used where no `[[tenant]]` row says otherwise.
pub const PROFILE_DEFAULT: &str = "default";

/// Everything the program can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Where messages, verdicts and cases are kept.
    pub store: StoreSettings,
    /// The JetStream backend, used where `store.backend` says so.
    pub nats: NatsSettings,
    /// Limits on what is taken in.
    pub limits: LimitSettings,
    /// How messages come in.
    pub intake: IntakeSettings,
    /// Health and metrics.
    pub ops: OpsSettings,
    /// Lexicon folder and profiles.
    pub lexicon: LexiconSettings,
    /// Which tenant or queue uses which profile.
    pub tenants: Vec<TenantSettings>,
    /// Escalation policy.
    pub policy: PolicySettings,
    /// How alerts go out.
    pub notify: NotifySettings,
    /// Other systems that are told what happens.
    pub events: Vec<EventTargetSettings>,
    /// How people answer alerts.
    pub ack: AckSettings,
    /// What counts over time.
    pub ledger: LedgerLimits,
    /// Judging.
    pub worker: WorkerSettings,
    /// The look whether everything accepted was finished.
    pub audit: AuditSettings,
    /// The message that mimamori sends itself.
    pub canary: CanarySettings,
    /// The look from outside.
    pub watchdog: WatchdogSettings,
    /// Logs.
    pub log: LogSettings,
}

impl Settings {
    /// Reads a configuration file alone, without the environment. `None` if there is any error; warnings do not count.
    pub fn parse(source: &SourceText) -> (Option<Self>, Vec<Diagnostic>) {
        crate::config::read::settings(source, &Environment::default())
    }

    /// Name of the lexicon profile for a queue: the row for tenant and queue, else the row for the tenant, else [`PROFILE_DEFAULT`].
    pub fn profile_for(&self, tenant: &Tenant, queue: &QueueName) -> &str {
        let of_tenant = || self.tenants.iter().filter(|row| row.name == *tenant);
        of_tenant()
            .find(|row| row.queue.as_ref() == Some(queue))
            .or_else(|| of_tenant().find(|row| row.queue.is_none()))
            .map_or(PROFILE_DEFAULT, |row| row.profile.as_str())
    }

    /// Whether alerts only go to a folder, so that nobody is told: said at start and in `/readyz`.
    pub fn alerts_only_to_folder(&self) -> bool {
        self.notify.transport == Transport::Outbox
    }
}

/// Which backend keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// One file on local disk; no server to install.
    #[default]
    Embedded,
    /// NATS JetStream: several workers, replicated.
    Nats,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Which backend.
    pub backend: Backend,
    /// Database file of the embedded backend.
    pub path: PathBuf,
    /// Messages that may wait before intake answers "full".
    pub pending_max: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { backend: Backend::default(), path: "var/mimamori.db".into(), pending_max: PENDING_DEFAULT }
    }
}

/// `[nats]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSettings {
    /// Servers, separated by commas.
    pub url: String,
    /// Credentials (JWT and key).
    pub creds_file: Option<PathBuf>,
    /// Seed of an nkey.
    pub nkey_file: Option<PathBuf>,
    /// Further certificate authority (PEM).
    pub ca_file: Option<PathBuf>,
    /// Certificate and key of this client (PEM).
    pub client: Option<(PathBuf, PathBuf)>,
    /// TLS is required.
    pub tls: bool,
    /// Prefix of reply subjects.
    pub inbox_prefix: Option<String>,
    /// Stream of inbound messages.
    pub inbound_stream: String,
    /// Subjects of inbound messages stand below this.
    pub inbound_subjects: String,
    /// Durable consumer of the workers.
    pub consumer: String,
    /// Beginning of the names of our streams.
    pub streams: String,
    /// Subjects of verdicts, decisions and cases stand below this.
    pub subjects: String,
    /// Beginning of the names of our buckets.
    pub buckets: String,
    /// Copies of everything.
    pub replicas: usize,
    /// Monitoring ports of the servers, to learn when they write to their disks; separated by commas.
    pub monitor_url: Option<String>,
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            creds_file: None,
            nkey_file: None,
            ca_file: None,
            client: None,
            tls: false,
            inbox_prefix: None,
            inbound_stream: "CC_INBOUND".to_owned(),
            inbound_subjects: "cc.inbound".to_owned(),
            consumer: "mimamori".to_owned(),
            streams: "TRIAGE".to_owned(),
            subjects: "triage".to_owned(),
            buckets: "mimamori".to_owned(),
            replicas: 1,
            monitor_url: None,
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Largest message accepted, in bytes.
    pub message_bytes: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { message_bytes: MESSAGE_BYTES_DEFAULT }
    }
}

/// `[intake]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntakeSettings {
    /// `[intake.http]`
    pub http: HttpSettings,
    /// `[intake.spool]`
    pub spool: SpoolSettings,
    /// `[intake.mail]` and `[[intake.form]]`, as decoding wants them.
    pub decode: DecodeSettings,
}

/// `[intake.http]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where the app router (intake, later console) listens.
    pub listen: SocketAddr,
    /// File with the token callers must present; there if `listen` is not loopback (or the environment gives the token itself).
    pub token_file: Option<PathBuf>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8470)), token_file: None }
    }
}

/// `[intake.spool]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// The watched folder.
    pub dir: PathBuf,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self { dir: "var/spool".into() }
    }
}

/// `[ops]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpsSettings {
    /// Where `/livez`, `/readyz` and `/metrics` listen. May equal `intake.http.listen`: then one listener serves both routers.
    pub listen: SocketAddr,
}

impl Default for OpsSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8471)) }
    }
}

/// `[lexicon]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LexiconSettings {
    /// Folder with the lexicon files.
    pub dir: PathBuf,
    /// Profiles by name, unique; [`PROFILE_DEFAULT`] is always among them.
    pub profiles: Vec<ProfileSettings>,
}

impl Default for LexiconSettings {
    fn default() -> Self {
        Self { dir: "lexicons".into(), profiles: vec![ProfileSettings::default()] }
    }
}

/// `[[lexicon.profile]]`: the base lexicon, industry packs and a site overlay under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSettings {
    /// Its name.
    pub name: String,
    /// Ids of the packs stacked on the base.
    pub packs: Vec<String>,
    /// The site's own overlay file, if any.
    pub site: Option<PathBuf>,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self { name: PROFILE_DEFAULT.to_owned(), packs: vec![], site: None }
    }
}

/// `[[tenant]]`: which profile judges the messages of a tenant, or of one of its queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantSettings {
    /// The tenant.
    pub name: Tenant,
    /// Only this queue; `None` for all of the tenant's queues.
    pub queue: Option<QueueName>,
    /// Name of a profile that exists.
    pub profile: String,
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySettings {
    /// The escalation policy.
    pub file: PathBuf,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self { file: "config/policy.toml".into() }
    }
}

/// How alerts leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// As files in a folder: for trying out; nobody is told.
    #[default]
    Outbox,
    /// By mail.
    Smtp,
}

/// `[notify]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySettings {
    /// Which way.
    pub transport: Transport,
    /// Folder of the outbox transport.
    pub outbox_dir: PathBuf,
    /// Mail relay; there if `transport` is [`Transport::Smtp`].
    pub smtp: Option<SmtpSettings>,
    /// The language of headings and labels.
    pub language: Language,
    /// A file with the company's own words; `None` for the built-in ones.
    pub texts: Option<PathBuf>,
    /// `[[notify.channel]]`: how channels of the policy other than mail are reached.
    pub channels: Vec<ChannelSettings>,
    /// `[[notify.channel]]` with a `subject`: channels of the policy that are NATS subjects.
    pub subjects: Vec<SubjectSettings>,
}

/// `[[notify.channel]]` with a `subject`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectSettings {
    /// Key of the channel in the policy.
    pub id: String,
    /// Where alerts are published.
    pub subject: String,
    /// Servers, separated by commas; `None` for those of `[nats]`, with all that belongs to them.
    pub url: Option<String>,
    /// Credentials (JWT and key).
    pub creds_file: Option<PathBuf>,
    /// Seed of an nkey.
    pub nkey_file: Option<PathBuf>,
    /// Further certificate authority (PEM).
    pub ca_file: Option<PathBuf>,
    /// Certificate and key of this client (PEM).
    pub client: Option<(PathBuf, PathBuf)>,
    /// TLS is required.
    pub tls: bool,
    /// Prefix of reply subjects.
    pub inbox_prefix: Option<String>,
}

/// `[[notify.channel]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSettings {
    /// Key of the channel in the policy.
    pub id: String,
    /// File with the address alone: for Slack and Teams the address is the key.
    pub url_file: PathBuf,
    /// File with the signing key.
    pub secret_file: Option<PathBuf>,
    /// Hosts that may be in private networks or without TLS.
    pub private_hosts: Vec<String>,
}

impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            transport: Transport::default(),
            outbox_dir: "var/outbox".into(),
            smtp: None,
            language: Language::default(),
            texts: None,
            channels: vec![],
            subjects: vec![],
        }
    }
}

/// `[ack]`: how people answer alerts without a console.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AckSettings {
    /// Where the app router is reached from people's phones, `https://…` without a slash at the end; `None`: alerts carry no link.
    pub base_url: Option<String>,
    /// Mail address that arrives at the inbound queue, plus-addressing included; `None`: replies are not read.
    pub reply_address: Option<String>,
}

/// How the connection to the mail relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SmtpSecurity {
    /// STARTTLS, required.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None; only for a relay on the same host or a protected network.
    None,
}

impl SmtpSecurity {
    /// The usual port.
    pub const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// `[notify.smtp]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Host name or address of the relay.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Protection.
    pub security: SmtpSecurity,
    /// Name for authentication; `None` for no authentication.
    pub user: Option<String>,
    /// File with the password; there if `user` is (or the environment gives the password itself).
    pub password_file: Option<PathBuf>,
    /// File with an OAuth access token (XOAUTH2), in the place of a password; read for every mail.
    pub token_file: Option<PathBuf>,
    /// Further certificate authorities (PEM).
    pub ca_file: Option<PathBuf>,
    /// Name given in EHLO; `None` for the host's own.
    pub hello_name: Option<String>,
    /// Time for one whole transaction.
    pub timeout: Duration,
}

/// `[worker]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Messages judged at the same time, 1 to [`CONCURRENCY_MAX`]; `None` for the number of processors.
    pub concurrency: Option<usize>,
    /// Messages in hand at once, waiting for the store included.
    pub in_flight: usize,
    /// Attempts before a message becomes a dead letter.
    pub attempts_max: u32,
}

impl WorkerSettings {
    /// Messages judged at the same time on this machine.
    pub fn concurrency(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.concurrency.unwrap_or_else(processors).clamp(1, CONCURRENCY_MAX)
    }
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { concurrency: None, in_flight: IN_FLIGHT_DEFAULT, attempts_max: ATTEMPTS_DEFAULT }
    }
}
