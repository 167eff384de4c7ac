//! What every backend promises. Each function below runs once for each backend.

use crate::store::{Backend, LEASE, PATIENCE, ids, key, lease_now, line, submit, submit_all, value};
use bytes::Bytes;
use mimamori::model::digest::Digest;
use mimamori::model::envelope::{ContentKind, Envelope, MESSAGE_BYTES_HARD, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::store::{Appended, Revision, SHARE_OUT_MAX, Settlement, Store, StoreError, Stream, VALUE_BYTES_MAX};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

macro_rules! contract {
    ($($promise:ident)*) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                crate::store::contract::$promise(crate::store::embedded_backend()).await;
            })*
        }
        mod twin {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                crate::store::contract::$promise(crate::store::twin_backend()).await;
            })*
        }
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                crate::store::contract::$promise(crate::store::nats::backend().await).await;
            })*
        }
    };
}

contract! {
    create_refuses_a_taken_key
    update_and_delete_need_the_current_revision
    one_of_many_creates_wins
    no_update_is_lost
    scan_keeps_to_whole_segments_in_order
    append_stores_a_dedupe_id_once
    append_checks_what_is_expected
    a_row_is_appended_together_and_stops_where_it_must
    concurrent_appends_leave_no_gap
    streams_are_read_in_pages
    blobs_are_kept_under_their_digest
    what_is_too_large_is_refused
    changed_wakes_for_changes_only
    messages_come_oldest_first_and_whole
    the_same_message_is_accepted_once
    the_same_id_with_other_content_is_a_variant
    a_line_without_id_gets_a_number
    one_refused_message_does_not_affect_the_others
    a_retry_is_never_early_and_wakes_in_time
    a_waiting_lease_wakes_for_a_submission
    a_lost_lease_is_handed_out_again
    a_suspect_goes_alone
    a_retry_is_no_death
    settling_twice_or_late_is_harmless
    the_state_counts
    a_flood_of_one_sender_does_not_hold_up_the_others
    what_was_settled_is_listed
}

async fn create_refuses_a_taken_key(Backend { store, .. }: Backend) {
    let first = store.create(&key(&["a"]), value("1")).await.unwrap();
    assert_eq!(store.create(&key(&["a"]), value("2")).await, Err(StoreError::Exists));
    let found = store.get(&key(&["a"])).await.unwrap().unwrap();
    assert_eq!((found.key, found.revision, found.value), (key(&["a"]), first, value("1")));
    assert_eq!(store.get(&key(&["b"])).await, Ok(None));
}

async fn update_and_delete_need_the_current_revision(Backend { store, .. }: Backend) {
    let a = key(&["a"]);
    assert_eq!(store.update(&a, Revision(1), value("x")).await, Err(StoreError::Conflict));
    assert_eq!(store.delete(&a, Revision(1)).await, Err(StoreError::Conflict));
    let first = store.create(&a, value("1")).await.unwrap();
    let second = store.update(&a, first, value("2")).await.unwrap();
    assert!(second > first);
    assert_eq!(store.update(&a, first, value("x")).await, Err(StoreError::Conflict));
    assert_eq!(store.delete(&a, first).await, Err(StoreError::Conflict));
    assert_eq!(store.get(&a).await.unwrap().unwrap().value, value("2"));
    store.delete(&a, second).await.unwrap();
    assert_eq!(store.get(&a).await, Ok(None));
    assert_eq!(store.update(&a, second, value("x")).await, Err(StoreError::Conflict));
    // A record that comes back must not look like the one somebody still remembers.
    assert!(store.create(&a, value("3")).await.unwrap() > second);
}

async fn one_of_many_creates_wins(Backend { store, .. }: Backend) {
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.create(&key(&["race"]), value(&n.to_string())).await })
        })
        .collect();
    let mut won = vec![];
    for (n, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Ok(_) => won.push(value(&n.to_string())),
            Err(error) => assert_eq!(error, StoreError::Exists),
        }
    }
    assert_eq!(won, [store.get(&key(&["race"])).await.unwrap().unwrap().value]);
}

async fn no_update_is_lost(Backend { store, .. }: Backend) {
    store.create(&key(&["count"]), value("0")).await.unwrap();
    let tasks: Vec<_> = (0..6).map(|_| tokio::spawn(count_up(Arc::clone(&store), 10))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.get(&key(&["count"])).await.unwrap().unwrap().value, value("60"));
}

pub async fn count_up(store: Arc<dyn Store>, times: usize) {
    let mut done = 0;
    while done < times {
        let found = store.get(&key(&["count"])).await.unwrap().unwrap();
        let count: u64 = std::str::from_utf8(&found.value).unwrap().parse().unwrap();
        match store.update(&key(&["count"]), found.revision, value(&(count + 1).to_string())).await {
            Ok(_) => done += 1,
            Err(error) => assert_eq!(error, StoreError::Conflict),
        }
    }
}

async fn scan_keeps_to_whole_segments_in_order(Backend { store, .. }: Backend) {
    for segments in [&["b", "2"][..], &["a", "2"], &["a"], &["a-"], &["a", "1"], &["a=", "1"], &["ab", "1"], &["a", "1", "x"], &["A"]] {
        store.create(&key(segments), value("")).await.unwrap();
    }
    let rows: [(&[&str], &[&str]); 4] = [
        (&["a"], &["case.a", "case.a.1", "case.a.1.x", "case.a.2"]),
        (&["b"], &["case.b.2"]),
        (&["c"], &[]),
        (&[], &["case.A", "case.a", "case.a-", "case.a.1", "case.a.1.x", "case.a.2", "case.a=.1", "case.ab.1", "case.b.2"]),
    ];
    for (prefix, expected) in rows {
        let found = store.scan(&key(prefix)).await.unwrap();
        assert_eq!(found.iter().map(|record| record.key.as_str()).collect::<Vec<_>>(), expected, "{prefix:?}");
    }
}

async fn append_stores_a_dedupe_id_once(Backend { store, .. }: Backend) {
    let rows = [
        ("a", Stream::Verdict, 1, false),
        ("b", Stream::Verdict, 2, false),
        ("a", Stream::Verdict, 1, true),
        ("a", Stream::Dead, 1, false),
    ];
    for (n, (dedupe, stream, seq, duplicate)) in rows.into_iter().enumerate() {
        let appended = store.append(stream, dedupe, None, value(&n.to_string())).await;
        assert_eq!(appended, Ok(Appended { seq, duplicate }), "row {n}");
    }
    let found = store.find(Stream::Verdict, "a").await.unwrap().unwrap();
    assert_eq!((found.seq, found.body), (1, value("0")));
    assert_eq!(store.find(Stream::Decision, "a").await, Ok(None));
}

async fn append_checks_what_is_expected(Backend { store, .. }: Backend) {
    let rows = [
        ("a", Some(1), Err(StoreError::Conflict)),
        ("a", Some(0), Ok(Appended { seq: 1, duplicate: false })),
        ("b", Some(0), Err(StoreError::Conflict)),
        ("b", Some(1), Ok(Appended { seq: 2, duplicate: false })),
        // A repeated append whose first reply was lost must hear that it is there.
        ("a", Some(0), Ok(Appended { seq: 1, duplicate: true })),
    ];
    for (n, (dedupe, expect_last, expected)) in rows.into_iter().enumerate() {
        assert_eq!(store.append(Stream::Evidence, dedupe, expect_last, value("x")).await, expected, "row {n}");
    }
}

async fn a_row_is_appended_together_and_stops_where_it_must(Backend { store, .. }: Backend) {
    let row = |after: u64, ids: &[&str]| {
        let entries = ids.iter().map(|id| ((*id).to_owned(), value(id))).collect();
        let store = Arc::clone(&store);
        async move { store.append_row(Stream::Evidence, after, entries).await }
    };
    let new = |seq| Ok(Appended { seq, duplicate: false });
    let conflict = || Err(StoreError::Conflict);
    assert_eq!(row(0, &[]).await, vec![]);
    assert_eq!(row(0, &["a", "b", "c"]).await, [new(1), new(2), new(3)]);
    assert_eq!(row(3, &["d", "a", "e"]).await, [new(4), Ok(Appended { seq: 1, duplicate: true }), conflict()]);
    // The second would fit by its number, but speaks of a first that is not there.
    assert_eq!(row(3, &["f", "g"]).await, [conflict(), conflict()]);
    assert_eq!(row(4, &["e", "f"]).await, [new(5), new(6)]);
    let (one, two) = tokio::join!(row(6, &["g", "h"]), row(6, &["i", "j"]));
    let given: Vec<Vec<u64>> = [one, two].map(|row| row.into_iter().flatten().map(|appended| appended.seq).collect()).into();
    assert!(given.contains(&vec![7, 8]) && given.contains(&vec![]), "one row is there, and nothing of the other: {given:?}");
}

async fn concurrent_appends_leave_no_gap(Backend { store, .. }: Backend) {
    let tasks: Vec<_> = (0..8).map(|task| tokio::spawn(append_some(Arc::clone(&store), format!("t{task}"), 10))).collect();
    let mut given = vec![];
    for task in tasks {
        given.extend(task.await.unwrap());
    }
    given.sort_unstable();
    assert_eq!(given, (1..=80).collect::<Vec<_>>());
    let stored = store.read(Stream::CaseEvent, 0, 1000).await.unwrap();
    assert_eq!(stored.iter().map(|entry| entry.seq).collect::<Vec<_>>(), given);
}

pub async fn append_some(store: Arc<dyn Store>, name: String, count: usize) -> Vec<u64> {
    let mut given = vec![];
    for n in 0..count {
        given.push(store.append(Stream::CaseEvent, &format!("{name}-{n}"), None, value("x")).await.unwrap().seq);
    }
    given
}

async fn streams_are_read_in_pages(Backend { store, .. }: Backend) {
    assert_eq!(store.last(Stream::Dead).await, Ok(None));
    for n in 1..=5 {
        store.append(Stream::Dead, &format!("d{n}"), None, value(&n.to_string())).await.unwrap();
    }
    for (after, limit, expected) in [(0, 2, &[1, 2][..]), (2, 2, &[3, 4]), (4, 2, &[5]), (5, 2, &[]), (0, 0, &[])] {
        let page = store.read(Stream::Dead, after, limit).await.unwrap();
        assert_eq!(page.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected, "after {after}");
    }
    let last = store.last(Stream::Dead).await.unwrap().unwrap();
    assert_eq!((last.seq, last.dedupe.as_str(), last.body), (5, "d5", value("5")));
}

async fn blobs_are_kept_under_their_digest(Backend { store, .. }: Backend) {
    let (large, empty) = (Bytes::from(vec![7; 3 << 20]), Bytes::new());
    for blob in [&large, &empty, &large] {
        assert_eq!(store.put_blob(blob.clone()).await, Ok(Digest::of(blob)));
        assert_eq!(store.get_blob(&Digest::of(blob)).await, Ok(Some(blob.clone())));
    }
    assert_eq!(store.get_blob(&Digest::of(b"never stored")).await, Ok(None));
}

async fn what_is_too_large_is_refused(Backend { store, .. }: Backend) {
    let (fits, over) = (Bytes::from(vec![0; VALUE_BYTES_MAX]), Bytes::from(vec![0; VALUE_BYTES_MAX + 1]));
    let refused = StoreError::TooLarge { size: VALUE_BYTES_MAX + 1, limit: VALUE_BYTES_MAX };
    assert_eq!(store.create(&key(&["a"]), over.clone()).await, Err(refused.clone()));
    let revision = store.create(&key(&["a"]), fits.clone()).await.unwrap();
    assert_eq!(store.update(&key(&["a"]), revision, over.clone()).await, Err(refused.clone()));
    assert_eq!(store.append(Stream::Verdict, "a", None, over).await, Err(refused));
    assert_eq!(store.append(Stream::Verdict, "a", None, fits).await.map(|appended| appended.seq), Ok(1));
    let blob = Bytes::from(vec![0; MESSAGE_BYTES_HARD + 1]);
    assert_eq!(store.put_blob(blob).await, Err(StoreError::TooLarge { size: MESSAGE_BYTES_HARD + 1, limit: MESSAGE_BYTES_HARD }));
}

async fn changed_wakes_for_changes_only(Backend { store, .. }: Backend) {
    let quiet = Duration::from_millis(150);
    let since = Instant::now();
    store.changed(quiet).await;
    assert!(since.elapsed() >= quiet, "woke without a change");
    // A change between two calls ends the second one.
    store.create(&key(&["a"]), value("1")).await.unwrap();
    let since = Instant::now();
    store.changed(PATIENCE).await;
    // A change during a call ends it.
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.changed(PATIENCE).await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    store.create(&key(&["b"]), value("1")).await.unwrap();
    waiting.await.unwrap();
    assert!(since.elapsed() < PATIENCE / 2, "slept over a change");
}

async fn messages_come_oldest_first_and_whole(Backend { queue, .. }: Backend) {
    assert_eq!(lease_now(&*queue, 10).await, []);
    let mail = Envelope {
        kind: ContentKind::Rfc822,
        payload: Bytes::from_static(b"Subject: \x82\xa0\r\n\r\n\x00\xff"),
        tenant: Tenant::new("shop").unwrap(),
        queue: QueueName::new("mail").unwrap(),
        source: Source::Spool,
        purpose: Purpose::History,
        ..line(None, "")
    };
    let sent = [line(Some("a"), "1"), mail, line(Some("日本/語 '\""), "3"), line(Some("d"), "")];
    for answer in queue.submit(sent.to_vec()).await {
        assert!(!answer.unwrap().duplicate);
    }
    let mut leased = lease_now(&*queue, 3).await;
    assert_eq!(lease_now(&*queue, 0).await, []);
    leased.extend(lease_now(&*queue, 3).await);
    assert_eq!(leased.iter().map(|leased| leased.envelope.clone()).collect::<Vec<_>>(), sent);
    let mail_id = format!("sha256:{}", Digest::of(&sent[1].payload));
    assert_eq!(ids(&leased), ["a", mail_id.as_str(), "日本/語 '\"", "d"]);
    assert!(leased.iter().all(|leased| leased.deliveries == 1 && !leased.suspect && leased.solo_deliveries == 0));
    assert!(leased.iter().all(|leased| leased.identity.content == Digest::of(&leased.envelope.payload)));
}

async fn the_same_message_is_accepted_once(Backend { queue, .. }: Backend) {
    let first = submit(&*queue, line(Some("a"), "1")).await.unwrap();
    let answers = queue.submit(vec![line(Some("a"), "1"), line(Some("a"), "1")]).await;
    for answer in answers {
        let again = answer.unwrap();
        assert!(again.duplicate && again.identity == first.identity);
    }
    // Another tenant's "a" is another message.
    let other = submit(&*queue, Envelope { tenant: Tenant::new("other").unwrap(), ..line(Some("a"), "1") }).await.unwrap();
    assert!(!other.duplicate && !other.variant);
    let leased = lease_now(&*queue, 10).await;
    assert_eq!(ids(&leased), ["a", "a"]);
    // The memory outlives the message.
    queue.settle(leased[0].ticket, Settlement::Done).await.unwrap();
    assert!(submit(&*queue, line(Some("a"), "1")).await.unwrap().duplicate);
}

async fn the_same_id_with_other_content_is_a_variant(Backend { queue, .. }: Backend) {
    let texts = ["1", "2", "3", "2", "1"];
    let answers = queue.submit(texts.iter().map(|text| line(Some("a"), text)).collect()).await;
    let name = |text: &str| format!("a~{}", Digest::of(text.as_bytes()).to_string().chars().take(8).collect::<String>());
    let expected = [
        ("a".into(), false, false),
        (name("2"), false, true),
        (name("3"), false, true),
        (name("2"), true, true),
        ("a".into(), true, false),
    ];
    for (answer, expected) in answers.into_iter().zip(expected) {
        let answer = answer.unwrap();
        assert_eq!((answer.identity.id.0, answer.duplicate, answer.variant), expected);
    }
    assert_eq!(ids(&lease_now(&*queue, 10).await), ["a", &name("2"), &name("3")]);
}

async fn a_line_without_id_gets_a_number(Backend { queue, .. }: Backend) {
    let answers = queue.submit(vec![line(None, "same"), line(Some("x"), "same"), line(None, "same")]).await;
    let named: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().identity.id.0).collect();
    assert_eq!(named, ["n-1", "x", "n-3"]);
    let leased = lease_now(&*queue, 10).await;
    assert_eq!(ids(&leased), named);
    for leased in leased {
        queue.settle(leased.ticket, Settlement::Done).await.unwrap();
    }
    assert_eq!(submit(&*queue, line(None, "same")).await.unwrap().identity.id.as_str(), "n-4");
}

async fn one_refused_message_does_not_affect_the_others(Backend { queue, .. }: Backend) {
    let huge = Envelope { payload: Bytes::from(vec![b'x'; MESSAGE_BYTES_HARD + 1]), ..line(Some("huge"), "") };
    let long_id = "x".repeat(256);
    let answers = queue.submit(vec![line(Some("a"), "1"), huge, line(Some(&long_id), "2"), line(Some("b"), "3")]).await;
    let kinds: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().map(|_| ()).map_err(|error| matches!(error, StoreError::TooLarge { .. }))).collect();
    assert_eq!(kinds, [Ok(()), Err(true), Err(true), Ok(())]);
    assert_eq!(ids(&lease_now(&*queue, 10).await), ["a", "b"]);
}

async fn a_retry_is_never_early_and_wakes_in_time(Backend { queue, .. }: Backend) {
    submit_all(&*queue, &["a", "b"]).await;
    let leased = lease_now(&*queue, 2).await;
    let delay = Duration::from_millis(150);
    let since = Instant::now();
    queue.settle(leased[0].ticket, Settlement::Retry(delay)).await.unwrap();
    queue.settle(leased[1].ticket, Settlement::Done).await.unwrap();
    assert_eq!(lease_now(&*queue, 2).await, []);
    let again = queue.lease(2, PATIENCE).await.unwrap();
    assert!(since.elapsed() >= delay, "{:?} is early", since.elapsed());
    assert!(since.elapsed() < PATIENCE / 2, "{:?} is late", since.elapsed());
    assert_eq!((ids(&again), again[0].deliveries), (vec!["a"], 2));
}

async fn a_waiting_lease_wakes_for_a_submission(Backend { queue, .. }: Backend) {
    let since = Instant::now();
    assert_eq!(queue.lease(1, Duration::from_millis(60)).await.unwrap(), []);
    assert!(since.elapsed() >= Duration::from_millis(60));
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.lease(1, PATIENCE).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    submit_all(&*queue, &["a"]).await;
    assert_eq!(ids(&waiting.await.unwrap()), ["a"]);
    assert!(since.elapsed() < PATIENCE / 2);
}

async fn a_lost_lease_is_handed_out_again(Backend { queue, .. }: Backend) {
    submit_all(&*queue, &["a"]).await;
    let since = Instant::now();
    assert_eq!(lease_now(&*queue, 1).await.len(), 1);
    let again = queue.lease(1, PATIENCE).await.unwrap();
    assert!(since.elapsed() >= LEASE);
    assert_eq!((ids(&again), again[0].deliveries, again[0].suspect), (vec!["a"], 2, false));
}

async fn a_suspect_goes_alone(Backend { queue, .. }: Backend) {
    submit_all(&*queue, &["killer", "bystander"]).await;
    for _ in 0..2 {
        assert_eq!(queue.lease(2, PATIENCE).await.unwrap().len(), 2);
        tokio::time::sleep(LEASE).await;
    }
    submit_all(&*queue, &["younger"]).await;
    // Both died twice: each goes alone, the oldest first, and what is younger waits.
    let first = queue.lease(10, PATIENCE).await.unwrap();
    assert_eq!((ids(&first), first[0].suspect, first[0].solo_deliveries), (vec!["killer"], true, 1));
    assert_eq!(lease_now(&*queue, 10).await, []);
    let second = queue.lease(10, PATIENCE).await.unwrap();
    assert_eq!((ids(&second), second[0].suspect, second[0].solo_deliveries), (vec!["killer"], true, 2));
    queue.settle(second[0].ticket, Settlement::Dead).await.unwrap();
    let third = queue.lease(10, PATIENCE).await.unwrap();
    assert_eq!((ids(&third), third[0].suspect, third[0].solo_deliveries), (vec!["bystander"], true, 1));
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.lease(10, PATIENCE).await.unwrap() }
    });
    queue.settle(third[0].ticket, Settlement::Done).await.unwrap();
    let fourth = waiting.await.unwrap();
    assert_eq!((ids(&fourth), fourth[0].suspect), (vec!["younger"], false));
}

async fn a_retry_is_no_death(Backend { queue, .. }: Backend) {
    submit_all(&*queue, &["a"]).await;
    for delivery in 1..=5 {
        let leased = queue.lease(1, PATIENCE).await.unwrap();
        assert_eq!((leased[0].deliveries, leased[0].suspect), (delivery, false));
        queue.settle(leased[0].ticket, Settlement::Retry(Duration::ZERO)).await.unwrap();
    }
}

async fn settling_twice_or_late_is_harmless(Backend { queue, .. }: Backend) {
    submit_all(&*queue, &["a", "b"]).await;
    let leased = lease_now(&*queue, 2).await;
    for settlement in [Settlement::Done, Settlement::Done, Settlement::Dead, Settlement::Retry(Duration::ZERO)] {
        queue.settle(leased[0].ticket, settlement).await.unwrap();
    }
    queue.settle(u64::MAX >> 1, Settlement::Done).await.unwrap();
    assert_eq!(queue.state().await.unwrap().pending, 1);
    // "b" went to other hands; the first hands' retry must not pull it out of them, but their "done" is true.
    let again = queue.lease(2, PATIENCE).await.unwrap();
    assert_eq!(ids(&again), ["b"]);
    queue.settle(leased[1].ticket, Settlement::Retry(Duration::ZERO)).await.unwrap();
    assert_eq!(lease_now(&*queue, 2).await, []);
    queue.settle(leased[1].ticket, Settlement::Done).await.unwrap();
    assert_eq!(queue.state().await.unwrap().pending, 0);
    queue.settle(again[0].ticket, Settlement::Done).await.unwrap();
    assert_eq!(queue.state().await.unwrap().pending, 0);
}

async fn the_state_counts(Backend { queue, .. }: Backend) {
    let before = jiff::Timestamp::now();
    assert_eq!(queue.state().await.unwrap(), mimamori::store::QueueState::default());
    submit_all(&*queue, &["a", "b", "c", "a"]).await;
    let state = queue.state().await.unwrap();
    assert_eq!((state.pending, state.leased), (3, 0));
    let a_moment = jiff::SignedDuration::from_secs(1);
    let oldest = state.oldest.unwrap();
    assert!(oldest >= before - a_moment && oldest <= jiff::Timestamp::now() + a_moment);
    let leased = lease_now(&*queue, 2).await;
    queue.settle(leased[0].ticket, Settlement::Retry(PATIENCE)).await.unwrap();
    let state = queue.state().await.unwrap();
    assert_eq!((state.pending, state.leased), (3, 1));
}

async fn a_flood_of_one_sender_does_not_hold_up_the_others(Backend { queue, .. }: Backend) {
    let from = |id: &str, customer: &str| line(Some(id), &format!(r#"{{"customer":"{customer}","text":"{id}"}}"#));
    let mut sent: Vec<Envelope> = (0..60).map(|n| from(&format!("flood-{n:02}"), "a")).collect();
    sent.extend([from("b", "b"), from("c", "c"), line(Some("nobody-1"), "x"), line(Some("nobody-2"), "x")]);
    for accepted in queue.submit(sent).await {
        accepted.unwrap();
    }
    let (mut flood, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut seen = vec![];
    // Nothing is settled before every other one was seen.
    while others.len() < 4 {
        let leased = queue.lease(16, PATIENCE).await.unwrap();
        assert!(!leased.is_empty(), "{others:?} came past the flood");
        for one in leased {
            let id = one.identity.id.to_string();
            if id.starts_with("flood") {
                flood.insert(id)
            } else {
                others.insert(id)
            };
            seen.push(one.ticket);
        }
    }
    let first: Vec<String> = (0..SHARE_OUT_MAX).map(|n| format!("flood-{n:02}")).collect();
    assert_eq!(flood.iter().cloned().collect::<Vec<_>>(), first);
    while queue.state().await.unwrap().pending > 0 {
        for ticket in seen.drain(..) {
            queue.settle(ticket, Settlement::Done).await.unwrap();
        }
        let leased = queue.lease(16, Duration::from_millis(500)).await.unwrap();
        assert!(leased.len() <= SHARE_OUT_MAX, "{:?}", ids(&leased));
        flood.extend(leased.iter().map(|one| one.identity.id.to_string()));
        seen.extend(leased.iter().map(|one| one.ticket));
    }
    assert_eq!(flood.len(), 60);
}

async fn what_was_settled_is_listed(Backend { queue, .. }: Backend) {
    submit_all(&*queue, &["a", "b", "c"]).await;
    assert_eq!(queue.settled(0, 10).await.unwrap().rows, []);
    let leased = queue.lease(3, PATIENCE).await.unwrap();
    queue.settle(leased[0].ticket, Settlement::Done).await.unwrap();
    queue.settle(leased[1].ticket, Settlement::Dead).await.unwrap();
    let first = queue.settled(0, 1).await.unwrap();
    assert_eq!(first.rows.len(), 1);
    let second = queue.settled(first.rows[0].number, 10).await.unwrap();
    let rows: Vec<_> = first.rows.into_iter().chain(second.rows).collect();
    let messages: Vec<_> = rows.iter().map(|row| row.message.clone().unwrap()).collect();
    let expected: Vec<_> = leased[..2].iter().map(|one| (one.identity.clone(), one.envelope.clone())).collect();
    assert_eq!(messages, expected);
    assert_eq!(second.newest, rows[1].number);
    queue.forget_settled(rows[1].number).await.unwrap();
    assert_eq!(queue.settled(rows[1].number, 10).await.unwrap().rows, []);
}
