//! The JetStream backend: many workers over one stream of messages, records in key-value buckets.
//!
//! Truth is on the server. A write counts only when its PubAck has come, whoever waits for it; what decides is compare-and-set
//! by the server (`Nats-Expected-Last-Subject-Sequence`), never memory. Reads that decide go to the leader of a stream; scans
//! and pages may be answered by a replica and be stale, as the traits say. Acknowledgements are confirmed, because one that is
//! lost means that a message is handed out again.
//!
//! The server must be 2.11 or newer: older ones ignore or lack what is relied on here. `mimamori init` creates streams,
//! consumer and buckets; everything else only reads them back and compares, so that a worker needs narrow rights.

use crate::edge::nats::connect::{check_version, connect};
use crate::edge::nats::consume::Looks;
use crate::edge::nats::faults::Faults;
use crate::edge::nats::hands::Hands;
use crate::edge::nats::layout::Layout;
use crate::edge::nats::pull::Pull;
use crate::store::{LEASE_DURATION, StoreError};
use async_nats::Client;
use async_nats::jetstream::consumer::{self, Consumer};
use async_nats::jetstream::{self, kv};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

mod connect;
mod consume;
pub mod durable;
pub mod faults;
mod hands;
pub mod layout;
mod letter;
mod page;
mod pull;
mod queue;
mod records;
mod restore;
pub mod ring;

/// Oldest server: before it a leader may answer before it has caught up, and pages cannot be read without a consumer.
pub const SERVER_MIN: (u64, u64) = (2, 11);

/// Time for one request. Longer than an election in a cluster usually takes, so that a leader change is slow and not a failure.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// How to reach the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
        /// The server does not let us in.
        denied: bool,
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

impl OpenError {
    /// Whether only a person can help: the server refuses who we are, or what proves it cannot be read.
    pub(crate) const fn is_denied(&self) -> bool {
        matches!(self, Self::Connect { denied: true, .. } | Self::File { .. })
    }
}

/// An open backend; both [`Store`](crate::store::Store) and [`Queue`](crate::store::Queue).
pub struct Nats {
    client: Client,
    context: jetstream::Context,
    options: Options,
    buckets: Vec<kv::Store>,
    consumer: Consumer<consumer::pull::Config>,
    hands: Arc<Hands>,
    pull: tokio::sync::Mutex<Pull>,
    looks: Mutex<Looks>,
    /// When the inbound stream was made, in nanoseconds.
    stream_made: i128,
    /// Counts changes of records seen, for `changed`.
    changes: watch::Receiver<u64>,
    seen: AtomicU64,
    /// Messages acknowledged as done.
    acknowledged: AtomicU64,
    faults: Arc<Faults>,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("options", &self.options).finish_non_exhaustive()
    }
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
        let inbound = context.get_stream(&options.layout.inbound).await;
        let inbound = inbound.map_err(|error| OpenError::Unavailable(error.to_string()))?;
        let hands = Arc::new(Hands::new(options.lease));
        hands.keep_telling(client.clone());
        Ok(Self {
            hands,
            pull: tokio::sync::Mutex::new(Pull::new()),
            looks: Mutex::default(),
            stream_made: inbound.cached_info().created.unix_timestamp_nanos(),
            client,
            context,
            options,
            buckets,
            consumer,
            changes,
            seen: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            faults,
        })
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

    /// Bytes that a message may have at most: what the server takes, whoever publishes.
    pub fn message_bytes(&self) -> usize {
        self.client.max_payload()
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
