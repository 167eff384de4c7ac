//! The embedded backend: one SQLite file on local disk, no server to install.
//!
//! The file is the only truth. Several processes use it at once (`submit`, `case …` and `dead …` while `run` runs), so
//! nothing that decides is kept in memory: every write decides inside its transaction, every read sees what is committed.
//! It must not lie on a network file system: the write-ahead log needs shared memory and locks that work.
//!
//! Why SQLite: several processes may write to the same file without a server, its crash safety has been tested for decades,
//! and others maintain it. Log-structured stores commit faster, but give the file to one process, and then every command
//! line verb would need a server inside the worker.
//!
//! Cost: a write alone is one sync of the disk; writes that wait together share it (see [`writer`]). Measured on two cores
//! with messages of 300 bytes and ids at random places: 3,600–4,000 accepted per second by one submitter (0.55 of what a bare
//! append with `fdatasync` reaches on the same disk), 18,000–20,000 by 16, 35,000–42,000 by 256, where the processor is the
//! limit. `cargo bench --bench store` prints these figures beside the raw limit of the same moment.

pub mod acceptance;
pub mod fault;
pub mod queue;
pub mod reader;
pub mod records;
pub mod schema;
pub mod worker_lock;
pub mod writer;

use crate::edge::embedded::queue::{Abandoned, give_back_abandoned, release_all};
use crate::edge::embedded::reader::Readers;
use crate::edge::embedded::schema::OpenError;
use crate::edge::embedded::worker_lock::{WorkerLock, WorkerLockError};
use crate::edge::embedded::writer::{Concerns, Signals, Writer};
use crate::store::LEASE_DURATION;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Messages that may wait by default: about a day of a very large contact center, and a few GB on disk.
pub const PENDING_MAX_DEFAULT: u64 = 1_000_000;

/// Free disk space below which new messages are refused, in bytes: what is accepted already needs room for its verdicts,
/// cases and evidence.
pub const DISK_RESERVE_BYTES: u64 = 256 << 20;

/// What may differ between installations and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Accepted and unsettled messages beyond which new ones are refused.
    pub pending_max: u64,
    /// Free disk space below which new messages are refused, in bytes.
    pub disk_reserve_bytes: u64,
    /// How long a worker may keep a message.
    pub lease: Duration,
    /// Settled messages are kept until they were audited.
    pub keeps_settled: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { pending_max: PENDING_MAX_DEFAULT, disk_reserve_bytes: DISK_RESERVE_BYTES, lease: LEASE_DURATION, keeps_settled: true }
    }
}

/// An open store. Share it in an `Arc`; it is both [`Store`](crate::store::Store) and [`Queue`](crate::store::Queue).
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    options: Options,
    writer: Writer,
    readers: Readers,
    signals: Arc<Signals>,
    abandoned: Abandoned,
    generation_seen: Mutex<u64>,
}

impl Embedded {
    /// Opens the store at `path`, and creates file and folder where they are missing. Blocks for a few milliseconds.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, Options::default())
    }

    /// Opens with other limits.
    pub fn open_with(path: &Path, options: Options) -> Result<Self, OpenError> {
        let db = schema::prepare(path)?;
        let signals = Arc::new(Signals { work: Notify::new(), records: watch::Sender::new(0) });
        let abandoned = Abandoned::default();
        let left = Arc::clone(&abandoned);
        let writer = Writer::start(db, Arc::clone(&signals), move |db| give_back_abandoned(db, &left).map(drop))
            .map_err(|error| OpenError::File { path: path.to_owned(), error })?;
        let readers = Readers::new(path.to_owned());
        Ok(Self { path: path.to_owned(), options, writer, readers, signals, abandoned, generation_seen: Mutex::new(0) })
    }

    /// Takes the right to lease from this store, for as long as the answer lives. Leases of a worker that died are
    /// released at once, so that a restart does not wait for them to run out.
    pub async fn worker_lock(&self) -> Result<WorkerLock, WorkerLockError> {
        let lock = worker_lock::take(&self.path)?;
        self.writer.run(Concerns::Work, release_all).await?;
        Ok(lock)
    }
}
