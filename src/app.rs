//! Settings to a running program: wiring, signals, shutdown.
//!
//! The only place besides the command line that knows everyone. Nothing is started before configuration, policy and every
//! lexicon are sound; what stops is stopped in the order intake → worker → servers.

use crate::config::environment::Environment;
use crate::config::load as configuration;
use crate::config::secret::Secrets;
use crate::config::settings::{Backend as Kind, LogFormat, LogSettings, Settings, Transport};
use crate::diag::{Diagnostic, Grave, SourceText};
use crate::edge::http::health::{Component, Health, Phase};
use crate::edge::metrics::Metrics;
use crate::edge::notify::render::Ways;
use crate::edge::shelter::{self, Shelter};
use crate::edge::spool::{Spool, SpoolTarget};
use crate::engine::Engine;
use crate::model::ids::{QueueName, Tenant};
use crate::policy::people::ChannelKind;
use crate::policy::{Channel, Policy};
use crate::store::Queue;
use crate::wording::Texts;
use crate::worker::desk::Desk;
use crate::worker::events::Feed;
use crate::worker::{AlertListener, Engines, Parts, Worker};
use anyhow::{Context, Result, anyhow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub mod backend;
pub mod durability;
pub mod feed;
mod guard;
pub mod lexicons;
pub mod policy;
pub mod pop;
pub mod texts;
pub mod transport;
pub mod watch;
pub mod watchdog;

use crate::app::watch::Events;

pub use crate::app::backend::{Backend, init_backend, open_backend, remove_backend};

/// Stack of a worker thread, in bytes: decoding is bounded in depth, and this leaves a wide margin.
const THREAD_STACK_BYTES: usize = 8 << 20;

/// The time that everything beside the worker has to stop, once the worker has.
const OTHERS_MAX: Duration = Duration::from_secs(1);

/// Folder below the watched one where accepted messages wait for a broker that is away.
const SHELTER_FOLDER: &str = "broker-away";

/// Files at fault, all of them.
#[derive(Debug, Default)]
pub struct Faults {
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts they point into.
    pub sources: Vec<SourceText>,
}

/// Configuration and policy, read and found sound: enough for verbs that judge nothing.
pub struct Prepared {
    /// The settings.
    pub settings: Settings,
    /// Passwords and tokens.
    pub secrets: Secrets,
    /// Who is told.
    pub policy: Arc<Policy>,
    /// The words of alerts.
    pub texts: Arc<Texts>,
    /// What works, but probably not as meant.
    pub warnings: Vec<Diagnostic>,
}

/// The same with the lexicons compiled; nothing started.
pub struct Loaded {
    /// Configuration and policy.
    pub prepared: Prepared,
    /// One engine per profile.
    pub profiles: Arc<Profiles>,
}

/// One engine per profile, and which tenant uses which.
pub struct Profiles {
    engines: BTreeMap<String, Arc<Engine>>,
    settings: Settings,
}

impl Profiles {
    /// Profile names with the digest of their lexicon.
    fn digests(&self) -> Vec<(&str, String)> {
        self.engines.iter().map(|(name, engine)| (name.as_str(), engine.lexicon().digest.clone())).collect()
    }
}

impl Engines for Profiles {
    fn engine(&self, tenant: &Tenant, queue: &QueueName) -> Arc<Engine> {
        let name = self.settings.profile_for(tenant, queue);
        Arc::clone(self.engines.get(name).expect("settings only name profiles that exist"))
    }
}

impl Loaded {
    /// The engine of the default tenant.
    pub fn engine(&self) -> Arc<Engine> {
        self.profiles.engine(&Tenant::default(), &QueueName::default())
    }
}

/// Reads configuration and policy; every fault of both at once.
pub fn prepare(config: Option<&Path>) -> Result<Prepared, Faults> {
    let (prepared, faults) = read(config);
    prepared.ok_or(faults)
}

/// Reads configuration, policy and lexicons; every fault of all of them at once.
pub fn load(config: Option<&Path>) -> Result<Loaded, Faults> {
    let environment = Environment::read(std::env::vars());
    let lexicon = configuration::load(config, &environment).settings.map(|settings| settings.lexicon);
    let (prepared, mut faults) = read(config);
    // Lexicons are looked at even where the policy is at fault: nobody should have to mend one file to hear of the next.
    let engines = lexicon.map(|lexicon| lexicons::engines(&lexicon, &mut faults)).unwrap_or_default();
    match prepared {
        Some(mut prepared) if !has_errors(&faults) => {
            prepared.warnings = faults.diagnostics;
            let profiles = Arc::new(Profiles { engines, settings: prepared.settings.clone() });
            Ok(Loaded { prepared, profiles })
        }
        _ => Err(faults),
    }
}

fn read(config: Option<&Path>) -> (Option<Prepared>, Faults) {
    let environment = Environment::read(std::env::vars());
    let loaded = configuration::load(config, &environment);
    let mut faults = Faults { diagnostics: loaded.diagnostics, sources: loaded.sources };
    let Some(settings) = loaded.settings else { return (None, faults) };
    let policy = policy::read_configured(&settings, &mut faults);
    let texts = texts::read_configured(&settings.notify, &mut faults);
    if let Some(policy) = &policy {
        guard::check(&settings, policy, &mut faults);
    }
    let sound = policy.zip(texts).filter(|_| !has_errors(&faults));
    let prepared = sound.map(|(policy, texts)| Prepared {
        settings,
        secrets: loaded.secrets,
        policy: Arc::new(policy),
        texts: Arc::new(texts),
        warnings: faults.diagnostics.clone(),
    });
    (prepared, faults)
}

fn has_errors(faults: &Faults) -> bool {
    faults.diagnostics.iter().any(|fault| fault.grave == Grave::Error)
}

/// A fault about a whole file.
pub(crate) fn unreadable(code: &'static str, path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic {
        grave: Grave::Error,
        code,
        title: format!("cannot be read: {error}"),
        file: path.display().to_string(),
        span: 0..0,
        label: String::new(),
        help: "paths are relative to the current directory".to_owned(),
    }
}

/// Lexicon files of the configured folder (or the built-in ones), for the lexicon verbs.
pub fn configured_lexicons(config: Option<&Path>) -> Result<Vec<SourceText>, String> {
    let environment = Environment::read(std::env::vars());
    let loaded = configuration::load(config, &environment);
    let settings = loaded.settings.as_ref().ok_or_else(|| loaded.render(false))?;
    let mut faults = Faults { diagnostics: vec![], sources: vec![] };
    let sources = lexicons::base(&settings.lexicon.dir, &mut faults);
    if faults.diagnostics.is_empty() { Ok(sources) } else { Err(crate::diag::render(&faults.diagnostics, &[], false)) }
}

/// Lexicon files named on the command line; folders stand for their `*.toml`.
pub fn read_lexicons(paths: &[PathBuf]) -> Result<Vec<SourceText>, String> {
    let mut faults = Faults { diagnostics: vec![], sources: vec![] };
    let sources: Vec<SourceText> = paths.iter().flat_map(|path| lexicons::read(path, &mut faults)).collect();
    if faults.diagnostics.is_empty() { Ok(sources) } else { Err(crate::diag::render(&faults.diagnostics, &[], false)) }
}

/// A runtime for verbs that only look something up.
pub fn small_runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())
}

/// Sends logs to standard error; ids only, never text.
pub fn init_logging(settings: &LogSettings) {
    let filter = tracing_subscriber::EnvFilter::new(settings.level.id());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second initialisation (several workers in one test process) keeps the first.
    _ = match settings.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything in hand was finished.
    Orderly,
    /// Something in hand was left for the next start, or a second signal came.
    Hurried,
}

/// Runs until SIGINT or SIGTERM.
pub fn run(loaded: Loaded) -> Result<Ending> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(THREAD_STACK_BYTES).build()?;
    let ending = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(watch::signals(stop.clone()));
        let running = start(loaded, None, stop).await?;
        Ok(running.finish().await)
    });
    // Whatever still hangs after the orderly part must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ending
}

/// A started program.
pub struct Running {
    /// The worker, for `demo` and tests.
    pub worker: Arc<Worker>,
    /// The backend.
    pub backend: Backend,
    /// Where the app router listens.
    pub app_address: std::net::SocketAddr,
    /// Where the ops router listens.
    pub ops_address: std::net::SocketAddr,
    stop: CancellationToken,
    health: Arc<Health>,
    work: tokio::task::JoinHandle<bool>,
    others: Vec<tokio::task::JoinHandle<()>>,
    _lock: Option<crate::edge::embedded::worker_lock::WorkerLock>,
}

impl Running {
    /// Waits for the stop signal and for everything to finish.
    pub async fn finish(self) -> Ending {
        self.stop.cancelled().await;
        self.health.enter(Phase::Draining);
        let orderly = self.work.await.unwrap_or(false);
        let end = tokio::time::Instant::now() + OTHERS_MAX;
        for other in self.others {
            _ = tokio::time::timeout_at(end, other).await;
        }
        tracing::info!(orderly, "stopped");
        if orderly { Ending::Orderly } else { Ending::Hurried }
    }
}

/// Starts everything: store, worker, servers, spool.
pub async fn start(loaded: Loaded, on_alert: Option<AlertListener>, stop: CancellationToken) -> Result<Running> {
    let Loaded { prepared: Prepared { settings, secrets, policy, texts, .. }, profiles } = loaded;
    let backend = open_backend(&settings).await.map_err(|why| anyhow!(why))?;
    let lock = backend.lock().await?;
    let metrics = Arc::new(Metrics::new());
    metrics.lexicons(&profiles.digests());
    let health = Arc::new(Health::new());
    let (channel, notifier) = transport::notifier(&settings, &secrets, &policy, &texts)?;
    let targets = feed::targets(&settings, &secrets)?;
    let desk = Arc::new(Desk::new(Arc::clone(&backend.store), Arc::clone(&policy)));
    desk.apply_leavers(&policy).await.context("cannot read who left")?;
    let ways = Ways { base_url: settings.ack.base_url.clone(), reply_address: settings.ack.reply_address.clone() };
    let worker = Arc::new(Worker::new(Parts {
        store: Arc::clone(&backend.store),
        queue: Arc::clone(&backend.queue),
        engines: profiles,
        desk: Arc::clone(&desk),
        ways,
        texts,
        decode: settings.intake.decode.clone(),
        ledger: settings.ledger,
        channel,
        notifier,
        metrics: Arc::clone(&metrics),
        attempts_max: settings.worker.attempts_max,
        concurrency: settings.worker.concurrency(),
        in_flight: settings.worker.in_flight,
        message_bytes: backend.message_bytes(&settings),
        is_sole: lock.is_some(),
        on_alert,
    }));
    let shelter = shelter(&settings, &backend, &health);
    let intake = shelter.clone().map_or_else(|| Arc::clone(&backend.queue), |shelter| shelter as Arc<dyn Queue>);
    let servers = watch::serve(&settings, &secrets, intake, &desk, &metrics, &health, &stop).await?;
    let target =
        SpoolTarget { queue: Arc::clone(&backend.queue), metrics: Arc::clone(&metrics), message_bytes: settings.limits.message_bytes };
    let folder = &settings.intake.spool.dir;
    let mut spool = Spool::open(folder, target).with_context(|| format!("cannot use the spool folder {}", folder.display()))?;
    let mut others = servers.tasks;
    if let Some(shelter) = shelter {
        others.push(tokio::spawn(watch::shelter(shelter, Arc::clone(&metrics), Arc::clone(&health), stop.clone())));
    }
    let (spool_stop, spool_health) = (stop.clone(), Arc::clone(&health));
    others.push(tokio::spawn(async move {
        let report = |round: Result<_, String>| match round {
            Ok(_) => spool_health.working(Component::Spool),
            Err(why) => spool_health.failing(Component::Spool, why),
        };
        spool.run(spool_stop, report).await;
    }));
    let files = (policy::Files::watch(&settings, &policy), texts::TextFile::watch(&settings.notify));
    others.push(tokio::spawn(watch::ticks(Arc::clone(&worker), Arc::clone(&health), stop.clone())));
    let events = Events::new(backend.nats.clone(), Arc::clone(&metrics));
    others.push(tokio::spawn(watch::gauges(Arc::clone(&worker), files, events, Arc::clone(&health), stop.clone())));
    others.push(tokio::spawn(crate::worker::digests::run(Arc::clone(&worker), stop.clone())));
    others.extend(guard::start(&settings, &worker, &health, &stop));
    let feed = Arc::new(Feed { store: Arc::clone(&backend.store), metrics, is_sole: lock.is_some() });
    others.push(tokio::spawn(crate::worker::events::run(feed, targets, stop.clone())));
    let work = tokio::spawn(Arc::clone(&worker).run(stop.clone()));
    announce_start(&settings, &worker.policy(), &servers.app, &servers.ops, &health);
    durability::tell(&settings, &health).await;
    health.enter(Phase::Running);
    health.working(Component::Store);
    Ok(Running { worker, backend, app_address: servers.app, ops_address: servers.ops, stop, health, work, others, _lock: lock })
}

/// The front of intake that survives the broker; a store on this machine needs none.
fn shelter(settings: &Settings, backend: &Backend, health: &Health) -> Option<Arc<Shelter>> {
    let nats = backend.nats.as_ref()?;
    let folder = settings.intake.spool.dir.join(SHELTER_FOLDER);
    match Shelter::open(&folder, Arc::clone(&backend.queue), shelter::Options::new(nats.limit())) {
        Ok(shelter) => Some(Arc::new(shelter)),
        Err(error) => {
            let note = format!("the folder {} cannot be used: without a broker nothing is accepted ({error})", folder.display());
            tracing::warn!("{note}");
            health.note(note);
            None
        }
    }
}

fn announce_start(settings: &Settings, policy: &Policy, app: &std::net::SocketAddr, ops: &std::net::SocketAddr, health: &Health) {
    let store = match settings.store.backend {
        Kind::Embedded => settings.store.path.display().to_string(),
        Kind::Nats => settings.nats.url.clone(),
    };
    tracing::info!(%store, spool = %settings.intake.spool.dir.display(), %app, %ops, "mimamori started");
    if settings.notify.transport == Transport::Outbox {
        let note = format!("alerts only go to the folder {}: nobody is told", settings.notify.outbox_dir.display());
        tracing::warn!("{note}");
        health.note(note);
    } else if let Some(note) = dead_channels(settings, policy) {
        tracing::warn!("{note}");
        health.note(note);
    }
}

/// What of the policy cannot leave.
fn dead_channels(settings: &Settings, policy: &Policy) -> Option<String> {
    let notify = &settings.notify;
    let has_way = |channel: &&Channel| match channel.kind {
        ChannelKind::Mail => true,
        ChannelKind::Nats => notify.subjects.iter().any(|row| row.id == channel.id),
        ChannelKind::Webhook | ChannelKind::Slack | ChannelKind::Teams => notify.channels.iter().any(|row| row.id == channel.id),
    };
    let ids: Vec<&str> = policy.channels.iter().filter(|channel| !has_way(channel)).map(|channel| channel.id.as_str()).collect();
    (!ids.is_empty()).then(|| format!("alerts over {} cannot leave: add [[notify.channel]] with that id", ids.join(", ")))
}
