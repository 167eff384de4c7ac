//! Reads on connections of their own, beside the writer: they see what is committed, and never wait for a commit.

use crate::edge::embedded::fault::explain;
use crate::edge::embedded::schema::connect_reader;
use crate::edge::embedded::writer::lock;
use crate::store::StoreError;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// Connections that read at the same time: more than that wait, so that reads never hold many page caches.
const READERS_MAX: usize = 4;

/// A few reading connections, opened when first needed.
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    places: Semaphore,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// Readers of the store at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, places: Semaphore::new(READERS_MAX), idle: Arc::default() }
    }

    /// Runs a query on a thread that may block.
    pub async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let _place = self.places.acquire().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (idle, path) = (Arc::clone(&self.idle), self.path.clone());
        let task = tokio::task::spawn_blocking(move || {
            let kept = lock(&idle).pop();
            let db = kept.map_or_else(|| connect_reader(&path), Ok)?;
            let answer = query(&db);
            // A connection that failed is closed: its state is unknown.
            if answer.is_ok() {
                lock(&idle).push(db);
            }
            answer
        });
        task.await.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(|error| explain(&error))
    }
}
