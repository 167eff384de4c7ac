//! The contract of store and queue, run against every backend; what only the embedded one promises; the evidence chain.

#![allow(clippy::unwrap_used, reason = "the promises are functions of both backends, which the lint does not know as tests")]

mod contract;
mod embedded;
mod evidence;
mod faults;
pub(crate) mod nats;
mod nats_faults;
mod processes;

use bytes::Bytes;
use jiff::Timestamp;
use mimamori::edge::embedded::{Embedded, Options};
use mimamori::edge::twin::{Faults, Twin};
use mimamori::model::envelope::{ContentKind, Envelope, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::store::{Accepted, Bucket, Key, Leased, Queue, Store, StoreError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Lease of the backends under test: long enough for slow machines, short enough to wait for.
const LEASE: Duration = Duration::from_millis(800);

/// A wait that a correct backend never uses up.
const PATIENCE: Duration = Duration::from_secs(20);

struct Backend {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    _folder: Option<TempDir>,
    _server: Option<nats::NatsServer>,
}

fn embedded_backend() -> Backend {
    let folder = tempfile::tempdir().expect("a folder");
    let embedded = Arc::new(open(&folder.path().join("store.db")));
    Backend { store: embedded.clone(), queue: embedded, _folder: Some(folder), _server: None }
}

fn twin_backend() -> Backend {
    let twin = Arc::new(Twin::with_lease(1, Faults::none(), LEASE));
    Backend { store: twin.clone(), queue: twin, _folder: None, _server: None }
}

fn open(path: &Path) -> Embedded {
    Embedded::open_with(path, options()).expect("the store opens")
}

fn options() -> Options {
    Options { lease: LEASE, disk_reserve_bytes: 0, ..Options::default() }
}

fn key(segments: &[&str]) -> Key {
    Key::new(Bucket::Case, segments)
}

fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn line(id: Option<&str>, text: &str) -> Envelope {
    Envelope {
        kind: ContentKind::JsonLine,
        payload: value(text),
        given_id: id.map(str::to_owned),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        received_at: Timestamp::from_second(1_790_000_000).expect("a time"),
        source: Source::Submit,
        purpose: Purpose::Live,
    }
}

async fn submit(queue: &dyn Queue, envelope: Envelope) -> Result<Accepted, StoreError> {
    queue.submit(vec![envelope]).await.pop().expect("one answer for one envelope")
}

async fn submit_all(queue: &dyn Queue, ids: &[&str]) {
    for answer in queue.submit(ids.iter().map(|id| line(Some(id), id)).collect()).await {
        answer.expect("accepted");
    }
}

async fn lease_now(queue: &dyn Queue, limit: usize) -> Vec<Leased> {
    queue.lease(limit, Duration::ZERO).await.expect("the queue answers")
}

fn ids(leased: &[Leased]) -> Vec<&str> {
    leased.iter().map(|leased| leased.identity.id.as_str()).collect()
}
