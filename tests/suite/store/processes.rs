//! Several processes on one store, and processes that are killed. The children are this test binary itself.

use crate::store::contract::{append_some, count_up};
use crate::store::{PATIENCE, key, line, open, submit, submit_all, value};
use mimamori::store::{Queue, Settlement, Store, Stream};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a child shall do; unset in an ordinary test run.
const ROLE: &str = "MIMAMORI_TEST_STORE_ROLE";

/// The store it shall do it on.
const PATH: &str = "MIMAMORI_TEST_STORE_PATH";

fn spawn(role: &str, path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["store::processes::child", "--exact", "--nocapture"]).env(ROLE, role).env(PATH, path);
    command.stdout(Stdio::piped()).spawn().expect("a child")
}

/// Not a test: the entry point of the children.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var(PATH)) else { return };
    let store = Arc::new(open(Path::new(&path)));
    match role.as_str() {
        "endless" => {
            let tasks: Vec<_> = (0..8).map(|task| tokio::spawn(accept_endlessly(store.clone(), task))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        "one record" => drop(store.create(&key(&["child"]), value("x")).await.unwrap()),
        "one message" => submit_all(&*store, &["from the child"]).await,
        name => some_of_everything(store, name.to_owned()).await,
    }
}

async fn accept_endlessly(store: Arc<mimamori::edge::embedded::Embedded>, task: usize) {
    for n in 0.. {
        let id = format!("{task}-{n}");
        submit(&*store, line(Some(&id), &id)).await.expect("accepted");
        store.append(Stream::Verdict, &id, None, value(&id)).await.expect("appended");
        store.create(&key(&[&id]), value(&id)).await.expect("created");
        // After all three answers: whatever is printed must be there.
        writeln!(std::io::stdout(), "accepted={id};").expect("printed");
    }
}

async fn some_of_everything(store: Arc<mimamori::edge::embedded::Embedded>, name: String) {
    let accept = async {
        for n in 0..30 {
            submit(&*store, line(Some(&format!("{name}-{n}")), "x")).await.expect("accepted");
        }
    };
    tokio::join!(accept, count_up(store.clone(), 30), append_some(store.clone(), name.clone(), 30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_it_accepted() {
    for kill_after in [1, 40, 300] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let mut child = spawn("endless", &path);
        let mut accepted = BTreeSet::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            // The first line begins with words of the test harness.
            let line = line.unwrap();
            accepted.extend(line.split_once("accepted=").and_then(|(_, id)| id.strip_suffix(';')).map(str::to_owned));
            if accepted.len() == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(accepted.len() >= kill_after, "{} of {kill_after}", accepted.len());

        let store = open(&path);
        let mut found = BTreeSet::new();
        loop {
            let leased = store.lease(1000, Duration::ZERO).await.unwrap();
            if leased.is_empty() {
                break;
            }
            for leased in leased {
                found.insert(leased.identity.id.0);
                store.settle(leased.ticket, Settlement::Done).await.unwrap();
            }
        }
        assert!(accepted.is_subset(&found), "lost: {:?}", accepted.difference(&found));
        for id in &accepted {
            assert!(store.find(Stream::Verdict, id).await.unwrap().is_some(), "verdict {id}");
            assert!(store.get(&key(&[id])).await.unwrap().is_some(), "record {id}");
        }
        let last = store.last(Stream::Verdict).await.unwrap().unwrap().seq;
        assert_eq!(store.read(Stream::Verdict, 0, 1000).await.unwrap().len() as u64, last.min(1000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    // The children race to create the file, too.
    let mut children = [spawn("one record", &path), spawn("one message", &path)];
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let store = Arc::new(open(&path));
    store.create(&key(&["count"]), value("0")).await.unwrap();
    let mut children = [spawn("left", &path), spawn("right", &path)];
    some_of_everything(store.clone(), "parent".into()).await;
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(store.get(&key(&["count"])).await.unwrap().unwrap().value, value("90"));
    let entries = store.read(Stream::CaseEvent, 0, 1000).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=90).collect::<Vec<_>>());
    let leased = store.lease(1000, Duration::ZERO).await.unwrap();
    assert_eq!(leased.iter().map(|leased| &leased.identity.id).collect::<BTreeSet<_>>().len(), 91);
    assert_eq!(store.state().await.unwrap().pending, 91);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_wakes_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path);
    let since = Instant::now();
    let mut child = spawn("one record", &path);
    // Opening may wake it first; what counts is that the record is seen long before the wait would end.
    while store.get(&key(&["child"])).await.unwrap().is_none() {
        store.changed(PATIENCE).await;
    }
    assert!(child.wait().unwrap().success());
    let mut child = spawn("one message", &path);
    let leased = store.lease(1, PATIENCE).await.unwrap();
    assert_eq!(leased[0].identity.id.as_str(), "from the child");
    assert!(child.wait().unwrap().success());
    assert!(since.elapsed() < PATIENCE / 2, "slept over another process's commit");
}
