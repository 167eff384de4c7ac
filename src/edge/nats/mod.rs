//! The JetStream backend: many workers over one stream of messages, records in key-value buckets.
//!
//! Truth is on the server. A write counts only when its PubAck has come, whoever waits for it; what decides is compare-and-set
//! by the server (`Nats-Expected-Last-Subject-Sequence`), never memory. Reads that decide go to the leader of a stream; scans
//! and pages may be answered by a replica and be stale, as the traits say. Acknowledgements are confirmed, because one that is
//! lost means that a message is handed out again.
//!
//! The server must be 2.11 or newer: older ones ignore or lack what is relied on here. `mimamori init` creates streams,
//! consumer and buckets; everything else only reads them back and compares, so that a worker needs narrow rights.

use crate::edge::nats::hands::Hands;
use crate::edge::nats::layout::Layout;
use crate::store::{LEASE_DURATION, StoreError};
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{self, kv};
use async_nats::{Client, ConnectOptions, Event};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

mod hands;
pub mod layout;
mod letter;
mod page;
mod queue;
mod records;

/// Oldest server: before it a leader may answer before it has caught up, and pages cannot be read without a consumer.
pub const SERVER_MIN: (u64, u64) = (2, 11);

/// Time for one request. Longer than an election in a cluster usually takes, so that a leader change is slow and not a failure.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// Longest pause between two attempts to reconnect.
const RECONNECT_MAX: Duration = Duration::from_secs(4);

/// How to reach the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// `nats://host:4222`, several separated by commas.
    pub url: String,
    /// Credentials file (JWT and key).
    pub credentials: Option<PathBuf>,
    /// File with an nkey seed.
    pub nkey: Option<PathBuf>,
    /// Further certificate authority, PEM.
    pub authority: Option<PathBuf>,
    /// Certificate and key of the client, PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// TLS, required.
    pub tls: bool,
    /// Prefix of reply subjects, so that other users of the account cannot read them.
    pub inbox: Option<String>,
}

/// What may differ between installations and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Names of streams and buckets, replicas.
    pub layout: Layout,
    /// How long a worker may keep a message.
    pub lease: Duration,
    /// Messages that may wait before intake answers "full".
    pub pending_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { layout: Layout::default(), lease: LEASE_DURATION, pending_max: 1_000_000 }
    }
}

/// Why the backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file that is named cannot be read, or does not hold what it should.
    #[error("cannot use {file}: {why}")]
    File {
        /// Its path.
        file: String,
        /// Why.
        why: String,
    },
    /// No connection.
    #[error("cannot connect to {url}: {why}")]
    Connect {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
    /// The server is too old.
    #[error("the server is NATS {found}; {}.{} or newer is needed", SERVER_MIN.0, SERVER_MIN.1)]
    TooOld {
        /// What it says it is.
        found: String,
    },
    /// A stream, consumer or bucket is missing or differs.
    #[error("{0}; run `mimamori init` with rights to create streams")]
    Layout(String),
    /// The server does not answer.
    #[error("the server does not answer: {0}")]
    Unavailable(String),
}

/// An open backend; both [`Store`](crate::store::Store) and [`Queue`](crate::store::Queue).
pub struct Nats {
    client: Client,
    context: jetstream::Context,
    options: Options,
    buckets: Vec<kv::Store>,
    consumer: Consumer<pull::Config>,
    hands: Hands,
    /// Counts changes of records seen, for `changed`.
    changes: watch::Receiver<u64>,
    seen: AtomicU64,
    faults: Arc<Faults>,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What the connection went through, for metrics and readiness.
#[derive(Debug, Default)]
pub struct Faults {
    /// Connections lost.
    pub disconnects: AtomicU64,
    /// Messages that the client dropped because it was too slow.
    pub slow: AtomicU64,
}

/// Connects. Reconnecting is the client's work from then on: for ever, with jitter.
async fn connect(access: &Access, faults: &Arc<Faults>) -> Result<Client, OpenError> {
    let file = |path: &PathBuf, why: String| OpenError::File { file: path.display().to_string(), why };
    let seen = Arc::clone(faults);
    let mut options = ConnectOptions::new()
        .name("mimamori")
        .max_reconnects(None)
        .request_timeout(Some(REQUEST_MAX))
        .reconnect_delay_callback(|attempt| {
            let base = Duration::from_millis(100).saturating_mul(1 << attempt.min(6)).min(RECONNECT_MAX);
            // Many workers must not come back in the same instant; the clock's low digits are random enough for that.
            let share = u64::try_from(jiff::Timestamp::now().subsec_nanosecond() % 1000).unwrap_or(0);
            base + base.mul_f64(f64::from(u32::try_from(share).unwrap_or(0)) / 2000.0)
        })
        .event_callback(move |event| {
            let seen = Arc::clone(&seen);
            async move {
                match event {
                    Event::Disconnected => {
                        seen.disconnects.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!("the connection to NATS is lost");
                    }
                    Event::SlowConsumer(_) => {
                        seen.slow.fetch_add(1, Ordering::Relaxed);
                        tracing::error!("the NATS client dropped messages because this process is too slow");
                    }
                    other => tracing::info!(%other, "NATS"),
                }
            }
        });
    if let Some(path) = &access.credentials {
        let text = std::fs::read_to_string(path).map_err(|error| file(path, error.to_string()))?;
        options = options.credentials(&text).map_err(|error| file(path, error.to_string()))?;
    }
    if let Some(path) = &access.nkey {
        let nkey = std::fs::read_to_string(path).map_err(|error| file(path, error.to_string()))?;
        options = options.nkey(nkey.trim().to_owned());
    }
    if let Some(path) = &access.authority {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &access.client {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    if let Some(prefix) = &access.inbox {
        options = options.custom_inbox_prefix(prefix);
    }
    options = options.require_tls(access.tls);
    let servers: Vec<&str> = access.url.split(',').map(str::trim).collect();
    options.connect(servers).await.map_err(|error| OpenError::Connect { url: access.url.clone(), why: error.to_string() })
}

fn check_version(client: &Client) -> Result<(), OpenError> {
    let found = client.server_info().version;
    let mut numbers = found.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < SERVER_MIN { Err(OpenError::TooOld { found }) } else { Ok(()) }
}

impl Nats {
    /// Connects, checks the server and everything that `init` made, and changes nothing.
    pub async fn open(access: &Access, options: Options) -> Result<Self, OpenError> {
        let faults = Arc::new(Faults::default());
        let client = connect(access, &faults).await?;
        check_version(&client)?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(REQUEST_MAX);
        let (buckets, consumer) = options.layout.open(&context, options.lease).await?;
        let changes = records::watch(&client, &options.layout).await?;
        Ok(Self { hands: Hands::new(options.lease), client, context, options, buckets, consumer, changes, seen: AtomicU64::new(0), faults })
    }

    /// Creates what is missing, changes what may be changed, and says what was found or made, one line each.
    pub async fn init(access: &Access, options: &Options) -> Result<Vec<String>, OpenError> {
        let client = connect(access, &Arc::new(Faults::default())).await?;
        check_version(&client)?;
        let mut context = jetstream::new(client);
        context.set_timeout(REQUEST_MAX);
        options.layout.create(&context, options.lease).await
    }

    /// Removes every stream and bucket of the layout with all that is in them.
    pub async fn remove(access: &Access, options: &Options) -> Result<(), OpenError> {
        let client = connect(access, &Arc::new(Faults::default())).await?;
        options.layout.remove(&jetstream::new(client)).await
    }

    /// What the connection went through.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }
}

/// The server did not say yes in time: the write may or may not have happened.
fn unavailable(error: impl fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
