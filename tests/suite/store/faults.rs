//! Work that survives faults by repeating, against the twin at its roughest.

use crate::store::{key, line, submit, value};
use mimamori::edge::twin::{Faults, Twin};
use mimamori::store::record::{Change, Versioned, change};
use mimamori::store::{Queue, Settlement, Store, StoreError, Stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Seeds tried: each is a different history of faults.
const SEEDS: u64 = 40;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    seen: BTreeSet<String>,
}

impl Versioned for Counted {
    const VERSION: u32 = 1;
}

/// Repeats a call until it gives another answer than a transient error or a lost race.
macro_rules! insist {
    ($call:expr) => {
        loop {
            match $call.await {
                Err(error) if StoreError::is_transient(&error) || error == StoreError::Conflict => {}
                answer => break answer.expect("only transient faults"),
            }
        }
    };
}

fn rough(seed: u64) -> Twin {
    Twin::with_lease(seed, Faults::rough(), Duration::from_millis(20))
}

/// The order of the worker in small: record, then stream, then settle. A crash or fault anywhere only repeats.
#[tokio::test]
async fn every_message_is_counted_once_whatever_strikes() {
    let mut struck = 0;
    for seed in 0..SEEDS {
        let twin = rough(seed);
        let names: Vec<_> = (0..8).map(|n| format!("m{n}")).collect();
        for name in &names {
            insist!(submit(&twin, line(Some(name), name)));
        }
        let mut delivered = BTreeMap::<String, u32>::new();
        while insist!(twin.state()).pending > 0 {
            for leased in insist!(twin.lease(3, Duration::from_millis(50))) {
                let id = leased.identity.id.0.clone();
                *delivered.entry(id.clone()).or_default() += 1;
                insist!(change::<Counted, ()>(&twin, &key(&["all"]), |found| {
                    let mut counted = found.unwrap_or_default();
                    if counted.seen.insert(id.clone()) { Change::Write(counted, ()) } else { Change::Keep(()) }
                }));
                insist!(twin.append(Stream::Verdict, &id, None, value(&id)));
                insist!(twin.settle(leased.ticket, Settlement::Done));
            }
        }
        twin.set_faults(Faults::none());
        struck += twin.faults_struck();
        assert_eq!(delivered.keys().cloned().collect::<Vec<_>>(), names, "seed {seed}");
        let verdicts = twin.read(Stream::Verdict, 0, 100).await.unwrap();
        assert_eq!(verdicts.len(), names.len(), "seed {seed}");
        let (counted, _) = mimamori::store::record::load::<Counted>(&twin, &key(&["all"])).await.unwrap().unwrap();
        assert_eq!(counted.seen.into_iter().collect::<Vec<_>>(), names, "seed {seed}");
    }
    assert!(struck > 10 * SEEDS, "only {struck} faults");
}

/// Each fault really happens, and looks like what it stands for.
#[tokio::test]
async fn each_fault_shows_itself() {
    let always = 1000;
    let none = Faults::none();
    let unavailable = |error: StoreError| matches!(error, StoreError::Unavailable(_));

    let twin = Twin::new(1, Faults { refused: always, ..none });
    assert!(twin.create(&key(&["a"]), value("1")).await.is_err_and(unavailable));
    twin.set_faults(none);
    assert_eq!(twin.get(&key(&["a"])).await, Ok(None));

    twin.set_faults(Faults { lost_reply: always, ..none });
    assert!(twin.create(&key(&["a"]), value("1")).await.is_err_and(unavailable));
    twin.set_faults(none);
    let found = twin.get(&key(&["a"])).await.unwrap().unwrap();

    twin.set_faults(Faults { conflict: always, stale_scan: always, ..none });
    assert_eq!(twin.update(&key(&["a"]), found.revision, value("2")).await, Err(StoreError::Conflict));
    assert_eq!(twin.append(Stream::Dead, "d", Some(0), value("")).await, Err(StoreError::Conflict));
    assert_eq!(twin.get(&key(&["a"])).await, Ok(Some(found)));
    assert_eq!(twin.scan(&key(&[])).await, Ok(vec![]));

    twin.set_faults(Faults { delivered_twice: always, ..none });
    submit(&twin, line(Some("a"), "1")).await.unwrap();
    let (first, second) = (twin.lease(1, Duration::ZERO).await.unwrap(), twin.lease(1, Duration::ZERO).await.unwrap());
    assert_eq!((first[0].deliveries, second[0].deliveries), (1, 2));
    assert_eq!(twin.faults_struck(), 7);
}

/// The same seed gives the same history.
#[tokio::test]
async fn a_seed_replays() {
    let history = async |seed| {
        let twin = rough(seed);
        let mut answers = vec![];
        for n in 0..50 {
            answers.push(twin.create(&key(&[&n.to_string()]), value("x")).await);
        }
        answers
    };
    assert_eq!(history(7).await, history(7).await);
    assert_ne!(history(7).await, history(8).await);
}
