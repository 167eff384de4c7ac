//! Consumption on real servers that misbehave: consumer deleted, bucket deleted, rights withdrawn, lame duck, server away, leader stopped.
//!
//! # Known traps of JetStream and its client, and what stands against each
//!
//! | trap | test, or why it cannot happen here |
//! |---|---|
//! | the client's double acknowledgement says yes although the consumer is gone | `an_acknowledgement_that_found_no_consumer_is_told` |
//! | a consumer is deleted under the workers | `a_deleted_consumer_comes_back_where_it_was` |
//! | a consumer is deleted while no worker runs | `a_consumer_that_was_deleted_while_nobody_ran_is_put_back_by_who_starts` |
//! | a bucket is deleted | `a_lost_bucket_is_told_and_not_made_again_in_silence` |
//! | a right is withdrawn while running | `withdrawn_rights_are_told_until_they_are_back` |
//! | lame duck or a server away ends consumption for ever | `a_lame_duck_and_a_server_away_for_eight_seconds_lose_nothing` |
//! | a leader is stopped | `a_stopped_leader_of_three_loses_nothing` |
//! | a full stream drops the oldest | `a_full_stream_refuses_and_what_it_refused_may_be_repeated` |
//! | delayed naks count as outstanding and block the rest | `delayed_retries_do_not_stop_the_others`; the bound is 20,000, and escalation never waits in the queue |
//! | a pull with `max_bytes` below one message blocks for ever | no request names `max_bytes` (`edge::nats::pull`); bounded by count, and the payload limit of the server |
//! | prefetched messages outlive their lease | what is in hand is extended (`edge::nats::hands`); `a_living_worker_keeps_what_it_has_and_a_dead_one_gives_it_back_soon`, `a_lost_lease_is_handed_out_again` |
//! | the window of known ids is two minutes | `a_repeated_id_is_known_after_the_window_of_the_server` |
//! | a publish while disconnected lands later | with the same id it is one message (`the_same_message_is_accepted_once`); intake fixes ids before its first try (`shelter`) |
//! | an old server ignores what it does not know | `an_older_server_and_a_missing_or_changed_layout_are_refused` (2.9, 2.10.26) |
//! | acknowledgement subjects of eleven tokens since 2.15 | `every_version_carries_the_main_path`, 2.11.11 to 2.15.1; the subject is read in both lengths (`edge::nats::consume`) |
//! | reply subjects of a prefix of one's own, narrow rights | `the_shipped_rights_are_enough_for_the_worker_and_no_more` |
//! | a durable is deleted for being idle | `init` sets no threshold, and opening compares it |
//! | timers by delayed or scheduled messages never fire | none are used: due times stand in case records |
//! | a slow consumer drops silently | not provoked by a test; counted (`Trouble::SlowConsumer`), and what was dropped comes again after its lease |

use crate::store::nats::{NEWEST, NatsServer, free_port, init};
use crate::store::{line, submit, value};
use mimamori::edge::nats::durable::{self, Sync};
use mimamori::edge::nats::faults::Trouble;
use mimamori::edge::nats::layout::Layout;
use mimamori::edge::nats::{Access, Nats, Options};
use mimamori::store::{Queue, Settlement, Store, Stream};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Lease of these tests: what a fault leaves in dead hands comes again after it.
const LEASE: Duration = Duration::from_secs(4);

/// Longest wait for everything to be finished after a fault.
const RECOVERY: Duration = Duration::from_mins(1);

fn options(replicas: usize) -> Options {
    Options { lease: LEASE, layout: Layout { replicas, ..Layout::default() }, ..Options::default() }
}

async fn open(access: &Access, replicas: usize) -> Arc<Nats> {
    Arc::new(Nats::open(access, options(replicas)).await.expect("opens"))
}

/// What a worker does, without judging: verdict first, acknowledgement last.
fn work(nats: &Arc<Nats>, stop: &CancellationToken) -> JoinHandle<Duration> {
    let (nats, stop) = (Arc::clone(nats), stop.clone());
    tokio::spawn(async move {
        let (mut last, mut gap) = (Instant::now(), Duration::ZERO);
        while !stop.is_cancelled() {
            let Ok(leased) = nats.lease(32, Duration::from_millis(300)).await else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            for one in leased {
                if nats.append(Stream::Verdict, &one.identity.key(), None, value("{}")).await.is_ok()
                    && nats.settle(one.ticket, Settlement::Done).await.is_ok()
                {
                    gap = gap.max(last.elapsed());
                    last = Instant::now();
                }
            }
        }
        gap
    })
}

/// Submits `count` messages at a steady pace, each until it is accepted.
fn publish(nats: &Arc<Nats>, count: usize, pause: Duration) -> JoinHandle<()> {
    let nats = Arc::clone(nats);
    tokio::spawn(async move {
        for n in 0..count {
            let id = format!("m-{n}");
            while nats.submit(vec![line(Some(&id), &id)]).await.pop().expect("an answer").is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(pause).await;
        }
    })
}

async fn verdicts(nats: &Nats) -> usize {
    let (mut found, mut after) = (BTreeSet::new(), 0);
    loop {
        match nats.read(Stream::Verdict, after, 1_000).await {
            Ok(rows) if rows.is_empty() => return found.len(),
            Ok(rows) => {
                after = rows.last().expect("not empty").seq;
                for row in rows {
                    assert!(found.insert(row.dedupe), "two verdicts on one message");
                }
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn reach(nats: &Nats, count: usize) {
    let end = Instant::now() + RECOVERY;
    loop {
        let found = verdicts(nats).await;
        if found >= count {
            return;
        }
        assert!(Instant::now() < end, "{found} of {count} verdicts");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until nothing waits and everything is well.
async fn settled(nats: &Nats) {
    let end = Instant::now() + RECOVERY;
    loop {
        let (state, check) = (nats.state().await, nats.check().await);
        if state.as_ref().is_ok_and(|state| state.pending == 0) && check.is_ok() {
            return;
        }
        assert!(Instant::now() < end, "{state:?} {check:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn becomes(nats: &Nats, ready: bool, longest: Duration) -> String {
    let end = Instant::now() + longest;
    loop {
        let check = nats.check().await;
        if check.is_ok() == ready {
            return check.err().map(|error| error.to_string()).unwrap_or_default();
        }
        assert!(Instant::now() < end, "{check:?} for {longest:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn other_client(server: &NatsServer) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"))
}

async fn started() -> (NatsServer, Arc<Nats>, CancellationToken) {
    let server = NatsServer::start(NEWEST);
    init(&server.access(), &options(1)).await;
    let nats = open(&server.access(), 1).await;
    (server, nats, CancellationToken::new())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_consumer_comes_back_where_it_was() {
    const MESSAGES: usize = 900;
    let (server, nats, stop) = started().await;
    let other = open(&server.access(), 1).await;
    let works = [work(&nats, &stop), work(&other, &stop)];
    let publisher = publish(&nats, MESSAGES, Duration::from_millis(4));
    let context = other_client(&server).await;
    for wanted in [200, 500] {
        reach(&nats, wanted).await;
        context.delete_consumer_from_stream("mimamori", "CC_INBOUND").await.expect("deleted");
    }
    publisher.await.expect("published");
    reach(&nats, MESSAGES).await;
    settled(&nats).await;
    let made = nats.faults().count(Trouble::ConsumerMade) + other.faults().count(Trouble::ConsumerMade);
    assert!((2..=4).contains(&made), "made {made} times: once or, at the same moment, by both");
    let consumer = context.get_consumer_from_stream::<async_nats::jetstream::consumer::pull::Config, _, _>("mimamori", "CC_INBOUND").await;
    match consumer.expect("there").cached_info().config.deliver_policy {
        async_nats::jetstream::consumer::DeliverPolicy::ByStartSequence { start_sequence } => {
            assert!(
                (400..=MESSAGES as u64).contains(&start_sequence),
                "from {start_sequence}: not from the beginning, and nothing left out"
            );
        }
        other => panic!("{other:?}"),
    }
    stop.cancel();
    for one in works {
        one.await.expect("ended");
    }
    // What stands there is good for `init`, and for who opens it.
    init(&server.access(), &options(1)).await;
    open(&server.access(), 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_worker_keeps_what_it_has_and_a_dead_one_gives_it_back_soon() {
    let server = NatsServer::start(NEWEST);
    let patient = Options { lease: Duration::from_secs(40), ..Options::default() };
    init(&server.access(), &patient).await;
    let slow = Nats::open(&server.access(), patient.clone()).await.expect("opens");
    let other = Nats::open(&server.access(), patient).await.expect("opens");
    assert!(slow.submit(vec![line(Some("m"), "m")]).await[0].is_ok());
    assert_eq!(slow.lease(1, Duration::from_secs(5)).await.expect("leased").len(), 1);
    // Longer than the server waits without a word.
    assert!(other.lease(1, Duration::from_secs(13)).await.expect("an answer").is_empty(), "taken from a living worker");
    let died = Instant::now();
    drop(slow);
    let again = other.lease(1, Duration::from_secs(20)).await.expect("leased");
    assert_eq!(again.first().map(|one| one.deliveries), Some(2));
    assert!(died.elapsed() < Duration::from_secs(14), "{:?}", died.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inbound_stream_takes_no_more_than_can_be_kept() {
    let (server, _nats, _) = started().await;
    let context = other_client(&server).await;
    let room = 16 << 10;
    let limit = context.client().max_payload() - room;
    let publish = |bytes: usize| {
        let context = &context;
        async move { context.publish("cc.inbound.chat.default.default", vec![b'x'; bytes].into()).await.expect("sent").await }
    };
    assert!(publish(limit).await.is_ok());
    assert!(publish(limit + 1).await.is_err(), "it could not be kept whole as a dead letter");
}

#[tokio::test]
async fn when_a_server_writes_to_its_disk_is_learned_from_its_monitoring() {
    assert!(durable::ask(&format!("http://127.0.0.1:{}", free_port())).await.is_err());
    for (setting, expected) in [("sync_interval: always", Sync::Always), ("sync_interval: 30s", Sync::Every(Duration::from_secs(30)))] {
        let port = free_port();
        let config = format!("port: 4222\nhttp: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"/var/lib/nats\", {setting} }}\n");
        let _server = NatsServer::configured(NEWEST, &config);
        assert_eq!(durable::ask(&format!("http://127.0.0.1:{port}")).await, Ok(expected));
    }
}

/// No worker was there when it was deleted: the next one that starts puts it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_deleted_while_nobody_ran_is_put_back_by_who_starts() {
    let (server, nats, _) = started().await;
    publish(&nats, 3, Duration::ZERO).await.expect("published");
    drop(nats);
    let context = other_client(&server).await;
    context.delete_consumer_from_stream("mimamori", "CC_INBOUND").await.expect("deleted");
    let nats = Nats::open(&server.access(), options(1)).await.expect("opens");
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        for one in nats.lease(3, Duration::from_secs(5)).await.expect("leased") {
            seen.insert(one.identity.id.to_string());
            nats.settle(one.ticket, Settlement::Done).await.expect("settled");
        }
    }
    settled(&nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_found_no_consumer_is_told() {
    let (server, nats, _) = started().await;
    publish(&nats, 1, Duration::ZERO).await.expect("published");
    let leased = nats.lease(1, Duration::from_secs(5)).await.expect("leased");
    let context = other_client(&server).await;
    context.delete_consumer_from_stream("mimamori", "CC_INBOUND").await.expect("deleted");
    let settled = nats.settle(leased[0].ticket, Settlement::Done).await;
    assert!(settled.is_err_and(|error| error.is_transient()));
    assert_eq!(nats.faults().count(Trouble::AckLost), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_refuses_and_what_it_refused_may_be_repeated() {
    let (server, nats, _) = started().await;
    let context = other_client(&server).await;
    let bound = async |messages: i64| {
        let mut config = context.get_stream("CC_INBOUND").await.expect("there").cached_info().config.clone();
        config.max_messages = messages;
        context.update_stream(config).await.expect("changed");
    };
    bound(1).await;
    submit(&*nats, line(Some("first"), "first")).await.expect("there is room");
    let refused = submit(&*nats, line(Some("second"), "second")).await.expect_err("there is none");
    assert!(refused.is_transient(), "{refused}");
    bound(-1).await;
    assert!(!submit(&*nats, line(Some("second"), "second")).await.expect("accepted").duplicate, "what was refused was not accepted");
    assert!(submit(&*nats, line(Some("second"), "second")).await.expect("known").duplicate);
    let leased = nats.lease(10, Duration::from_secs(5)).await.expect("leased");
    assert_eq!(leased.first().map(|one| one.identity.id.as_str()), Some("first"), "the oldest is still there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_retries_do_not_stop_the_others() {
    const DELAYED: usize = 1_200; // more than the server's own default of messages out
    let (_server, nats, stop) = started().await;
    publish(&nats, DELAYED, Duration::ZERO).await.expect("published");
    let mut delayed = 0;
    while delayed < DELAYED {
        for one in nats.lease(100, Duration::from_secs(5)).await.expect("leased") {
            nats.settle(one.ticket, Settlement::Retry(Duration::from_hours(1))).await.expect("settled");
            delayed += 1;
        }
    }
    submit(&*nats, line(Some("next"), "next")).await.expect("accepted");
    let works = work(&nats, &stop);
    reach(&nats, 1).await;
    stop.cancel();
    works.await.expect("ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_bucket_is_told_and_not_made_again_in_silence() {
    let (server, nats, stop) = started().await;
    let working = work(&nats, &stop);
    becomes(&nats, true, Duration::from_secs(10)).await;
    let context = other_client(&server).await;
    context.delete_key_value("mimamori_conversation").await.expect("deleted");
    let reason = becomes(&nats, false, Duration::from_secs(15)).await;
    assert!(reason.contains("KV_mimamori_conversation is gone"), "{reason}");
    assert!(nats.faults().count(Trouble::Lost) >= 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(context.get_key_value("mimamori_conversation").await.is_err(), "nobody made it again");
    init(&server.access(), &options(1)).await;
    becomes(&nats, true, Duration::from_secs(15)).await;
    stop.cancel();
    working.await.expect("ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn withdrawn_rights_are_told_until_they_are_back() {
    let key = nkeys::KeyPair::new_user();
    let public = key.public_key();
    let config = |denied: &str| {
        format!(
            "port: 4222\njetstream {{ store_dir: \"/var/lib/nats\" }}\nauthorization {{ users = [\
             {{ nkey: {public}, permissions: {{ publish: {{ allow: [\">\"], deny: [{denied}] }}, subscribe: [\">\"] }} }} ] }}\n"
        )
    };
    let server = NatsServer::configured(NEWEST, &config("\"nothing\""));
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("key"), key.seed().expect("a seed")).expect("written");
    let access = Access { nkey: Some(folder.path().join("key")), ..server.access() };
    init(&access, &options(1)).await;
    let (nats, stop) = (open(&access, 1).await, CancellationToken::new());
    let working = work(&nats, &stop);
    publish(&nats, 20, Duration::ZERO).await.expect("published");
    reach(&nats, 20).await;
    server.reconfigure(&config("\"$JS.API.CONSUMER.MSG.NEXT.>\""));
    let reason = becomes(&nats, false, Duration::from_secs(40)).await;
    assert!(reason.contains("ermission") || reason.contains("no messages can be fetched"), "{reason}");
    server.reconfigure(&config("\"nothing\""));
    becomes(&nats, true, Duration::from_mins(1)).await;
    publish(&nats, 40, Duration::ZERO).await.expect("published");
    reach(&nats, 40).await;
    stop.cancel();
    working.await.expect("ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lame_duck_and_a_server_away_for_eight_seconds_lose_nothing() {
    const MESSAGES: usize = 1_000;
    let config = "port: 4222\nlame_duck_grace_period: \"1s\"\nlame_duck_duration: \"30s\"\njetstream { store_dir: \"/var/lib/nats\" }\n";
    let mut server = NatsServer::configured(NEWEST, config);
    init(&server.access(), &options(1)).await;
    let (nats, stop) = (open(&server.access(), 1).await, CancellationToken::new());
    let working = work(&nats, &stop);
    let publisher = publish(&nats, MESSAGES, Duration::from_millis(15));
    reach(&nats, 100).await;
    server.signal("USR2");
    server.wait(Duration::from_mins(1));
    assert!(nats.faults().count(Trouble::LameDuck) >= 1);
    server.launch();
    let after_duck = verdicts(&nats).await;
    reach(&nats, (after_duck + 100).min(MESSAGES)).await;
    server.kill();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(nats.check().await.is_err(), "away is not ready");
    server.launch();
    publisher.await.expect("published");
    reach(&nats, MESSAGES).await;
    settled(&nats).await;
    assert!(nats.faults().count(Trouble::Disconnected) >= 2 && nats.faults().count(Trouble::Connected) >= 3);
    stop.cancel();
    println!("longest gap: {:?}", working.await.expect("ended"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_leader_of_three_loses_nothing() {
    const MESSAGES: usize = 1_500;
    let mut nodes = NatsServer::cluster(NEWEST);
    let access = Access { url: nodes.iter().map(NatsServer::url).collect::<Vec<_>>().join(","), ..nodes[0].access() };
    init(&access, &options(3)).await;
    let (nats, other, stop) = (open(&access, 3).await, open(&access, 3).await, CancellationToken::new());
    let works = [work(&nats, &stop), work(&other, &stop)];
    let publisher = publish(&nats, MESSAGES, Duration::from_millis(10));
    for (round, signal) in ["KILL", "TERM"].into_iter().enumerate() {
        reach(&nats, 200 * (round + 1)).await;
        let context = async_nats::jetstream::new(async_nats::connect(access.url.split(',').collect::<Vec<_>>()).await.expect("connects"));
        let stream = context.get_stream("CC_INBOUND").await.expect("there");
        let leader = stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone()).expect("a leader");
        let at = nodes.iter().position(|node| node.name() == leader).expect("one of ours");
        nodes[at].signal(signal);
        nodes[at].wait(Duration::from_secs(30));
        let before = verdicts(&nats).await;
        reach(&nats, (before + 100).min(MESSAGES)).await;
        nodes[at].launch();
    }
    publisher.await.expect("published");
    reach(&nats, MESSAGES).await;
    settled(&nats).await;
    stop.cancel();
    for one in works {
        println!("longest gap: {:?}", one.await.expect("ended"));
    }
}
