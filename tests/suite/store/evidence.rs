//! The evidence chain: unbroken under concurrency and faults, and broken by any touch.

use crate::store::{PATIENCE, embedded_backend, open, twin_backend, value};
use bytes::Bytes;
use jiff::Timestamp;
use mimamori::edge::evidence::{EvidenceChain, EvidenceFault, EvidenceReason, EvidenceReport};
use mimamori::edge::twin::{Faults, Twin};
use mimamori::model::digest::Digest;
use mimamori::model::envelope::Identity;
use mimamori::model::ids::{MessageId, Tenant};
use mimamori::store::{Store, StoreError};
use rusqlite::Connection;
use std::sync::Arc;

fn identity(n: usize) -> Identity {
    Identity { tenant: Tenant::default(), id: MessageId(format!("m{n}")), content: Digest::of(&original(n)) }
}

fn original(n: usize) -> Bytes {
    value(&format!("original {n}"))
}

fn received() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time")
}

async fn keep(chain: &EvidenceChain, n: usize) -> Result<u64, StoreError> {
    chain.keep(&identity(n), &original(n), received(), EvidenceReason::AlertDue).await.map(|receipt| receipt.seq)
}

fn is_sound(report: &EvidenceReport, entries: u64) -> bool {
    report.broken.is_empty() && report.entries == entries && report.head.is_some_and(|(seq, _)| seq == entries)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_keeps_give_one_unbroken_chain() {
    for backend in [embedded_backend(), twin_backend()] {
        // Two chains on one store stand for two processes: only the store orders them.
        let chains = [EvidenceChain::new(Arc::clone(&backend.store)), EvidenceChain::new(Arc::clone(&backend.store))].map(Arc::new);
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let chain = Arc::clone(&chains[n % 2]);
                tokio::spawn(async move { keep(&chain, n).await.unwrap() })
            })
            .collect();
        let mut given = vec![];
        for task in tasks {
            given.push(task.await.unwrap());
        }
        given.sort_unstable();
        assert_eq!(given, (1..=20).collect::<Vec<_>>());
        assert!(is_sound(&chains[0].verify().await.unwrap(), 20));
    }
}

#[tokio::test]
async fn keeping_again_answers_the_first_receipt() {
    let backend = embedded_backend();
    let chain = EvidenceChain::new(Arc::clone(&backend.store));
    assert_eq!(chain.verify().await.unwrap(), EvidenceReport::default());
    let first = chain.keep(&identity(1), &original(1), received(), EvidenceReason::AlertDue).await.unwrap();
    assert_eq!((first.seq, first.digest), (1, Digest::of(&original(1))));
    keep(&chain, 2).await.unwrap();
    let again = chain.keep(&identity(1), &original(1), Timestamp::now(), EvidenceReason::AlertDue).await.unwrap();
    assert_eq!(again, first);
    // For another reason it is another entry over the same original.
    let dead = chain.keep(&identity(1), &original(1), received(), EvidenceReason::Dead).await.unwrap();
    assert_eq!((dead.seq, dead.digest), (3, first.digest));
    assert!(is_sound(&chain.verify().await.unwrap(), 3));
}

#[tokio::test]
async fn faults_leave_the_chain_unbroken() {
    let mut struck = 0;
    for seed in 0..30 {
        let twin = Arc::new(Twin::new(seed, Faults::rough()));
        let chain = EvidenceChain::new(twin.clone());
        for n in 0..6 {
            while let Err(error) = keep(&chain, n).await {
                assert!(error.is_transient(), "seed {seed}: {error}");
            }
        }
        struck += twin.faults_struck();
        twin.set_faults(Faults::none());
        assert!(is_sound(&chain.verify().await.unwrap(), 6), "seed {seed}");
    }
    assert!(struck > 60, "only {struck} faults");
}

#[tokio::test]
async fn any_touch_is_found() {
    use EvidenceFault as Fault;
    let rows: [(&str, &[(u64, Fault)]); 9] = [
        ("UPDATE entry SET at = at + 1", &[]),
        ("UPDATE blob SET body = CAST('original X' AS BLOB) WHERE body = CAST('original 2' AS BLOB)", &[(2, Fault::OriginalAltered)]),
        ("DELETE FROM blob WHERE body = CAST('original 2' AS BLOB)", &[(2, Fault::OriginalMissing)]),
        ("UPDATE entry SET body = replace(body, '\"id\":\"m2\"', '\"id\":\"mX\"') WHERE seq = 2", &[(2, Fault::Altered)]),
        ("UPDATE entry SET body = replace(body, 'alert_due', 'dead') WHERE seq = 3", &[(3, Fault::Altered)]),
        ("UPDATE entry SET body = '{}' WHERE seq = 2", &[(2, Fault::Unreadable), (3, Fault::Detached)]),
        ("DELETE FROM entry WHERE seq = 2", &[(3, Fault::Gap), (3, Fault::Detached)]),
        ("DELETE FROM entry WHERE seq = 1", &[(2, Fault::Gap), (2, Fault::Detached)]),
        (
            "DELETE FROM entry WHERE seq = 2; UPDATE entry SET seq = seq - 1 WHERE seq > 2",
            &[(2, Fault::Detached), (2, Fault::Altered), (3, Fault::Altered)],
        ),
    ];
    for (touch, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let chain = EvidenceChain::new(Arc::new(open(&path)));
        for n in 1..=4 {
            keep(&chain, n).await.unwrap();
        }
        Connection::open(&path).unwrap().execute_batch(touch).unwrap();
        let found: Vec<_> = chain.verify().await.unwrap().broken.into_iter().map(|broken| (broken.seq, broken.fault)).collect();
        assert_eq!(found, expected, "{touch}");
    }
}

/// A damaged entry stays visible, and new evidence can still be kept.
#[tokio::test]
async fn a_damaged_head_does_not_stop_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = Arc::new(open(&path));
    let chain = EvidenceChain::new(store.clone());
    keep(&chain, 1).await.unwrap();
    Connection::open(&path).unwrap().execute_batch("UPDATE entry SET body = 'x'").unwrap();
    store.changed(PATIENCE / 20).await;
    assert_eq!(keep(&chain, 2).await, Ok(2));
    let broken = chain.verify().await.unwrap().broken;
    assert_eq!(broken.iter().map(|broken| (broken.seq, broken.fault)).collect::<Vec<_>>(), [(1, EvidenceFault::Unreadable)]);
}
