//! What the embedded backend promises beyond the contract: limits, files, restarts, and agreement with the twin.

use crate::store::{PATIENCE, ids, key, lease_now, line, open, options, submit, submit_all, value};
use mimamori::edge::embedded::schema::OpenError;
use mimamori::edge::embedded::worker_lock::WorkerLockError;
use mimamori::edge::embedded::{Embedded, Options};
use mimamori::edge::twin::{Faults, Twin};
use mimamori::store::{Queue, Revision, Settlement, Store, StoreError, Stream};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn a_full_queue_refuses_new_messages_only() {
    let rows = [("bound", Options { pending_max: 1, ..options() }), ("disk", Options { disk_reserve_bytes: u64::MAX, ..options() })];
    for (name, limits) in rows {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        submit_all(&open(&path), &["a"]).await;
        let store = Embedded::open_with(&path, limits).unwrap();
        let answers = store.submit(vec![line(Some("b"), "b"), line(None, "c"), line(Some("a"), "a")]).await;
        let full: Vec<_> = answers.iter().map(|answer| matches!(answer, Err(StoreError::Full(_)))).collect();
        assert_eq!(full, [true, true, false], "{name}");
        // What is accepted already can still be finished.
        store.create(&key(&["a"]), value("case")).await.unwrap();
        let leased = lease_now(&store, 9).await;
        assert_eq!(ids(&leased), ["a"], "{name}");
        store.settle(leased[0].ticket, Settlement::Done).await.unwrap();
        assert_eq!(submit(&store, line(Some("b"), "b")).await.is_ok(), name == "bound");
    }
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("folder").join("store.db");
    let store = open(&path);
    let revision = store.create(&key(&["a"]), value("1")).await.unwrap();
    store.append(Stream::Verdict, "v", None, value("2")).await.unwrap();
    let digest = store.put_blob(value("3")).await.unwrap();
    submit_all(&store, &["kept", "done"]).await;
    let leased = lease_now(&store, 2).await;
    store.settle(leased[1].ticket, Settlement::Done).await.unwrap();
    drop(store);

    let store = open(&path);
    assert_eq!(store.get(&key(&["a"])).await.unwrap().unwrap().revision, revision);
    assert!(store.update(&key(&["a"]), revision, value("x")).await.unwrap() > revision);
    assert_eq!(store.last(Stream::Verdict).await.unwrap().unwrap().body, value("2"));
    assert_eq!(store.get_blob(&digest).await.unwrap().unwrap(), value("3"));
    assert!(submit(&store, line(Some("done"), "done")).await.unwrap().duplicate);
    assert_eq!(store.state().await.unwrap().pending, 1);
    let again = store.lease(9, PATIENCE).await.unwrap();
    assert_eq!((ids(&again), again[0].deliveries), (vec!["kept"], 2));
}

#[tokio::test]
async fn one_worker_at_a_time_and_a_dead_ones_leases_are_released() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let long = Options { lease: PATIENCE, ..options() };
    let first = Embedded::open_with(&path, long.clone()).unwrap();
    let lock = first.worker_lock().await.unwrap();
    submit_all(&first, &["a"]).await;
    assert_eq!(lease_now(&first, 1).await.len(), 1);
    let second = Embedded::open_with(&path, long).unwrap();
    let refused = second.worker_lock().await.unwrap_err();
    assert!(matches!(refused, WorkerLockError::Held { pid } if pid == Some(std::process::id())), "{refused}");
    assert_eq!(lease_now(&second, 1).await, []);
    drop(lock);
    let _lock = second.worker_lock().await.unwrap();
    let again = lease_now(&second, 1).await;
    assert_eq!((ids(&again), again[0].deliveries), (vec!["a"], 2));
}

#[tokio::test]
async fn a_lease_nobody_received_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Arc::new(Embedded::open_with(&path, Options { lease: PATIENCE, ..options() }).unwrap());
    submit_all(&*store, &["a"]).await;
    for _ in 0..20 {
        // Polled once, so that the lease is under way, and then dropped.
        let mut lease = Box::pin(store.lease(1, Duration::ZERO));
        assert!(std::future::poll_fn(|context| std::task::Poll::Ready(lease.as_mut().poll(context).is_pending())).await);
        drop(lease);
    }
    let leased = store.lease(1, PATIENCE / 2).await.unwrap();
    assert_eq!((ids(&leased), leased[0].suspect), (vec!["a"], false));
}

#[tokio::test]
async fn a_damaged_message_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    submit_all(&store, &["damaged", "fine"]).await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute("UPDATE message SET meta = '{' WHERE seq = 1", []).unwrap();
    assert_eq!(ids(&lease_now(&store, 9).await), ["fine"]);
    assert_eq!(store.state().await.unwrap().pending, 2);
}

#[tokio::test]
async fn a_fault_in_one_operation_does_not_refuse_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Arc::new(open(&path));
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TRIGGER bad BEFORE INSERT ON record WHEN new.key = 'case.bad' BEGIN SELECT abs(-9223372036854775808); END")
        .unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = Arc::clone(&store);
            let name = if n % 10 == 5 { "bad".to_owned() } else { n.to_string() };
            tokio::spawn(async move { (n, store.create(&key(&[&name]), value("")).await) })
        })
        .collect();
    for task in tasks {
        let (n, answer) = task.await.unwrap();
        assert_eq!(answer.is_err_and(|error| error.is_transient()), n % 10 == 5, "{n}");
    }
    assert_eq!(store.scan(&key(&[])).await.unwrap().len(), 36);
}

/// Whether an error is the one that a file must give.
type Expected = fn(&OpenError) -> bool;

#[tokio::test]
async fn only_our_own_files_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let newer = folder.path().join("newer.db");
    drop(open(&newer));
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "mimamori ".repeat(1000)).unwrap();
    let rows: [(_, Expected); 4] = [
        (newer, |error| matches!(error, OpenError::Newer { found: 99, .. }) && error.needs_other_program()),
        (foreign, |error| matches!(error, OpenError::Foreign { .. })),
        (text, |error| matches!(error, OpenError::Foreign { .. })),
        (folder.path().to_owned(), |error| matches!(error, OpenError::File { .. })),
    ];
    for (path, expected) in rows {
        let error = Embedded::open(&path).unwrap_err();
        assert!(expected(&error), "{error}");
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
}

#[tokio::test]
async fn the_file_of_an_older_program_is_brought_up_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    submit_all(&store, &["a", "b", "c"]).await;
    drop(store);
    // As version 1 had it.
    let older = rusqlite::Connection::open(&path).unwrap();
    older
        .execute_batch(
            "DROP TABLE settled; DROP INDEX queue_turn; DROP INDEX queue_share; ALTER TABLE queue DROP COLUMN share; ALTER TABLE queue DROP COLUMN turn;
             CREATE INDEX queue_due ON queue (due); PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(older);
    let store = open(&path);
    submit_all(&store, &["d"]).await;
    assert_eq!(ids(&lease_now(&store, 9).await), ["a", "b", "c", "d"]);
}

#[cfg(unix)]
#[tokio::test]
async fn files_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store").join("store.db");
    let store = open(&path);
    let _lock = store.worker_lock().await.unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let mut files = 0;
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        files += 1;
    }
    assert_eq!(files, 4, "database, log, index of the log, lock");
}

/// One step of the comparison with the twin; numbers choose keys, earlier revisions and earlier tickets.
#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Update(u8, u8),
    Delete(u8, u8),
    Append(u8, Option<u64>),
    Submit(Option<u8>, u8),
    Lease,
    Settle(u8, bool),
    WorkerDied,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_u8).prop_map(Step::Create),
        (0..3_u8, 0..6_u8).prop_map(|(key, revision)| Step::Update(key, revision)),
        (0..3_u8, 0..6_u8).prop_map(|(key, revision)| Step::Delete(key, revision)),
        (0..6_u8, proptest::option::of(0..6_u64)).prop_map(|(dedupe, expected)| Step::Append(dedupe, expected)),
        (proptest::option::of(0..4_u8), 0..2_u8).prop_map(|(id, text)| Step::Submit(id, text)),
        Just(Step::Lease),
        Just(Step::Lease),
        (0..9_u8, any::<bool>()).prop_map(|(ticket, done)| Step::Settle(ticket, done)),
        (0..9_u8, any::<bool>()).prop_map(|(ticket, done)| Step::Settle(ticket, done)),
        Just(Step::WorkerDied),
    ]
}

/// What a backend has answered so far: revisions by the order in which they were given, tickets likewise.
#[derive(Default)]
struct Answers {
    revisions: Vec<Revision>,
    tickets: Vec<u64>,
}

async fn play(backend: &(impl Store + Queue), answers: &mut Answers, step: &Step) -> String {
    let revision = |nth: u8| answers.revisions.iter().rev().nth(nth.into()).copied().unwrap_or(Revision(0));
    let name = |n: u8| key(&[&n.to_string()]);
    let written = match *step {
        Step::Create(n) => backend.create(&name(n), value("c")).await,
        Step::Update(n, nth) => backend.update(&name(n), revision(nth), value("u")).await,
        Step::Delete(n, nth) => return format!("{:?}", backend.delete(&name(n), revision(nth)).await),
        Step::Append(dedupe, expected) => {
            return format!("{:?}", backend.append(Stream::Verdict, &dedupe.to_string(), expected, value("a")).await);
        }
        Step::Submit(id, text) => {
            let id = id.map(|id| id.to_string());
            return format!("{:?}", submit(backend, line(id.as_deref(), &text.to_string())).await);
        }
        Step::Lease => {
            let leased = lease_now(backend, 100).await;
            answers.tickets.extend(leased.iter().map(|leased| leased.ticket));
            let shown: Vec<_> =
                leased.iter().map(|leased| (&leased.identity, leased.deliveries, leased.suspect, leased.solo_deliveries)).collect();
            return format!("{shown:?}");
        }
        Step::Settle(nth, done) => {
            let ticket = answers.tickets.iter().rev().nth(nth.into()).copied().unwrap_or_default();
            let settlement = if done { Settlement::Done } else { Settlement::Retry(Duration::ZERO) };
            return format!("{:?}", backend.settle(ticket, settlement).await);
        }
        Step::WorkerDied => return String::new(),
    };
    answers.revisions.extend(written.as_ref().ok());
    format!("{:?}", written.map(|_| ()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The embedded store answers every sequence of calls as the twin without faults does.
    #[test]
    fn embedded_and_twin_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let embedded = Embedded::open_with(&folder.path().join("store.db"), Options { lease: PATIENCE, ..options() }).unwrap();
            let twin = Twin::with_lease(1, Faults::none(), PATIENCE);
            let (mut left, mut right) = (Answers::default(), Answers::default());
            for (n, step) in steps.iter().enumerate() {
                if matches!(step, Step::WorkerDied) {
                    drop(embedded.worker_lock().await.unwrap());
                    twin.release_all();
                }
                // A retry without delay is due from the next tick of the clock on.
                tokio::time::sleep(Duration::from_micros(2)).await;
                let answer = play(&embedded, &mut left, step).await;
                assert_eq!(answer, play(&twin, &mut right, step).await, "step {n}: {step:?}");
            }
            let strip = |records: Vec<mimamori::store::Record>| records.into_iter().map(|record| (record.key, record.value)).collect::<Vec<_>>();
            assert_eq!(strip(embedded.scan(&key(&[])).await.unwrap()), strip(twin.scan(&key(&[])).await.unwrap()));
            let (left, right) = (embedded.state().await.unwrap(), twin.state().await.unwrap());
            assert_eq!((left.pending, left.leased), (right.pending, right.leased));
        });
    }
}
