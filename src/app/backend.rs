//! The configured backend: a file on this machine, or NATS JetStream.

use crate::config::settings::{Backend as Kind, NatsSettings, Settings};
use crate::edge::embedded::worker_lock::WorkerLock;
use crate::edge::embedded::{self, Embedded};
use crate::edge::nats::layout::Layout;
use crate::edge::nats::{self, Access, Nats};
use crate::store::{Queue, Store};
use anyhow::{Context, Result};
use std::sync::Arc;

/// An opened backend.
pub struct Backend {
    /// Records, streams, blobs.
    pub store: Arc<dyn Store>,
    /// The work queue.
    pub queue: Arc<dyn Queue>,
    /// The embedded backend itself, for its worker lock.
    embedded: Option<Arc<Embedded>>,
    /// The JetStream backend itself, for what its connection went through.
    pub nats: Option<Arc<Nats>>,
}

impl Backend {
    /// Bytes that a message of the queue may have at most.
    pub fn message_bytes(&self, settings: &Settings) -> usize {
        self.nats.as_ref().map_or(settings.limits.message_bytes, |nats| nats.message_bytes())
    }

    /// Makes sure that no other worker runs on the same file; a cluster takes as many workers as come.
    pub async fn lock(&self) -> Result<Option<WorkerLock>> {
        match &self.embedded {
            Some(embedded) => embedded.worker_lock().await.map(Some).context("another worker runs on this store"),
            None => Ok(None),
        }
    }
}

/// Opens the configured backend. Works while other processes run workers on it.
pub async fn open_backend(settings: &Settings) -> Result<Backend, String> {
    match settings.store.backend {
        Kind::Embedded => {
            let embedded = Arc::new(open_file(settings)?);
            Ok(Backend { store: embedded.clone(), queue: embedded.clone(), embedded: Some(embedded), nats: None })
        }
        Kind::Nats => {
            let nats = Nats::open(&access(&settings.nats), options(settings)).await.map_err(|error| error.to_string())?;
            let nats = Arc::new(nats);
            Ok(Backend { store: nats.clone(), queue: nats.clone(), embedded: None, nats: Some(nats) })
        }
    }
}

/// Creates what the configured backend needs; one line for each thing that is there now.
pub async fn init_backend(settings: &Settings) -> Result<Vec<String>, String> {
    match settings.store.backend {
        Kind::Embedded => {
            open_file(settings)?;
            Ok(vec![format!("store {}", settings.store.path.display())])
        }
        Kind::Nats => Nats::init(&access(&settings.nats), &options(settings)).await.map_err(|error| error.to_string()),
    }
}

/// Removes everything of this installation from the server: for the demo, which makes a place of its own.
pub async fn remove_backend(settings: &Settings) -> Result<(), String> {
    match settings.store.backend {
        Kind::Embedded => Ok(()),
        Kind::Nats => Nats::remove(&access(&settings.nats), &options(settings)).await.map_err(|error| error.to_string()),
    }
}

fn open_file(settings: &Settings) -> Result<Embedded, String> {
    let path = &settings.store.path;
    let options = embedded::Options {
        pending_max: settings.store.pending_max,
        keeps_settled: settings.audit.is_on(),
        ..embedded::Options::default()
    };
    Embedded::open_with(path, options).map_err(|error| format!("cannot open {}: {error}", path.display()))
}

pub(crate) fn access(nats: &NatsSettings) -> Access {
    Access {
        url: nats.url.clone(),
        credentials: nats.creds_file.clone(),
        nkey: nats.nkey_file.clone(),
        authority: nats.ca_file.clone(),
        client: nats.client.clone(),
        tls: nats.tls,
        inbox: nats.inbox_prefix.clone(),
    }
}

fn options(settings: &Settings) -> nats::Options {
    let given = &settings.nats;
    let layout = Layout {
        inbound: given.inbound_stream.clone(),
        inbound_prefix: given.inbound_subjects.clone(),
        consumer: given.consumer.clone(),
        streams: given.streams.clone(),
        buckets: given.buckets.clone(),
        subjects: given.subjects.clone(),
        replicas: given.replicas,
    };
    nats::Options { layout, pending_max: settings.store.pending_max, ..nats::Options::default() }
}
