//! Group commit: one thread per process that writes.
//!
//! It takes every waiting operation, runs them in one transaction, commits once, and only then answers all of them. So the
//! cost of a sync is shared by whoever waits at the same time, and an answer always stands for durable bytes.
//!
//! Each operation decides for itself: a conflict is its answer and not a rollback. If the engine fails inside one of
//! them, the transaction is undone and the operations run again one by one, so that one bad row cannot refuse the others.

use crate::edge::embedded::fault::explain;
use crate::store::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Operations in one transaction: beyond it the first one would wait for the last.
const OPERATIONS_PER_COMMIT_MAX: usize = 1024;

/// Operations waiting for the writer; further callers wait for a place. Bounds memory when the disk stalls.
const OPERATIONS_WAITING_MAX: usize = 4096;

/// How often the writer looks whether another process has committed: a person who acts on the command line expects the
/// worker to follow at once, and one look costs microseconds.
const OTHERS_POLL: Duration = Duration::from_millis(100);

/// Whom a committed operation concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerns {
    /// Nobody waits for it.
    Nobody,
    /// Those who wait for changed records.
    Records,
    /// Those who wait for work.
    Work,
}

/// Wakes those who wait inside this process.
#[derive(Debug)]
pub struct Signals {
    /// Raised when there may be work to lease.
    pub work: Notify,
    /// Counts up when a record may have changed.
    pub records: watch::Sender<u64>,
}

impl Signals {
    fn raise(&self, concerns: Concerns) {
        match concerns {
            Concerns::Nobody => {}
            Concerns::Records => self.records.send_modify(|generation| *generation += 1),
            Concerns::Work => self.work.notify_waiters(),
        }
    }
}

/// What an operation answers: the outer error is a fault of the engine and undoes the transaction; the inner one is the
/// answer of an operation that has written nothing.
pub type Decision<T> = rusqlite::Result<Result<T, StoreError>>;

/// The handle by which operations reach the writing thread.
#[derive(Debug)]
pub struct Writer {
    inbox: Option<Sender<Box<dyn Operation>>>,
    places: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. `farewell` runs once, in its own transaction, when the last operation is done.
    pub fn start(
        db: Connection,
        signals: Arc<Signals>,
        farewell: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (inbox, operations) = mpsc::channel();
        let desk = Desk { db, operations, signals };
        let thread = std::thread::Builder::new().name("mimamori-store".into()).spawn(move || desk.serve(farewell))?;
        Ok(Self { inbox: Some(inbox), places: Arc::new(Semaphore::new(OPERATIONS_WAITING_MAX)), thread: Some(thread) })
    }

    /// Runs an operation and answers after its commit. If the caller goes away, the operation still happens.
    pub async fn run<T: Send + 'static>(
        &self,
        concerns: Concerns,
        decide: impl FnMut(&Connection) -> Decision<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_then(concerns, decide, |decided| decided).await
    }

    /// Like [`Writer::run`]; `finish` sees what was decided only when it is committed. What it returns is dropped when the
    /// caller has gone away, so a guard made there can undo.
    pub async fn run_then<T: Send + 'static, U: Send + 'static>(
        &self,
        concerns: Concerns,
        decide: impl FnMut(&Connection) -> Decision<T> + Send + 'static,
        finish: impl FnOnce(T) -> U + Send + 'static,
    ) -> Result<U, StoreError> {
        let gone = || StoreError::Unavailable("the writer of the store has stopped".into());
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| gone())?;
        let (reply, answer) = oneshot::channel();
        let call = Call { concerns, decide, decided: None, finish, reply, _place: place };
        self.inbox.as_ref().ok_or_else(gone)?.send(Box::new(call)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    /// Waits until what was handed in is committed.
    fn drop(&mut self) {
        drop(self.inbox.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the store had panicked");
        }
    }
}

trait Operation: Send {
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>) -> Concerns;
}

struct Call<T, U, D, F> {
    concerns: Concerns,
    decide: D,
    decided: Option<Result<T, StoreError>>,
    finish: F,
    reply: oneshot::Sender<Result<U, StoreError>>,
    _place: OwnedSemaphorePermit,
}

impl<T, U, D, F> Operation for Call<T, U, D, F>
where
    T: Send,
    U: Send,
    D: FnMut(&Connection) -> Decision<T> + Send,
    F: FnOnce(T) -> U + Send,
{
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.decided = Some((self.decide)(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) -> Concerns {
        let Self { concerns, decided, finish, reply, .. } = *self;
        let undecided = || Err(StoreError::Unavailable("the operation was not run".into()));
        let answer = committed.and_then(|()| decided.unwrap_or_else(undecided)).map(finish);
        let concerns = if answer.is_ok() { concerns } else { Concerns::Nobody };
        // A caller who went away wants no answer.
        drop(reply.send(answer));
        concerns
    }
}

/// Where a transaction failed decides what can be done about it.
enum Failure {
    /// Before or after the operations: nothing can be said about any of them.
    Around(rusqlite::Error),
    /// Inside one of them: the others may be fine.
    Inside(rusqlite::Error),
}

struct Desk {
    db: Connection,
    operations: Receiver<Box<dyn Operation>>,
    signals: Arc<Signals>,
}

impl Desk {
    fn serve(self, farewell: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        let mut seen = self.version();
        let mut looked = Instant::now();
        loop {
            match self.operations.recv_timeout(OTHERS_POLL) {
                Ok(first) => {
                    let rest = self.operations.try_iter().take(OPERATIONS_PER_COMMIT_MAX - 1);
                    self.commit(std::iter::once(first).chain(rest).collect());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if looked.elapsed() >= OTHERS_POLL {
                looked = Instant::now();
                let version = self.version();
                if version != seen {
                    seen = version;
                    self.signals.raise(Concerns::Records);
                    self.signals.raise(Concerns::Work);
                }
            }
        }
        if let Err(error) = farewell(&self.db) {
            tracing::warn!(%error, "the store could not give back leases at its end; they run out by themselves");
        }
    }

    /// Changes when another process (or another handle) has committed, never by our own commits.
    fn version(&self) -> Option<i64> {
        self.db.query_row("PRAGMA data_version", [], |row| row.get(0)).ok()
    }

    fn commit(&self, mut batch: Vec<Box<dyn Operation>>) {
        let failure = match self.attempt(&mut batch) {
            Ok(()) => None,
            Err(Failure::Inside(_)) if batch.len() > 1 => return self.commit_one_by_one(batch),
            Err(Failure::Around(error) | Failure::Inside(error)) => Some(error),
        };
        if let Some(error) = &failure {
            tracing::warn!(%error, operations = batch.len(), "the store could not commit");
        }
        for operation in batch {
            let committed = failure.as_ref().map_or(Ok(()), |error| Err(explain(error)));
            self.signals.raise(operation.answer(committed));
        }
    }

    fn commit_one_by_one(&self, batch: Vec<Box<dyn Operation>>) {
        for operation in batch {
            self.commit(vec![operation]);
        }
    }

    /// A transaction that fails is undone when it is dropped.
    fn attempt(&self, batch: &mut [Box<dyn Operation>]) -> Result<(), Failure> {
        let transaction = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate).map_err(Failure::Around)?;
        for operation in batch {
            operation.run(&transaction).map_err(Failure::Inside)?;
        }
        transaction.commit().map_err(Failure::Around)
    }
}

/// Takes a lock whose data stays whole even if a holder panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
