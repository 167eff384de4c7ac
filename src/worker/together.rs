//! Many changes of one record at once, written together.
//!
//! The messages of a busy conversation all change the same record. One after the other, each would wait for a read and a write;
//! side by side they would race, and with several workers lose against each other for ever. So whoever comes while a write is
//! under way waits, and then all that wait are decided one after the other on one reading and written once. Each is answered
//! only after the write. Compare-and-set still decides between processes.

use crate::store::record::{self, CAS_ATTEMPTS_MAX, Change, Versioned};
use crate::store::{Key, Store, StoreError};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Changes of one write: each is decided on a copy of the record, and other processes must get their turn.
const TOGETHER_MAX: usize = 64;

/// Pause after a lost race, times the attempt and a chance: two processes in step would only meet again.
const RACE_PAUSE: Duration = Duration::from_millis(2);

/// A pure function of the record.
pub(crate) type Decide<T, R> = Box<dyn FnMut(Option<T>) -> Change<T, R> + Send>;

struct Wish<T, R> {
    decide: Decide<T, R>,
    tell: oneshot::Sender<Result<R, StoreError>>,
}

/// Changes that wait, by key. A key is there while somebody carries out its changes.
pub(crate) struct Together<T, R> {
    waiting: Mutex<HashMap<String, Vec<Wish<T, R>>>>,
}

impl<T, R> Default for Together<T, R> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<T: Versioned + Clone + Send + 'static, R: Send + 'static> Together<T, R> {
    /// Changes a record, together with whoever else wants to. Fails with [`StoreError::Conflict`] after
    /// [`CAS_ATTEMPTS_MAX`] lost races against other processes.
    ///
    /// # Panics
    /// If `decide` does.
    pub(crate) async fn change(self: &Arc<Self>, store: &Arc<dyn Store>, key: &Key, decide: Decide<T, R>) -> Result<R, StoreError> {
        let (tell, told) = oneshot::channel();
        let wish = Wish { decide, tell };
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let is_first = !waiting.contains_key(key.as_str());
            waiting.entry(key.as_str().to_owned()).or_default().push(wish);
            is_first
        };
        if is_first {
            // A task of its own: a caller that goes away must not take the others' changes with it.
            tokio::spawn(Arc::clone(self).carry_out(Arc::clone(store), key.clone()));
        }
        told.await.expect("deciding does not panic")
    }

    async fn carry_out(self: Arc<Self>, store: Arc<dyn Store>, key: Key) {
        loop {
            let row = self.take(&key);
            if row.is_empty() {
                return;
            }
            write(&*store, &key, row).await;
        }
    }

    /// What waits; forgets the key if that is nothing.
    fn take(&self, key: &Key) -> Vec<Wish<T, R>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(row) = waiting.get_mut(key.as_str()) else { return vec![] };
        let taken: Vec<Wish<T, R>> = row.drain(..row.len().min(TOGETHER_MAX)).collect();
        if taken.is_empty() {
            waiting.remove(key.as_str());
        }
        taken
    }
}

async fn write<T: Versioned + Clone + Send + 'static, R: Send + 'static>(store: &dyn Store, key: &Key, mut row: Vec<Wish<T, R>>) {
    let mut outcome = StoreError::Conflict;
    for attempt in 1..=CAS_ATTEMPTS_MAX {
        match once(store, key, &mut row).await {
            Ok(answers) => {
                for (wish, answer) in row.into_iter().zip(answers) {
                    // Nobody listens any more: the change is made all the same.
                    _ = wish.tell.send(Ok(answer));
                }
                return;
            }
            Err(error) if error.is_race() => tokio::time::sleep(pause(attempt)).await,
            Err(error) => {
                outcome = error;
                break;
            }
        }
    }
    if row.len() > 1 && !outcome.is_transient() && !outcome.is_race() {
        // One of them is too much; the others must not share its fate.
        for wish in row {
            Box::pin(write(store, key, vec![wish])).await;
        }
        return;
    }
    for wish in row {
        _ = wish.tell.send(Err(outcome.clone()));
    }
}

/// Decides everything on one reading and writes once. A wish that panics is dropped, and its caller told by that.
async fn once<T: Versioned + Clone + Send, R: Send>(store: &dyn Store, key: &Key, row: &mut Vec<Wish<T, R>>) -> Result<Vec<R>, StoreError> {
    let found = record::load::<T>(store, key).await?;
    let (mut body, revision) = found.map_or((None, None), |(body, revision)| (Some(body), Some(revision)));
    let (mut answers, mut left, mut is_changed) = (vec![], vec![], false);
    for mut wish in row.drain(..) {
        let Ok(change) = catch_unwind(AssertUnwindSafe(|| (wish.decide)(body.clone()))) else { continue };
        answers.push(match change {
            Change::Write(next, answer) => {
                (body, is_changed) = (Some(next), true);
                answer
            }
            Change::Keep(answer) => answer,
        });
        left.push(wish);
    }
    *row = left;
    if let Some(body) = body.filter(|_| is_changed) {
        let bytes = record::encode(&body)?;
        match revision {
            Some(revision) => store.update(key, revision, bytes).await?,
            None => store.create(key, bytes).await?,
        };
    }
    Ok(answers)
}

fn pause(attempt: usize) -> Duration {
    let chance = jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() % 1_000;
    RACE_PAUSE.saturating_mul(u32::try_from(attempt).unwrap_or(1)).mul_f64(0.5 + f64::from(chance) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::twin::{Faults, Twin};
    use crate::store::{Bucket, VALUE_BYTES_MAX};
    use serde::{Deserialize, Serialize};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::task::JoinHandle;

    #[derive(Clone, Default, Serialize, Deserialize)]
    struct Names(Vec<String>);

    impl Versioned for Names {
        const VERSION: u32 = 1;
    }

    type Together = super::Together<Names, usize>;

    fn add(together: &Arc<Together>, store: &Arc<dyn Store>, name: String) -> JoinHandle<Result<usize, StoreError>> {
        let (together, store) = (Arc::clone(together), Arc::clone(store));
        tokio::spawn(async move {
            let decide = move |names: Option<Names>| {
                assert_ne!(name, "panic");
                let mut names = names.unwrap_or_default();
                names.0.push(name.clone());
                let count = names.0.len();
                Change::Write(names, count)
            };
            together.change(&store, &Key::new(Bucket::System, &["names"]), Box::new(decide)).await
        })
    }

    fn store() -> Arc<dyn Store> {
        Arc::new(Twin::with_lease(1, Faults::none(), Duration::from_secs(1)))
    }

    #[tokio::test]
    async fn everything_is_written_once_and_each_is_told_its_own() {
        let (together, store) = (Arc::new(Together::default()), store());
        let all: Vec<_> = (0..300).map(|n| add(&together, &store, format!("n{n}"))).collect();
        let mut told = vec![];
        for one in all {
            told.push(one.await.expect("no panic").expect("written"));
        }
        told.sort_unstable();
        assert_eq!(told, (1..=300).collect::<Vec<_>>());
        let record = store.get(&Key::new(Bucket::System, &["names"])).await.expect("read").expect("there");
        assert!(record.revision.0 < 100, "{:?} writes for 300 changes", record.revision);
        assert!(together.waiting.lock().expect("lock").is_empty());
    }

    #[tokio::test]
    async fn one_that_fails_leaves_the_others_alone() {
        let (together, store) = (Arc::new(Together::default()), store());
        let long = "x".repeat(VALUE_BYTES_MAX);
        let names = ["a".to_owned(), "panic".to_owned(), "b".to_owned(), long, "c".to_owned()];
        let all: Vec<_> = names.into_iter().map(|name| add(&together, &store, name)).collect();
        let (written, failed, panicked) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        for one in all {
            let kind = match one.await {
                Ok(Ok(_)) => &written,
                Ok(Err(StoreError::TooLarge { .. })) => &failed,
                Ok(Err(other)) => panic!("{other}"),
                Err(_) => &panicked,
            };
            kind.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!((written.into_inner(), failed.into_inner(), panicked.into_inner()), (3, 1, 1));
    }
}
